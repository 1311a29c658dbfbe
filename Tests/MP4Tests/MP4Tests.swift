// SPDX-License-Identifier: Apache-2.0
// Movies: written, read back, cut anywhere.

import Bytes
import Foundation
import MP4
import Media
import Testing

@Suite("MP4")
struct MP4Tests {
    @Test(
        "a codec is called as RFC 6381 and its own specification say",
        arguments: zip(
            Streams.all,
            ["avc1.640028", "hvc1.1.6.L60.90", "av01.0.08M.08", "mp4v.6C", "mp4a.40.2", "opus", "ipcm", "ulaw"]
        )
    )
    func codecs(_ stream: StreamDescription, _ name: String) throws {
        let track = try MP4Track(stream, id: 1)

        #expect(track.codecs == name)
    }

    @Test("parameter sets in the samples give avc3 and hev1")
    func inBandCodecs() throws {
        #expect(try MP4Track(Streams.h264, id: 1, place: .inBand).codecs == "avc3.640028")
        #expect(try MP4Track(Streams.h265, id: 1, place: .inBand).codecs == "hev1.1.6.L60.90")
    }

    @Test("raw pictures, and streams whose parameter sets have not come, are no track")
    func refusals() {
        var bare = Streams.h264
        bare.configuration = []
        let raw = StreamDescription(video: .nv12, width: 2, height: 2, frameRate: Rational(1))

        #expect(throws: WireError.self) { try MP4Track(bare, id: 1) }
        #expect(throws: WireError.self) { try MP4Track(raw, id: 1) }
    }

    @Test("a stream's description comes back out of its initialisation segment", arguments: Streams.all)
    func descriptions(_ stream: StreamDescription) throws {
        var segment: [UInt8] = []
        MP4Movie([try MP4Track(stream, id: 1)]).appendInitialization(to: &segment)

        let reader = try MP4Reader(parsing: segment.span)

        var expected = stream
        expected.frameRate = Rational(0)
        #expect(reader.tracks.map(\.description) == [expected])
        #expect(reader.tracks.first?.timescale == (stream.codec.isAudio ? stream.sampleRate : 90_000))
        #expect(reader.samples.isEmpty)
    }

    @Test("a fragment's samples come back with their times, and its capture time")
    func fragment() throws {
        let bytes = try [UInt8].stream(of: Streams.h264)

        let reader = try MP4Reader(parsing: bytes.span)

        #expect(reader.fragments == [7])
        #expect(reader.samples.map(\.sample.decodeTime) == [9000, 12_600])
        #expect(reader.samples.map(\.sample.compositionOffset) == [-3, -3])
        #expect(reader.samples.map(\.sample.isSync) == [true, false])
        let capture = try #require(reader.captureTimes.first)
        #expect(capture.mediaTime == 9000 && capture.ntp == (1_700_000_000 + 2_208_988_800) << 32 | 1 << 31)
        var frame: [UInt8] = []
        let first = try #require(reader.samples.first)
        try AnnexB.append(lengthPrefixed: bytes.span.extracting(first.range), lengthSize: 4, to: &frame)
        #expect(frame == hex("00000001 0605 0180 00000001 65") + [UInt8](repeating: 0x55, count: 40))
    }

    @Test("the same samples give the same bytes, wherever the fragment lies")
    func sameBytes() throws {
        let whole = try [UInt8].stream(of: Streams.h264)
        var segment: [UInt8] = []
        MP4Movie([try MP4Track(Streams.h264, id: 1)]).appendInitialization(to: &segment)

        var reader = try MP4Reader(parsing: segment.span)
        try reader.read(whole.span.extracting(segment.count..<whole.count))

        #expect(reader.samples.count == 2)
        #expect(Array(whole[..<segment.count]) == segment)
    }

    @Test("avc3 keeps parameter sets in the samples, avc1 does not, and neither keeps delimiters")
    func parameterSets() throws {
        var kept: [UInt8] = []
        var dropped: [UInt8] = []
        try MP4Track(Streams.h264, id: 1, place: .inBand).appendSample(Streams.keyframe().span, to: &kept)
        try MP4Track(Streams.h264, id: 1).appendSample(Streams.keyframe().span, to: &dropped)

        // The two sets without their start codes, and a length in front of each.
        #expect(kept.count - dropped.count == Streams.h264.configuration.count)
        #expect(Array(dropped.prefix(6)) == [0, 0, 0, 4, 6, 5])
    }

    @Test("an AV1 sample has no temporal delimiter")
    func temporalUnit() throws {
        var sample: [UInt8] = []
        try MP4Track(Streams.av1, id: 1).appendSample(hex("1200 0a0b00000042a7bfe4600d0040 320110").span, to: &sample)

        #expect(sample == hex("0a0b00000042a7bfe4600d0040 320110"))
    }

