// SPDX-License-Identifier: Apache-2.0
// RTSP requests and responses (RFC 2326) as values.

/// The methods of RTSP 1.0 (RFC 2326 §10).
package enum RTSPMethod: Sendable, Hashable {
    case options, describe, announce, setup, play, pause, teardown, getParameter, setParameter, record, redirect
    /// A method that RFC 2326 does not have; also HTTP's, on the same port.
    case other(String)

    private static let names: [(RTSPMethod, String)] = [
        (.options, "OPTIONS"), (.describe, "DESCRIBE"), (.announce, "ANNOUNCE"), (.setup, "SETUP"), (.play, "PLAY"),
        (.pause, "PAUSE"), (.teardown, "TEARDOWN"), (.getParameter, "GET_PARAMETER"),
        (.setParameter, "SET_PARAMETER"), (.record, "RECORD"), (.redirect, "REDIRECT"),
    ]

    package init(_ name: String) {
        self = Self.names.first { $0.1 == name }?.0 ?? .other(name)
    }

    /// The name as it stands in a request.
    package var name: String {
        if case .other(let name) = self { return name }
        return Self.names.first { $0.0 == self }?.1 ?? ""
    }
}

/// What a request or response says it is written in.
package enum RTSPVersion: Sendable, Hashable {
    case rtsp10
    /// Another version of RTSP.
    case otherRTSP
    /// HTTP: a browser on the wrong port, or a tunnel.
    case http
}

/// The header lines of a message, in their order.
package struct RTSPHeaders: Sendable, Hashable {
    /// Header lines of one message.
    package static let maximumCount = 64

    package struct Field: Sendable, Hashable {
        package var name: String
        package var value: String
    }

    package private(set) var fields: [Field] = []

    package init() {}

    /// The value of the first header called `name`, compared without case.
    package subscript(_ name: String) -> String? {
        let name = name.lowercased()
        return fields.first { $0.name.lowercased() == name }?.value
    }

    /// The values of all headers called `name`.
    package func all(_ name: String) -> [String] {
        let name = name.lowercased()
        return fields.filter { $0.name.lowercased() == name }.map(\.value)
    }

    /// Adds a line.
    package mutating func add(_ name: String, _ value: String) { fields.append(Field(name: name, value: value)) }
}

/// A request.
package struct RTSPRequest: Sendable, Hashable {
    package var method: RTSPMethod
    /// The request's URL as it was sent.
    package var target: String
    package var version: RTSPVersion
    package var headers: RTSPHeaders
    package var body: [UInt8]

    package init(
        _ method: RTSPMethod,
        _ target: String,
        version: RTSPVersion = .rtsp10,
        headers: RTSPHeaders = RTSPHeaders(),
        body: [UInt8] = []
    ) {
        self.method = method
        self.target = target
        self.version = version
        self.headers = headers
        self.body = body
    }

    /// Appends the request as it goes on the wire.
    package func serialize(into output: inout [UInt8]) {
        let version = version == .http ? "HTTP/1.0" : "RTSP/1.0"
        output.append(contentsOf: "\(method.name) \(target) \(version)\r\n".utf8)
        headers.serialize(body: body, into: &output)
    }
}

/// A response.
package struct RTSPResponse: Sendable, Hashable {
    package var status: RTSPStatus
    package var headers: RTSPHeaders
    package var body: [UInt8]

    package init(_ status: RTSPStatus, headers: RTSPHeaders = RTSPHeaders(), body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// Appends the response as it goes on the wire.
    package func serialize(into output: inout [UInt8]) {
        output.append(contentsOf: "RTSP/1.0 \(status.rawValue) \(status.reason)\r\n".utf8)
        headers.serialize(body: body, into: &output)
    }
}

extension RTSPHeaders {
    /// Appends the lines, Content-Length where there is a body, and the body.
    fileprivate func serialize(body: [UInt8], into output: inout [UInt8]) {
        for field in fields {
            output.append(contentsOf: field.name.utf8)
            output.append(contentsOf: ": ".utf8)
            // A line end inside a value would let a peer add headers of its own.
            output.append(contentsOf: field.value.utf8.filter { $0 >= 0x20 })
            output.append(contentsOf: "\r\n".utf8)
        }
        if !body.isEmpty { output.append(contentsOf: "Content-Length: \(body.count)\r\n".utf8) }
        output.append(contentsOf: "\r\n".utf8)
        output.append(contentsOf: body)
    }
}
