// SPDX-License-Identifier: Apache-2.0
// How long to wait before a lost source is tried again.

package import Bytes

/// Waits that double from try to try, and start over after a healthy minute.
package struct Backoff: Sendable {
    package static let first = Duration.milliseconds(250)
    package static let longest = Duration.seconds(10)
    package static let healthy = Duration.seconds(60)

    private var wait = first
    private var liveSince: Instant?

    package init() {}

    /// Notes that the source delivers.
    package mutating func succeeded(at now: Instant) {
        if liveSince == nil { liveSince = now }
    }

    /// The wait before the next try.
    ///
    /// `noise` is any number; up to a fifth of the wait is taken off by it, so that many cameras do not come back
    /// all at once.
    package mutating func next(at now: Instant, noise: UInt64) -> Duration {
        if let liveSince, now - liveSince >= Self.healthy { wait = Self.first }
        liveSince = nil
        let current = wait
        wait = min(wait * 2, Self.longest)
        return current - current / 1000 * Int(noise % 200)
    }
}
