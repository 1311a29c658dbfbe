// SPDX-License-Identifier: Apache-2.0
// Sources in a running loop: files and pipes made by ffmpeg, and the pattern.

import Bytes
import Encode
import Loop
import Media
import System
import Testing

@testable import Capture

@Suite("sources", .serialized) struct SessionTests {
    @Test("an H.264 file passes through byte for byte", arguments: ["mp4", "mkv", "ts"])
    func passThrough(container: String) throws {
        let clip = try Clip.make("zerolatency.\(container)", ["-tune", "zerolatency", "-g", "10"])
        let reference = try Clip.annexB(of: clip)

        let run = try Run("file:\(clip)?loop=0", frames: 30)

        #expect(run.states.last == .ended)
        #expect(run.units.count == 30)
        let expected = Self.slices(reference)
        #expect(Self.slices(run.units.flatMap(\.bytes)) == expected)
        #expect(run.units.filter(\.info.isKeyframe).count == 3)
        for unit in run.units where unit.info.isKeyframe {
            #expect(ParameterSets(.h264, annexB: unit.bytes.span).isComplete)
        }
        #expect(run.units.allSatisfy { $0.bytes.starts(with: [0, 0, 0, 1]) })
    }

    @Test("a file's times go on from round to round, evenly")
    func loops() throws {
        let clip = try Clip.make("round.mp4", ["-tune", "zerolatency", "-g", "10"], frames: 10, rate: 50)

        let run = try Run("file:\(clip)", frames: 35)

        let instants = run.units.map(\.info.captured)
        let gaps = zip(instants, instants.dropFirst()).map { ($1 - $0).milliseconds }
        #expect(run.units.count >= 35)
        #expect(gaps.allSatisfy { abs($0 - 20) < 1 }, "\(gaps)")
    }

    @Test("a file with B-frames is decoded, in order, all of it, over and over")
    func bFrames() throws {
        let clip = try Clip.make("bframes.mp4", ["-bf", "3", "-g", "10"], frames: 12, rate: 50)

        let run = try Run("file:\(clip)", frames: 30)

        #expect(run.units.isEmpty)
        #expect(run.pictures.count >= 30)
        let gaps = zip(run.pictures, run.pictures.dropFirst()).map { ($1 - $0).milliseconds }
        #expect(gaps.allSatisfy { abs($0 - 20) < 1 }, "\(gaps)")
    }

    @Test(
        "MJPEG and H.265 files pass through; others are decoded",
        arguments: [
            ("mjpeg", "avi", Codec.jpeg), ("libx265", "mp4", .h265), ("mpeg4", "avi", nil),
        ]
    )
    func otherCodecs(encoder: String, container: String, codec: Codec?) throws {
        let extra = encoder == "libx265" ? ["-tune", "zerolatency", "-x265-params", "log-level=error"] : []
        let clip = try Clip.make("other-\(encoder).\(container)", extra, encoder: encoder, frames: 10, rate: 50)

        let run = try Run("file:\(clip)?loop=0", frames: 10)

        #expect(run.states.last == .ended)
        #expect(run.units.count == (codec == nil ? 0 : 10))
        #expect(run.pictures.count == (codec == nil ? 10 : 0))
        #expect(run.units.allSatisfy { $0.info.codec == codec })
    }

    @Test("a missing file, one that is none, and one without video are told apart, and tried again")
    func badFiles() throws {
        let sound = try Clip.path("sound.wav")
        try Clip.ffmpeg(["-f", "lavfi", "-i", "sine=duration=0.1", sound])
        let text = try Clip.path("text.mp4")
        try File.replace(text, with: Array("this is no film".utf8).span, mode: 0o600)
        for (path, part) in [("/nowhere/clip.mp4", "No such file"), (text, "Invalid data"), (sound, "no video")] {
            let run = try Run("file:\(path)", frames: 1, atMost: .milliseconds(700))
            guard case .lost(let reason)? = run.states.last else {
                Issue.record("\(path): \(run.states)")
                continue
            }
            #expect(reason.contains(part), "\(reason)")
            // Nothing is lost that was never there.
            #expect(run.losses == 0)
            #expect(run.failedTries >= 2)
        }
    }

