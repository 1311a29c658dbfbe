// SPDX-License-Identifier: Apache-2.0
// Appending integers to a byte array, in either byte order.

extension [UInt8] {
    /// Appends `value`, most significant byte first.
    @inlinable
    package mutating func append<T: FixedWidthInteger>(bigEndian value: T) {
        for shift in stride(from: T.bitWidth - 8, through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: value >> T(shift)))
        }
    }

    /// Appends `value`, least significant byte first.
    @inlinable
    package mutating func append<T: FixedWidthInteger>(littleEndian value: T) {
        for shift in stride(from: 0, to: T.bitWidth, by: 8) {
            append(UInt8(truncatingIfNeeded: value >> T(shift)))
        }
    }

    /// Appends the bytes of `span`.
    @inlinable
    package mutating func append(_ span: Span<UInt8>) {
        reserveCapacity(count + span.count)
        for index in span.indices { append(span[index]) }
    }

    /// Copies the bytes of `span`.
    @inlinable
    package init(_ span: Span<UInt8>) {
        self = []
        append(span)
    }
}
