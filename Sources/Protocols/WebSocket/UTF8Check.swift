// SPDX-License-Identifier: Apache-2.0
// Tells whether text that comes in pieces is UTF-8.

/// Checks UTF-8 (RFC 3629) byte by byte: no surrogates, no overlong forms, nothing above U+10FFFF.
struct UTF8Check: Sendable, Hashable {
    /// Bytes of the present character that are still to come.
    private var missing = 0
    /// What the next of them may be.
    private var lower: UInt8 = 0x80
    private var upper: UInt8 = 0xBF

    /// True between two characters.
    var isBetweenCharacters: Bool { missing == 0 }

    /// Takes the next byte; false if no text can contain it here.
    mutating func take(_ byte: UInt8) -> Bool {
        if missing > 0 {
            guard byte >= lower, byte <= upper else { return false }
            missing -= 1
            (lower, upper) = (0x80, 0xBF)
            return true
        }
        switch byte {
        case 0..<0x80: return true
        case 0xC2...0xDF: missing = 1
        case 0xE0: (missing, lower) = (2, 0xA0)
        case 0xED: (missing, upper) = (2, 0x9F)
        case 0xE1...0xEF: missing = 2
        case 0xF0: (missing, lower) = (3, 0x90)
        case 0xF1...0xF3: missing = 3
        case 0xF4: (missing, upper) = (3, 0x8F)
        default: return false
        }
        return true
    }

    /// Takes `bytes`; false if no text can contain them here.
    mutating func take(_ bytes: Span<UInt8>) -> Bool {
        for index in bytes.indices where !take(bytes[index]) { return false }
        return true
    }
}