    @Test("the pattern comes at its rate, with rising instants")
    func pattern() throws {
        let run = try Run("pattern:?size=320x180&fps=50", frames: 20)
        let gaps = zip(run.pictures, run.pictures.dropFirst()).map { ($1 - $0).milliseconds }
        #expect(gaps.allSatisfy { abs($0.remainder(dividingBy: 20)) < 0.01 && $0 >= 19.9 })
    }

    @Test("an MJPEG pipe is cut into its images; its end is survived, and a new producer goes on")
    func mjpegPipe() throws {
        let fifo = try Clip.fifo("mjpeg.fifo")
        let reader = try File.open(fifo, .read, nonBlocking: true)
        let run = Run.collecting(pipe: reader.raw, codec: .jpeg)
        try Clip.produce(["-frames:v", "10", "-c:v", "mjpeg", "-f", "mjpeg"], into: fifo)

        try run.turn { run.states.last == .lost(reason: "end of input") }
        #expect(run.units.count == 10)
        #expect(run.units.allSatisfy { JPEG.isValid($0.bytes.span) })

        try Clip.produce(["-frames:v", "5", "-c:v", "mjpeg", "-f", "mjpeg"], into: fifo)
        try run.turn { run.units.count == 15 }
        #expect(run.units.count == 15)
        run.stop()
    }

    @Test("an H.264 pipe is cut into its access units")
    func h264Pipe() throws {
        let fifo = try Clip.fifo("h264.fifo")
        let reader = try File.open(fifo, .read, nonBlocking: true)
        let run = Run.collecting(pipe: reader.raw, codec: .h264)
        try Clip.produce(
            ["-frames:v", "12", "-c:v", "libx264", "-tune", "zerolatency", "-g", "4", "-f", "h264"],
            into: fifo
        )

        try run.turn { run.states.last == .lost(reason: "end of input") }

        #expect(run.units.map(\.info.isKeyframe) == (0..<12).map { $0 % 4 == 0 })
        let instants = run.units.map(\.info.captured)
        #expect(zip(instants, instants.dropFirst()).allSatisfy { $1 - $0 >= Timeline.resolution })
        run.stop()
    }

    @Test("frames that come through a pipe in one piece have instants that rise all the same")
    func burst() throws {
        let options = ["-tune", "zerolatency", "-g", "8", "-crf", "40", "-f", "h264"]
        let stream = try File.contents(try Clip.make("burst.h264", options, frames: 8))
        let fifo = try Clip.fifo("burst.fifo")
        let reader = try File.open(fifo, .read, nonBlocking: true)
        let run = Run.collecting(pipe: reader.raw, codec: .h264)
        let writer = try File.open(fifo, .readWrite, nonBlocking: true)
        try writeAll(writer.raw, stream.span)

        // The last one waits for what follows it.
        try run.turn { run.units.count >= 7 }

        let instants = run.units.map(\.info.captured)
        #expect(zip(instants, instants.dropFirst()).allSatisfy { $1 - $0 >= Timeline.resolution }, "\(instants)")
        run.stop()
    }

    /// The coded slices of a stream: what passing through must not change.
    private static func slices(_ stream: [UInt8]) -> [[UInt8]] {
        var result: [[UInt8]] = []
        var units = NALUnits(stream.span)
        while let range = units.next() {
            if NALFormat.h264.isPicture(stream[range.lowerBound]) { result.append(Array(stream[range])) }
        }
        return result
    }
}

/// Waits double up to a limit, and start over after a healthy minute.
@Suite("backoff") struct BackoffTests {
    @Test("waits double up to the limit and start over after a healthy minute") func waits() {
        var backoff = Backoff()
        var now = Instant.zero
        let waits = (0..<8).map { _ in backoff.next(at: now, noise: 0).milliseconds }
        #expect(waits == [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000])

        backoff.succeeded(at: now)
        now = now + .seconds(59)
        #expect(backoff.next(at: now, noise: 0) == Backoff.longest)

        backoff.succeeded(at: now)
        now = now + .seconds(60)
        #expect(backoff.next(at: now, noise: 0) == Backoff.first)
        #expect(backoff.next(at: now, noise: 199) >= .milliseconds(400))
    }
}
