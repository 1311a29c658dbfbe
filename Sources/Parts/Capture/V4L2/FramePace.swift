// SPDX-License-Identifier: Apache-2.0
// Whether a camera keeps the rate that it was set to.

import Bytes
import Media

/// Measures a camera's rate by its driver's counts, so that frames lost on the way do not matter.
struct FramePace {
    /// The rate is taken over so long.
    static let window = Duration.seconds(10)
    /// A camera that gives less than this share of its rate is slow.
    static let share = 0.7

    private let rate: Double
    private var start: (at: Instant, sequence: UInt32)?

    /// A rate of 0 is not known.
    init(frameRate: Rational) { rate = frameRate.value }

    /// Takes a frame's count; frames per second once a window has passed in which the camera was slow.
    mutating func slowRate(_ sequence: UInt32, at now: Instant) -> Double? {
        guard let start else {
            self.start = (now, sequence)
            return nil
        }
        guard now - start.at >= Self.window else { return nil }
        let count = sequence &- start.sequence
        self.start = (now, sequence)
        // A driver that does not count, or has started anew, tells nothing.
        guard count > 0, count < 1 << 31 else { return nil }
        let measured = Double(count) / (now - start.at).seconds
        return measured < rate * Self.share ? measured : nil
    }

    /// The stream was stopped, and starts anew.
    mutating func interrupted() { start = nil }
}
