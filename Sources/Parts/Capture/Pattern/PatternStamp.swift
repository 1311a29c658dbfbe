// SPDX-License-Identifier: Apache-2.0
// The machine-readable time in the test pattern: written into the picture, read back from a decoded one.

/// A row of black and white blocks that says when the picture was made.
///
/// The row lies along the bottom edge, 1/30 of the picture's height and at least 8 pixels high. It has 64 blocks of
/// equal width, white for 1 and black for 0, most significant bit first: the byte `marker`, the milliseconds since
/// 1970 UTC in 48 bits, and a CRC-8 (polynomial 0x07) of those six bytes. Scaling and compression leave it readable as
/// long as a block is a few pixels wide.
package struct PatternStamp: Sendable, Equatable {
    /// The blocks in a row.
    package static let blocks = 64
    /// The first eight blocks, by which the row is told from a picture.
    package static let marker: UInt8 = 0b1010_1100

    /// Milliseconds since 1970 UTC.
    package var milliseconds: UInt64

    package init(milliseconds: UInt64) {
        self.milliseconds = milliseconds & 0xFFFF_FFFF_FFFF
    }

    /// The row's height in a picture of this height.
    package static func rowHeight(pictureHeight: Int) -> Int { max(8, pictureHeight / 30) }

    /// The columns of a block in a picture of this width.
    package static func columns(ofBlock block: Int, pictureWidth: Int) -> Range<Int> {
        block * pictureWidth / blocks..<(block + 1) * pictureWidth / blocks
    }

    /// All 64 blocks, the first in the highest bit.
    package var bits: UInt64 {
        UInt64(Self.marker) << 56 | milliseconds << 8 | UInt64(Self.checksum(milliseconds))
    }

    /// Reads the stamp of a decoded picture's luma; nil if there is none, or it does not check out.
    package init?(luma: Span<UInt8>, stride: Int, width: Int, height: Int) {
        let rowHeight = Self.rowHeight(pictureHeight: height)
        guard width >= Self.blocks, height >= rowHeight, luma.count >= stride * (height - 1) + width else { return nil }
        var bits: UInt64 = 0
        for block in 0..<Self.blocks {
            let columns = Self.columns(ofBlock: block, pictureWidth: width)
            // The middle of each block: its edges are blurred by what is beside it.
            let inset = columns.count / 4
            var sum = 0
            var count = 0
            for row in (height - rowHeight * 3 / 4)..<(height - rowHeight / 4) {
                for column in (columns.lowerBound + inset)..<(columns.upperBound - inset) {
                    sum += Int(luma[row * stride + column])
                    count += 1
                }
            }
            bits = bits << 1 | (count > 0 && sum / count >= 128 ? 1 : 0)
        }
        self.init(milliseconds: bits >> 8)
        guard self.bits == bits else { return nil }
    }

    private static func checksum(_ value: UInt64) -> UInt8 {
        var remainder: UInt8 = 0
        for shift in stride(from: 40, through: 0, by: -8) {
            remainder ^= UInt8(truncatingIfNeeded: value >> UInt64(shift))
            for _ in 0..<8 { remainder = remainder & 0x80 != 0 ? remainder << 1 ^ 0x07 : remainder << 1 }
        }
        return remainder
    }
}
