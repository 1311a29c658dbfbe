// SPDX-License-Identifier: Apache-2.0
// What configurations and packets of sound say of themselves.

import Bytes
import Media
import Testing

@Suite("AAC configuration")
struct AudioSpecificConfigTests {
    @Test(
        "object type, rate, channels and frame length are read",
        arguments: [
            ("1190", 2, 48_000, 2, 1024, 48_000), ("1210", 2, 44_100, 2, 1024, 44_100),
            ("1588", 2, 8000, 1, 1024, 8000),
            ("1194", 2, 48_000, 2, 960, 48_000), ("119056e500", 2, 48_000, 2, 1024, 48_000),
            // HE-AAC with its extension told in front: 24 kHz core, 48 kHz out.
            ("2b118800", 5, 24_000, 2, 1024, 48_000),
            // A rate of its own: 47 999 Hz.
            ("1780 5dbf 90", 2, 47_999, 2, 1024, 47_999),
        ] as [(String, UInt8, UInt32, UInt8, UInt32, UInt32)]
    )
    func parsing(bytes: String, type: UInt8, rate: UInt32, channels: UInt8, samples: UInt32, output: UInt32) throws {
        let config = try AudioSpecificConfig(parsing: hex(bytes).span)
        #expect(config.objectType == type && config.sampleRate == rate && config.channels == channels)
        #expect(config.samplesPerFrame == samples && config.outputRate == output)
    }

    @Test("what is built is read back", arguments: [8000, 44_100, 48_000, 96_000, 12_345] as [UInt32])
    func roundTrip(rate: UInt32) throws {
        for channels: UInt8 in [1, 2, 6, 8] {
            let bytes = AudioSpecificConfig(sampleRate: rate, channels: channels).bytes
            let config = try AudioSpecificConfig(parsing: bytes.span)
            #expect(config.sampleRate == rate && config.channels == channels && config.objectType == 2)
        }
        #expect(AudioSpecificConfig(sampleRate: 48_000, channels: 2).bytes == hex("1190"))
    }

    @Test(
        "a configuration cut anywhere, or of nothing known, is refused",
        arguments: ["", "11", "17805d", "1690", "1178", "1780000010"]
    )
    func refusal(bytes: String) {
        #expect(throws: WireError.self) { try AudioSpecificConfig(parsing: hex(bytes).span) }
    }
}

@Suite("Opus packet")
struct OpusPacketTests {
    @Test(
        "its length follows from its first bytes",
        arguments: [
            ("fc", 960), ("08", 960), ("00", 480), ("18", 2880), ("e0", 120), ("f9", 1920), ("fb83", 2880),
            ("fb06", 5760),
            ("60", 480), ("68", 960), ("", nil), ("fb", nil), ("fb00", nil), ("1b03", nil),
        ] as [(String, UInt32?)]
    )
    func samples(bytes: String, expected: UInt32?) {
        let samples = OpusPacket.samples(hex(bytes).span)
        #expect(samples == expected)
    }
}

@Suite("AV1")
struct AV1Tests {
    /// SVT-AV1's for 320x240.
    static let sequenceHeader = hex("0a0b 00000004 3cffbcfb f90040")

    @Test("the size stands in the sequence header, and a cut one is refused")
    func sequence() throws {
        let obu = try AV1.OBU(at: 0, of: Self.sequenceHeader.span)
        #expect(obu.type == AV1.OBUType.sequenceHeader.rawValue)
        let payload = Array(Self.sequenceHeader[obu.payload])
        let header = try AV1.SequenceHeader(parsing: payload.span)
        #expect(header.width == 320 && header.height == 240 && header.profile == 0)
        for length in 0..<7 {
            #expect(throws: WireError.self) { try AV1.SequenceHeader(parsing: payload.span.extracting(0..<length)) }
        }
    }

    @Test(
        "keyframes are told from other frames",
        arguments: [
            ("1200 0a0100 320210aa", true), ("1200 320230aa", false), ("1200", false), ("", false), ("3205", false),
        ]
    )
    func keyframes(unit: String, expected: Bool) {
        let isKeyframe = AV1.isKeyframe(hex(unit).span)
        #expect(isKeyframe == expected)
    }

    @Test("OBUs are read with and without size and extension")
    func units() throws {
        let bytes = hex("1200 3600 0110 30aabb")
        #expect(try AV1.OBU(at: 0, of: bytes.span) == AV1.OBU(at: 0, of: hex("1200").span))
        let extended = try AV1.OBU(at: 2, of: bytes.span)
        #expect(extended.type == 6 && extended.payload == 5..<6)
        let open = try AV1.OBU(at: 6, of: bytes.span)
        #expect(open.type == 6 && open.payload == 7..<9)
        #expect(throws: WireError.self) { try AV1.OBU(at: 0, of: hex("3205aa").span) }
        #expect(throws: WireError.self) { try AV1.OBU(at: 0, of: hex("b200").span) }
        #expect(throws: WireError.self) { try AV1.OBU(at: 9, of: bytes.span) }
    }

    @Test(
        "a length takes as many groups of seven bits as it needs",
        arguments: [(0, 1), (127, 1), (128, 2), (16_384, 3)]
    )
    func lengths(value: Int, expected: Int) {
        #expect(AV1.leb128Length(value) == expected)
    }
}
