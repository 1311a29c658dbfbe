// SPDX-License-Identifier: Apache-2.0
// RTSP through HTTP and WebSocket: who wants what, what is carried, which connections belong together.

import Bytes
import RTSP
import Testing
import WebSocket

@Suite("RTSP tunnels")
struct TunnelTests {
    /// The one request in `text`.
    private func request(_ text: String) throws -> RTSPRequest {
        var parser = RTSPParser()
        let bytes = Array(text.utf8)
        let (consumed, item) = try parser.parse(bytes.span)
        #expect(consumed == bytes.count)
        guard case .request(let request)? = item else { throw WireError.truncated(needed: 1, available: 0) }
        return request
    }

    private static let get = "GET /cam HTTP/1.0\r\nx-sessioncookie: abc\r\nAccept: application/x-rtsp-tunnelled\r\n\r\n"
    private static let upgrade =
        "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

    @Test("HTTP requests are told apart by method, cookie and type")
    func purposes() throws {
        #expect(HTTPOnRTSP.purpose(of: try request(Self.get)) == .tunnelOutput(cookie: "abc"))
        #expect(
            HTTPOnRTSP.purpose(of: try request("POST /cam HTTP/1.0\r\nX-SessionCookie: abc\r\n\r\n"))
                == .tunnelInput(cookie: "abc")
        )
        #expect(HTTPOnRTSP.purpose(of: try request(Self.upgrade + "\r\n")) == .webSocket)
        #expect(HTTPOnRTSP.purpose(of: try request("GET / HTTP/1.1\r\nx-sessioncookie: abc\r\n\r\n")) == .page)
        #expect(HTTPOnRTSP.purpose(of: try request("POST / HTTP/1.1\r\nx-sessioncookie:\r\n\r\n")) == .page)
        for (length, purpose) in [(128, true), (129, false)] {
            let cookie = String(repeating: "c", count: length)
            let isTunnel =
                HTTPOnRTSP.purpose(of: try request("POST / HTTP/1.1\r\nx-sessioncookie: \(cookie)\r\n\r\n"))
                == .tunnelInput(cookie: cookie)
            #expect(isTunnel == purpose)
        }
    }

    @Test("the body of a POST is not waited for: it is the tunnel")
    func postBody() throws {
        let post = try request("POST /cam HTTP/1.0\r\nx-sessioncookie: a\r\nContent-Length: 32767\r\n\r\n")

        #expect(post.body.isEmpty)
    }

    @Test("WebSocket is opened with ONVIF's sub-protocol only")
    func webSocket() throws {
        let good = try request(Self.upgrade + "Sec-WebSocket-Protocol: rtsp.onvif.org\r\n\r\n")
        let opened = HTTPOnRTSP.answerWebSocket(good, date: 0) { _ in [UInt8](repeating: 0, count: 20) }
        let text = String(decoding: opened.bytes, as: UTF8.self)
        #expect(opened.isOpen)
        #expect(text.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"))
        #expect(text.contains("Sec-WebSocket-Protocol: rtsp.onvif.org\r\n"))
        #expect(text.hasSuffix("\r\n\r\n"))

        let other = try request(Self.upgrade + "Sec-WebSocket-Protocol: chat\r\n\r\n")
        let refused = HTTPOnRTSP.answerWebSocket(other, date: 0) { _ in [] }
        #expect(!refused.isOpen)
        #expect(String(decoding: refused.bytes, as: UTF8.self).hasPrefix("HTTP/1.1 400 "))
    }

    // MARK: Carriers

    private static let options = "OPTIONS rtsp://h/cam RTSP/1.0\r\nCSeq: 1\r\n\r\n"
    private static let describe = "DESCRIBE rtsp://h/cam RTSP/1.0\r\nCSeq: 2\r\n\r\n"

    @Test("requests encoded one by one come through a POST, however it is cut")
    func post() {
        let text = [Self.options, Self.describe].map { Base64.encode(Array($0.utf8).span) }.joined(separator: "\r\n")
        let bytes = Array(text.utf8)
        for step in [1, 2, 3, 5, 50, bytes.count] {
            let carried = RTSPFuzz.carried(bytes.span, .post, step: step)
            #expect(String(decoding: carried.rtsp, as: UTF8.self) == Self.options + Self.describe)
            #expect(carried.end == nil)
        }
    }

    @Test("a POST with anything but base64 ends", arguments: ["T1BU*", "T1BU\0", "T1=U", Self.options])
    func garbage(text: String) {
        let bytes = Array(text.utf8)
        #expect(RTSPFuzz.carried(bytes.span, .post, step: 1).end != nil)
    }

    /// A client's frame.
    private func frame(_ opcode: WebSocketOpcode, _ payload: [UInt8], isFinal: Bool = true) -> [UInt8] {
        let header = WebSocketFrameHeader(
            opcode,
            isFinal: isFinal,
            payloadLength: payload.count,
            maskingKey: 0xA1B2_C3D4
        )
        var bytes: [UInt8] = []
        header.write(into: &bytes)
        header.mask(payload.span, into: &bytes)
        return bytes
    }

    @Test("frames may hold several messages, and messages may lie in several frames")
    func frames() {
        let rtsp = Array((Self.options + Self.describe).utf8) + [0x24, 1, 0, 2, 7, 8]
        for cut in stride(from: 0, through: rtsp.count, by: 7) {
            let bytes =
                frame(.binary, Array(rtsp[..<cut]), isFinal: false) + frame(.ping, [1])
                + frame(.continuation, []) + frame(.binary, Array(rtsp[cut...]))
            let whole = RTSPFuzz.carried(bytes.span, .webSocket, step: bytes.count)
            #expect(whole.end == nil)
            #expect(whole.rtsp == rtsp)
            #expect(whole.output == [0x8A, 1, 1])
            #expect(RTSPFuzz.carried(bytes.span, .webSocket, step: 1) == whole)
        }
    }

    @Test("a WebSocket closed by the client ends, with the close frame as the answer")
    func closed() {
        let bytes = frame(.close, [0x03, 0xE8])
        let carried = RTSPFuzz.carried(bytes.span, .webSocket, step: bytes.count)
        #expect(carried.end != nil)
        #expect(carried.output == [0x88, 2, 0x03, 0xE8])
    }

    // MARK: Pairs

    @Test("a POST finds its GET by cookie and address, and no other one's")
    func join() throws {
        var table = TunnelTable()
        try table.open(cookie: "a", host: "1.1.1.1", output: 1, at: .zero)
        try table.open(cookie: "b", host: "1.1.1.1", output: 2, at: .zero)
        try table.open(cookie: "a", host: "2.2.2.2", output: 3, at: .zero)

        #expect(try table.join(cookie: "a", host: "2.2.2.2", input: 4).output == 3)
        #expect(try table.join(cookie: "a", host: "1.1.1.1", input: 5).output == 1)
        #expect(throws: TunnelRefusal.unknown) { try table.join(cookie: "b", host: "2.2.2.2", input: 6) }
        #expect(throws: TunnelRefusal.unknown) { try table.join(cookie: "c", host: "1.1.1.1", input: 6) }
        #expect(throws: TunnelRefusal.unknown) { try table.join(cookie: "b", host: "1.1.1.1", input: 2) }
        #expect(throws: TunnelRefusal.taken) { try table.open(cookie: "a", host: "1.1.1.1", output: 7, at: .zero) }
    }

    @Test("a tunnel outlives its POST, takes another one, and ends with its GET")
    func reopening() throws {
        var table = TunnelTable()
        try table.open(cookie: "a", host: "h", output: 1, at: .zero)
        _ = try table.join(cookie: "a", host: "h", input: 2)
        #expect(table.remove(2) == nil)
        #expect(try table.join(cookie: "a", host: "h", input: 3).replaced == nil)
        #expect(try table.join(cookie: "a", host: "h", input: 4).replaced == 3)
        #expect(table.remove(3) == nil)

        #expect(table.remove(1) == 4)
        #expect(table.remove(4) == nil)
        try table.open(cookie: "a", host: "h", output: 5, at: .zero)
    }

    @Test("a tunnel without a POST expires; one that had a POST does not")
    func expiry() throws {
        var table = TunnelTable()
        try table.open(cookie: "a", host: "h", output: 1, at: .zero)
        try table.open(cookie: "b", host: "h", output: 2, at: .zero)
        _ = try table.join(cookie: "b", host: "h", input: 3)
        _ = table.remove(3)

        #expect(table.expired(at: .zero + .milliseconds(9999)).isEmpty)
        #expect(table.expired(at: .zero + .seconds(10)) == [1])
    }

    @Test("half-open tunnels are bounded for each address and for all")
    func halfOpen() throws {
        var table = TunnelTable(halfOpenLimit: 10)
        for number in 0..<8 { try table.open(cookie: "\(number)", host: "a", output: number, at: .zero) }
        #expect(throws: TunnelRefusal.tooMany) { try table.open(cookie: "x", host: "a", output: 8, at: .zero) }
        try table.open(cookie: "x", host: "b", output: 8, at: .zero)
        try table.open(cookie: "x", host: "c", output: 9, at: .zero)
        #expect(throws: TunnelRefusal.tooMany) { try table.open(cookie: "x", host: "d", output: 10, at: .zero) }

        _ = try table.join(cookie: "0", host: "a", input: 20)
        try table.open(cookie: "x", host: "a", output: 10, at: .zero)
    }
}
