// SPDX-License-Identifier: Apache-2.0
// The sink of every process: standard error, dressed for a terminal, a file or the journal.

import System

extension Logger {
    /// A logger that writes to standard error.
    ///
    /// Lines are for the journal if `JOURNAL_STREAM` says that it listens, in colour on a terminal unless `NO_COLOR`
    /// is set, else plain.
    package static func standardError(_ component: String, level: LogLevel = .info) -> Logger {
        let descriptor: Int32 = 2
        let style: LogLineStyle
        if Process.isTerminal(descriptor) {
            style = Process.environment("NO_COLOR") == nil ? .colour : .plain
        } else {
            style = Process.environment("JOURNAL_STREAM") == nil ? .plain : .journal
        }
        let sink = LogSink(
            level: level,
            style: style,
            clock: { Clock.realtimeNanoseconds() },
            // A log that cannot be written has nowhere to complain.
            output: { line in _ = try? writeAll(descriptor, line.span) }
        )
        return Logger(component, to: sink)
    }
}
