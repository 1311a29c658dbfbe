// SPDX-License-Identifier: Apache-2.0
// The logger that every part is handed: levels, lines, and where the lines go.

import Synchronization
import System

/// How much a line matters, and to whom.
package enum LogLevel: UInt8, Sendable, Comparable, CaseIterable {
    /// The operator must act.
    case error
    /// Something works worse than it should.
    case warning
    /// A change of state worth knowing: started, connected, stopped.
    case info
    /// For those who work on the code.
    case debug

    /// The name used in lines and in the configuration.
    package var name: String {
        switch self {
        case .error: "error"
        case .warning: "warn"
        case .info: "info"
        case .debug: "debug"
        }
    }

    /// The level called `name`.
    package init?(name: some StringProtocol) {
        guard let level = LogLevel.allCases.first(where: { $0.name == name }) else { return nil }
        self = level
    }

    package static func < (left: LogLevel, right: LogLevel) -> Bool { left.rawValue < right.rawValue }
}

/// The properties of a line, in order: `["peer": address, "bytes": 3]`.
package typealias LogFields = KeyValuePairs<String, any CustomStringConvertible>

/// Writes log lines for one component.
///
/// A value to hand around; all copies share one sink, so the level set on one holds for all.
/// What a line is made of is evaluated only if its level is on.
package struct Logger: Sendable {
    /// Which part speaks: `rtsp`, `video.cam`, `up.control`.
    package let component: String
    private let sink: LogSink

    /// Makes a logger that writes to `sink`.
    package init(_ component: String, to sink: LogSink) {
        self.component = component
        self.sink = sink
    }

    /// The same sink for a part of this component: `video.cam` becomes `video.cam.control`.
    package func named(_ part: String) -> Logger { Logger("\(component).\(part)", to: sink) }

    /// The least important level that is still written.
    package var level: LogLevel {
        get { sink.level }
        nonmutating set { sink.level = newValue }
    }

    /// Writes a line that asks the operator to act.
    @inlinable
    package func error(_ event: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]) {
        if isOn(.error) { write(.error, event(), fields()) }
    }

    /// Writes a line about something that works worse than it should.
    @inlinable
    package func warn(_ event: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]) {
        if isOn(.warning) { write(.warning, event(), fields()) }
    }

    /// Writes a line about a change of state.
    @inlinable
    package func info(_ event: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]) {
        if isOn(.info) { write(.info, event(), fields()) }
    }

    /// Writes a line for developers.
    @inlinable
    package func debug(_ event: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]) {
        if isOn(.debug) { write(.debug, event(), fields()) }
    }

    /// True if lines of `level` are written.
    package func isOn(_ level: LogLevel) -> Bool { level <= sink.level }

    /// Writes one line, whatever the level; the level's methods above are what to call.
    package func write(_ level: LogLevel, _ event: String, _ fields: LogFields) {
        sink.write(level, component, event, fields)
    }
}

/// Where the lines of a process go, and from which level on.
package final class LogSink: Sendable {
    private let threshold: Atomic<UInt8>
    private let style: LogLineStyle
    private let clock: @Sendable () -> Int64
    private let output: @Sendable ([UInt8]) -> Void

    /// Makes a sink whose lines go to `output`, one call a line, the line feed included.
    ///
    /// `clock` gives nanoseconds since 1970, UTC.
    package init(
        level: LogLevel,
        style: LogLineStyle,
        clock: @escaping @Sendable () -> Int64,
        output: @escaping @Sendable ([UInt8]) -> Void
    ) {
        threshold = Atomic(level.rawValue)
        self.style = style
        self.clock = clock
        self.output = output
    }

    /// The least important level that is still written.
    package var level: LogLevel {
        // Relaxed: a line more or less around a change of level harms nobody.
        get { LogLevel(rawValue: threshold.load(ordering: .relaxed)) ?? .info }
        set { threshold.store(newValue.rawValue, ordering: .relaxed) }
    }

    fileprivate func write(_ level: LogLevel, _ component: String, _ event: String, _ fields: LogFields) {
        output(LogLine.format(style, clock(), level, component, event, fields))
    }
}
