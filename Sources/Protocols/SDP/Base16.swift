// SPDX-License-Identifier: Apache-2.0
// Hexadecimal, in which descriptions carry AAC's configuration and H.264's profile.

/// Hexadecimal (RFC 4648 §8), for AAC's configuration in descriptions.
package enum Base16 {
    /// The text of `bytes` in capitals.
    package static func encode(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true) }.joined()
    }

    /// The bytes of a text; nil if it is none or has half a byte.
    package static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        var high: UInt8?
        for character in text {
            guard let digit = character.hexDigitValue else { return nil }
            if let first = high {
                bytes.append(first << 4 | UInt8(digit))
                high = nil
            } else {
                high = UInt8(digit)
            }
        }
        return high == nil ? bytes : nil
    }
}
