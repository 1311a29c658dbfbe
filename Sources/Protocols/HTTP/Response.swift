// SPDX-License-Identifier: Apache-2.0
// A response and how its head is written (RFC 9112 §4–§6).

/// What a request is answered with.
package struct Response: Sendable, Equatable {
    /// What follows the head.
    package enum Body: Sendable, Equatable {
        /// These bytes.
        case bytes([UInt8])
        /// This many bytes, which the caller sends.
        case length(Int)
        /// What the caller sends until it closes the connection.
        case untilClose
    }

    package var status: Status
    package var fields: [HeaderField]
    package var body: Body

    package init(_ status: Status, fields: [HeaderField] = [], body: Body = .bytes([])) {
        self.status = status
        self.fields = fields
        self.body = body
    }

    /// Answers with text of one line.
    package init(_ status: Status, text: String, fields: [HeaderField] = []) {
        self.init(
            status,
            fields: [HeaderField("Content-Type", "text/plain; charset=utf-8")] + fields,
            body: .bytes(Array((text + "\n").utf8))
        )
    }

    /// Answers a request that is refused.
    package init(refusing error: RequestError) { self.init(error.status, text: error.reason) }

    /// Appends the status line and all fields, `connection` last.
    ///
    /// A character that could end a line or a head is written as `?`, so no value can add a field of its own.
    package func writeHead(connection: String?, date: Int64, into output: inout [UInt8]) {
        output += "HTTP/1.1 \(status.rawValue) \(status.phrase)\r\nDate: ".utf8
        output += HTTPDate.format(epochSeconds: date).utf8
        output += "\r\n".utf8
        for field in fields { Self.write(field, into: &output) }
        switch body {
        case _ where status.forbidsBody, .untilClose: break
        case .bytes(let bytes): output += "Content-Length: \(bytes.count)\r\n".utf8
        case .length(let length): output += "Content-Length: \(length)\r\n".utf8
        }
        if let connection { Self.write(HeaderField("Connection", connection), into: &output) }
        output += "\r\n".utf8
    }

    private static func write(_ field: HeaderField, into output: inout [UInt8]) {
        for byte in field.name.utf8 { output.append(Syntax.isToken(byte) ? byte : UInt8(ascii: "?")) }
        output += ": ".utf8
        for byte in field.value.utf8 { output.append(Syntax.isText(byte) ? byte : UInt8(ascii: "?")) }
        output += "\r\n".utf8
    }
}
