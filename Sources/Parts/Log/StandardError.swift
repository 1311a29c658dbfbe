// SPDX-License-Identifier: Apache-2.0
// The sink of every process: standard error, dressed for a terminal, a file or the journal.

import System

extension Logger {
    /// A logger that writes to standard error.
    package static func standardError(_ component: String, level: LogLevel = .info) -> Logger {
        // A log that cannot be written has nowhere to complain.
        Logger(component, to: .standardError(level: level, output: { line in _ = try? writeAll(2, line.span) }))
    }
}

extension LogSink {
    /// A sink that dresses lines as standard error wants them and gives them to `output`.
    ///
    /// Lines are for the journal if `JOURNAL_STREAM` says that it listens, in colour on a terminal or with
    /// `CLICOLOR_FORCE` set unless `NO_COLOR` is, else plain.
    package static func standardError(level: LogLevel, output: @escaping @Sendable ([UInt8]) -> Void) -> LogSink {
        let style: LogLineStyle
        if Process.isTerminal(2) || Process.environment("CLICOLOR_FORCE") != nil {
            style = Process.environment("NO_COLOR") == nil ? .colour : .plain
        } else {
            style = Process.environment("JOURNAL_STREAM") == nil ? .plain : .journal
        }
        return LogSink(level: level, style: style, clock: { Clock.realtimeNanoseconds() }, output: output)
    }
}
