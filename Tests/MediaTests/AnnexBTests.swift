// SPDX-License-Identifier: Apache-2.0
// NAL unit iteration and the cutting of byte streams into access units.

import Bytes
import Media
import Testing

@Suite("Annex B")
struct AnnexBTests {
    static func units(_ stream: [UInt8]) -> [[UInt8]] {
        var result: [[UInt8]] = []
        var units = NALUnits(stream.span)
        while let range = units.next() { result.append(Array(stream[range])) }
        return result
    }

    @Test(
        "NAL units are found behind start codes of any length, without trailing zeros",
        arguments: [
            ("", []),
            ("000001", []),
            ("00000001", []),
            ("000001 67", ["67"]),
            ("00000001 6742 00000001 68ce", ["6742", "68ce"]),
            ("000001 6742 000001 68ce", ["6742", "68ce"]),
            ("0000000000 01 67420000 00000001 68ce0000", ["6742", "68ce"]),
            ("aabb 000001 65", ["65"]),
            ("000001 000001 65", ["65"]),
            ("000001 6500000301 000001 41", ["6500000301", "41"]),
            ("000001 65010001 000001 41", ["65010001", "41"]),
            ("0001 0001", []),
        ]
    )
    func iteration(stream: String, expected: [String]) {
        #expect(Self.units(hex(stream)) == expected.map(hex))
    }

    @Test("emulation prevention bytes are removed, others stay")
    func unescape() {
        var payload: [UInt8] = []
        AnnexB.unescape(hex("000003 01 000003 000003 030003").span, into: &payload)
        #expect(payload == hex("0000 01 0000 0000 030003"))
    }
}

@Suite("Access unit splitter")
struct AccessUnitSplitterTests {
    struct Unit: Equatable {
        var isKeyframe: Bool
        var bytes: [UInt8]
    }

    static func split(
        _ format: NALFormat,
        _ chunks: [[UInt8]],
        limit: Int = AccessUnitSplitter.maximumLength
    ) -> (units: [Unit], splitter: AccessUnitSplitter) {
        var splitter = AccessUnitSplitter(format, limit: limit)
        var units: [Unit] = []
        for chunk in chunks {
            splitter.push(chunk.span) { flags, bytes in
                units.append(Unit(isKeyframe: flags.contains(.keyframe), bytes: Array(bytes)))
            }
        }
        splitter.finish { flags, bytes in
            units.append(Unit(isKeyframe: flags.contains(.keyframe), bytes: Array(bytes)))
        }
        return (units, splitter)
    }

    static let sps = "00000001 6742c00dda05467889b01100000303e90000ea600f142aa0"
    static let pps = "00000001 68ce0fc8"
    static let stream = hex(
        "000001 0910 \(sps) \(pps) 000001 658884 00 000001 650040aa 00000001 0930 000001 419a22 00000001 0950 00000001"
            + " 658833 00000001 419a55"
    )
    static let expected = [
        Unit(isKeyframe: true, bytes: hex("00000001 0910 \(sps) \(pps) 00000001 658884 00000001 650040aa")),
        Unit(isKeyframe: false, bytes: hex("00000001 0930 00000001 419a22")),
        // The keyframe that came without parameter sets gets them, behind its delimiter.
        Unit(isKeyframe: true, bytes: hex("00000001 0950 \(sps) \(pps) 00000001 658833")),
        Unit(isKeyframe: false, bytes: hex("00000001 419a55")),
    ]

    @Test("an H.264 stream is cut at delimiters, parameter sets and first slices")
    func h264() {
        let (units, splitter) = Self.split(.h264, [Self.stream])

        #expect(units == Self.expected)
        #expect(splitter.parameterSets.isComplete)
        #expect(splitter.skippedBytes == 0 && splitter.oversized == 0)
    }

    @Test("the access units are the same at every split of the stream")
    func everySplit() {
        for cut in 0...Self.stream.count {
            let (units, _) = Self.split(.h264, [Array(Self.stream[..<cut]), Array(Self.stream[cut...])])
            #expect(units == Self.expected, "cut at \(cut)")
        }
        let (units, _) = Self.split(.h264, Self.stream.map { [$0] })
        #expect(units == Self.expected)
    }

    @Test("an access unit comes out as soon as the next one begins")
    func latency() {
        var splitter = AccessUnitSplitter(.h264)
        var count = 0
        splitter.push(hex("000001 658884 000001").span) { _, _ in count += 1 }
        #expect(count == 0)
        splitter.push(hex("419a").span) { _, _ in count += 1 }
        #expect(count == 1)
    }

    @Test("an H.265 stream is cut at first slice segments")
    func h265() {
        let key = "00000001 40010c01 00000001 2801af1d 00000001 28012f1d"
        let (units, _) = Self.split(.h265, [hex("\(key) 00000001 0201d0aa 00000001 02015011 00000001 0201d0bb")])

        #expect(
            units == [
                Unit(isKeyframe: true, bytes: hex(key)),
                Unit(isKeyframe: false, bytes: hex("00000001 0201d0aa 00000001 02015011")),
                Unit(isKeyframe: false, bytes: hex("00000001 0201d0bb")),
            ]
        )
    }

    @Test("bytes in front of the first start code are counted and dropped")
    func garbage() {
        let (units, splitter) = Self.split(.h264, [hex("deadbeef"), hex("00"), hex("0001 658884")])

        #expect(units == [Unit(isKeyframe: true, bytes: hex("00000001 658884"))])
        #expect(splitter.skippedBytes == 4 || splitter.skippedBytes == 5)
    }

    @Test("an access unit at the limit passes, one byte longer is dropped and counted", arguments: [16, 64])
    func limit(chunk: Int) {
        let fits = hex("00000001 65") + [UInt8](repeating: 0x88, count: 95)
        let tooLong = fits + [0x88]
        let small = hex("00000001 419a22")
        let stream = fits + small + tooLong + small
        let chunks = stride(from: 0, to: stream.count, by: chunk)
            .map { Array(stream[$0..<min($0 + chunk, stream.count)]) }

        let (units, splitter) = Self.split(.h264, chunks, limit: 100)

        #expect(units.map(\.bytes) == [fits, small, small])
        #expect(splitter.oversized == 1)
    }
}
