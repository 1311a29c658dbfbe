// SPDX-License-Identifier: Apache-2.0
// Capture instants for frames that come without any: their arrivals, with the jitter of the way taken out.

import Bytes

/// Estimates when frames were taken from when they arrived.
///
/// A pipe delivers a frame late by however long its producer was held up, and then the next ones in a bunch. An
/// alpha-beta filter follows the producer's steady rate through that, and its output is moved back as far as it ever
/// ran ahead of an arrival: instants grow strictly, steadily, and never lie after the arrival. A gap is taken as it is.
struct ArrivalClock {
    /// The estimate for the frame before, and the frame interval, in nanoseconds.
    private var state: (time: Double, interval: Double, frames: Int)?
    private var last = Instant(nanoseconds: .min)
    /// Where the filter counts from, so that floating-point numbers stay exact to the nanosecond.
    private var origin = Instant.zero

    /// How far the output is moved back, in nanoseconds.
    private var lead = 0.0

    /// Shares of an error that go into the time and into the interval, once the filter has settled: with 12 ms of
    /// jitter at 25 fps they leave 2 ms.
    private static let timeGain = 0.03
    private static let intervalGain = 0.0005
    /// The share of its lead that the output loses with each frame, so that one bad moment is forgotten.
    private static let leadLoss = 0.001
    /// A frame this far from where it is expected begins a new sequence: at least this, or this many intervals.
    private static let jump = 250e6
    private static let jumpIntervals = 4.0

    /// The capture instant of a frame that arrived at `arrival`.
    mutating func stamp(_ arrival: Instant) -> Instant {
        let estimate = filter(arrival)
        lead = max(lead * (1 - Self.leadLoss), Double((estimate - arrival).nanoseconds))
        last = max(estimate - .nanoseconds(Int64(lead.rounded(.up))), last + .nanoseconds(1))
        return last
    }

    private mutating func filter(_ arrival: Instant) -> Instant {
        let now = Double((arrival - origin).nanoseconds)
        guard let (time, interval, frames) = state else { return restart(arrival) }
        if frames == 1 {
            guard now - time < 1e9 else { return restart(arrival) }
            state = (now, now - time, 2)
            return arrival
        }
        let expected = time + interval
        let error = now - expected
        guard abs(error) < max(Self.jump, Self.jumpIntervals * interval) else { return restart(arrival) }
        // At first the gains are those of a straight line fitted to all frames so far, by least squares.
        let count = Double(frames + 1)
        let weight = max(Self.timeGain, 2 * (2 * count - 1) / (count * (count + 1)))
        let slope = max(Self.intervalGain, 6 / (count * (count + 1)))
        state = (expected + weight * error, max(1e6, interval + slope * error), frames + 1)
        return origin + .nanoseconds(Int64(expected + weight * error))
    }

    private mutating func restart(_ arrival: Instant) -> Instant {
        origin = arrival
        lead = 0
        state = (0, 0, 1)
        return arrival
    }
}
