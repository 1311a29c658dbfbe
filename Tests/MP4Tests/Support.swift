// SPDX-License-Identifier: Apache-2.0
// Streams of real encoders, and movies made of them.

import Bytes
import Foundation
import MP4
import Media

/// The bytes of a hexadecimal text; spaces are passed over.
func hex(_ text: String) -> [UInt8] {
    let digits = text.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

/// Streams that every test may use.
enum Streams {
    static let h264 = StreamDescription(
        video: .h264,
        width: 1920,
        height: 1080,
        frameRate: Rational(25),
        configuration: hex("00000001 67640028acb200f0044fcb80880000030008000003019078c19240 00000001 68ebe3cb22c0")
    )
    static let h265 = StreamDescription(
        video: .h265,
        width: 322,
        height: 182,
        frameRate: Rational(25),
        configuration: hex(
            """
            00000001 40010c01ffff01600000030090000003000003003c959809
            00000001 42010101600000030090000003000003003ca00a480b9c95964a924caf016808000003000800000300c840
            00000001 4401c172b46240
            """
        )
    )
    static let av1 = StreamDescription(
        video: .av1,
        width: 1920,
        height: 804,
        frameRate: Rational(24),
        configuration: hex("0a0b 00000042a7bfe4600d0040")
    )
    static let jpeg = StreamDescription(video: .jpeg, width: 640, height: 480, frameRate: Rational(30))
    static let aac = StreamDescription(audio: .aac, sampleRate: 48_000, channels: 2, configuration: hex("1190"))
    static let opus = StreamDescription(audio: .opus, sampleRate: 48_000, channels: 2)
    static let l16 = StreamDescription(audio: .l16, sampleRate: 16_000, channels: 1)
    static let pcmu = StreamDescription(audio: .pcmu, sampleRate: 8000, channels: 1)
    static let all = [h264, h265, av1, jpeg, aac, opus, l16, pcmu]

    /// An access unit of H.264: delimiter, parameter sets, supplement, slice.
    static func keyframe(_ fill: UInt8 = 0x55) -> [UInt8] {
        hex("00000001 0910") + h264.configuration + hex("00000001 0605 0180 00000001 65")
            + [UInt8](repeating: fill, count: 40)
    }

    static func picture(_ fill: UInt8 = 0x66) -> [UInt8] {
        hex("00000001 0930 00000001 41") + [UInt8](repeating: fill, count: 20)
    }
}

extension [UInt8] {
    /// A track's initialisation segment with one fragment of two samples behind it.
    static func stream(of stream: StreamDescription) throws -> [UInt8] {
        let track = try MP4Track(stream, id: 1)
        var bytes: [UInt8] = []
        MP4Movie([track]).appendInitialization(to: &bytes)
        FragmentHead.appendSegmentType(to: &bytes)
        FragmentHead.appendCaptureTime(
            track: 1,
            unixNanoseconds: 1_700_000_000_500_000_000,
            mediaTime: 9000,
            to: &bytes
        )
        let run = FragmentWriter.Run(track: 1, decodeTime: 9000, count: 2)
        var fragment = FragmentWriter(sequence: 7, runs: [run], to: &bytes)
        for number in 0..<2 {
            let sample = MP4Sample(decodeTime: 0, compositionOffset: -3, duration: 3600, isSync: number == 0)
            let frame = number == 0 ? Streams.keyframe() : Streams.picture()
            fragment.add(sample, to: &bytes) { track.appendSample(frame.span, to: &$0) }
        }
        fragment.finish(&bytes)
        return bytes
    }

    /// A complete movie of a picture track and a sound track that begins later.
    static func movie() throws -> [UInt8] {
        let tracks = [try MP4Track(Streams.h264, id: 1), try MP4Track(Streams.aac, id: 2)]
        var writer = MovieWriter(MP4Movie(tracks))
        var data: [UInt8] = []
        for number in 0..<6 {
            let frame = number % 3 == 0 ? Streams.keyframe(UInt8(number)) : Streams.picture(UInt8(number))
            var sample = MP4Sample(
                decodeTime: 90_000 + Int64(number) * 3600,
                compositionOffset: number == 1 ? 3600 : number == 2 ? -3600 : 0,
                duration: 3600,
                isSync: number % 3 == 0
            )
            let before = data.count
            tracks[0].appendSample(frame.span, to: &data)
            sample.size = UInt32(data.count - before)
            writer.add(sample, index: 0)
            let sound = MP4Sample(decodeTime: 48_000 + 9600 + Int64(number) * 1024, duration: 1024, size: 3)
            data += [0x21, UInt8(number), 0]
            writer.add(sound, index: 1)
        }
        var bytes: [UInt8] = []
        writer.appendHead(to: &bytes)
        return bytes + data
    }
}

/// The files of one fuzz target's corpus.
func corpus(_ name: String) throws -> [[UInt8]] {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    let folder = root.appending(path: "Fuzz/corpus/\(name)")
    return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        .map { Array(try Data(contentsOf: $0)) }
}
