// SPDX-License-Identifier: Apache-2.0
// Where frames of sound go on our clock: one behind the other, as long as they last.

import Bytes

/// Gives frames of sound their instants, such that a player hears neither gaps nor overlaps.
///
/// What a sender's clock is taken for changes a little with each frame that comes sooner than any before, and more when
/// sound is put in step with pictures. A frame that went to its new place at once would begin before the one in front of
/// it has ended. So sound goes there slowly; where it has to be quick, sound that is late waits, and of sound that is
/// early frames are left out until the rest fits.
struct SoundPace: Sendable {
    /// No frame lasts longer than this, in nanoseconds: what does is a gap.
    private static let longest: Int64 = 1_000_000_000
    /// What a player takes for no gap, in nanoseconds.
    private static let longestStep: Int64 = 2_500_000

    /// The newest frame's time on the sender's clock, published or left out; nil before the first, and behind a break.
    private var newest: Int64?
    /// The instant of the newest frame that was not left out.
    private var last: Instant?
    /// How long the newest frame but one lasted, in nanoseconds.
    private var length: Int64 = 0
    /// What is added to a time to get its instant, in nanoseconds.
    private var translation: Int64 = 0
    /// Whether the present error is put right at once.
    private var isJumping = false
    /// How much was left out since the sound was last in its place, in nanoseconds.
    private var leftOut: Int64 = 0
    /// More is not left out for one error: a sender that is faster than time itself would not be heard at all.
    private static let longestLoss: Int64 = 1_000_000_000

    /// The instant of the frame with the time `time`, which should be `wanted`; nil if it is to be left out.
    ///
    /// Sound without a picture is in step with all that there is: nothing is left out then.
    mutating func place(_ time: Int64, wanted: Instant, isSettling: Bool, isAlone: Bool = false) -> Instant? {
        guard let newest else {
            let earliest = last.map { $0 + .nanoseconds(max(1, length)) } ?? wanted
            return begin(time, at: max(wanted, earliest))
        }
        let elapsed = time - newest
        // Out of order, or twice.
        guard elapsed > 0 else { return nil }
        self.newest = time
        length = min(elapsed, Self.longest)
        let error = wanted.nanoseconds - time - translation
        if isSettling || abs(error) > SourceClock.alignmentJump.nanoseconds { isJumping = true }
        if isJumping {
            if error <= -elapsed, !isAlone, leftOut < Self.longestLoss {
                leftOut += elapsed
                translation -= elapsed
                return nil
            }
            if error >= elapsed { return begin(time, at: wanted) }
            isJumping = false
            if error > -elapsed { leftOut = 0 }
        }
        let step = Self.step(elapsed, error)
        translation += max(-step, min(step, error))
        return publish(time)
    }

    /// What comes next does not go on from what was.
    mutating func breakOff() { newest = nil }

    /// By how much a frame may be nearer to its wanted instant than the one before.
    ///
    /// An error that people notice is made less in haste, in steps that are still no gaps.
    private static func step(_ elapsed: Int64, _ error: Int64) -> Int64 {
        let slow = elapsed / SourceClock.alignmentDivisor
        guard abs(error) > SourceClock.noticed.nanoseconds else { return slow }
        return max(slow, min(slow * SourceClock.haste, longestStep))
    }

    private mutating func begin(_ time: Int64, at instant: Instant) -> Instant {
        newest = time
        translation = instant.nanoseconds - time
        isJumping = false
        leftOut = 0
        return publish(time)
    }

    private mutating func publish(_ time: Int64) -> Instant {
        let instant = Instant(nanoseconds: time + translation)
        last = instant
        return instant
    }
}
