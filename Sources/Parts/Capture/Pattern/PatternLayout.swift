// SPDX-License-Identifier: Apache-2.0
// Where the parts of the test pattern lie, and their levels; all sizes follow from the picture's.

/// The geometry of the test pattern.
package struct PatternLayout: Sendable, Equatable {
    package let width: Int
    package let height: Int
    /// The measure of everything: 30 pixels at 1920x1080.
    private let unit: Double

    init(width: Int, height: Int) {
        self.width = width
        self.height = height
        unit = min(Double(height) / 36, Double(width) / 64)
    }

    // Levels of luma in limited range (BT.601).
    static let white: UInt8 = 235
    static let accent: UInt8 = 190
    static let grey: UInt8 = 150
    static let panel: UInt8 = 28

    /// White, yellow, cyan, green, magenta, red, blue, black at 75 %: Y, Cb, Cr in limited range.
    static let bars: [[UInt8]] = [
        [180, 128, 128], [162, 44, 142], [131, 156, 44], [112, 72, 58], [84, 184, 198], [65, 100, 212], [35, 212, 114],
        [16, 128, 128],
    ]

    /// The edge of a checkerboard's square.
    var square: Int { max(2, even(unit * 3)) }
    var margin: Int { even(unit * 2) }
    var stampHeight: Int { PatternStamp.rowHeight(pictureHeight: height) }
    var largeCapital: Int { max(6, Int(unit * 3.5)) }
    var smallCapital: Int { max(5, Int(unit * 1.05)) }
    /// The top of the dark panel; bars and ramp are above it.
    var panelTop: Int { max(0, even(Double(height - stampHeight) - unit * 12.2)) }
    var rampTop: Int { max(0, even(Double(panelTop) - unit * 1.6)) }
    var labelTop: Int { panelTop + Int(unit * 1.6) }
    var largeTop: Int { panelTop + Int(unit * 4.0) }
    var footTop: Int { panelTop + Int(unit * 9.4) }

    /// The bouncing ball at one moment.
    struct Ball: Equatable {
        var centre: (x: Int, y: Int)
        var radius: Int
        /// The pixels that it may touch, even at both ends.
        var columns: Range<Int>
        var rows: Range<Int>

        static func == (left: Ball, right: Ball) -> Bool {
            left.centre == right.centre && left.radius == right.radius
        }
    }

    /// Where the ball is after so many seconds: across in 4 s, up and down in 1.5 s.
    func ball(at elapsed: Double) -> Ball {
        let radius = max(4, Int(unit * 2.4))
        let reach = radius + 2
        let across = Self.swing(elapsed / 4)
        let bounce = Self.swing(elapsed / 0.75)
        let fall = 1 - (1 - bounce) * (1 - bounce)
        let x = reach + Int(across * Double(max(0, width - 2 * reach)))
        let y = reach + Int((1 - fall) * Double(max(0, rampTop - 2 * reach)))
        return Ball(
            centre: (x, y),
            radius: radius,
            columns: Self.around(x, reach, limit: width),
            rows: Self.around(y, reach, limit: min(height, rampTop))
        )
    }

    /// The range with even ends around `centre` that lies within 0..<limit; empty if nothing does.
    private static func around(_ centre: Int, _ reach: Int, limit: Int) -> Range<Int> {
        let end = max(0, min(limit & ~1, (centre + reach + 1) & ~1))
        return min(end, max(0, (centre - reach) & ~1))..<end
    }

    /// Goes from 0 to 1 and back, each way in one.
    private static func swing(_ time: Double) -> Double {
        let phase = time.truncatingRemainder(dividingBy: 2)
        return phase <= 1 ? phase : 2 - phase
    }

    private func even(_ value: Double) -> Int { Int(value) & ~1 }
}

/// A time of day and a date, from nanoseconds since 1970 UTC.
struct CalendarTime {
    /// "12:34:56.789"
    static let clockLength = 12

    /// Days since 1970.
    let day: Int
    private let millisecond: Int

    init(utc: Int64) {
        let milliseconds = Int(utc / 1_000_000)
        day = Int((Double(milliseconds) / 86_400_000).rounded(.down))
        millisecond = milliseconds - day * 86_400_000
    }

    func appendClock(to text: inout [UInt8]) {
        Self.append(millisecond / 3_600_000, 2, to: &text)
        text.append(UInt8(ascii: ":"))
        Self.append(millisecond / 60_000 % 60, 2, to: &text)
        text.append(UInt8(ascii: ":"))
        Self.append(millisecond / 1000 % 60, 2, to: &text)
        text.append(UInt8(ascii: "."))
        Self.append(millisecond % 1000, 3, to: &text)
    }

    func appendDate(to text: inout [UInt8]) {
        // Days from 0000-03-01 on, in 400-year eras: leap days come last in a year that starts in March.
        let shifted = day + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        Self.append(yearOfEra + era * 400 + (month <= 2 ? 1 : 0), 4, to: &text)
        text.append(UInt8(ascii: "-"))
        Self.append(month, 2, to: &text)
        text.append(UInt8(ascii: "-"))
        Self.append(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1, 2, to: &text)
    }

    private static func append(_ number: Int, _ digits: Int, to text: inout [UInt8]) {
        var divisor = 1
        for _ in 1..<digits { divisor *= 10 }
        while divisor > 0 {
            text.append(UInt8(truncatingIfNeeded: 48 + number / divisor % 10))
            divisor /= 10
        }
    }
}