    @Test("a complete movie comes back with all times, sizes, sync samples, and the later track's delay")
    func completeMovie() throws {
        let bytes = try [UInt8].movie()

        let reader = try MP4Reader(parsing: bytes.span)

        let pictures = reader.samples.filter { $0.track == 0 }
        let sound = reader.samples.filter { $0.track == 1 }
        #expect(pictures.map(\.sample.decodeTime) == (0..<6).map { $0 * 3600 })
        #expect(pictures.map(\.sample.compositionOffset) == [0, 3600, -3600, 0, 0, 0])
        #expect(pictures.map(\.sample.isSync) == [true, false, false, true, false, false])
        #expect(sound.map(\.sample.duration) == Array(repeating: 1024, count: 6))
        #expect(reader.tracks.map(\.delay) == [0, 200])
        #expect(reader.samples.last?.range.upperBound == bytes.count)
    }

    @Test("a movie cut anywhere is refused or read without what is missing")
    func truncation() throws {
        for bytes in [try [UInt8].movie(), try [UInt8].stream(of: Streams.h264)] {
            let whole = try MP4Reader(parsing: bytes.span)
            for length in 0..<bytes.count {
                let cut = bytes.span.extracting(0..<length)
                MP4Fuzz.file(cut)
                let count = (try? MP4Reader(parsing: cut))?.samples.count ?? 0
                #expect(count < whole.samples.count)
            }
        }
    }

    @Test("a movie with any one byte changed is refused or read, never a trap")
    func damage() throws {
        for bytes in [try [UInt8].movie(), try [UInt8].stream(of: Streams.aac)] {
            for index in bytes.indices {
                for value: UInt8 in [0, 0x7F, 0xFF] {
                    var damaged = bytes
                    damaged[index] = value
                    MP4Fuzz.file(damaged.span)
                }
            }
        }
    }

    @Test("files of the corpus keep the rules, also when they are cut anywhere")
    func corpusFiles() throws {
        let files = try corpus("MP4Files")
        #expect(!files.isEmpty)
        for file in files {
            for length in 0...file.count { MP4Fuzz.file(file.span.extracting(0..<length)) }
        }
    }

    @Test("the index of fragments says its own length at its end")
    func index() {
        var index = FragmentIndex(track: 1)
        index.note(decodeTime: 9000, offset: 700)
        var bytes: [UInt8] = [1, 2, 3]
        index.append(to: &bytes)

        let size = bytes.suffix(4).reduce(0) { $0 << 8 | Int($1) }
        #expect(size == bytes.count - 3)
    }
}

@Suite("Clip times")
struct ClipTimeTests {
    @Test(
        "clip times have a sign, decimals and a unit",
        arguments: [
            ("-8s", -8000), ("+5s", 5000), (" 5s", 5000), ("5", 5000), ("-500ms", -500), ("1.5m", 90_000), ("now", 0),
            ("-2.25", -2250), ("3600s", 3_600_000),
        ]
    )
    func times(_ text: String, _ milliseconds: Int64) {
        #expect(ClipTime.parse(text) == .milliseconds(milliseconds))
    }

    @Test(
        "what is no time, or too far away, is refused",
        arguments: ["", "-", "s", "8x", "--8s", "1.s", ".5", "1.2345s", "3601s", "99999999", "８s", "1e3", "nan"]
    )
    func refusals(_ text: String) {
        #expect(ClipTime.parse(text) == nil)
    }
}

@Suite("Sample times")
struct SampleClockTests {
    private func instant(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    @Test("pictures in order are decoded when they were captured, days after the clock's start as well")
    func inOrder() throws {
        var clock = SampleClock(try MP4Track(Streams.h264, id: 1))
        let base: Int64 = 30 * 86_400_000

        let times = [0, 40, 81, 120].map { clock.picture(instant(base + $0), isKeyframe: $0 == 0) }

        #expect(times.map { $0.decode - base * 90 } == [0, 3600, 7290, 10_800])
        #expect(times.allSatisfy { $0.compositionOffset == 0 && $0.duration >= 3600 })
    }

    @Test("pictures coded out of their order are shown when captured, and decode times still rise")
    func reordered() throws {
        var clock = SampleClock(try MP4Track(Streams.h264, id: 1))
        var decoded: [Int64] = []
        for group in 0..<20 {
            for (index, offset) in [0, 120, 40, 80].enumerated() {
                let captured = Int64(group * 160 + offset)
                let time = clock.picture(instant(1000 + captured), isKeyframe: index == 0)
                #expect(time.decode + Int64(time.compositionOffset) == (1000 + captured) * 90)
                decoded.append(time.decode)
            }
        }

        #expect(zip(decoded, decoded.dropFirst()).allSatisfy { $0 < $1 })
        // From the second group on decoding is near the capture.
        #expect(abs(decoded[41] - (1000 + 41 * 40) * 90) < 2 * 3600)
    }

    @Test("sound has no gaps from a jittering clock, and is set right after a real one")
    func sound() throws {
        var clock = SampleClock(try MP4Track(Streams.opus, id: 1))

        let times = [0, 21, 39, 60, 300, 320].map { clock.sound(instant($0), samples: 960).decode }

        #expect(times == [0, 960, 1920, 2880, 14_400, 15_360])
    }
}
