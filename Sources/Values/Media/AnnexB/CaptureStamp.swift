// SPDX-License-Identifier: Apache-2.0
// When a picture was taken, written into the picture's own bytes.

import Bytes

/// The capture time of a picture, as a message in its access unit.
///
/// A supplemental enhancement information (SEI) message of type 5, `user_data_unregistered` (H.264 §D.1.7, H.265 §D.2.7):
/// our UUID, then nanoseconds since 1970 UTC in 8 bytes, most significant first. Decoders pass over it. Nothing is
/// allocated but by `append`'s array.
package enum CaptureStamp {
    /// f7a1c0de-9d1b-4f4e-8c86-41505553544d, which stands for nothing else.
    package static let identifier: [UInt8] = [
        0xF7, 0xA1, 0xC0, 0xDE, 0x9D, 0x1B, 0x4F, 0x4E, 0x8C, 0x86, 0x41, 0x50, 0x55, 0x53, 0x54, 0x4D,
    ]
    private static let seiOfH264: UInt8 = 6
    private static let seiOfH265: UInt8 = 39
    private static let payloadType: UInt8 = 5
    private static let payloadLength = 24

    /// The longest unit that `append` makes: start code, header, message and its end, and what keeps it from looking
    /// like a start code.
    package static let maximumLength = 4 + 2 + 2 + payloadLength + 1 + payloadLength / 2

    /// Appends the message as a NAL unit with its start code.
    package static func append(_ format: NALFormat, unixNanoseconds: Int64, to stream: inout [UInt8]) {
        stream.append(bigEndian: UInt32(1))
        // H.264: nal_unit_type 6. H.265: PREFIX_SEI_NUT (39), layer 0, temporal id 0.
        if format == .h264 {
            stream.append(seiOfH264)
        } else {
            stream.append(seiOfH265 << 1)
            stream.append(1)
        }
        stream.append(payloadType)
        stream.append(UInt8(payloadLength))
        for byte in identifier { stream.append(byte) }
        // The UUID ends in no zero and holds none: emulation prevention (H.264 §7.4.1) begins with the time.
        var zeros = 0
        let time = UInt64(bitPattern: unixNanoseconds)
        for shift in stride(from: 56, through: 0, by: -8) {
            let byte = UInt8(truncatingIfNeeded: time >> UInt64(shift))
            if zeros == 2, byte <= 3 {
                stream.append(3)
                zeros = 0
            }
            stream.append(byte)
            zeros = byte == 0 ? zeros + 1 : 0
        }
        // The stop bit, which is above 3.
        stream.append(0x80)
    }

    /// What an access unit holds of stamps: its own, or where one belongs.
    package enum Finding: Sendable, Equatable {
        /// The access unit has a stamp: nanoseconds since 1970 UTC.
        case stamp(Int64)
        /// It has none; one belongs at this offset, in front of the first slice's start code.
        case place(Int)
        /// It has neither a stamp nor a slice.
        case nothing
    }

    /// Looks for a stamp up to an access unit's first slice; what is behind that is not read.
    package static func look(_ format: NALFormat, in unit: Span<UInt8>) -> Finding {
        var start = AnnexB.startCode(in: unit, from: 0)
        while let found = start {
            let first = found + 3
            guard first < unit.count else { return .nothing }
            let header = unit[first]
            if format.isPicture(header) {
                // The start code has three bytes or four.
                return .place(found > 0 && unit[found - 1] == 0 ? found - 1 : found)
            }
            if format.type(header) == (format == .h264 ? seiOfH264 : seiOfH265),
                let time = read(unit.extracting(min(first + format.headerLength, unit.count)...))
            {
                return .stamp(time)
            }
            start = AnnexB.startCode(in: unit, from: first)
        }
        return .nothing
    }

    /// The time in an access unit, in nanoseconds since 1970; nil if there is no stamp of ours.
    package static func find(_ format: NALFormat, in unit: Span<UInt8>) -> Int64? {
        if case .stamp(let time) = look(format, in: unit) { time } else { nil }
    }

    /// The time in an SEI unit, behind its header, if its first message is ours.
    private static func read(_ body: Span<UInt8>) -> Int64? {
        // The UUID has no zeros: up to the time nothing is escaped.
        let timeOffset = 2 + identifier.count
        guard body.count >= timeOffset, body[0] == payloadType, body[1] == UInt8(payloadLength) else { return nil }
        for index in identifier.indices where body[2 + index] != identifier[index] { return nil }
        var time: UInt64 = 0
        var taken = 0
        var zeros = 0
        var index = timeOffset
        while taken < 8 {
            guard index < body.count else { return nil }
            let byte = body[index]
            index += 1
            if zeros == 2 {
                // That is the end of the unit, or nothing that an encoder writes.
                if byte < 3 { return nil }
                zeros = 0
                if byte == 3 { continue }
            }
            time = time << 8 | UInt64(byte)
            taken += 1
            zeros = byte == 0 ? zeros + 1 : 0
        }
        return Int64(bitPattern: time)
    }
}
