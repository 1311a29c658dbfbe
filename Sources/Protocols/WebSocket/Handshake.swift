// SPDX-License-Identifier: Apache-2.0
// The opening handshake of WebSocket (RFC 6455 §4), both sides.

import Bytes
package import HTTP

/// A client's request to go over from HTTP to WebSocket, found good.
package struct WebSocketHandshake: Sendable, Hashable {
    /// Computes SHA-1; it is no matter of security here, only of the protocol.
    package typealias SHA1 = ([UInt8]) -> [UInt8]

    /// What the key is hashed with (RFC 6455 §1.3).
    private static let salt = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

    /// Bytes of key that a client sends.
    package static let keyLength = 16

    /// The client's key as it was sent.
    package let key: String
    /// The sub-protocol that was chosen; nil if none was offered.
    package let subprotocol: String?
    /// Where the page comes from that opened the connection; nil for programs other than browsers.
    package let origin: String?

    /// True when a request's fields ask for WebSocket, well or not.
    package static func isWanted(_ fields: HeaderFields) -> Bool {
        fields.contains("websocket", in: "upgrade") && fields.contains("upgrade", in: "connection")
    }

    /// Checks a request that asks for WebSocket (RFC 6455 §4.2.1).
    ///
    /// - Parameter protocols: the sub-protocols that are spoken here, in lower case, best first; a client that offers
    ///   none of them is refused. Where there are none, offers are passed over, and the client decides (§4.2.2).
    /// - Throws: 400 for what is wrong, 426 for another version of WebSocket; answer with `refusal`.
    package init(
        isGet: Bool,
        fields: HeaderFields,
        protocols: [String] = []
    ) throws(RequestError) {
        guard isGet, Self.isWanted(fields) else {
            throw RequestError(.upgradeRequired, "this address speaks WebSocket only")
        }
        guard fields.list("sec-websocket-version") == ["13"] else {
            throw RequestError(.upgradeRequired, "only version 13 of WebSocket is spoken")
        }
        let keys = fields.values("sec-websocket-key")
        guard keys.count == 1, let key = keys.first, let nonce = try? Base64.decode(key),
            nonce.count == Self.keyLength
        else {
            throw RequestError(.badRequest, "invalid Sec-WebSocket-Key")
        }
        let offers = fields.list("sec-websocket-protocol")
        let choice = protocols.lazy
            .compactMap { name in offers.first { HTTPText.lowercased($0) == name } }
            .first
        guard choice != nil || protocols.isEmpty else {
            throw RequestError(.badRequest, "none of the WebSocket protocols is spoken here")
        }
        self.key = key
        subprotocol = choice
        origin = fields["origin"]
    }

    /// The answer that opens the connection.
    package func response(sha1: SHA1) -> Response {
        var fields = [
            HeaderField("Upgrade", "websocket"), HeaderField("Connection", "Upgrade"),
            HeaderField("Sec-WebSocket-Accept", Self.acceptance(of: key, sha1: sha1)),
        ]
        if let subprotocol { fields.append(HeaderField("Sec-WebSocket-Protocol", subprotocol)) }
        return Response(.switchingProtocols, fields: fields)
    }

    /// The answer to a request that was refused.
    package static func refusal(_ error: RequestError) -> Response {
        var response = Response(refusing: error)
        if error.status == .upgradeRequired {
            response.fields += [
                HeaderField("Upgrade", "websocket"), HeaderField("Sec-WebSocket-Version", "13"),
            ]
        }
        return response
    }

    /// What a server answers a key with.
    package static func acceptance(of key: String, sha1: SHA1) -> String {
        let digest = sha1(Array((key + salt).utf8))
        return Base64.encode(digest.span)
    }
}

/// A client's side of the handshake.
package struct WebSocketClientHandshake: Sendable, Hashable {
    /// The key, as it is sent.
    package let key: String
    /// The sub-protocol that is asked for.
    package let subprotocol: String?

    /// Begins with 16 random bytes.
    package init(nonce: Span<UInt8>, subprotocol: String? = nil) {
        precondition(nonce.count == WebSocketHandshake.keyLength, "a key has 16 bytes")
        key = Base64.encode(nonce)
        self.subprotocol = subprotocol
    }

    /// The request.
    package func request(host: String, path: String) -> [UInt8] {
        var text = "GET \(path) HTTP/1.1\r\nHost: \(host)\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        text += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \(key)\r\n"
        if let subprotocol { text += "Sec-WebSocket-Protocol: \(subprotocol)\r\n" }
        return Array((text + "\r\n").utf8)
    }

    /// True when a server's answer opens the connection (RFC 6455 §4.1).
    package func isAccepted(status: Int, fields: HeaderFields, sha1: WebSocketHandshake.SHA1) -> Bool {
        status == 101 && WebSocketHandshake.isWanted(fields)
            && fields["sec-websocket-accept"] == WebSocketHandshake.acceptance(of: key, sha1: sha1)
            && fields["sec-websocket-protocol"] == subprotocol
    }
}

/// The little of HTTP's grammar that is needed here.
enum HTTPText {
    static func lowercased(_ text: String) -> String {
        String(decoding: text.utf8.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }
}
