// SPDX-License-Identifier: Apache-2.0
// When a process that ended is started again.

import Bytes

/// Spaces out the starts of one process: the first again at once, then longer and longer, until it has been well.
package struct RestartPolicy: Sendable {
    /// The second restart in a row comes so long after the start before, each later one twice as long as the last.
    package static let firstDelay = Duration.milliseconds(250)
    /// No two starts lie further apart.
    package static let longestDelay = Duration.seconds(30)
    /// A process that ran for so long did its job, whatever ended it, and is there again at once.
    package static let healthyTime = Duration.seconds(10)
    /// So many failures in a row are a crash loop.
    package static let crashLoopCount = 5

    /// How often the process ended in a row without having been well.
    package private(set) var failures = 0

    package init() {}

    /// True when the process keeps ending soon after its start.
    package var isCrashLooping: Bool { failures >= Self.crashLoopCount }

    /// Notes that the process ended after it ran for `time`.
    ///
    /// `jitter`, 0 to 1, moves the wait by up to a quarter, so that processes that fell together do not rise together.
    /// - Returns: how long to wait before the restart.
    package mutating func ended(afterRunning time: Duration, jitter: Double) -> Duration {
        if time >= Self.healthyTime { failures = 0 }
        failures += 1
        guard failures > 1 else { return .zero }
        let doublings = min(failures - 2, 16)
        let delay = min(Self.firstDelay * (1 << doublings), Self.longestDelay)
        let spacing = Duration.nanoseconds(Int64(Double(delay.nanoseconds) * (0.75 + 0.5 * min(1, max(0, jitter)))))
        // The time that it ran is a pause already.
        return max(.zero, spacing - time)
    }
}
