// SPDX-License-Identifier: Apache-2.0
// Text from outside, made fit to be shown: devices, clients and files may not tell a terminal what to do.

extension Unicode.Scalar {
    /// True for what a terminal obeys in place of showing it: control characters, line separators, and what turns the
    /// direction of text or is not seen.
    ///
    /// Joiners, without which some scripts cannot be written, are none.
    package var isHarmful: Bool {
        switch value {
        case 0x20..<0x7F, 0x200C, 0x200D: return false
        case 0..<0x20, 0x7F..<0xA0: return true
        default:
            let category = properties.generalCategory
            return category == .format || category == .lineSeparator || category == .paragraphSeparator
        }
    }
}

extension StringProtocol {
    /// The text in one line, with an escape as in JSON in place of each harmful character.
    package var harmless: String { escaped { $0.isHarmful } }

    /// The text with its lines and tabulators, and an escape as in JSON in place of each other harmful character.
    package var harmlessLines: String { escaped { $0.isHarmful && $0 != "\n" && $0 != "\t" } }

    private func escaped(_ isHarmful: (Unicode.Scalar) -> Bool) -> String {
        guard unicodeScalars.contains(where: isHarmful) else { return String(self) }
        var text = String.UnicodeScalarView()
        for scalar in unicodeScalars {
            guard isHarmful(scalar) else {
                text.append(scalar)
                continue
            }
            for unit in UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter {
                let digits = String(unit, radix: 16)
                text.append(contentsOf: "\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".unicodeScalars)
            }
        }
        return String(text)
    }
}
