// SPDX-License-Identifier: Apache-2.0
// Writing RTP packets into a frame's wire image.

package import Bytes

/// An RTP packet in an image has the four bytes in front that RTSP wants over TCP (RFC 2326 §10.12); the packet's
/// range leaves them out, as UDP does.
extension PacketImage {
    /// Bytes of `$`, channel and length.
    package static let interleavedPrefix = 4

    /// Bytes of RTP payload in all packets, for the sender report's octet count (RFC 3550 §6.4.1).
    package var payloadBytes: Int { bytes.count - packets.count * (Self.interleavedPrefix + RTPHeader.length) }

    /// Puts another interleaved channel in front of every packet.
    package mutating func setChannel(_ channel: UInt8) {
        for packet in packets { bytes[packet.offset - 3] = channel }
    }

    /// Begins a packet whose payload, of `payloadLength` bytes, the caller appends right behind.
    mutating func begin(_ header: RTPHeader, channel: UInt8, payloadLength: Int) {
        let length = RTPHeader.length + payloadLength
        packets.append(PacketRange(offset: bytes.count + Self.interleavedPrefix, length: length))
        bytes.append(addingCapacity: Self.interleavedPrefix + RTPHeader.length) { output in
            output.append(UInt8(ascii: "$"))
            output.append(channel)
            output.append(UInt8(truncatingIfNeeded: length >> 8))
            output.append(UInt8(truncatingIfNeeded: length))
            output.append(0x80)
            output.append((header.marker ? 0x80 : 0) | header.payloadType & 0x7F)
            output.append(UInt8(truncatingIfNeeded: header.sequence >> 8))
            output.append(UInt8(truncatingIfNeeded: header.sequence))
            for shift: UInt32 in [24, 16, 8, 0] { output.append(UInt8(truncatingIfNeeded: header.timestamp >> shift)) }
            for shift: UInt32 in [24, 16, 8, 0] { output.append(UInt8(truncatingIfNeeded: header.source >> shift)) }
        }
    }

    mutating func append(_ byte: UInt8) { bytes.append(byte) }

    mutating func append(_ first: UInt8, _ second: UInt8) {
        bytes.append(first)
        bytes.append(second)
    }

    mutating func append(_ span: Span<UInt8>) { bytes.append(span) }
}
