// SPDX-License-Identifier: Apache-2.0
// Appending boxes of the ISO base media file format to a byte array (ISO/IEC 14496-12 §4.2).

import Bytes

extension [UInt8] {
    /// Appends a box of the four characters `type`, whose content `fill` appends.
    mutating func appendBox(_ type: StaticString, _ fill: (inout [UInt8]) -> Void) {
        let start = count
        append(bigEndian: UInt32(0))
        append(characters: type)
        fill(&self)
        patch(UInt32(truncatingIfNeeded: count - start), at: start)
    }

    /// Appends a box with a version and flags in front of its content.
    mutating func appendFullBox(
        _ type: StaticString,
        version: UInt8 = 0,
        flags: UInt32 = 0,
        _ fill: (inout [UInt8]) -> Void
    ) {
        appendBox(type) { box in
            box.append(bigEndian: UInt32(version) << 24 | flags)
            fill(&box)
        }
    }

    /// Appends the characters of a four-character code.
    mutating func append(characters: StaticString) {
        precondition(characters.utf8CodeUnitCount == 4, "a box type has four characters")
        for character in "\(characters)".utf8 { append(character) }
    }

    /// Appends so many zeros.
    mutating func append(zeros count: Int) { append(contentsOf: repeatElement(0, count: count)) }

    /// Overwrites four bytes.
    mutating func patch(_ value: UInt32, at offset: Int) {
        for index in 0..<4 { self[offset + index] = UInt8(truncatingIfNeeded: value >> UInt32(24 - 8 * index)) }
    }

    /// Appends the unity matrix of a movie or track (§8.2.2).
    mutating func appendUnityMatrix() {
        for value: UInt32 in [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000] { append(bigEndian: value) }
    }
}
