// SPDX-License-Identifier: Apache-2.0
// The sink of every process: standard error, dressed for a terminal, a file or the journal.

import System

extension Logger {
    /// A logger that writes to standard error, and never waits for who reads it.
    package static func standardError(_ component: String, level: LogLevel = .info) -> Logger {
        let writer = ReadyLineWriter(2, note: LogLine.droppedNote(component, .ofStandardError))
        return Logger(component, to: .standardError(level: level, output: { writer.write($0) }))
    }
}

extension LogSink {
    /// A sink that dresses lines as standard error wants them and gives them to `output`.
    package static func standardError(level: LogLevel, output: @escaping @Sendable ([UInt8]) -> Void) -> LogSink {
        LogSink(
            level: level,
            style: .ofStandardError,
            clock: { Clock.realtimeNanoseconds() },
            output: output
        )
    }
}

extension LogLineStyle {
    /// What standard error wants.
    ///
    /// Lines are for the journal if `JOURNAL_STREAM` says that it listens, in colour on a terminal or with
    /// `CLICOLOR_FORCE` set unless `NO_COLOR` is, else plain.
    package static var ofStandardError: LogLineStyle {
        if Process.isTerminal(2) || Process.environment("CLICOLOR_FORCE") != nil {
            return Process.environment("NO_COLOR") == nil ? .colour : .plain
        }
        return Process.environment("JOURNAL_STREAM") == nil ? .plain : .journal
    }
}

extension LogLine {
    /// Makes the line that stands for those which nobody has read in time.
    package static func droppedNote(
        _ component: String,
        _ style: LogLineStyle
    ) -> @Sendable (_ count: Int) -> [UInt8] {
        { count in
            format(
                style,
                Clock.realtimeNanoseconds(),
                .warning,
                component,
                "lines were not written, as nobody read them",
                ["lines": count]
            )
        }
    }
}
