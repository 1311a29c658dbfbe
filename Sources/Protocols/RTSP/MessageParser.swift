// SPDX-License-Identifier: Apache-2.0
// Takes requests, responses and interleaved packets off the front of a connection's bytes.

package import Bytes

/// Parses what an RTSP connection receives, one item at a time.
///
/// The caller keeps the bytes: it hands over all that are not consumed yet, drops as many as were consumed, and asks
/// again until nothing is. Nothing is searched or parsed twice, however the bytes are split.
package struct RTSPParser: Sendable {
    /// Bytes of the request or status line.
    package static let maximumLine = 4096
    /// Bytes of the first line and all headers.
    package static let maximumHead = 16 * 1024
    /// Bytes of a body.
    package static let maximumBody = 64 * 1024
    /// Bytes that the caller's buffer must be able to hold.
    package static let maximumItem = maximumHead + maximumBody

    /// What one message may have; never more than the constants above allow.
    package struct Limits: Sendable, Hashable {
        /// Bytes of the head, and of the body.
        package let bytes: Int
        /// Header lines.
        package let headers: Int

        package init(bytes: Int = maximumBody, headers: Int = RTSPHeaders.maximumCount) {
            self.bytes = bytes
            self.headers = min(headers, RTSPHeaders.maximumCount)
        }

        var head: Int { min(bytes, maximumHead) }
        var body: Int { min(bytes, maximumBody) }
    }

    /// What was found.
    package enum Item: Sendable, Hashable {
        case request(RTSPRequest)
        case response(RTSPResponse)
        /// An interleaved packet on a channel; the range is its payload's place in the bytes handed over.
        case interleaved(channel: UInt8, payload: Range<Int>)
    }

    /// A head whose body is still on its way.
    private enum Pending: Sendable {
        case request(RTSPRequest)
        case response(RTSPResponse)
    }

    private var pending: (head: Pending, headLength: Int, bodyLength: Int)?
    /// Bytes already searched for the end of the head.
    private var searched = 0
    /// True for a client, which leaves out header lines that it cannot read; a server refuses them.
    private let isTolerant: Bool
    private let limits: Limits
    /// True once a header line was left out.
    var hasLeftOutHeaders = false

    package init(limits: Limits = Limits()) {
        isTolerant = false
        self.limits = limits
    }

    init(isTolerant: Bool) {
        self.isTolerant = isTolerant
        limits = Limits()
    }

    /// Takes the first item of `bytes`; consumes nothing if it is not complete yet.
    ///
    /// - Throws: What is wrong; the connection cannot be parsed any further.
    package mutating func parse(_ bytes: Span<UInt8>) throws(WireError) -> (consumed: Int, item: Item?) {
        if pending == nil {
            guard let first = bytes.count > 0 ? bytes[0] : nil else { return (0, nil) }
            if first == UInt8(ascii: "$") { return Self.interleaved(bytes) }
            // RFC 2326 §4: empty lines in front of a message are passed over.
            if first == UInt8(ascii: "\r") || first == UInt8(ascii: "\n") { return (1, nil) }
            guard let end = try headEnd(bytes) else { return (0, nil) }
            searched = 0
            try parseHead(bytes.extracting(0..<end))
        }
        guard let (head, headLength, bodyLength) = pending, bytes.count >= headLength + bodyLength else {
            return (0, nil)
        }
        pending = nil
        let body = [UInt8](bytes.extracting(headLength..<(headLength + bodyLength)))
        switch head {
        case .request(var request):
            request.body = body
            return (headLength + bodyLength, .request(request))
        case .response(var response):
            response.body = body
            return (headLength + bodyLength, .response(response))
        }
    }

    private static func interleaved(_ bytes: Span<UInt8>) -> (consumed: Int, item: Item?) {
        guard bytes.count >= 4 else { return (0, nil) }
        let length = Int(bytes[2]) << 8 | Int(bytes[3])
        guard bytes.count >= 4 + length else { return (0, nil) }
        return (4 + length, .interleaved(channel: bytes[1], payload: 4..<(4 + length)))
    }

    /// The index behind the empty line that ends the head; nil if it is not there yet.
    private mutating func headEnd(_ bytes: Span<UInt8>) throws(WireError) -> Int? {
        let limit = min(bytes.count, limits.head)
        var index = searched
        while index < limit {
            if bytes[index] == UInt8(ascii: "\n") {
                var next = index + 1
                if next < limit, bytes[next] == UInt8(ascii: "\r") { next += 1 }
                if next < limit, bytes[next] == UInt8(ascii: "\n") { return next + 1 }
            }
            index += 1
        }
        guard limit < limits.head else { throw .limit(field: "RTSP head", limit: limits.head) }
        // An end of line may be cut in three.
        searched = max(0, limit - 2)
        return nil
    }

    private mutating func parseHead(_ head: Span<UInt8>) throws(WireError) {
        var lines = Lines(head)
        guard let first = try lines.next(limit: Self.maximumLine) else { throw .truncated(needed: 1, available: 0) }
        var headers = RTSPHeaders()
        while let line = try lines.next(limit: Self.maximumHead) {
            guard headers.fields.count < limits.headers else {
                throw .limit(field: "RTSP headers", limit: limits.headers)
            }
            do throws(WireError) {
                let (name, value) = try Self.header(line)
                headers.add(name, value)
            } catch {
                guard isTolerant else { throw error }
                hasLeftOutHeaders = true
            }
        }
        let message = try Self.firstLine(first, headers)
        var bodyLength = try Self.contentLength(headers)
        // What follows HTTP's head belongs to whoever the connection is handed to: a tunnel has no end of body.
        if case .request(let request) = message, request.version == .http { bodyLength = 0 }
        guard bodyLength <= limits.body else { throw .limit(field: "RTSP body", limit: limits.body) }
        pending = (message, head.count, bodyLength)
    }

    private static func firstLine(_ line: [UInt8], _ headers: RTSPHeaders) throws(WireError) -> Pending {
        guard line.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { throw .invalid(field: "RTSP first line", value: 0) }
        let words = line.split(separator: UInt8(ascii: " "), maxSplits: 2).map { String(decoding: $0, as: UTF8.self) }
        guard let first = words.first else { throw .invalid(field: "RTSP first line, words", value: 0) }
        if first.hasPrefix("RTSP/") {
            guard words.count >= 2, words[1].utf8.count == 3, let status = UInt16(words[1]) else {
                throw .invalid(field: "RTSP status line", value: UInt64(words.count))
            }
            return .response(RTSPResponse(RTSPStatus(rawValue: status), headers: headers))
        }
        guard words.count == 3, isToken(first), let version = version(words[2]) else {
            throw .invalid(field: "RTSP request line, words", value: UInt64(words.count))
        }
        return .request(RTSPRequest(RTSPMethod(first), words[1], version: version, headers: headers))
    }

    private static func version(_ text: String) -> RTSPVersion? {
        if text == "RTSP/1.0" { return .rtsp10 }
        if text.hasPrefix("RTSP/"), text.dropFirst(5).allSatisfy({ $0.isNumber || $0 == "." }) { return .otherRTSP }
        if text.hasPrefix("HTTP/1.") { return .http }
        return nil
    }

    private static func header(_ line: [UInt8]) throws(WireError) -> (String, String) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
            throw .invalid(field: "RTSP header without colon, length", value: UInt64(line.count))
        }
        // Some clients put a space in front of the colon.
        let name = String(decoding: line[..<colon], as: UTF8.self).trimmingSpaces()
        guard isToken(name), line[(colon + 1)...].allSatisfy({ $0 >= 0x20 || $0 == 0x09 }) else {
            throw .invalid(field: "RTSP header, length", value: UInt64(line.count))
        }
        return (name, String(decoding: line[(colon + 1)...], as: UTF8.self).trimmingSpaces())
    }

    /// The length of the body; two lengths that differ would let a body be read as a request.
    private static func contentLength(_ headers: RTSPHeaders) throws(WireError) -> Int {
        var result: Int?
        for value in headers.all("Content-Length") {
            guard !value.isEmpty, value.utf8.count <= 9, value.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let length = Int(value), result == nil || result == length
            else { throw .invalid(field: "Content-Length, digits", value: UInt64(value.utf8.count)) }
            result = length
        }
        guard let result else { return 0 }
        return result
    }

    /// RFC 2326 §15.1: a token has no controls, spaces or separators.
    private static func isToken(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !#"()<>@,;:\"/[]?={}"#.utf8.contains($0) }
    }
}

/// The lines of a head, without their ends.
private struct Lines: ~Escapable {
    private let bytes: Span<UInt8>
    private var start = 0

    @_lifetime(copy bytes)
    init(_ bytes: Span<UInt8>) { self.bytes = bytes }

    /// The next line; nil at the empty one.
    @_lifetime(self: copy self)
    mutating func next(limit: Int) throws(WireError) -> [UInt8]? {
        var end = start
        while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
        var length = end - start
        if length > 0, bytes[end - 1] == UInt8(ascii: "\r") { length -= 1 }
        guard length <= limit else { throw .limit(field: "RTSP line", limit: limit) }
        defer { start = end + 1 }
        return length == 0 ? nil : [UInt8](bytes.extracting(start..<(start + length)))
    }
}

extension StringProtocol {
    /// The text without spaces and tabs at its ends.
    func trimmingSpaces() -> String {
        var rest = self[...]
        while let first = rest.first, first == " " || first == "\t" { rest = rest.dropFirst() }
        while let last = rest.last, last == " " || last == "\t" { rest = rest.dropLast() }
        return String(rest)
    }
}
