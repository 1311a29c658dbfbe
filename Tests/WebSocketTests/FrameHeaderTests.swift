// SPDX-License-Identifier: Apache-2.0
// Frame headers: the examples of RFC 6455 §5.7, every length form, masking at any offset.

import Bytes
import Testing
import WebSocket

@Suite("WebSocket frame headers")
struct FrameHeaderTests {
    struct Example: Sendable {
        var bytes: [UInt8]
        var header: WebSocketFrameHeader
    }

    static let examples = [
        Example(bytes: [0x81, 0x05], header: .init(.text, payloadLength: 5)),
        Example(
            bytes: [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D],
            header: .init(.text, payloadLength: 5, maskingKey: 0x37FA_213D)
        ),
        Example(bytes: [0x01, 0x03], header: .init(.text, isFinal: false, payloadLength: 3)),
        Example(bytes: [0x80, 0x02], header: .init(.continuation, payloadLength: 2)),
        Example(bytes: [0x82, 0x7E, 0x01, 0x00], header: .init(.binary, payloadLength: 256)),
        Example(
            bytes: [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0],
            header: .init(.binary, payloadLength: 65536)
        ),
        Example(bytes: [0x89, 0x7D], header: .init(.ping, payloadLength: 125)),
        Example(bytes: [0x8A, 0x00], header: .init(.pong, payloadLength: 0)),
        Example(bytes: [0x88, 0x02], header: .init(.close, payloadLength: 2)),
        Example(bytes: [0x82, 0x7E, 0x00, 0x7E], header: .init(.binary, payloadLength: 126)),
        Example(bytes: [0x82, 0x7E, 0xFF, 0xFF], header: .init(.binary, payloadLength: 65535)),
    ]

    @Test("a header goes both ways, and is awaited until it is whole", arguments: examples)
    func roundTrip(example: Example) throws {
        var written: [UInt8] = []
        example.header.write(into: &written)
        #expect(written == example.bytes)

        let parsed = try WebSocketFrameHeader.parse(example.bytes.span)
        #expect(parsed.consumed == example.bytes.count)
        #expect(parsed.header == example.header)

        for length in 0..<example.bytes.count {
            let cut = try WebSocketFrameHeader.parse(example.bytes.span.extracting(..<length))
            #expect(cut.header == nil)
        }
    }

    @Test(
        "what RFC 6455 forbids is refused",
        arguments: [
            [0xC2, 0x00], [0xA2, 0x00], [0x92, 0x00], [0x83, 0x00], [0x87, 0x00], [0x8B, 0x00], [0x8F, 0x00],
            [0x09, 0x00], [0x08, 0x00], [0x89, 0x7E], [0x88, 0x7F], [0x82, 0x7E, 0x00, 0x7D],
            [0x82, 0x7F, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], [0x82, 0x7F, 0x80, 0, 0, 0, 0, 0, 0, 0],
        ]
    )
    func refused(bytes: [UInt8]) {
        #expect(throws: WireError.self) { try WebSocketFrameHeader.parse(bytes.span) }
    }

    @Test("masking twice gives the payload back, whatever the pieces")
    func masking() {
        let header = WebSocketFrameHeader(.binary, payloadLength: 23, maskingKey: 0x0102_04F8)
        let payload = (0..<23).map { UInt8($0 * 7) }
        var masked: [UInt8] = []
        header.mask(payload.span, into: &masked)
        #expect(masked[0] == payload[0] ^ 0x01 && masked[3] == payload[3] ^ 0xF8 && masked[4] == payload[4] ^ 0x01)

        for cut in 0...payload.count {
            var plain: [UInt8] = []
            header.mask(masked.span.extracting(..<cut), into: &plain)
            header.mask(masked.span.extracting(cut...), at: cut, into: &plain)
            #expect(plain == payload)
        }
    }
}
