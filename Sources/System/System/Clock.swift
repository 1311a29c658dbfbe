// SPDX-License-Identifier: Apache-2.0
// The machine's clocks.

package import Bytes
import Glibc

/// The machine's clocks.
package enum Clock {
    /// Now, on the clock that never steps. C: `clock_gettime(CLOCK_MONOTONIC)`.
    package static func monotonic() -> Instant { Instant(nanoseconds: nanoseconds(CLOCK_MONOTONIC)) }

    /// Now, in nanoseconds since 1970 UTC; steps when somebody sets the clock. C: `clock_gettime(CLOCK_REALTIME)`.
    package static func realtimeNanoseconds() -> Int64 { nanoseconds(CLOCK_REALTIME) }

    /// Processor time used by this process. C: `clock_gettime(CLOCK_PROCESS_CPUTIME_ID)`.
    package static func processorTime() -> Duration { .nanoseconds(nanoseconds(CLOCK_PROCESS_CPUTIME_ID)) }

    /// The distance from the monotonic to the UTC clock, and how uncertain it is: half of the shortest time that a
    /// pair of readings took out of a few tries.
    package static func utcOffset() -> (nanoseconds: Int64, uncertainty: Int64) {
        var best = (nanoseconds: Int64(0), uncertainty: Int64.max)
        for _ in 0..<4 {
            let before = nanoseconds(CLOCK_MONOTONIC)
            let utc = nanoseconds(CLOCK_REALTIME)
            let after = nanoseconds(CLOCK_MONOTONIC)
            let half = (after - before) / 2
            if half < best.uncertainty { best = (utc - before - half, half) }
        }
        return best
    }

    private static func nanoseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        // Safe: `time` is valid for the call, which cannot fail for these clocks.
        unsafe clock_gettime(clock, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}
