// SPDX-License-Identifier: Apache-2.0
// The opening handshake: the RFC's example, choice of sub-protocol, refusals.

import Bytes
import HTTP
import Testing
import WebSocket

@Suite("WebSocket handshake")
struct HandshakeTests {
    /// The fields of RFC 6455 §1.3's example, and others on top.
    private func fields(_ lines: [String]) throws -> HeaderFields {
        var fields = HeaderFields()
        for line in lines { try fields.append(parsing: Array(line.utf8)[...]) }
        return fields
    }

    private static let good = [
        "Host: server.example.com", "Upgrade: websocket", "Connection: keep-alive, Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
    ]

    /// The SHA-1 of the RFC's example; of nothing else.
    private static func sha1(_ bytes: [UInt8]) -> [UInt8] {
        #expect(bytes == Array("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8))
        return [
            0xB3, 0x7A, 0x4F, 0x2C, 0xC0, 0x62, 0x4F, 0x16, 0x90, 0xF6, 0x46, 0x06, 0xCF, 0x38, 0x59, 0x45, 0xB2, 0xBE,
            0xC4, 0xEA,
        ]
    }

    @Test("the RFC's example is answered as the RFC says")
    func example() throws {
        let handshake = try WebSocketHandshake(isGet: true, fields: fields(Self.good))

        let response = handshake.response(sha1: Self.sha1)

        #expect(response.status == .switchingProtocols)
        #expect(response.fields.contains(HeaderField("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")))
        #expect(!response.fields.contains { $0.name == "Sec-WebSocket-Protocol" })
    }

    @Test("the best sub-protocol that both speak is chosen")
    func subprotocol() throws {
        let offer = try fields(
            Self.good + ["Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: x, rtsp.onvif.org"]
        )

        let handshake = try WebSocketHandshake(
            isGet: true,
            fields: offer,
            protocols: ["mse", "rtsp.onvif.org", "chat"]
        )

        #expect(handshake.subprotocol == "rtsp.onvif.org")
        #expect(
            handshake.response(sha1: Self.sha1).fields
                .contains(HeaderField("Sec-WebSocket-Protocol", "rtsp.onvif.org"))
        )
    }

    @Test("a client without any of the sub-protocols is refused", arguments: [[], ["Sec-WebSocket-Protocol: chat"]])
    func noSubprotocol(lines: [String]) throws {
        let offer = try fields(Self.good + lines)
        let error = #expect(throws: RequestError.self) {
            try WebSocketHandshake(isGet: true, fields: offer, protocols: ["rtsp.onvif.org"])
        }
        #expect(error?.status == .badRequest)
    }

    @Test(
        "each missing or wrong field is refused with its status",
        arguments: [
            ("Upgrade: h2c", 1, Status.upgradeRequired), ("Connection: close", 2, .upgradeRequired),
            ("Sec-WebSocket-Version: 8", 4, .upgradeRequired), ("Sec-WebSocket-Key: abc", 3, .badRequest),
            ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ", 0, .badRequest), ("X: y", 3, .badRequest),
            ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTE=", 3, .badRequest),
        ]
    )
    func refused(line: String, index: Int, status: Status) throws {
        var lines = Self.good
        lines[index] = line
        let fields = try fields(lines)

        let error = #expect(throws: RequestError.self) { try WebSocketHandshake(isGet: true, fields: fields) }

        #expect(error?.status == status)
    }

    @Test("a refusal for the version names the version that is spoken")
    func refusal() {
        let response = WebSocketHandshake.refusal(RequestError(.upgradeRequired, "old"))
        #expect(response.fields.contains(HeaderField("Sec-WebSocket-Version", "13")))
    }

    @Test("a POST is refused")
    func post() throws {
        let fields = try fields(Self.good)
        #expect(throws: RequestError.self) { try WebSocketHandshake(isGet: false, fields: fields) }
    }

    @Test("a client asks as the RFC says, and accepts the right answer only")
    func client() throws {
        let nonce = Array("the sample nonce".utf8)
        let client = WebSocketClientHandshake(nonce: nonce.span, subprotocol: "rtsp.onvif.org")
        let request = String(decoding: client.request(host: "h:1", path: "/"), as: UTF8.self)
        #expect(request.hasPrefix("GET / HTTP/1.1\r\nHost: h:1\r\n") && request.hasSuffix("\r\n\r\n"))
        #expect(request.contains("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"))

        let answer = [
            "Upgrade: WebSocket", "Connection: Upgrade", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            "Sec-WebSocket-Protocol: rtsp.onvif.org",
        ]
        #expect(client.isAccepted(status: 101, fields: try fields(answer), sha1: Self.sha1))
        #expect(!client.isAccepted(status: 200, fields: try fields(answer), sha1: Self.sha1))
        for index in answer.indices {
            var other = answer
            other.remove(at: index)
            #expect(!client.isAccepted(status: 101, fields: try fields(other), sha1: Self.sha1))
        }
    }
}
