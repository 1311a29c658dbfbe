// SPDX-License-Identifier: Apache-2.0
// One frame as it goes on the wire: all its RTP packets in one buffer.

import Bytes

/// The RTP packets of one frame, each behind the four bytes that RTSP puts in front of interleaved packets.
///
/// Over TCP the whole of `bytes` is sent in one write. Over UDP each packet is sent from its range, which leaves the
/// four bytes out. An image is reused from frame to frame and allocates nothing once it has grown.
package struct PacketImage: Sendable {
    /// `$`, the channel and the length in front of each packet (RFC 2326 §10.12).
    package static let prefixLength = 4

    /// All packets with their prefixes.
    package private(set) var bytes: [UInt8] = []
    /// Where in `bytes` each packet is, without its prefix.
    package private(set) var packets: [Range<Int>] = []

    /// Makes an image without packets.
    package init() {}

    /// Bytes of RTP payload in all packets, for the sender report's octet count (RFC 3550 §6.4.1).
    package var payloadBytes: Int { bytes.count - packets.count * (Self.prefixLength + RTPHeader.length) }

    /// Drops the packets and keeps the memory.
    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        packets.removeAll(keepingCapacity: true)
    }

    /// Puts another interleaved channel in front of every packet.
    package mutating func setChannel(_ channel: UInt8) {
        for packet in packets { bytes[packet.lowerBound - 3] = channel }
    }

    /// Begins a packet whose payload, of `payloadLength` bytes, the caller appends right behind.
    mutating func begin(_ header: RTPHeader, channel: UInt8, payloadLength: Int) {
        let length = RTPHeader.length + payloadLength
        let start = bytes.count + Self.prefixLength
        packets.append(start..<(start + length))
        bytes.append(addingCapacity: Self.prefixLength + RTPHeader.length) { output in
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
