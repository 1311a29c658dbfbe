// SPDX-License-Identifier: Apache-2.0
// What the fuzzers and the corpus tests call: any bytes in, and rules that must hold whatever they are.

import Bytes
import Media

/// Entry points for fuzzing this module.
package enum RTPFuzz {
    /// Parses `bytes` as an RTP packet and as a compound RTCP packet.
    package static func receive(_ bytes: Span<UInt8>) {
        if let packet = try? RTPPacket(parsing: bytes) {
            precondition(packet.payload.lowerBound >= RTPHeader.length, "the payload overlaps the header")
            precondition(packet.payload.upperBound <= bytes.count, "the payload leaves the packet")
        }
        if let packets = try? RTCPPacket.parse(bytes) {
            precondition(packets.count <= RTCPPacket.maximumCount, "too many packets")
        }
    }

    /// Cuts `bytes` into packets as a frame of every codec.
    package static func packetize(_ bytes: Span<UInt8>) {
        for format in [RTPPacketizer.Format.nal(.h264), .nal(.h265), .jpeg] {
            var packetizer = RTPPacketizer(format, payloadType: 96, source: 1, firstSequence: 0, maximumPayload: 256)
            var image = PacketImage()
            do throws(WireError) {
                try packetizer.packetize(bytes, timestamp: 0, into: &image)
            } catch {
                precondition(image.bytes.isEmpty && packetizer.nextSequence == 0, "a refused frame left packets")
                continue
            }
            precondition(Int(packetizer.nextSequence) == image.packets.count & 0xFFFF, "sequence numbers were lost")
            for packet in image.packets {
                precondition(packet.length <= 256 + RTPHeader.length, "a packet is too long")
                let bytes = image.bytes.span.extracting(packet.offset..<(packet.offset + packet.length))
                precondition((try? RTPPacket(parsing: bytes)) != nil, "a packet cannot be read")
            }
        }
    }
}
