// SPDX-License-Identifier: Apache-2.0
// How long tokens and share links are good, as people write it.

import Daemon

/// Times of hours and days.
enum Lifetime {
    private static let units: [(letter: Character, seconds: Int64)] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)]
    /// Longer times are refused: ten years, in seconds.
    static let longest: Int64 = 3650 * 86_400

    /// The seconds that an option asks for; nil for ever, which is also what `never` asks for.
    static func seconds(_ arguments: ParsedArguments, _ option: String) throws(Failure) -> Int64? {
        guard let text = arguments.value(option), text != "never" else { return nil }
        guard let unit = units.first(where: { $0.letter == text.last }), let number = Int64(text.dropLast()),
            number > 0, number <= longest / unit.seconds
        else { throw Failure(.usage, "\(option) must be a time such as 90m, 12h or 30d, or never, not \"\(text)\"") }
        return number * unit.seconds
    }

    /// What is left until `expires`, both in seconds since 1970 UTC.
    static func text(_ expires: Int64?, _ utc: Int64) -> String {
        guard let expires else { return "for ever" }
        let left = expires - utc
        guard left > 0 else { return "over" }
        let unit = units.last { left >= 2 * $0.seconds } ?? units[0]
        return "\(left / unit.seconds)\(unit.letter)"
    }
}
