// SPDX-License-Identifier: Apache-2.0
// The date format of HTTP (RFC 9110 §5.6.7).

/// IMF-fixdate, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
package enum HTTPDate {
    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    /// The last second of the year 9999, the latest that the format can say.
    private static let latest: Int64 = 253_402_300_799

    /// Formats seconds since 1970 UTC; an instant outside of 1970…9999 is taken as the nearest within.
    package static func format(epochSeconds: Int64) -> String {
        let seconds = min(max(0, epochSeconds), latest)
        let days = Int(seconds / 86_400)
        let time = Int(seconds % 86_400)
        let date = civil(daysSince1970: days)
        return "\(weekdays[days % 7]), \(padded(date.day)) \(months[date.month - 1]) \(padded(date.year, to: 4)) "
            + "\(padded(time / 3600)):\(padded(time / 60 % 60)):\(padded(time % 60)) GMT"
    }

    /// The Gregorian date of a day.
    ///
    /// Years are counted from March here, so that the leap day is a year's last.
    private static func civil(daysSince1970 days: Int) -> (year: Int, month: Int, day: Int) {
        // 719 468 days lie between 0000-03-01 and 1970-01-01; 146 097 days make 400 years.
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private static func padded(_ number: Int, to width: Int = 2) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
