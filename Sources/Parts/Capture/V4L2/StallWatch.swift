// SPDX-License-Identifier: Apache-2.0
// Notices frames that do not come, and says what to do about it.

import Bytes
import Media

/// Watches over one opening of a device: first the stream is started again, then the device is given up.
///
/// How long frames may take follows the rate: a camera of one frame a second has not stalled after two.
struct StallWatch {
    /// What to do.
    enum Step: Equatable {
        /// Stop the stream and start it again.
        case restart
        /// Close the device.
        case reopen
    }

    /// No camera is given up sooner.
    static let shortest = Duration.seconds(1)
    /// None is waited for longer, whatever rate it tells.
    static let longest = Duration.seconds(600)
    /// So many frames may be missing.
    static let intervals = 5.0
    /// Cameras take their time for the first frame: they find their exposure, or wait for a signal.
    static let patience = Duration.seconds(4)
    /// More restarts within `window` do not help.
    static let restartLimit = 3
    static let window = Duration.seconds(30)

    /// How long a frame may take where frames come.
    let limit: Duration
    /// The newest frame, or the start.
    private var since: Instant
    private var restarts: [Instant] = []
    /// True once a frame has come after the last start.
    private(set) var hasFrames = false
    private var isRestarted = false

    /// Watches from `now` on, when the stream has started; a rate of 0 is not known.
    init(frameRate: Rational, at now: Instant) {
        let rate = frameRate.value
        let span = rate > 0 ? min(Self.intervals / rate, Self.longest.seconds) : 0
        limit = max(Self.shortest, .nanoseconds(Int64(span * 1e9)))
        since = now
    }

    /// How long the next frame may take.
    var allowed: Duration { hasFrames ? limit : max(limit, Self.patience) }

    /// A good frame has come.
    mutating func frame(at now: Instant) {
        since = now
        hasFrames = true
        isRestarted = false
    }

    /// What is to be done at this instant; nil for nothing.
    mutating func check(at now: Instant) -> Step? { now - since > allowed ? fault(at: now) : nil }

    /// The stream has ended, or brings nothing but errors: what to do about it.
    mutating func fault(at now: Instant) -> Step {
        restarts.removeAll { now - $0 > Self.window }
        guard !isRestarted, restarts.count < Self.restartLimit else { return .reopen }
        restarts.append(now)
        isRestarted = true
        hasFrames = false
        since = now
        return .restart
    }
}
