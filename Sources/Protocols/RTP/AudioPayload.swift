// SPDX-License-Identifier: Apache-2.0
// Sound in RTP: AAC (RFC 3640), Opus (RFC 7587), G.711 and L16 (RFC 3551).

import Bytes

extension RTPPacketizer {
    /// Bytes of the longest AAC frame that the 13 bits of AAC-hbr can tell (RFC 3640 §3.3.6).
    package static let maximumAACFrame = 8191

    /// One access unit a packet, or in fragments that each tell the whole's size (§3.2.1, §3.1).
    mutating func packetizeAAC(
        _ frame: Span<UInt8>,
        _ timestamp: UInt32,
        into image: inout PacketImage
    ) throws(WireError) {
        guard frame.count > 0 else { throw .invalid(field: "AAC frame, bytes", value: 0) }
        guard frame.count <= Self.maximumAACFrame else {
            throw .limit(field: "AAC frame", limit: Self.maximumAACFrame)
        }
        let overhead = 4
        var offset = 0
        while offset < frame.count {
            let length = min(maximumPayload - overhead, frame.count - offset)
            begin(payloadLength: overhead + length, marker: offset + length == frame.count, timestamp, in: &image)
            image.append(0, 16)  // AU-headers-length, in bits
            image.append(UInt8(truncatingIfNeeded: frame.count >> 5), UInt8(truncatingIfNeeded: frame.count << 3))
            image.append(frame.extracting(offset..<(offset + length)))
            offset += length
        }
    }

    /// One Opus packet a packet; it cannot be cut (§4.2).
    mutating func packetizeOpus(
        _ frame: Span<UInt8>,
        _ timestamp: UInt32,
        into image: inout PacketImage
    ) throws(WireError) {
        guard frame.count > 0 else { throw .invalid(field: "Opus packet, bytes", value: 0) }
        guard frame.count <= maximumPayload else { throw .limit(field: "Opus packet", limit: maximumPayload) }
        // The marker would say that sound begins after silence.
        begin(payloadLength: frame.count, marker: false, timestamp, in: &image)
        image.append(frame)
    }

    /// As many samples a packet as fit, each packet with the time of its first (§4.5).
    mutating func packetizeSamples(
        _ frame: Span<UInt8>,
        _ sampleBytes: Int,
        _ timestamp: UInt32,
        into image: inout PacketImage
    ) throws(WireError) {
        guard frame.count > 0, frame.count % sampleBytes == 0 else {
            throw .invalid(field: "sound that is no whole samples, bytes", value: UInt64(frame.count))
        }
        let most = maximumPayload / sampleBytes * sampleBytes
        var offset = 0
        while offset < frame.count {
            let length = min(most, frame.count - offset)
            let ticks = UInt32(truncatingIfNeeded: offset / sampleBytes)
            // Wraps by definition (RFC 3550 §5.1).
            begin(payloadLength: length, marker: false, timestamp &+ ticks, in: &image)
            image.append(frame.extracting(offset..<(offset + length)))
            offset += length
        }
    }
}
