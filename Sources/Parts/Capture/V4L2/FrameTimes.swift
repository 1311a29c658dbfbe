// SPDX-License-Identifier: Apache-2.0
// When frames were captured, by the driver's clock where it can be believed.

import Bytes
import Devices
import Media

/// Makes capture instants of what a driver says, and of arrivals where it says nothing, or what cannot be.
struct FrameTimes {
    /// A frame's time is further from the present only if the driver does not know the time.
    static let tolerance = Duration.seconds(1)
    /// So many in a row are no accident, such as frames that waited while the process was stopped.
    static let patience = 3

    private var arrivals = ArrivalClock()
    private let limit: Duration
    private var wrong = 0
    /// True once the driver's times have turned out to be wrong.
    private(set) var isLying = false

    /// Long exposures begin long ago: at low rates more is believed.
    init(frameRate: Rational) {
        let interval = frameRate.value > 0 ? Duration.nanoseconds(Int64(1e9 / max(frameRate.value, 0.01))) : .zero
        limit = max(Self.tolerance, interval * 2)
    }

    /// The capture instant of a frame that the driver gave at `now`.
    mutating func instant(_ time: Instant, _ clock: V4L2Device.FrameClock, at now: Instant) -> Instant {
        guard clock == .monotonic else { return arrivals.stamp(now) }
        guard now - time < limit, time - now < limit else {
            wrong += 1
            if wrong >= Self.patience { isLying = true }
            return arrivals.stamp(now)
        }
        wrong = 0
        // Drivers that count from elsewhere hit the present now and then, too.
        if isLying { return arrivals.stamp(now) }
        // Nothing was captured that is still to come.
        return min(time, now)
    }
}
