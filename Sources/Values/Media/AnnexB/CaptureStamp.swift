// SPDX-License-Identifier: Apache-2.0
// When a picture was taken, written into the picture's own bytes.

import Bytes

/// The capture time of a picture, as a message in its access unit.
///
/// A supplemental enhancement information (SEI) message of type 5, `user_data_unregistered` (H.264 §D.1.7, H.265 §D.2.7):
/// our UUID, then nanoseconds since 1970 UTC in 8 bytes, most significant first. Decoders pass over it.
package enum CaptureStamp {
    /// f7a1c0de-9d1b-4f4e-8c86-41505553544d, which stands for nothing else.
    package static let identifier: [UInt8] = [
        0xF7, 0xA1, 0xC0, 0xDE, 0x9D, 0x1B, 0x4F, 0x4E, 0x8C, 0x86, 0x41, 0x50, 0x55, 0x53, 0x54, 0x4D,
    ]
    private static let payloadType: UInt8 = 5
    private static let payloadLength = 24

    /// The message as a NAL unit with its start code.
    package static func unit(_ format: NALFormat, unixNanoseconds: Int64) -> [UInt8] {
        var payload = identifier
        payload.append(bigEndian: UInt64(bitPattern: unixNanoseconds))
        var unit: [UInt8] = [0, 0, 0, 1]
        // H.264: nal_unit_type 6. H.265: PREFIX_SEI_NUT (39), layer 0, temporal id 0.
        unit += format == .h264 ? [0x06] : [39 << 1, 0x01]
        var body: [UInt8] = [payloadType, UInt8(payloadLength)]
        body += payload
        body.append(0x80)
        // Emulation prevention (H.264 §7.4.1).
        var zeros = 0
        for byte in body {
            if zeros >= 2, byte <= 3 {
                unit.append(3)
                zeros = 0
            }
            unit.append(byte)
            zeros = byte == 0 ? zeros + 1 : 0
        }
        return unit
    }

    /// Where the message belongs in an access unit: in front of its first slice.
    package static func place(_ format: NALFormat, in unit: Span<UInt8>) -> Int? {
        var units = NALUnits(unit)
        while let range = units.next() {
            guard format.isPicture(unit[range.lowerBound]) else { continue }
            // The start code has three bytes or four.
            var start = range.lowerBound - 3
            if start > 0, unit[start - 1] == 0 { start -= 1 }
            return max(0, start)
        }
        return nil
    }

    /// The time in an access unit, in nanoseconds since 1970; nil if there is no stamp of ours.
    package static func find(_ format: NALFormat, in unit: Span<UInt8>) -> Int64? {
        var units = NALUnits(unit)
        while let range = units.next() {
            let header = unit[range.lowerBound]
            if format.isPicture(header) { return nil }
            guard format.type(header) == (format == .h264 ? 6 : 39) else { continue }
            if let time = read(unit.extracting(range), from: format.headerLength) { return time }
        }
        return nil
    }

    /// The time in an SEI unit whose first message is ours.
    private static func read(_ unit: Span<UInt8>, from start: Int) -> Int64? {
        var body: [UInt8] = []
        var zeros = 0
        var index = start
        while index < unit.count, body.count < 2 + payloadLength {
            let byte = unit[index]
            index += 1
            if zeros >= 2, byte == 3 {
                zeros = 0
                continue
            }
            body.append(byte)
            zeros = byte == 0 ? zeros + 1 : 0
        }
        guard body.count == 2 + payloadLength, body[0] == payloadType, body[1] == UInt8(payloadLength),
            body[2..<18].elementsEqual(identifier)
        else { return nil }
        return Int64(bitPattern: body[18...].reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }
}
