// SPDX-License-Identifier: Apache-2.0
// RTP headers, clocks and RTCP.

import Bytes
import RTP
import Testing

@Suite("RTP packet")
struct RTPPacketTests {
    @Test(
        "the payload lies behind CSRC list and extension and in front of padding",
        arguments: [
            ("80 60 0001 00000002 00000003 aabb", 12..<14),
            ("82 e0 0001 00000002 00000003 00000000 00000000 aabb", 20..<22),
            ("90 60 0001 00000002 00000003 bede 0001 00000000 aabb", 20..<22),
            ("a0 60 0001 00000002 00000003 aabb 0002", 12..<14),
            ("80 60 0001 00000002 00000003", 12..<12),
        ]
    )
    func payload(packet: String, expected: Range<Int>) throws {
        let parsed = try RTPPacket(parsing: hex(packet).span)
        #expect(parsed.payload == expected)
        #expect(parsed.header.payloadType == 96 && parsed.header.sequence == 1)
        #expect(parsed.header.timestamp == 2 && parsed.header.source == 3)
    }

    @Test(
        "a packet whose lengths lie is refused",
        arguments: [
            "40 60 0001 00000002 00000003", "8f 60 0001 00000002 00000003 00000000",
            "90 60 0001 00000002 00000003 bede 0002 00000000", "90 60 0001 00000002 00000003 be",
            "a0 60 0001 00000002 00000003", "a0 60 0001 00000002 00000003 05aa 00",
            "a0 60 0001 00000002 00000003 04aa05",
        ]
    )
    func refusal(packet: String) {
        #expect(throws: WireError.self) { try RTPPacket(parsing: hex(packet).span) }
    }

    @Test("a header cut anywhere is refused")
    func truncation() {
        let packet = hex("90 60 0001 00000002 00000003 bede 0001 00000000")
        for length in 0..<packet.count {
            let parsed = try? RTPPacket(parsing: packet.span.extracting(0..<length))
            #expect(parsed == nil)
        }
    }
}

@Suite("RTP time")
struct RTPTimeTests {
    @Test(
        "timestamps follow the capture instant and wrap",
        arguments: [
            (0, UInt32(100)), (1_000_000_000, 90_100), (33_333_333, 3099), (1_000_000_000 * 47_721, 4_294_890_100),
            (1_000_000_000 * 47_722, 12_804), (Int64.max, nil),
        ] as [(Int64, UInt32?)]
    )
    func timestamps(nanoseconds: Int64, expected: UInt32?) {
        let timestamp = RTPClock(offset: 100).timestamp(of: Instant(nanoseconds: nanoseconds))
        if let expected { #expect(timestamp == expected) }
    }

    @Test("timestamps of a 30 fps stream are evenly spaced over years")
    func even() {
        let clock = RTPClock(offset: 0)
        let start: Int64 = 100_000_000_000_000_000
        let steps = (0..<1000)
            .map { frame in
                let next = Instant(nanoseconds: start + Int64(frame + 1) * 33_333_333)
                return clock.timestamp(of: next)
                    &- clock.timestamp(of: Instant(nanoseconds: start + Int64(frame) * 33_333_333))
            }
        #expect(steps.allSatisfy { $0 == 2999 || $0 == 3000 })
    }

    @Test("NTP time goes to nanoseconds and back", arguments: [0, 1, 999_999_999, 1_700_000_000_123_456_789])
    func ntp(nanoseconds: Int64) {
        #expect(NTPTime(unixNanoseconds: nanoseconds).unixNanoseconds == nanoseconds)
        #expect(NTPTime(unixNanoseconds: 0).rawValue == 2_208_988_800 << 32)
        #expect(NTPTime(rawValue: 0x1234_5678_9ABC_DEF0).middle == 0x5678_9ABC)
    }
}

@Suite("RTCP")
struct RTCPTests {
    static let info = RTCP.SenderInfo(
        source: 0x0102_0304,
        time: NTPTime(rawValue: 0x1122_3344_5566_7788),
        timestamp: 7,
        packets: 8,
        octets: 9
    )

    @Test("a sender report has its fixed layout and a padded canonical name")
    func senderReport() {
        var bytes: [UInt8] = []
        RTCP.append(Self.info, name: "apus", to: &bytes)
        #expect(
            bytes
                == hex(
                    "80c80006 01020304 11223344 55667788 00000007 00000008 00000009 81ca0003 01020304 0104 61707573 0000"
                )
        )
    }

    @Test("what is written is read back, for names of every length", arguments: [0, 1, 2, 3, 4, 5, 6, 255, 300])
    func roundTrip(length: Int) throws {
        let name = String(repeating: "a", count: length)
        let block = RTCP.ReportBlock(
            source: 1,
            fractionLost: 2,
            lost: -3,
            highestSequence: 4,
            jitter: 5,
            lastReport: 6,
            delaySinceLastReport: 7
        )
        var bytes: [UInt8] = []
        RTCP.append(Self.info, name: name, to: &bytes)
        RTCP.append(block, from: 77, to: &bytes)
        RTCP.appendGoodbye(source: 9, name: name, to: &bytes)

        let text = Array(name.utf8.prefix(RTCP.maximumName))
        #expect(bytes.count % 4 == 0)
        #expect(
            try RTCPPacket.parse(bytes.span) == [
                .senderReport(Self.info, []), .sourceDescription(source: Self.info.source, name: text),
                .receiverReport(source: 77, [block]), .receiverReport(source: 9, []),
                .sourceDescription(source: 9, name: text), .goodbye(sources: [9]),
            ]
        )
    }

    @Test("a compound packet cut inside a packet is refused")
    func truncation() throws {
        var bytes: [UInt8] = []
        RTCP.append(Self.info, name: "apus", to: &bytes)
        for length in 0..<bytes.count {
            let packets = try? RTCPPacket.parse(bytes.span.extracting(0..<length))
            #expect(packets?.count == [0: 0, 28: 1][length])
        }
    }

    @Test(
        "lengths that lie are refused",
        arguments: [
            "81c90001 00000001", "81ca0002 00000001 01ff6161", "82cb0001 00000001", "00c80000", "a0c90001 000000ff",
        ]
    )
    func refusal(bytes: String) {
        #expect(throws: WireError.self) { try RTCPPacket.parse(hex(bytes).span) }
    }

    @Test("a compound packet has a limit of packets")
    func limit() throws {
        let one = hex("80cc0000")
        let fits = [[UInt8]](repeating: one, count: RTCPPacket.maximumCount).flatMap { $0 }
        #expect(try RTCPPacket.parse(fits.span).count == RTCPPacket.maximumCount)
        let tooMany = fits + one
        #expect(throws: WireError.self) { try RTCPPacket.parse(tooMany.span) }
    }
}
