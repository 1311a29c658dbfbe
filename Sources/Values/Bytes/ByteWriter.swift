// SPDX-License-Identifier: Apache-2.0
// Appending integers and runs of bytes to a byte array.

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

    /// Appends the bytes of `span`, as fast as memcpy in release builds.
    package mutating func append(_ span: Span<UInt8>) {
        append(addingCapacity: span.count) { output in
            for index in span.indices { output.append(span[index]) }
        }
    }

    /// Copies the bytes of `span`.
    package init(_ span: Span<UInt8>) {
        self = []
        append(span)
    }
}

extension MutableSpan<UInt8> {
    /// Overwrites the bytes from `offset` on with those of `source`, which must fit.
    @_lifetime(self: copy self)
    package mutating func replace(at offset: Int, with source: Span<UInt8>) {
        precondition(offset >= 0 && offset <= count && source.count <= count - offset, "the source must fit")
        for index in source.indices { self[offset &+ index] = source[index] }
    }
}
