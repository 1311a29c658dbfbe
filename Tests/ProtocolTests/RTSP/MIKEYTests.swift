// SPDX-License-Identifier: Apache-2.0
// MIKEY messages: GStreamer's, ours, and those that are none.

import Bytes
import RTSP
import Testing

@Suite("MIKEY")
struct MIKEYTests {
    private let key = (0..<30).map { UInt8($0) }

    private var message: MIKEYMessage {
        MIKEYMessage(
            identifier: 7,
            sessions: [
                .init(source: 0xDEAD_BEEF, rolloverCounter: 3), .init(policy: 0, source: 1, rolloverCounter: 0),
            ],
            time: 0x1234_5678_9ABC_DEF0,
            random: [UInt8](repeating: 9, count: 16),
            key: key
        )
    }

    @Test("a message is read as it was written, as bytes, header and attribute")
    func roundTrip() throws {
        let bytes = message.bytes

        #expect(try MIKEYMessage(parsing: bytes.span) == message)
        #expect(try KeyManagement.message(attribute: KeyManagement.attribute(message)) == message)
        #expect(try KeyManagement.message(header: KeyManagement.header(message, url: "rtsp://a/b?c=d")) == message)
    }

    @Test("GStreamer's header is read")
    func gstreamer() throws {
        let header = """
            prot=mikey;uri="rtsp://127.0.0.1:18322/cam/trackID=0";\
            data="AQAFALHH7h0BAAD1VB9TAAAAAAsA7qvChRfAKv0KEDNclonsa9RgePooTuKHzskBAAAAFQABAQEBEAIBAQMB\
            CgcBAQgBAQoBAQAAACIAIAAeG0fTII8IcU2ivNeL1kw7HqNCCpWzVE3U+lhDK7koAA=="
            """

        let message = try KeyManagement.message(header: header)

        #expect(message.key.count == 30)
        #expect(message.policy.encryption == 1 && message.policy.encryptionKeyLength == 16)
        #expect(message.sessions.count == 1)
    }

    @Test("key and salt may stand apart, behind payloads that say nothing of SRTP")
    func salted() throws {
        var bytes = hex("01 00 06 00 00000001 00 00")
        // Identity, extension, counter, key transport: TEK and salt, with an identifier behind.
        bytes += hex("15 01 0002 6162") + hex("05 00 0001 00") + hex("01 02 00000001")
        let keys = hex("00 31 0010") + key[..<16] + hex("000e") + key[16...] + hex("01 05")
        bytes += hex("00 00") + [0, UInt8(keys.count)] + keys + hex("00")

        let message = try MIKEYMessage(parsing: bytes.span)

        #expect(message.key == key)
        #expect(message.time == 1)
        #expect(message.sessions.isEmpty)
    }

    @Test("a message that is cut anywhere is refused")
    func truncated() {
        let bytes = message.bytes
        for length in 0..<bytes.count {
            #expect(throws: WireError.self) { try MIKEYMessage(parsing: bytes.span.extracting(..<length)) }
        }
    }

    @Test(
        "what cannot be used is refused by name",
        arguments: [
            (0, 2, "unsupported MIKEY version: 2"), (1, 2, "unsupported MIKEY data type: 2"),
            (2, 99, "unsupported MIKEY payload: 99"), (2, 0, "invalid MIKEY key length: 0"),
            (8, 17, "MIKEY sessions exceeds the limit of 16"), (9, 1, "unsupported MIKEY session map: 1"),
        ] as [(Int, UInt8, String)]
    )
    func refused(offset: Int, value: UInt8, text: String) {
        var bytes = message.bytes
        bytes[offset] = value

        let error = #expect(throws: WireError.self) { try MIKEYMessage(parsing: bytes.span) }

        #expect(error?.description == text)
    }

    @Test("an encrypted key is refused, and one of more than 128 bytes")
    func keys() {
        let head = hex("01 00 01 00 00000001 00 00")
        let encrypted = head + hex("00 01 0005 00 20 0001 aa 00")
        let long = head + hex("00 00 0085 00 20 0081") + [UInt8](repeating: 1, count: 129) + [0]
        let longest = head + hex("00 00 0084 00 20 0080") + [UInt8](repeating: 1, count: 128) + [0]

        #expect(throws: WireError.unsupported(field: "MIKEY key encryption", value: 1)) {
            try MIKEYMessage(parsing: encrypted.span)
        }
        #expect(throws: WireError.limit(field: "MIKEY key", limit: 128)) { try MIKEYMessage(parsing: long.span) }
        #expect(throws: Never.self) { try MIKEYMessage(parsing: longest.span) }
    }

    @Test("payloads without end are refused")
    func endless() {
        var bytes = hex("01 00 0b 00 00000001 00 00")
        for _ in 0...MIKEYMessage.payloadLimit { bytes += hex("0b 00") }

        #expect(throws: WireError.limit(field: "MIKEY payloads", limit: 32)) { try MIKEYMessage(parsing: bytes.span) }
    }

    @Test(
        "headers and attributes of other protocols are refused",
        arguments: ["", "prot=mikey", "data=\"AQAA\"", "prot=sdes;data=\"AQAA\"", "prot=mikey;data=\"%%\""]
    )
    func otherHeaders(_ header: String) {
        #expect(throws: WireError.self) { try KeyManagement.message(header: header) }
        #expect(throws: WireError.self) { try KeyManagement.message(attribute: header) }
    }
}
