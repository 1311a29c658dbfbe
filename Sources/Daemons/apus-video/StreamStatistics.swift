// SPDX-License-Identifier: Apache-2.0
// What is counted of a stream, and at which rate it takes frames.

import Bytes
import Control
import Metrics

/// Counts of one stream, and its rates over the last seconds.
struct StreamStatistics {
    /// Rates are taken over so long.
    private static let window = Duration.seconds(2)

    private(set) var frames: UInt64 = 0
    private(set) var keyframes: UInt64 = 0
    private(set) var bytes: UInt64 = 0
    /// Frames that could not be made or published.
    var failures: UInt64 = 0
    /// Pictures left out to keep to the stream's rate.
    var skipped: UInt64 = 0
    private var encoding = Duration.zero
    private var encoded: UInt64 = 0
    /// How long encoding takes.
    let encodeTimes = Histogram(.encodeTime)

    private var windowStart = Instant.zero
    private var windowFrames: UInt64 = 0
    private var windowBytes: UInt64 = 0
    private var frameRate = 0.0
    private var bitrate = 0.0

    mutating func published(_ length: Int, isKeyframe: Bool, at now: Instant) {
        frames += 1
        if isKeyframe { keyframes += 1 }
        bytes += UInt64(length)
        let elapsed = now - windowStart
        if elapsed > Self.window {
            if windowFrames > 0, elapsed < Self.window * 4 {
                frameRate = Double(frames - windowFrames) / elapsed.seconds
                bitrate = Double(bytes - windowBytes) * 8 / elapsed.seconds
            }
            windowStart = now
            windowFrames = frames
            windowBytes = bytes
        }
    }

    mutating func encoded(in duration: Duration) {
        encoded += 1
        encoding += duration
        encodeTimes.observe(duration.seconds)
    }

    var members: [JSON.Member] {
        var members = [
            JSON.Member("frames", JSON(frames)), JSON.Member("keyframes", JSON(keyframes)),
            JSON.Member("bytes", JSON(bytes)), JSON.Member("fps_measured", JSON((frameRate * 10).rounded() / 10)),
            JSON.Member("bitrate_measured", JSON(Int(bitrate))), JSON.Member("skipped", JSON(skipped)),
            JSON.Member("failures", JSON(failures)),
        ]
        if encoded > 0 {
            let mean = encoding.milliseconds / Double(encoded)
            members.append(JSON.Member("encode_ms", JSON((mean * 100).rounded() / 100)))
        }
        return members
    }
}

/// How much of one processor an encoder takes.
struct EncoderLoad {
    /// A single stream that takes more has no room for the others, or for a scene that is harder.
    private static let limit = 0.6
    /// So many pictures are looked at before anything is concluded.
    private static let patience = 45

    private var count = 0
    /// Mean over the last pictures; 1 is all of the time that there is.
    private(set) var mean = 0.0

    /// Adds one picture: the time spent in each second at the stream's rate.
    mutating func add(_ perSecond: Duration) {
        count += 1
        mean += (perSecond.seconds - mean) / Double(min(count, Self.patience))
    }

    var isTooHigh: Bool { count >= Self.patience && mean > Self.limit }
}

/// Lets through as many frames as a stream's rate allows.
struct FrameGate {
    private var due = Instant.zero

    /// True if the frame is to be taken; `rate` in frames per second, 0 for all.
    mutating func admits(_ captured: Instant, rate: Double) -> Bool {
        guard rate > 0 else { return true }
        let interval = Duration.nanoseconds(Int64(1e9 / rate))
        // Frames come a little early and late: a tenth of the interval is forgiven.
        guard captured + interval / 10 >= due else { return false }
        due = due + interval
        if due < captured || due > captured + interval * 2 { due = captured + interval }
        return true
    }
}
