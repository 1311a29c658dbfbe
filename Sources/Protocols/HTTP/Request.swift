// SPDX-License-Identifier: Apache-2.0
// A request: its head, what the head says of the body and of the connection, and the body.

/// How the end of a request's body is found (RFC 9112 §6.3).
package enum BodyFraming: Sendable, Equatable {
    case none
    case length(Int)
    case chunked
}

/// The request line and the fields of a request.
package struct RequestHead: Sendable, Equatable {
    package var method: Method
    package var target: Target
    package var version: Version
    package var fields: HeaderFields

    /// Whether the client lets the connection live on after the response (RFC 9112 §9.3).
    package var isPersistent: Bool {
        if fields.contains("close", in: "connection") { return false }
        return version == .http11 || fields.contains("keep-alive", in: "connection")
    }

    /// Whether the client waits for `100 Continue` before it sends the body.
    ///
    /// - Throws: 417 for any other expectation.
    package func expectsContinue() throws(RequestError) -> Bool {
        guard version == .http11, let expectation = fields["expect"] else { return false }
        guard Syntax.lowercased(expectation) == "100-continue" else {
            throw RequestError(.expectationFailed, "unknown expectation")
        }
        return true
    }

    /// How long the body is.
    ///
    /// Strict, because a proxy in front that reads the same head otherwise lets one client put words into another's
    /// mouth: both fields, differing lengths, and a coding that does not end with `chunked` are refused.
    ///
    /// - Throws: 400 for a contradiction, 501 for a transfer coding other than `chunked`.
    package func framing() throws(RequestError) -> BodyFraming {
        let lengths = fields.list("content-length")
        let codings = fields.list("transfer-encoding").map { Syntax.lowercased($0) }
        if !codings.isEmpty {
            guard lengths.isEmpty else {
                throw RequestError(.badRequest, "both Content-Length and Transfer-Encoding")
            }
            guard version == .http11 else { throw RequestError(.badRequest, "Transfer-Encoding in HTTP/1.0") }
            guard codings.last == "chunked", !codings.dropLast().contains("chunked"), !codings.contains("") else {
                throw RequestError(.badRequest, "Transfer-Encoding does not end with one chunked")
            }
            guard codings.count == 1 else { throw RequestError(.notImplemented, "transfer coding other than chunked") }
            return .chunked
        }
        guard let first = lengths.first else { return .none }
        guard let length = Syntax.decimal(first.utf8) else { throw RequestError(.badRequest, "invalid Content-Length") }
        guard lengths.allSatisfy({ $0 == first }) else {
            throw RequestError(.badRequest, "Content-Length fields that differ")
        }
        return length == 0 ? .none : .length(length)
    }

    /// Checks that HTTP/1.1 names exactly one host, of harmless characters (RFC 9112 §3.2).
    func checkHost() throws(RequestError) {
        let hosts = fields.values("host")
        guard hosts.count == 1 || hosts.isEmpty && version == .http10 else {
            throw RequestError(.badRequest, hosts.isEmpty ? "no Host field" : "more than one Host field")
        }
        let isHarmless = hosts.allSatisfy { host in
            host.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
                    UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "%"), UInt8(ascii: "~"):
                    true
                default: false
                }
            }
        }
        guard isHarmless else { throw RequestError(.badRequest, "invalid Host field") }
    }
}

/// A whole request.
package struct Request: Sendable, Equatable {
    package var head: RequestHead
    package var body: [UInt8]
}
