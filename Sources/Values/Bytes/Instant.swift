// SPDX-License-Identifier: Apache-2.0
// Instants of the monotonic clock, the timebase of everything in Apus.

/// An instant of CLOCK_MONOTONIC, in nanoseconds.
///
/// Only `System` makes one from a clock; everything else is handed one.

package struct Instant: Sendable, Hashable, Comparable {
    /// Nanoseconds since the clock's start (the machine's boot).
    package var nanoseconds: Int64

    /// Makes an instant from nanoseconds since the clock's start.
    @inlinable
    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// The clock's start; used where no instant is known yet.
    package static let zero = Instant(nanoseconds: 0)

    /// The later instant `duration` after `instant`; saturates instead of trapping.
    @inlinable
    package static func + (instant: Instant, duration: Duration) -> Instant {
        let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(duration.nanoseconds)
        return Instant(nanoseconds: overflow ? (duration.nanoseconds > 0 ? .max : .min) : sum)
    }

    /// The earlier instant `duration` before `instant`.
    @inlinable
    package static func - (instant: Instant, duration: Duration) -> Instant {
        instant + .nanoseconds(0 &- duration.nanoseconds)
    }

    /// The time from `earlier` to `later`; negative if they are the other way round.
    @inlinable
    package static func - (later: Instant, earlier: Instant) -> Duration {
        .nanoseconds(later.nanoseconds &- earlier.nanoseconds)
    }

    @inlinable
    package static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }
}

extension Duration {
    /// The duration in whole nanoseconds; saturates beyond ±292 years.
    @inlinable
    package var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds > 0 ? .max : .min }
        return product &+ attoseconds / 1_000_000_000
    }

    /// The duration in seconds, for printing and for metrics.
    @inlinable
    package var seconds: Double { Double(nanoseconds) / 1e9 }

    /// The duration in milliseconds, for printing.
    @inlinable
    package var milliseconds: Double { Double(nanoseconds) / 1e6 }
}
