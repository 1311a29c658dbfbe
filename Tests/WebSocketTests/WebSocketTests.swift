// SPDX-License-Identifier: Apache-2.0
// A connection behind its handshake: messages, control frames, closing, refusals.

import Bytes
import Testing
import WebSocket

@Suite("WebSocket connection")
struct WebSocketTests {
    @Test("messages come out whole, however their bytes and fragments are cut")
    func messages() {
        let bytes =
            frame(.text, "Hel", isFinal: false) + frame(.ping, "p") + frame(.continuation, "lo")
            + frame(.binary, []) + frame(.binary, [UInt8](repeating: 7, count: 200)) + frame(.text, "€")

        for step in [1, 2, 3, 5, 7, 64, .max] {
            let seen = trace(bytes, step: step)
            #expect(seen.messages.map(\.kind) == [.text, .binary, .binary, .text])
            #expect(seen.messages.map(\.payload.count) == [5, 0, 200, 3])
            #expect(seen.texts.first == "Hello" && seen.texts.last == "€")
            #expect(seen.output == frame(.pong, Array("p".utf8), maskingKey: nil))
            #expect(seen.closed == nil)
        }
    }

    @Test("a stream cut off anywhere is awaited, never refused")
    func truncation() {
        let bytes = frame(.text, "grün", isFinal: false) + frame(.ping) + frame(.continuation, "€")
        for length in 0..<bytes.count {
            let seen = trace(Array(bytes[..<length]))
            #expect(seen.messages.isEmpty)
            #expect(seen.closed == nil)
        }
    }

    @Test("payload is handed out before its message is whole")
    func streaming() {
        let bytes = Array(frame(.binary, Array("OPTIONS".utf8)).dropLast(3))
        var socket = WebSocket(.server)
        var payload: [UInt8] = []
        var output: [UInt8] = []

        let (consumed, event) = socket.receive(bytes.span, into: &payload, output: &output)

        #expect(consumed == bytes.count)
        #expect(event == .wait)
        #expect(payload == Array("OPTI".utf8))
    }

    struct Refusal: Sendable {
        var bytes: [UInt8]
        var code: UInt16
    }

    static let refusals = [
        Refusal(bytes: frame(.binary, [1], maskingKey: nil), code: 1002),
        Refusal(bytes: [0xC2, 0x80, 0, 0, 0, 0], code: 1002),
        Refusal(bytes: [0x83, 0x80, 0, 0, 0, 0], code: 1002),
        Refusal(bytes: frame(.continuation, "a"), code: 1002),
        Refusal(bytes: frame(.text, "a", isFinal: false) + frame(.text, "b"), code: 1002),
        Refusal(bytes: frame(.close, [3]), code: 1002),
        Refusal(bytes: frame(.close, [0x03, 0xED]), code: 1002),
        Refusal(bytes: frame(.close, [0x00, 0x00]), code: 1002),
        Refusal(bytes: frame(.close, [0x03, 0xE8, 0xFF]), code: 1007),
        Refusal(bytes: frame(.text, [0xC3]), code: 1007),
        Refusal(bytes: frame(.text, [0xC0, 0x80]), code: 1007),
        Refusal(bytes: frame(.text, [0xED, 0xA0, 0x80]), code: 1007),
        Refusal(bytes: frame(.text, [0xF4, 0x90, 0x80, 0x80]), code: 1007),
        Refusal(bytes: frame(.text, [0xC3], isFinal: false) + frame(.continuation, "a"), code: 1007),
    ]

    @Test("what breaks the rules is answered with its close code, and ends the connection", arguments: refusals)
    func refused(refusal: Refusal) {
        for step in [1, .max] {
            let seen = trace(refusal.bytes + frame(.ping, "late"), step: step)

            #expect(seen.closed?.code.rawValue == refusal.code)
            #expect(seen.messages.isEmpty)
            #expect(Array(seen.output[2..<4]) == [UInt8(refusal.code >> 8), UInt8(refusal.code & 0xFF)])
            #expect(seen.output.count == 2 + Int(seen.output[1]))
        }
    }

    @Test("a message of the limit is taken, a byte more is answered 1009, also in fragments")
    func limit() {
        let most = [UInt8](repeating: 1, count: 10)
        #expect(trace(frame(.binary, most), limit: 10).messages.count == 1)
        #expect(trace(frame(.binary, most + [1]), limit: 10).closed?.code == .messageTooBig)
        let fragments = frame(.binary, most, isFinal: false)
        #expect(trace(fragments + frame(.continuation, [1]), limit: 10).closed?.code == .messageTooBig)
        #expect(trace(fragments + frame(.continuation), limit: 10).messages.count == 1)
    }

    @Test("a close frame is answered with its code, and nothing is heard behind it")
    func closedByPeer() {
        let seen = trace(frame(.close, [0x03, 0xE9] + Array("bye".utf8)) + frame(.text, "late"))

        #expect(seen.closed?.code == .goingAway)
        #expect(seen.closed?.reason == "bye")
        #expect(seen.output == closing(1001))
        #expect(seen.messages.isEmpty)
        #expect(trace(frame(.close)).output == frame(.close, maskingKey: nil))
    }

    @Test("behind its own close frame a side drops data, answers no ping, and waits for the peer's")
    func closedHere() {
        var socket = WebSocket(.server)
        var payload: [UInt8] = []
        var output: [UInt8] = []
        socket.close(.goingAway, reason: "restart", into: &output)
        socket.close(.normal, into: &output)
        #expect(output == closing(1001, "restart"))
        output = []

        let bytes = frame(.text, "late") + frame(.ping) + frame(.close, [0x03, 0xE9])
        let (consumed, event) = socket.receive(bytes.span, into: &payload, output: &output)

        #expect(consumed == bytes.count)
        #expect(event == .closed(.goingAway, reason: ""))
        #expect(payload.isEmpty && output.isEmpty)
        let text = Array("x".utf8)
        socket.send(text.span, .text, into: &output)
        #expect(output.isEmpty)
    }

    @Test("a long reason is cut between two characters")
    func longReason() {
        var socket = WebSocket(.server)
        var output: [UInt8] = []

        socket.close(.normal, reason: String(repeating: "€", count: 100), into: &output)

        #expect(output[1] == 2 + 41 * 3)
        let seen = trace(output, role: .client { 0 })
        #expect(seen.closed?.reason == String(repeating: "€", count: 41))
    }

    @Test("a client masks all it sends, and a server understands it")
    func client() {
        var socket = WebSocket(.client { 0xDEAD_BEEF })
        var output: [UInt8] = []
        let text = Array("Hello".utf8)
        socket.send(text.span, .text, into: &output)
        socket.ping(text.span, into: &output)
        socket.close(.normal, into: &output)

        #expect(output[1] & 0x80 != 0 && output[2] == 0xDE)
        let seen = trace(output)
        #expect(seen.texts == ["Hello"])
        #expect(seen.output == frame(.pong, text, maskingKey: nil) + closing(1000))
        #expect(seen.closed?.code == .normal)
    }

    @Test("a client refuses a masked frame")
    func maskedServer() {
        #expect(trace(frame(.text, "a"), role: .client { 1 }).closed?.code == .protocolError)
    }
}
