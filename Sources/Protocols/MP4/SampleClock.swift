// SPDX-License-Identifier: Apache-2.0
// From capture instants to decode times: in order, on the common clock, the same for all viewers.

package import Bytes
import Media

/// When a frame is decoded and shown, in its track's ticks.
package struct SampleTime: Sendable, Hashable {
    package var decode: Int64
    package var compositionOffset: Int32
    /// How long it probably lasts; the next frame's time says how long it did.
    package var duration: UInt32

    package init(decode: Int64, compositionOffset: Int32 = 0, duration: UInt32) {
        self.decode = decode
        self.compositionOffset = compositionOffset
        self.duration = duration
    }
}

/// Gives the frames of one track their times, one after the other.
///
/// A picture is decoded when it was captured. Where pictures are coded out of their order, decode times go on from the
/// keyframe at the nominal rate, as nobody can know the instants of what has not come. Sound is as long as its samples
/// say, so that there is no gap of a tick between frames; it is set right when it has gone from the clock by more than
/// `tolerance`.
package struct SampleClock: Sendable {
    /// How far sound may be from its capture instant.
    package static let tolerance = Duration.milliseconds(40)
    /// How long a picture lasts where neither the description nor the last two tell.
    package static let usualInterval = Duration.milliseconds(40)
    /// Pictures that are further apart are not told to last so long.
    package static let longestInterval = Duration.seconds(2)

    private let track: MP4Track
    /// What the next frame's decode time must not be in front of.
    private var floor: Int64 = 0
    /// Of sound: where the next frame begins if nothing is lost.
    private var next: Int64?
    /// Of pictures: the newest instant, and the interval in front of it.
    private var newest: Int64?
    private var interval: Int64
    private let nominal: Int64
    /// Set by the first picture that goes back.
    private var isReordered = false
    /// The last keyframe's decode time, and how many pictures have come since.
    private var group: (start: Int64, count: Int64) = (0, 0)
    /// When that keyframe was shown, and the interval that the group in front of it had.
    private var keyframeShown: Int64?
    private var pace: Int64

    package init(_ track: MP4Track) {
        self.track = track
        let rate = track.description.frameRate
        nominal =
            rate.numerator > 0
            ? Int64(track.timescale) * Int64(rate.denominator) / Int64(rate.numerator) : track.ticks(Self.usualInterval)
        interval = max(1, nominal)
        pace = interval
    }

    /// The time of the next picture.
    package mutating func picture(_ captured: Instant, isKeyframe: Bool) -> SampleTime {
        let shown = track.ticks(captured)
        if let newest {
            let step = shown - newest
            if step < 0, !isKeyframe { isReordered = true }
            if step > 0, !isReordered { interval = min(step, track.ticks(Self.longestInterval)) }
        }
        newest = max(newest ?? shown, shown)
        // A little shorter than nominal, so that a keyframe never comes before the last frame in front of it.
        group.count += 1
        if isKeyframe {
            if let keyframeShown, shown > keyframeShown { pace = (shown - keyframeShown) / group.count }
            keyframeShown = shown
        }
        let step = max(1, pace * 31 / 32)
        var decode = shown
        if isReordered, !isKeyframe { decode = group.start + group.count * step }
        decode = max(decode, floor)
        if isKeyframe { group = (decode, 0) }
        floor = decode + (isReordered ? max(1, pace / 8) : 1)
        // A duration that is too long is cut by the next picture, one that is too short leaves a gap.
        let duration = isReordered ? step : min(max(nominal, interval), nominal * 4)
        return SampleTime(
            decode: decode,
            compositionOffset: Int32(clamping: shown - decode),
            duration: UInt32(clamping: max(1, duration))
        )
    }

    /// The time of the next frame of sound, which has so many samples.
    package mutating func sound(_ captured: Instant, samples: UInt32) -> SampleTime {
        let heard = track.ticks(captured)
        var decode = next ?? heard
        if abs(heard - decode) > track.ticks(Self.tolerance) { decode = max(heard, floor) }
        floor = decode + 1
        next = decode + Int64(samples)
        return SampleTime(decode: decode, duration: samples)
    }
}
