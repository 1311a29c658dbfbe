// SPDX-License-Identifier: Apache-2.0
// When a clip begins and ends, as a request says it.

import Bytes

/// Times relative to the request: `-8s`, `+5s`, `1.5m`, `-500ms`, `now`.
package enum ClipTime {
    /// No clip reaches further from the present, in either direction.
    package static let limit = Duration.seconds(3600)

    /// The time that `text` means; nil for no time.
    ///
    /// A number without unit is seconds. A space in front is the `+` of a query in which nobody encoded it.
    package static func parse(_ text: String) -> Duration? {
        if text == "now" { return .zero }
        var rest = text[...]
        var isNegative = false
        if let sign = rest.first, "+- ".contains(sign) {
            isNegative = sign == "-"
            rest.removeFirst()
        }
        var unit: Int64 = 1_000_000_000
        for (suffix, nanoseconds) in [("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000)]
            as [(String, Int64)]
        where rest.hasSuffix(suffix) {
            rest.removeLast(suffix.count)
            unit = nanoseconds
            break
        }
        let parts = rest.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let whole = number(parts[0], digits: 7) else { return nil }
        var nanoseconds = whole * unit
        if parts.count == 2 {
            guard let fraction = number(parts[1], digits: 3) else { return nil }
            nanoseconds += fraction * unit / [10, 100, 1000][parts[1].utf8.count - 1]
        }
        let duration = Duration.nanoseconds(nanoseconds)
        guard duration <= limit else { return nil }
        return isNegative ? .zero - duration : duration
    }

    private static func number(_ text: Substring, digits: Int) -> Int64? {
        guard (1...digits).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int64(text)
    }
}
