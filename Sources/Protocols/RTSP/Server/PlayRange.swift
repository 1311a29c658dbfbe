// SPDX-License-Identifier: Apache-2.0
// The Range header of PLAY: whether it has one of the forms that there are.

/// Looks at Range headers; a live stream has nothing to choose from, so what they say does not matter further.
enum PlayRange {
    /// True for what RFC 2326 §12.29 allows: npt, smpte or clock ranges, with a `time` parameter or without.
    ///
    /// A range without its dash, which some clients send, is taken as an open one.
    static func isValid(_ text: String) -> Bool {
        let parts = text.split(separator: ";", omittingEmptySubsequences: false).map { $0.trimmingSpaces() }
        guard let range = parts.first, parts.dropFirst().allSatisfy(isParameter) else { return false }
        return range.split(separator: ",", omittingEmptySubsequences: false).allSatisfy(isRange)
    }

    private static func isParameter(_ text: String) -> Bool {
        let text = text.lowercased()
        return text.hasPrefix("time=") && isClock(text.dropFirst(5))
    }

    private static func isRange(_ text: Substring) -> Bool {
        let text = text.trimmingSpaces().lowercased()
        guard let equals = text.firstIndex(of: "=") else { return false }
        let times = text[text.index(after: equals)...].drop { $0 == " " }
            .split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let start = times.first ?? ""
        let end = times.count > 1 ? times[1] : ""
        let isTime: (Substring) -> Bool
        switch text[..<equals].trimmingSpaces() {
        case "npt":
            isTime = isNormalPlayTime
            // RFC 2326 §3.6: that much from the end.
            if start.isEmpty { return isTime(end) }
        case "clock": isTime = isClock
        case "smpte", "smpte-25", "smpte-30-drop": isTime = isTimecode
        default: return false
        }
        return isTime(start) && (end.isEmpty || isTime(end))
    }

    /// `now`, seconds, or hours, minutes and seconds (RFC 2326 §3.6).
    private static func isNormalPlayTime(_ text: Substring) -> Bool {
        if text == "now" { return true }
        let (whole, fraction) = split(text)
        guard fraction.map({ isDigits($0, 0...9) }) ?? true else { return false }
        let fields = whole.split(separator: ":", omittingEmptySubsequences: false)
        if fields.count == 1 { return isDigits(whole, 1...12) }
        return fields.count == 3 && isDigits(fields[0], 1...9) && fields.dropFirst().allSatisfy(isSixtieth)
    }

    /// `19961108T142300.25Z` (RFC 2326 §3.7), in lower case here.
    private static func isClock(_ text: Substring) -> Bool {
        guard text.last == "z" else { return false }
        let (whole, fraction) = split(text.dropLast())
        let parts = whole.split(separator: "t", omittingEmptySubsequences: false)
        return parts.count == 2 && isDigits(parts[0], 8...8) && isDigits(parts[1], 6...6)
            && (fraction.map { isDigits($0, 1...9) } ?? true)
    }

    /// `10:07:33:05.01`: hours, minutes, seconds, frames, subframes (RFC 2326 §3.5).
    private static func isTimecode(_ text: Substring) -> Bool {
        let (whole, fraction) = split(text)
        let fields = whole.split(separator: ":", omittingEmptySubsequences: false)
        guard fields.count == 3 || fields.count == 4, fields.allSatisfy({ isDigits($0, 1...2) }) else { return false }
        return fields[1...2].allSatisfy(isSixtieth) && (fraction.map { isDigits($0, 1...2) } ?? true)
    }

    private static func split(_ text: Substring) -> (whole: Substring, fraction: Substring?) {
        guard let dot = text.firstIndex(of: ".") else { return (text, nil) }
        return (text[..<dot], text[text.index(after: dot)...])
    }

    private static func isSixtieth(_ text: Substring) -> Bool {
        isDigits(text, 1...2) && Int(text).map { $0 < 60 } == true
    }

    private static func isDigits(_ text: Substring, _ count: ClosedRange<Int>) -> Bool {
        count.contains(text.utf8.count) && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
}
