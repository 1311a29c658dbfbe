// SPDX-License-Identifier: Apache-2.0
// Requests and responses as HTTP/2 carries them: fields, of which some say what the first line says elsewhere.

/// A request while its fields and its body arrive (RFC 9113 §8.3.1).
///
/// What is wrong is kept until `finish`, so that the rest can be read and thrown away.
package struct StreamRequest: Sendable {
    /// At most this many bytes of fields, counted as RFC 9113 §6.5.2 does.
    package static let fieldsLimit = HeaderFields.byteLimit

    private var method: String?
    private var path: [UInt8]?
    private var authority: String?
    private var cookies: [UInt8] = []
    private var fields = HeaderFields()
    private var body: [UInt8] = []
    private var fieldBytes = 0
    /// Why the request is refused; nothing more is kept then.
    package private(set) var fault: RequestError?

    package init() {}

    /// Takes the next field.
    package mutating func add(_ name: [UInt8], _ value: [UInt8]) {
        fieldBytes += name.count + value.count + 32
        guard fault == nil else { return }
        guard fieldBytes <= Self.fieldsLimit else {
            return refuse(RequestError(.fieldsTooLarge, "more than \(Self.fieldsLimit) bytes of fields"))
        }
        switch String(decoding: name, as: UTF8.self) {
        case ":method": method = String(decoding: value, as: UTF8.self)
        case ":path": path = value
        case ":authority": authority = String(decoding: value, as: UTF8.self)
        case ":scheme": break
        case "cookie":
            // Sent in pieces, so that each can be compressed (RFC 9113 §8.2.3).
            if !cookies.isEmpty { cookies += "; ".utf8 }
            cookies += value
        default: append(name, value)
        }
    }

    /// Takes the next bytes of the body.
    package mutating func add(body bytes: some Collection<UInt8>) {
        guard fault == nil else { return }
        guard body.count + bytes.count <= ServerConnection.bodyLimit else {
            return refuse(RequestError(.contentTooLarge, "more than \(ServerConnection.bodyLimit) bytes of body"))
        }
        body += bytes
    }

    /// The whole request.
    ///
    /// - Throws: what is wrong with it, as a request of HTTP/1 with the same fields would be refused.
    package mutating func finish() throws(RequestError) -> Request {
        if !cookies.isEmpty { append(Array("cookie".utf8), cookies) }
        if let authority {
            let hosts = fields.values("host")
            guard hosts.allSatisfy({ $0 == authority }) else {
                throw RequestError(.badRequest, "the fields host and :authority differ")
            }
            if hosts.isEmpty { append(Array("host".utf8), Array(authority.utf8)) }
        }
        if let fault { throw fault }
        guard let method = Method(rawValue: method ?? "") else {
            throw RequestError(.notImplemented, "unknown method")
        }
        let target = try Target(parsing: (path ?? [])[...])
        guard !target.isServer || method == .options else {
            throw RequestError(.badRequest, "the target * is for OPTIONS only")
        }
        let head = RequestHead(method: method, target: target, version: .http11, fields: fields)
        try head.checkHost()
        return Request(head: head, body: body)
    }

    /// True for HEAD, whose answer has no body.
    package var isHead: Bool { method == Method.head.rawValue }

    private mutating func append(_ name: [UInt8], _ value: [UInt8]) {
        do throws(RequestError) {
            try fields.append(parsing: (name + [Syntax.colon] + value)[...])
        } catch {
            refuse(error)
        }
    }

    private mutating func refuse(_ error: RequestError) {
        fault = error
        body = []
    }
}

extension Response {
    /// The fields as HTTP/2 sends them, `:status` first; those of the connection are left out (RFC 9113 §8.2.2).
    ///
    /// - Parameter date: seconds since 1970 UTC.
    package func streamFields(date: Int64) -> [HeaderField] {
        var list = [
            HeaderField(":status", "\(status.rawValue)"), HeaderField("date", HTTPDate.format(epochSeconds: date)),
        ]
        for field in fields {
            let name = Syntax.lowercased(field.name)
            guard !Self.connectionFields.contains(name), name.utf8.allSatisfy(Syntax.isToken) else { continue }
            let value = field.value.utf8.map { Syntax.isText($0) ? $0 : UInt8(ascii: "?") }
            list.append(HeaderField(name, String(decoding: Syntax.trimmed(value[...]), as: UTF8.self)))
        }
        switch body {
        case _ where status.forbidsBody, .untilClose: break
        case .bytes(let bytes): list.append(HeaderField("content-length", "\(bytes.count)"))
        case .length(let length): list.append(HeaderField("content-length", "\(length)"))
        }
        return list
    }

    private static let connectionFields: Set<String> = [
        "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
    ]
}
