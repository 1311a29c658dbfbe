// SPDX-License-Identifier: Apache-2.0
// Sequence parameter sets of real encoders, and sets that are cut or broken.

import Bytes
import Media
import Testing

@Suite("Parameter sets")
struct ParameterSetTests {
    static let x264Baseline = hex("6742c00dda05467889b01100000303e90000ea600f142aa0")
    static let x264High = hex("67640028acb200f0044fcb80880000030008000003019078c19240")
    static let x264High422 = hex("677a0020b6cd9405005bb011000003000100000300640f183196")
    static let x265Main = hex(
        "42010101600000030090000003000003003ca00a480b9c95964a924caf016808000003000800000300c840"
    )

    @Test("an H.264 sequence parameter set tells profile, level, cropped size and frame rate")
    func h264() throws {
        let baseline = try H264.SPS(parsing: Self.x264Baseline.span)
        #expect(baseline.width == 322 && baseline.height == 182)
        #expect(baseline.frameRate == Rational(30000, 1001))
        #expect(baseline.profileLevelID == "42C00D")

        let high = try H264.SPS(parsing: Self.x264High.span)
        #expect(high.width == 1920 && high.height == 1080)
        #expect(high.frameRate == Rational(25))
        #expect(high.profileLevelID == "640028")

        let high422 = try H264.SPS(parsing: Self.x264High422.span)
        #expect(high422.width == 1280 && high422.height == 720)
        #expect(high422.frameRate == Rational(50))
        #expect(high422.profile == 122 && high422.level == 32)
    }

    @Test("an H.265 sequence parameter set tells profile, level, cropped size and frame rate")
    func h265() throws {
        let main = try H265.SPS(parsing: Self.x265Main.span)

        #expect(main.width == 322 && main.height == 182)
        #expect(main.frameRate == Rational(25))
        #expect(main.profile == 1 && main.level == 60 && !main.isHighTier)
        #expect(main.compatibility == 0x6000_0000 && main.constraints == 0x9000_0000_0000)
    }

    @Test("a sequence parameter set cut anywhere is an error or loses its frame rate, never a trap")
    func truncation() {
        for (set, isH265) in [(Self.x264High422, false), (Self.x265Main, true)] {
            for length in 0..<set.count {
                let cut = set.span.extracting(0..<length)
                var rate: Rational?
                if isH265 {
                    rate = (try? H265.SPS(parsing: cut))?.frameRate
                } else {
                    rate = (try? H264.SPS(parsing: cut))?.frameRate
                }
                #expect(length > set.count - 12 || rate == nil)
            }
        }
    }

    @Test("no bit flipped in a parameter set can trap", arguments: [x264Baseline, x264High, x264High422, x265Main])
    func bitFlips(set: [UInt8]) {
        for bit in 8..<(set.count * 8) {
            var broken = set
            broken[bit / 8] ^= 0x80 >> UInt8(bit % 8)
            if let sps = try? H264.SPS(parsing: broken.span) { #expect(sps.width > 0 && sps.height > 0) }
            if let sps = try? H265.SPS(parsing: broken.span) { #expect(sps.width > 0 && sps.height > 0) }
        }
    }

    @Test("parameter sets are collected from a stream and printed in order, each once")
    func collecting() {
        let stream = hex("00000001 68ce0fc8 000001") + Self.x264Baseline + hex("00000001 68ce0fc8 00000001 658884")

        let sets = ParameterSets(.h264, annexB: stream.span)

        #expect(sets.isComplete)
        #expect(sets.sequence == [Self.x264Baseline] && sets.picture == [hex("68ce0fc8")])
        #expect(sets.annexB == hex("00000001") + Self.x264Baseline + hex("00000001 68ce0fc8"))
    }

    @Test("a set with the same identifier replaces the old one")
    func replacing() {
        var sets = ParameterSets(.h264)

        let changes = [Self.x264Baseline, Self.x264Baseline, Self.x264High].map { sets.absorb($0.span) }

        #expect(changes == [true, false, true])
        #expect(sets.sequence == [Self.x264High])
    }

    @Test("no more sets are kept than the limit")
    func limit() {
        var sets = ParameterSets(.h264)

        // pps ids 0 to 62 as ue(v): 2n+1 bits.
        for id in 0..<63 {
            var nal: [UInt8] = [0x68, 0, 0, 0xFF]
            let code = UInt32(id + 1)
            let width = 32 - code.leadingZeroBitCount
            let bits = code << UInt32(17 - 2 * width) | (width == 6 ? 0 : 1)
            nal[1] = UInt8(truncatingIfNeeded: bits >> 8)
            nal[2] = UInt8(truncatingIfNeeded: bits)
            sets.absorb(nal.span)
        }

        #expect(sets.picture.count <= ParameterSets.maximumCount)
    }
}

@Suite("Length-prefixed NAL units")
struct LengthPrefixedTests {
    static let pps = hex("68ce0fc8")
    static let avcC = hex("01 42c00d ff e1 0018") + ParameterSetTests.x264Baseline + hex("01 0004") + pps
    static let hvcC =
        hex("01 01 60000000 900000000000 3c f000 fc fd f8 f8 0000 0f 03")
        + hex("20 0001 0004 40010c01 21 0001 002b") + ParameterSetTests.x265Main + hex("22 0001 0007 4401c172b46240")

    @Test("the parameter sets of an avcC box are found")
    func avc() throws {
        let configuration = try DecoderConfiguration(avcC: Self.avcC.span)

        #expect(configuration.lengthSize == 4)
        #expect(configuration.parameterSets.sequence == [ParameterSetTests.x264Baseline])
        #expect(configuration.parameterSets.picture == [Self.pps])
    }

    @Test("the parameter sets of an hvcC box are found")
    func hevc() throws {
        let configuration = try DecoderConfiguration(hvcC: Self.hvcC.span)

        #expect(configuration.lengthSize == 4)
        #expect(configuration.parameterSets.isComplete)
        #expect(configuration.parameterSets.sequence == [ParameterSetTests.x265Main])
    }

    @Test("a configuration cut anywhere is an error")
    func truncation() {
        for length in 0..<Self.avcC.count {
            let cut = try? DecoderConfiguration(avcC: Self.avcC.span.extracting(0..<length))
            #expect(cut == nil)
        }
        for length in 0..<Self.hvcC.count {
            let cut = try? DecoderConfiguration(hvcC: Self.hvcC.span.extracting(0..<length))
            #expect(cut == nil)
        }
    }

    @Test("a sample goes to Annex B and back", arguments: 1...4)
    func roundTrip(lengthSize: Int) throws {
        let zeros = [UInt8](repeating: 0, count: lengthSize - 1)
        let sample = zeros + [4] + Self.pps + zeros + [2] + hex("65 88")

        var stream: [UInt8] = []
        try AnnexB.append(lengthPrefixed: sample.span, lengthSize: lengthSize, to: &stream)
        var back: [UInt8] = []
        AnnexB.appendLengthPrefixed(stream.span, to: &back)

        #expect(stream == hex("00000001 68ce0fc8 00000001 6588"))
        #expect(back == hex("00000004 68ce0fc8 00000002 6588"))
    }

    @Test("a length beyond the sample is an error")
    func overrun() {
        let sample = hex("00000005 68ce0fc8")
        var stream: [UInt8] = []
        #expect(throws: WireError.truncated(needed: 5, available: 4)) {
            try AnnexB.append(lengthPrefixed: sample.span, lengthSize: 4, to: &stream)
        }
    }
}
