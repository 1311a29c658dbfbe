// SPDX-License-Identifier: Apache-2.0
// The Annex B byte stream of H.264 and H.265: where its NAL units are.

import Bytes

/// Walks the NAL units of an Annex B byte stream, front to back, without copying.
///
/// Start codes of three and four bytes, zeros behind a NAL unit and bytes in front of the first start code are
/// tolerated; empty NAL units are passed over.
package struct NALUnits: ~Escapable {
    /// The whole stream; the ranges of `next()` index into it.
    package let bytes: Span<UInt8>
    /// Index of the next NAL unit's first byte, or the stream's length.
    private var position: Int

    /// Starts in front of the first start code of `bytes`.
    @_lifetime(copy bytes)
    package init(_ bytes: Span<UInt8>) {
        self.bytes = bytes
        position = AnnexB.startCode(in: bytes, from: 0).map { $0 + 3 } ?? bytes.count
    }

    /// The next NAL unit's range, header byte first, without start code; nil at the end.
    @_lifetime(self: copy self)
    package mutating func next() -> Range<Int>? {
        while position < bytes.count {
            let start = position
            let following = AnnexB.startCode(in: bytes, from: start)
            position = following.map { $0 + 3 } ?? bytes.count
            let end = AnnexB.trimmingZeros(bytes, start..<(following ?? bytes.count))
            if end > start { return start..<end }
        }
        return nil
    }
}

/// Helpers for the Annex B byte stream (H.264 and H.265, Annex B).
package enum AnnexB {
    /// The start code that Apus writes in front of each NAL unit.
    package static let startCodeLength = 4

    /// Index of the first 00 00 01 at or behind `position`, or nil.
    package static func startCode(in bytes: Span<UInt8>, from position: Int) -> Int? {
        // The third byte decides for three positions at once: most bytes are above 1.
        var index = position + 2
        while index < bytes.count {
            let byte = bytes[index]
            if byte > 1 {
                index += 3
            } else if byte == 1 {
                if bytes[index - 1] == 0, bytes[index - 2] == 0 { return index - 2 }
                index += 3
            } else {
                index += 1
            }
        }
        return nil
    }

    /// Appends `nal` behind a start code.
    package static func append(_ nal: Span<UInt8>, to stream: inout [UInt8]) {
        stream.append(bigEndian: UInt32(1))
        stream.append(nal)
    }

    /// Appends the payload of `nal` without its emulation prevention bytes (H.264 §7.4.1.1, H.265 §7.4.2).
    ///
    /// No more than `limit` bytes are taken: parameter sets and slice headers are short.
    package static func unescape(_ nal: Span<UInt8>, limit: Int = 4096, into payload: inout [UInt8]) {
        var zeros = 0
        for index in 0..<min(nal.count, limit) {
            let byte = nal[index]
            if zeros >= 2, byte == 3 {
                zeros = 0
                continue
            }
            zeros = byte == 0 ? zeros + 1 : 0
            payload.append(byte)
        }
    }

    /// The end of `range` without the zeros behind its last other byte.
    static func trimmingZeros(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int {
        var end = range.upperBound
        while end > range.lowerBound, bytes[end - 1] == 0 { end -= 1 }
        return end
    }
}
