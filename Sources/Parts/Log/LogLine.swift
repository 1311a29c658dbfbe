// SPDX-License-Identifier: Apache-2.0
// The bytes of one log line: time, level, component, event, key=value, nothing that a terminal could obey.

import Bytes

/// How lines are dressed for who reads them.
package enum LogLineStyle: Sendable {
    /// `2026-11-21T03:11:09.123Z info rtsp client connected peer=…`
    case plain
    /// The same with the level in colour.
    case colour
    /// `<6>rtsp client connected peer=…`: the journal adds time and level itself (sd-daemon(3)).
    case journal
}

/// Formats log lines.
package enum LogLine {
    /// Longer events and values are cut here, in bytes.
    package static let maximumText = 4096

    /// Formats one line with its line feed.
    package static func format(
        _ style: LogLineStyle,
        _ nanoseconds: Int64,
        _ level: LogLevel,
        _ component: String,
        _ event: String,
        _ fields: LogFields
    ) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(160)
        switch style {
        case .journal:
            line.append(contentsOf: "<\(priority(level))>".utf8)
        case .plain:
            appendTime(nanoseconds, to: &line)
            line.append(contentsOf: " \(level.name) ".utf8)
        case .colour:
            appendTime(nanoseconds, to: &line)
            line.append(contentsOf: " \u{1B}[\(colour(level))m\(level.name)\u{1B}[0m ".utf8)
        }
        line.append(contentsOf: component.utf8)
        line.append(UInt8(ascii: " "))
        appendEscaped(event, to: &line)
        for (key, value) in fields {
            line.append(UInt8(ascii: " "))
            line.append(contentsOf: key.utf8)
            line.append(UInt8(ascii: "="))
            appendValue((value as? Duration).map(short) ?? value.description, to: &line)
        }
        line.append(UInt8(ascii: "\n"))
        return line
    }

    /// A duration as a person writes it: `275ms`, `2.7s`, `30s`; the fraction that nobody reads is rounded off.
    package static func short(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        guard abs(seconds) < 100_000_000 else { return "\(seconds)s" }
        let half = attoseconds.signum() * 500_000_000_000_000
        let milliseconds = seconds * 1000 + (attoseconds + half) / 1_000_000_000_000_000
        guard abs(milliseconds) >= 1000 else { return "\(milliseconds)ms" }
        let tenths = (milliseconds + milliseconds.signum() * 50) / 100
        return tenths % 10 == 0 ? "\(tenths / 10)s" : "\(tenths / 10).\(abs(tenths % 10))s"
    }

    /// Appends `nanoseconds` since 1970 as `2026-11-21T03:11:09.123Z`.
    package static func appendTime(_ nanoseconds: Int64, to line: inout [UInt8]) {
        let milliseconds = nanoseconds / 1_000_000
        let (days, rest) = milliseconds.quotientAndRemainder(dividingBy: 86_400_000)
        let (year, month, day) = civilDate(daysSince1970: days)
        appendDigits(year, 4, UInt8(ascii: "-"), to: &line)
        appendDigits(month, 2, UInt8(ascii: "-"), to: &line)
        appendDigits(day, 2, UInt8(ascii: "T"), to: &line)
        appendDigits(rest / 3_600_000, 2, UInt8(ascii: ":"), to: &line)
        appendDigits(rest / 60_000 % 60, 2, UInt8(ascii: ":"), to: &line)
        appendDigits(rest / 1000 % 60, 2, UInt8(ascii: "."), to: &line)
        appendDigits(rest % 1000, 3, UInt8(ascii: "Z"), to: &line)
    }

    /// The Gregorian date of a day, counted from 1 January 1970; days before that count as it.
    ///
    /// Years are reckoned from 1 March, so that the leap day is the last of its year.
    private static func civilDate(daysSince1970 days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = max(0, days) + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * marchMonth + 2) / 5 + 1)
    }

    private static func appendDigits(_ value: Int64, _ width: Int, _ end: UInt8, to line: inout [UInt8]) {
        var divisor: Int64 = 1
        for _ in 1..<width { divisor *= 10 }
        while divisor > 0 {
            line.append(UInt8(ascii: "0") + UInt8(value / divisor % 10))
            divisor /= 10
        }
        line.append(end)
    }

    /// Appends a value, in quotes if it could be taken for something else.
    private static func appendValue(_ value: String, to line: inout [UInt8]) {
        let isPlain = value.utf8.allSatisfy { byte in
            byte > 0x20 && byte != 0x7F && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "=")
        }
        guard !isPlain || value.isEmpty else { return appendEscaped(value, to: &line) }
        line.append(UInt8(ascii: "\""))
        appendEscaped(value, quoting: true, to: &line)
        line.append(UInt8(ascii: "\""))
    }

    /// Appends text with every control character written as an escape.
    private static func appendEscaped(_ text: String, quoting: Bool = false, to line: inout [UInt8]) {
        var left = maximumText
        for scalar in text.unicodeScalars {
            guard left > 0 else { return line.append(contentsOf: "…".utf8) }
            left -= 1
            switch scalar {
            case "\n": line.append(contentsOf: "\\n".utf8)
            case "\r": line.append(contentsOf: "\\r".utf8)
            case "\t": line.append(contentsOf: "\\t".utf8)
            case _ where quoting && (scalar == "\\" || scalar == "\""): line.append(contentsOf: "\\\(scalar)".utf8)
            case _ where scalar.isHarmful: line.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".utf8)
            default: line.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            }
        }
    }

    private static func priority(_ level: LogLevel) -> Int {
        switch level {
        case .error: 3
        case .warning: 4
        case .info: 6
        case .debug: 7
        }
    }

    private static func colour(_ level: LogLevel) -> Int {
        switch level {
        case .error: 31
        case .warning: 33
        case .info: 32
        case .debug: 90
        }
    }
}
