// SPDX-License-Identifier: Apache-2.0
// Log lines: their form, what is escaped, what is left out.

import Log
import Synchronization
import Testing

/// Collects lines.
private final class Lines: Sendable {
    private let bytes = Mutex<[UInt8]>([])

    var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }

    func sink(_ level: LogLevel, _ style: LogLineStyle = .plain, at nanoseconds: Int64 = 0) -> LogSink {
        LogSink(
            level: level,
            style: style,
            clock: { nanoseconds },
            output: { [self] line in bytes.withLock { $0 += line } }
        )
    }
}

@Suite("Log")
struct LogTests {
    @Test("a line has time, level, component, event and fields")
    func line() {
        let lines = Lines()
        let log = Logger("rtsp", to: lines.sink(.info, at: 1_795_230_669_123_456_789))

        log.info("client connected", ["peer": "127.0.0.1:3333", "clients": 2])

        #expect(lines.text == "2026-11-21T03:11:09.123Z info rtsp client connected peer=127.0.0.1:3333 clients=2\n")
    }

    @Test(
        "the date is that of the Gregorian calendar",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (951_782_400, "2000-02-29T00:00:00.000Z"),
            (951_868_799, "2000-02-29T23:59:59.000Z"), (951_868_800, "2000-03-01T00:00:00.000Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000Z"), (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] as [(Int64, String)]
    )
    func dates(seconds: Int64, expected: String) {
        var line: [UInt8] = []

        LogLine.appendTime(seconds * 1_000_000_000, to: &line)

        #expect(String(decoding: line, as: UTF8.self) == expected)
    }

    @Test(
        "durations are short",
        arguments: [
            (.zero, "0ms"), (.nanoseconds(274_832_461), "275ms"), (.microseconds(999_499), "999ms"),
            (.microseconds(999_500), "1s"), (.milliseconds(2650), "2.7s"), (.seconds(30), "30s"),
            (.milliseconds(-1540), "-1.5s"), (.seconds(Int64.max), "9223372036854775807s"),
        ] as [(Duration, String)]
    )
    func durations(duration: Duration, expected: String) {
        let lines = Lines()
        let log = Logger("a", to: lines.sink(.info, .journal))

        log.info("b", ["in": duration])

        #expect(lines.text == "<6>a b in=\(expected)\n")
    }

    @Test("nothing that a line quotes can forge another line or move a terminal's cursor")
    func injection() {
        let lines = Lines()
        let log = Logger("http", to: lines.sink(.info, .journal))

        log.info("got \u{1B}[2J\n<3>forged", ["path": "/\r\n\u{7F}\u{202E}x\u{9B}", "a": "say \"=\" \\"])

        #expect(
            lines.text
                == #"<6>http got \u{1b}[2J\n<3>forged path="/\r\n\u{7f}\u{202e}x\u{9b}" a="say \"=\" \\""# + "\n"
        )
    }

    @Test(
        "a value is quoted only if it has to be",
        arguments: [("", #""""#), ("a b", #""a b""#), ("a=b", #""a=b""#), ("ä", "ä"), ("127.0.0.1:80", "127.0.0.1:80")]
    )
    func quoting(value: String, expected: String) {
        let line = LogLine.format(.journal, 0, .info, "c", "e", ["v": value])

        #expect(String(decoding: line, as: UTF8.self) == "<6>c e v=\(expected)\n")
    }

    @Test("longer text than the limit is cut")
    func limit() {
        let exact = LogLine.format(.journal, 0, .info, "c", String(repeating: "x", count: LogLine.maximumText), [:])
        let longer = LogLine.format(.journal, 0, .info, "c", String(repeating: "x", count: 10_000), [:])

        #expect(!String(decoding: exact, as: UTF8.self).contains("…"))
        #expect(longer.count == exact.count + "…".utf8.count)
    }

    @Test("what a line is made of is not evaluated when its level is off")
    func lazy() {
        let lines = Lines()
        let log = Logger("a", to: lines.sink(.warning))
        var count = 0
        func expensive() -> String {
            count += 1
            return "x"
        }

        log.debug(expensive(), ["a": expensive()])
        log.info(expensive())
        #expect(count == 0)
        log.warn(expensive())

        #expect(count == 1)
        #expect(lines.text == "1970-01-01T00:00:00.000Z warn a x\n")
    }

    @Test("the level set on one logger holds for all of its sink")
    func level() {
        let lines = Lines()
        let log = Logger("a", to: lines.sink(.error))
        let other = log.named("b")

        other.info("one")
        log.level = .debug
        other.debug("two")

        #expect(lines.text == "1970-01-01T00:00:00.000Z debug a.b two\n")
    }

    @Test("levels are found by their name", arguments: LogLevel.allCases)
    func names(level: LogLevel) {
        #expect(LogLevel(name: level.name) == level)
    }
}
