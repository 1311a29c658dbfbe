// SPDX-License-Identifier: Apache-2.0
// Reading session descriptions as tolerantly as the field demands, within limits.

package import Bytes

extension SessionDescription {
    /// Bytes of a whole description.
    package static let maximumLength = 64 * 1024
    /// Lines of a whole description.
    package static let maximumLines = 1024
    /// `m=` lines.
    package static let maximumMedia = 32
    /// `a=` lines of the session or of one medium.
    package static let maximumAttributes = 128

    /// Parses a description.
    ///
    /// Lines may end in CR LF, LF or the end of the text; lines of unknown types or without `=` are passed over.
    /// Control characters are left out, bytes that are no UTF-8 are replaced.
    package init(parsing text: Span<UInt8>) throws(WireError) {
        guard text.count <= Self.maximumLength else { throw .limit(field: "SDP bytes", limit: Self.maximumLength) }
        self.init(origin: "", name: "")
        var count = 0
        var start = 0
        while start < text.count {
            var end = start
            while end < text.count, text[end] != UInt8(ascii: "\n") { end += 1 }
            var length = end - start
            if length > 0, text[end - 1] == UInt8(ascii: "\r") { length -= 1 }
            count += 1
            guard count <= Self.maximumLines else { throw .limit(field: "SDP lines", limit: Self.maximumLines) }
            try take(text.extracting(start..<(start + length)), isFirst: count == 1)
            start = end + 1
        }
        guard count > 0 else { throw .truncated(needed: 3, available: 0) }
    }

    private mutating func take(_ line: Span<UInt8>, isFirst: Bool) throws(WireError) {
        guard line.count >= 2, line[1] == UInt8(ascii: "=") else {
            if isFirst { throw .invalid(field: "SDP version line", value: 0) }
            return
        }
        let value = Self.printable([UInt8](line.extracting(2..<line.count)))
        if isFirst {
            guard line[0] == UInt8(ascii: "v"), value == "0" else {
                throw .invalid(field: "SDP version line", value: 0)
            }
            return
        }
        switch line[0] {
        case UInt8(ascii: "o"): origin = value
        case UInt8(ascii: "s"): name = value
        case UInt8(ascii: "c"):
            if let last = media.indices.last {
                media[last].connection = value
            } else {
                connection = value
            }
        case UInt8(ascii: "m"): try takeMedia(value)
        case UInt8(ascii: "a"): try takeAttribute(value)
        case UInt8(ascii: "b"):
            if let last = media.indices.last, value.hasPrefix("AS:") { media[last].bandwidth = Int(value.dropFirst(3)) }
        default: break
        }
    }

    private mutating func takeMedia(_ value: String) throws(WireError) {
        guard media.count < Self.maximumMedia else { throw .limit(field: "SDP media", limit: Self.maximumMedia) }
        let words = value.split(separator: " ").map(String.init)
        // The port may be "0/2": the number of ports does not matter here.
        guard words.count >= 3, let port = words[1].split(separator: "/").first.flatMap({ UInt16($0) }) else {
            throw .invalid(field: "SDP media line, words", value: UInt64(words.count))
        }
        media.append(Media(kind: words[0], port: port, transport: words[2], formats: Array(words[3...].prefix(64))))
    }

    private mutating func takeAttribute(_ value: String) throws(WireError) {
        let parts = value.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let attribute = Attribute(parts[0], parts.count > 1 ? parts[1] : nil)
        let count = media.last?.attributes.count ?? attributes.count
        guard count < Self.maximumAttributes else {
            throw .limit(field: "SDP attributes", limit: Self.maximumAttributes)
        }
        if let last = media.indices.last {
            media[last].attributes.append(attribute)
        } else {
            attributes.append(attribute)
        }
    }
}
