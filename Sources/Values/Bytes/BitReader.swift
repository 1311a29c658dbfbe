// SPDX-License-Identifier: Apache-2.0
// A cursor over borrowed bits, with the Exp-Golomb codes of H.264 and H.265.

/// Reads bits, most significant first.
///
/// A read past the end throws; what was read before it stays read.
package struct BitReader: ~Escapable {
    private let bytes: Span<UInt8>
    /// Where the next read starts, in bits.
    package private(set) var bitOffset = 0

    /// Starts at the first bit of `bytes`.
    @_lifetime(copy bytes)
    package init(_ bytes: Span<UInt8>) { self.bytes = bytes }

    /// How many bits are left.
    package var remaining: Int { bytes.count * 8 - bitOffset }

    /// Reads one bit.
    @_lifetime(self: copy self)
    package mutating func bit() throws(WireError) -> Bool {
        guard remaining > 0 else { throw .truncated(needed: 1, available: 0) }
        defer { bitOffset += 1 }
        return bytes[bitOffset >> 3] >> UInt8(7 - bitOffset & 7) & 1 == 1
    }

    /// Reads `count` bits, 0 to 64, as an unsigned integer.
    @_lifetime(self: copy self)
    package mutating func bits(_ count: Int) throws(WireError) -> UInt64 {
        precondition((0...64).contains(count), "a bit field has 0 to 64 bits")
        guard count <= remaining else { throw .truncated(needed: (count + 7) / 8, available: remaining / 8) }
        var value: UInt64 = 0
        for _ in 0..<count { value = value &<< 1 | (try bit() ? 1 : 0) }
        return value
    }

    /// Moves past `count` bits.
    @_lifetime(self: copy self)
    package mutating func skip(_ count: Int) throws(WireError) {
        guard count >= 0, count <= remaining else {
            throw .truncated(needed: (count + 7) / 8, available: remaining / 8)
        }
        bitOffset += count
    }

    /// Reads an unsigned Exp-Golomb code, `ue(v)` (H.264 §9.1).
    @_lifetime(self: copy self)
    package mutating func exponentialGolomb() throws(WireError) -> UInt32 {
        var zeros = 0
        while try !bit() {
            zeros += 1
            guard zeros <= 31 else { throw .invalid(field: "Exp-Golomb prefix", value: UInt64(zeros)) }
        }
        return try UInt32(truncatingIfNeeded: (1 &<< UInt64(zeros)) - 1 + bits(zeros))
    }

    /// Reads a signed Exp-Golomb code, `se(v)` (H.264 §9.1.1).
    @_lifetime(self: copy self)
    package mutating func signedExponentialGolomb() throws(WireError) -> Int32 {
        let code = try Int64(exponentialGolomb())
        return Int32(truncatingIfNeeded: code & 1 == 1 ? (code + 1) / 2 : -(code / 2))
    }
}
