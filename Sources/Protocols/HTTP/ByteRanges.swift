// SPDX-License-Identifier: Apache-2.0
// Requests for parts of a representation (RFC 9110 §14).

/// What a Range field asks for of a representation of known length.
package enum RangeRequest: Sendable, Equatable {
    /// All of it: there is no field, or none that is understood (RFC 9110 §14.2).
    case whole
    /// These bytes, each range within the representation and not empty, in the client's order.
    case parts([Range<Int>])
    /// None of what is asked for is there: 416.
    case unsatisfiable

    /// More ranges than this are not looked at, and the whole is sent.
    package static let countLimit = 16
    /// A field longer than this is not looked at, in bytes.
    package static let byteLimit = 512

    /// Reads the field's value for a representation of `length` bytes.
    ///
    /// Ranges that overlap or touch are joined, so that an answer is never longer than the whole (RFC 9110 §17.15).
    package init(parsing value: String?, length: Int) {
        self = .whole
        guard let value, value.utf8.count <= Self.byteLimit else { return }
        let bytes = Array(value.utf8)[...]
        guard let equals = bytes.firstIndex(of: UInt8(ascii: "=")),
            bytes[..<equals].map({ Syntax.lowercased($0) }).elementsEqual("bytes".utf8)
        else { return }
        var found: [Range<Int>] = []
        var count = 0
        for part in bytes[(equals + 1)...].split(separator: Syntax.comma, omittingEmptySubsequences: false) {
            let spec = Syntax.trimmed(part)
            if spec.isEmpty { continue }
            count += 1
            guard count <= Self.countLimit, let range = Self.range(spec, length) else { return }
            if !range.isEmpty { Self.add(range, to: &found) }
        }
        guard count > 0 else { return }
        self = found.isEmpty ? .unsatisfiable : .parts(found)
    }

    /// One `first-last`, `first-` or `-length`; empty if none of it is there, nil if it is malformed.
    private static func range(_ spec: ArraySlice<UInt8>, _ length: Int) -> Range<Int>? {
        guard let dash = spec.firstIndex(of: UInt8(ascii: "-")) else { return nil }
        let head = spec[..<dash]
        let tail = spec[(dash + 1)...]
        if head.isEmpty {
            guard let suffix = number(tail) else { return nil }
            return (length - min(suffix, length))..<length
        }
        guard let first = number(head) else { return nil }
        if tail.isEmpty { return min(first, length)..<length }
        guard let last = number(tail), first <= last else { return nil }
        guard first < length else { return length..<length }
        return first..<(min(last, length - 1) + 1)
    }

    /// A number; one that is too large for a length stands for the largest.
    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        guard !digits.isEmpty, digits.allSatisfy({ Syntax.decimal($0) != nil }) else { return nil }
        return Syntax.decimal(digits) ?? .max
    }

    /// Adds a range, joined with those that it overlaps or touches.
    private static func add(_ range: Range<Int>, to ranges: inout [Range<Int>]) {
        var joined = range
        var place = ranges.count
        while let index = ranges.firstIndex(where: {
            $0.lowerBound <= joined.upperBound && joined.lowerBound <= $0.upperBound
        }) {
            let other = ranges.remove(at: index)
            joined = min(joined.lowerBound, other.lowerBound)..<max(joined.upperBound, other.upperBound)
            place = min(place, index)
        }
        ranges.insert(joined, at: min(place, ranges.count))
    }
}

extension Response {
    /// What stands between the parts of an answer with several ranges. It is not looked for in the content, as
    /// clients go by each part's length.
    package static let rangeBoundary = "apus-range-boundary-7MA4YWxkTrZu0gW"

    /// Answers GET or HEAD with what the client's conditions and ranges leave of a representation.
    ///
    /// - Parameters:
    ///   - validators: what tells this version from others; they are added to the fields.
    ///   - fields: `Content-Type` and what else goes with the representation.
    package init(
        _ content: [UInt8],
        validators: Validators,
        fields: [HeaderField],
        to head: RequestHead
    ) {
        let validatorFields = validators.fields
        switch validators.verdict(head) {
        case .failed: self.init(.preconditionFailed, text: "this is not the version that was asked for")
        case .unmodified:
            let kept = fields.filter { Syntax.lowercased($0.name) != "content-type" }
            self.init(.notModified, fields: kept + validatorFields)
        case .proceed:
            let fields = fields + validatorFields + [HeaderField("Accept-Ranges", "bytes")]
            let asked = head.method == .get && validators.rangeApplies(head) ? head.fields["range"] : nil
            switch RangeRequest(parsing: asked, length: content.count) {
            case .whole: self.init(.ok, fields: fields, body: .bytes(content))
            case .unsatisfiable:
                self.init(
                    .rangeNotSatisfiable,
                    text: "there are \(content.count) bytes",
                    fields: validatorFields + [HeaderField("Content-Range", "bytes */\(content.count)")]
                )
            case .parts(let ranges): self.init(ranges, of: content, fields)
            }
        }
    }

    private init(_ ranges: [Range<Int>], of content: [UInt8], _ fields: [HeaderField]) {
        func contentRange(_ range: Range<Int>) -> String {
            "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(content.count)"
        }
        if ranges.count == 1, let range = ranges.first {
            let field = HeaderField("Content-Range", contentRange(range))
            self.init(.partialContent, fields: fields + [field], body: .bytes(Array(content[range])))
            return
        }
        // RFC 9110 §15.3.7.2: each part has the type of the whole.
        let type = fields.first { Syntax.lowercased($0.name) == "content-type" }?.value
        var body: [UInt8] = []
        for range in ranges {
            body += "--\(Self.rangeBoundary)\r\n".utf8
            if let type { body += "Content-Type: \(type)\r\n".utf8 }
            body += "Content-Range: \(contentRange(range))\r\n\r\n".utf8
            body += content[range]
            body += "\r\n".utf8
        }
        body += "--\(Self.rangeBoundary)--\r\n".utf8
        let others = fields.filter { Syntax.lowercased($0.name) != "content-type" }
        let multipart = HeaderField("Content-Type", "multipart/byteranges; boundary=\(Self.rangeBoundary)")
        self.init(.partialContent, fields: [multipart] + others, body: .bytes(body))
    }
}
