// SPDX-License-Identifier: Apache-2.0
// What a supervisor is told of a process, and what it tells of it.

package import Bytes
package import System

/// A process that a supervisor keeps running.
package struct ChildPlan: Sendable, Equatable {
    /// Unique in the supervisor: `rtsp`, `video.cam`.
    package let name: String
    package let path: String
    package let arguments: [String]
    /// Whether the child gets the supervisor's standard input; others get /dev/null.
    package let takesStandardInput: Bool
    /// Children stop stage by stage, the highest first, and start the other way round.
    package let stage: Int
    /// What the child was configured with; when it differs, the child must be told or restarted.
    package let fingerprint: String
    /// Sockets that are handed over to the child.
    package var sockets: [InheritedSocket] = []

    package init(
        name: String,
        path: String,
        arguments: [String],
        takesStandardInput: Bool = false,
        stage: Int = 0,
        fingerprint: String = ""
    ) {
        self.name = name
        self.path = path
        self.arguments = arguments
        self.takesStandardInput = takesStandardInput
        self.stage = stage
        self.fingerprint = fingerprint
    }
}

/// How a child is, as `apus status` tells it.
package struct ChildReport: Sendable, Equatable {
    package let name: String
    package let state: State
    /// nil while it does not run.
    package let pid: Int32?
    /// When its present run began.
    package let since: Instant?
    package let restarts: Int
    /// How it ended last.
    package let lastEnd: ExitStatus?
    /// Why it is not well: how it keeps ending, or why it was killed; nil once it has run for a while.
    package let trouble: String?
    /// The last lines that it wrote before it ended last; empty if that was asked for.
    package let lastWords: [String]

    /// What a child is doing.
    package enum State: String, Sendable {
        /// Started, not yet ready.
        case starting
        case running
        /// Told to stop.
        case stopping
        /// Ended, to be started again soon.
        case waiting
        /// Ended, or hung, often in a row; started again now and then.
        case failing
        case stopped
    }
}

/// How long a supervisor waits for its children.
package struct SupervisorTimes: Sendable {
    /// From a child's start until it must be ready.
    package var readiness = Duration.seconds(30)
    /// From the polite to the impolite end of one stage.
    package var stop = Duration.milliseconds(800)
    /// A ready child must give a sign of life so often.
    package var watchdog = Duration.seconds(10)
    /// A child that was stopped by a signal must go on after that long.
    package var stopped = Duration.milliseconds(500)

    package init() {}

    /// These times, so many times as long: for machines on which everything takes longer.
    package func stretched(by factor: Int) -> SupervisorTimes {
        var times = self
        times.readiness = readiness * factor
        times.stop = stop * factor
        times.watchdog = watchdog * factor
        times.stopped = stopped * factor
        return times
    }
}
