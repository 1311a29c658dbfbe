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
    /// One that hung was well if it did so only this long after it could have been noticed.
    package static let trustedTime = Duration.seconds(60)
    /// So many failures in a row are a crash loop.
    package static let crashLoopCount = 5

    /// What ended a run.
    package enum Ending: Sendable, Equatable {
        /// It ended by itself, or somebody killed it.
        case byItself
        /// It was killed as it gave no sign of life for so long.
        case hung(Duration)
        /// It was killed as it did not become ready.
        case neverReady
    }

    /// How often the process ended in a row without having been well.
    package private(set) var failures = 0
    /// What ended the last run.
    package private(set) var lastEnding = Ending.byItself

    package init() {}

    /// True when the process keeps ending soon after its start.
    package var isCrashLooping: Bool { failures >= Self.crashLoopCount }

    /// True for a run that has lasted for `time`, if that shows that what ended the last one is over.
    package func isWell(afterRunning time: Duration, isReady: Bool) -> Bool {
        switch lastEnding {
        case .byItself: time >= Self.healthyTime
        case .hung(let silence): time >= silence + Self.trustedTime
        case .neverReady: isReady && time >= Self.healthyTime
        }
    }

    /// Notes that the process ended after it ran for `time`.
    ///
    /// That one hung shows only after a while, in which it was not well, however long that is.
    /// `jitter`, 0 to 1, moves the wait by up to a quarter, so that processes that fell together do not rise together.
    /// - Returns: how long to wait before the restart.
    package mutating func ended(
        _ ending: Ending = .byItself,
        afterRunning time: Duration,
        jitter: Double
    ) -> Duration {
        lastEnding = ending
        if isWell(afterRunning: time, isReady: false) { failures = 0 }
        failures += 1
        guard failures > 1 else { return .zero }
        let doublings = min(failures - 2, 16)
        let delay = min(Self.firstDelay * (1 << doublings), Self.longestDelay)
        let spacing = Duration.nanoseconds(Int64(Double(delay.nanoseconds) * (0.75 + 0.5 * min(1, max(0, jitter)))))
        // The time that it ran is a pause already, unless it did nothing.
        return ending == .byItself ? max(.zero, spacing - time) : spacing
    }
}
