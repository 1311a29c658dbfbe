// SPDX-License-Identifier: Apache-2.0
// Published frames as a source: rings written here, read by a session.

import Bytes
import Capture
import Config
import Media
import Ring
import System
import Testing

@Suite("published sources", .serialized) struct PublishTests {
    private static let picture = StreamDescription(
        video: .h264,
        width: 640,
        height: 360,
        frameRate: Rational(30),
        configuration: [0, 0, 0, 1, 0x67]
    )
    private static let waiting = CaptureState.lost(reason: "waits for a publisher")

    private static func frame(_ number: Int) -> [UInt8] { [0, 0, 0, 1, UInt8(number)] }

    private static func live(_ codec: Codec) -> CaptureState {
        .live(
            CaptureFormat(
                codec: codec,
                size: PictureSize(width: 640, height: 360),
                frameRate: Rational(30),
                name: "publisher"
            )
        )
    }

    @Test("without a publisher the source waits, which is no loss") func waits() throws {
        let run = try Run.published()

        #expect(run.states == [Self.waiting])
        #expect(run.losses == 0)
        run.stop()
    }

    @Test("frames come through with their bytes and instants, from the newest keyframe on") func frames() throws {
        let run = try Run.published()
        let writer = try run.ring("publish", Self.picture)
        let start = Clock.monotonic()
        for number in 0..<6 {
            let captured = start + .milliseconds(Int64(number))
            try writer.publish(Self.frame(number).span, captured: captured, flags: number % 2 == 0 ? .keyframe : [])
        }
        try run.turn { run.units.count == 2 }
        try writer.publish(Self.frame(6).span, captured: start + .milliseconds(33), flags: .keyframe)
        try run.turn { run.units.count == 3 }

        #expect(run.states == [Self.waiting, Self.live(.h264)])
        #expect(run.units.map(\.bytes) == [4, 5, 6].map(Self.frame))
        #expect(run.units.map { ($0.info.captured - start).milliseconds } == [4, 5, 33])
        #expect(run.units.map(\.info.isKeyframe) == [true, false, true])
        #expect(run.units.map(\.info.codec) == [.h264, .h264, .h264])
        run.stop()
        writer.close()
    }

    @Test("when the publisher goes the source is lost; the next one goes on at its first keyframe") func comesBack()
        throws
    {
        let run = try Run.published()
        let first = try run.ring("publish", Self.picture)
        try first.publish(Self.frame(1).span, captured: Clock.monotonic(), flags: .keyframe)
        try run.turn { run.units.count == 1 }
        first.close()
        try run.turn { run.states.last == Self.waiting }
        #expect(run.losses == 1)

        var other = Self.picture
        other.codec = .h265
        let second = try run.ring("publish", other)
        try second.publish(Self.frame(2).span, captured: Clock.monotonic(), flags: [])
        try second.publish(Self.frame(3).span, captured: Clock.monotonic(), flags: .keyframe)
        try run.turn { run.units.count == 2 }

        #expect(run.states.last == Self.live(.h265))
        #expect(run.units.last?.bytes == Self.frame(3))
        #expect(run.units.last?.info.isDiscontinuous == true)
        run.stop()
        second.close()
    }

    @Test("sound comes through with what it is coded in") func sound() throws {
        let run = try Run.published()
        var description = StreamDescription(audio: .aac, sampleRate: 48_000, channels: 2, configuration: [0x11, 0x90])
        let writer = try run.ring("publish-audio", description)
        let captured = Clock.monotonic()
        try writer.publish([1, 2, 3].span, captured: captured, flags: .keyframe)
        try run.turn { run.sounds.count == 1 }
        description = StreamDescription(audio: .pcmu, sampleRate: 8000, channels: 1)
        try writer.update(description)
        try writer.publish([4].span, captured: captured + .milliseconds(20), flags: .keyframe)
        try run.turn { run.sounds.count == 2 }

        #expect(run.sounds.map(\.bytes) == [[1, 2, 3], [4]])
        #expect(run.sounds.map(\.info.codec) == [.aac, .pcmu])
        #expect(run.sounds.first?.info.configuration == [0x11, 0x90])
        #expect(run.sounds.map(\.info.sampleRate) == [48_000, 8000])
        #expect(run.sounds.first?.info.captured == captured)
        run.stop()
        writer.close()
    }

    @Test("a reader that was held up goes on at the newest keyframe") func heldUp() throws {
        let run = try Run.published()
        let writer = try run.ring("publish", Self.picture)
        let start = Clock.monotonic()
        try writer.publish(Self.frame(0).span, captured: start, flags: .keyframe)
        try run.turn { run.units.count == 1 }
        for number in 1...200 {
            let flags: FrameFlags = number % 50 == 0 ? .keyframe : []
            try writer.publish(Self.frame(number).span, captured: start + .milliseconds(Int64(number)), flags: flags)
        }
        try run.turn { run.units.count == 2 }

        #expect(run.units.last?.bytes == Self.frame(200))
        #expect(run.units.last?.info.isDiscontinuous == true)
        run.stop()
        writer.close()
    }
}
