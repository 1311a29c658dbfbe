// SPDX-License-Identifier: Apache-2.0
// A cursor over borrowed bytes; every read is checked.

/// Reads integers and runs of bytes from a borrowed span, front to back.
///
/// A read past the end throws and moves nothing.
package struct ByteReader: ~Escapable {
    /// The whole input.
    package let bytes: Span<UInt8>
    /// Where the next read starts.
    package private(set) var offset = 0

    /// Starts at the first byte of `bytes`.
    @_lifetime(copy bytes)
    package init(_ bytes: Span<UInt8>) { self.bytes = bytes }

    /// How many bytes are left.
    package var remaining: Int { bytes.count - offset }

    /// True when everything has been read.
    package var isAtEnd: Bool { remaining == 0 }

    /// Reads one byte.
    @_lifetime(self: copy self)
    package mutating func uint8() throws(WireError) -> UInt8 {
        try require(1)
        defer { offset += 1 }
        return bytes[offset]
    }

    /// Reads a big-endian 16-bit integer.
    @_lifetime(self: copy self)
    package mutating func uint16() throws(WireError) -> UInt16 {
        try UInt16(truncatingIfNeeded: bigEndian(2))
    }

    /// Reads a big-endian 24-bit integer.
    @_lifetime(self: copy self)
    package mutating func uint24() throws(WireError) -> UInt32 {
        try UInt32(truncatingIfNeeded: bigEndian(3))
    }

    /// Reads a big-endian 32-bit integer.
    @_lifetime(self: copy self)
    package mutating func uint32() throws(WireError) -> UInt32 {
        try UInt32(truncatingIfNeeded: bigEndian(4))
    }

    /// Reads a big-endian 64-bit integer.
    @_lifetime(self: copy self)
    package mutating func uint64() throws(WireError) -> UInt64 { try bigEndian(8) }

    /// Reads a little-endian integer.
    @_lifetime(self: copy self)
    package mutating func littleEndian<T: FixedWidthInteger & UnsignedInteger>(_: T.Type) throws(WireError) -> T {
        let width = T.bitWidth / 8
        try require(width)
        var value: T = 0
        for index in 0..<width { value |= T(truncatingIfNeeded: bytes[offset + index]) &<< T(8 * index) }
        offset += width
        return value
    }

    /// Moves past `count` bytes.
    @_lifetime(self: copy self)
    package mutating func skip(_ count: Int) throws(WireError) {
        try require(count)
        offset += count
    }

    /// Takes the next `count` bytes without copying them.
    @_lifetime(copy self)
    @_lifetime(self: copy self)
    package mutating func span(_ count: Int) throws(WireError) -> Span<UInt8> {
        try require(count)
        defer { offset += count }
        return bytes.extracting(offset..<(offset + count))
    }

    /// Takes all that is left without copying it.
    @_lifetime(copy self)
    @_lifetime(self: copy self)
    package mutating func rest() -> Span<UInt8> {
        defer { offset = bytes.count }
        return bytes.extracting(offset..<bytes.count)
    }

    @_lifetime(self: copy self)
    private mutating func bigEndian(_ width: Int) throws(WireError) -> UInt64 {
        try require(width)
        var value: UInt64 = 0
        for index in 0..<width { value = value &<< 8 | UInt64(bytes[offset + index]) }
        offset += width
        return value
    }

    private func require(_ count: Int) throws(WireError) {
        guard count >= 0, count <= remaining else { throw .truncated(needed: count, available: remaining) }
    }
}
