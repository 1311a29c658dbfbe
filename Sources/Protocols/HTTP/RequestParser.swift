// SPDX-License-Identifier: Apache-2.0
// The incremental parser of a request's head (RFC 9112 §2–§5).

/// Reads one request head, byte by byte over any number of pieces.
///
/// Lines end with CR LF and nothing else: a bare CR or LF is refused, since parsers that disagree on it make
/// request smuggling possible.
package struct RequestParser: Sendable {
    /// At most this many bytes in the request line, line end excluded.
    package static let requestLineLimit = 8 * 1024
    /// At most this many empty lines in front of the request line (RFC 9112 §2.2 wants one or more skipped).
    package static let emptyLineLimit = 4

    private enum State {
        case requestLine(emptyLines: Int)
        case fields(RequestHead)
    }

    private var state = State.requestLine(emptyLines: 0)
    /// The line that is being received, without its line end.
    private var line: [UInt8] = []
    private var sawCarriageReturn = false
    private var fieldBytes = 0

    package init() {}

    /// True until the first byte of a request has come.
    package var isEmpty: Bool {
        guard case .requestLine = state else { return false }
        return line.isEmpty
    }

    /// Takes bytes up to the end of the head, or all of them.
    ///
    /// - Returns: how many were taken, and the head once it is complete; the parser is spent then.
    /// - Throws: the refusal; the parser is spent then too.
    package mutating func parse(_ bytes: Span<UInt8>) throws(RequestError) -> (consumed: Int, head: RequestHead?) {
        for index in bytes.indices {
            guard try take(bytes[index]) else { continue }
            if let head = try endLine() { return (index + 1, head) }
        }
        return (bytes.count, nil)
    }

    /// Takes one byte; true when it ends a line.
    private mutating func take(_ byte: UInt8) throws(RequestError) -> Bool {
        if sawCarriageReturn {
            guard byte == Syntax.lineFeed else { throw RequestError(.badRequest, "bare CR") }
            sawCarriageReturn = false
            try countFieldBytes(1)
            return true
        }
        switch byte {
        case Syntax.carriageReturn: sawCarriageReturn = true
        case Syntax.lineFeed: throw RequestError(.badRequest, "bare LF")
        case _ where !Syntax.isText(byte): throw RequestError(.badRequest, "control character in the request head")
        default: line.append(byte)
        }
        if case .requestLine = state, line.count > Self.requestLineLimit {
            throw RequestError(.targetTooLong, "request line longer than \(Self.requestLineLimit) bytes")
        }
        try countFieldBytes(1)
        return false
    }

    private mutating func countFieldBytes(_ count: Int) throws(RequestError) {
        guard case .fields = state else { return }
        fieldBytes += count
        guard fieldBytes <= HeaderFields.byteLimit else {
            throw RequestError(.fieldsTooLarge, "header fields longer than \(HeaderFields.byteLimit) bytes")
        }
    }

    /// Works on a whole line; returns the head at the empty line that ends it.
    private mutating func endLine() throws(RequestError) -> RequestHead? {
        defer { line.removeAll(keepingCapacity: true) }
        switch state {
        case .requestLine(let emptyLines) where line.isEmpty:
            guard emptyLines < Self.emptyLineLimit else {
                throw RequestError(.badRequest, "empty lines in front of the request")
            }
            state = .requestLine(emptyLines: emptyLines + 1)
            return nil
        case .requestLine:
            state = .fields(try Self.requestLine(line[...]))
            return nil
        case .fields(var head) where line.isEmpty:
            try head.checkHost()
            if let authority = head.target.authority {
                // A proxy's Host may tell something else: the target counts (RFC 9112 §3.2.2).
                head.fields.replace("host", with: String(decoding: authority, as: UTF8.self))
                try head.checkHost()
            }
            return head
        case .fields(var head):
            // Let go of the state's copy, so that the list grows in place.
            state = .requestLine(emptyLines: 0)
            try head.fields.append(parsing: line[...])
            state = .fields(head)
            return nil
        }
    }

    /// Parses `method SP target SP version`.
    private static func requestLine(_ line: ArraySlice<UInt8>) throws(RequestError) -> RequestHead {
        let words = line.split(separator: Syntax.space, omittingEmptySubsequences: false)
        guard words.count == 3, !words[0].isEmpty, words[0].allSatisfy(Syntax.isToken), !words[1].isEmpty else {
            throw RequestError(.badRequest, "malformed request line")
        }
        // The version comes first: it says whether the rest can be understood at all (HTTP/2's preface is `PRI *`).
        let version = try version(words[2])
        guard let method = Method(rawValue: String(decoding: words[0], as: UTF8.self)) else {
            throw RequestError(.notImplemented, "unknown method")
        }
        let target = try Target(parsing: words[1])
        guard !target.isServer || method == .options else {
            throw RequestError(.badRequest, "the target * is for OPTIONS only")
        }
        return RequestHead(method: method, target: target, version: version, fields: HeaderFields())
    }

    private static func version(_ word: ArraySlice<UInt8>) throws(RequestError) -> Version {
        let word = Array(word)
        guard word.count == 8, word[..<5].elementsEqual("HTTP/".utf8), word[6] == UInt8(ascii: "."),
            let major = Syntax.decimal(word[5]), let minor = Syntax.decimal(word[7])
        else { throw RequestError(.badRequest, "malformed HTTP version") }
        guard major == 1 else { throw RequestError(.versionNotSupported, "only HTTP/1.0 and HTTP/1.1 are spoken") }
        return minor == 0 ? .http10 : .http11
    }
}
