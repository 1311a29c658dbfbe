// SPDX-License-Identifier: Apache-2.0
// Telling the supervisor how it goes, by the protocol of sd_notify(3): systemd understands it, and so does `apus up`.

import Bytes
import Loop
import System

/// Sends notifications to whoever started this process.
package struct Notifier: Sendable {
    private let path: String?
    /// How often a sign of life is asked for; nil if it is not.
    package let watchdogInterval: Duration?

    /// Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    package init() {
        path = Process.environment("NOTIFY_SOCKET").flatMap { $0.hasPrefix("/") ? $0 : nil }
        let isForUs = Process.environment("WATCHDOG_PID").map { $0 == "\(Process.id)" } ?? true
        let microseconds = isForUs ? Process.environment("WATCHDOG_USEC").flatMap { Int64($0) } : nil
        watchdogInterval = microseconds.flatMap { $0 > 0 ? .microseconds($0) : nil }
    }

    /// True if somebody wants to know.
    package var isHeard: Bool { path != nil }

    /// Sends assignments such as `READY=1`; nobody listening is no fault.
    package func send(_ assignments: String...) {
        guard let path, let socket = try? Socket.connectUnix(path, kind: .datagram) else { return }
        _ = try? Socket.send(socket.raw, Array(assignments.joined(separator: "\n").utf8).span)
    }
}
