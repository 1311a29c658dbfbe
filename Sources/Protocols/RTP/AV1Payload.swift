// SPDX-License-Identifier: Apache-2.0
// AV1 in RTP (RTP Payload Format For AV1, AOMedia).

import Bytes
import Media

extension RTPPacketizer {
    /// Elements are not begun in a packet with less room than this.
    private static let leastRoom = 16

    /// Cuts a temporal unit's OBUs into elements with their lengths (§4.3: W is 0), without size fields (§5).
    mutating func packetizeAV1(
        _ frame: Span<UInt8>,
        _ timestamp: UInt32,
        into image: inout PacketImage
    ) throws(WireError) {
        let isSequenceStart = try collectOBUs(frame)
        guard !units.isEmpty else {
            throw .invalid(field: "temporal unit without OBUs, bytes", value: UInt64(frame.count))
        }
        var room = 0
        for unit in units {
            let obu = try AV1.OBU(at: unit.lowerBound, of: frame)
            // The header, with its extension if there is one, then what stands behind the size field.
            let header = frame[unit.lowerBound] & 0x04 == 0 ? 1 : 2
            let total = header + obu.payload.count
            var done = 0
            repeat {
                if room < Self.leastRoom {
                    if !image.packets.isEmpty { endPacket(&image, continues: done > 0) }
                    beginPacket(timestamp, continues: done > 0, isFirst: isSequenceStart, in: &image)
                    room = maximumPayload - 1
                }
                // The length of the length is that of the room: never too short.
                let length = min(total - done, room - AV1.leb128Length(room))
                append(length: length, to: &image)
                room -= AV1.leb128Length(length) + length
                var taken = 0
                while done < header, taken < length {
                    let byte = frame[unit.lowerBound + done]
                    image.append(done == 0 ? byte & ~0x02 : byte)
                    done += 1
                    taken += 1
                }
                let start = obu.payload.lowerBound + done - header
                image.append(frame.extracting(start..<(start + length - taken)))
                done += length - taken
                if done < total { room = 0 }
            } while done < total
        }
        endPacket(&image, continues: false)
        if let last = image.packets.last { image.bytes[last.offset + 1] |= 0x80 }
    }

    /// Finds the OBUs that travel (§5); true if a coded video sequence starts.
    private mutating func collectOBUs(_ frame: Span<UInt8>) throws(WireError) -> Bool {
        units.removeAll(keepingCapacity: true)
        var hasSequenceHeader = false
        var offset = 0
        while offset < frame.count {
            let obu = try AV1.OBU(at: offset, of: frame)
            switch AV1.OBUType(rawValue: obu.type) {
            case .temporalDelimiter, .tileList, .padding: break
            case .sequenceHeader:
                hasSequenceHeader = true
                units.append(obu.range)
            default: units.append(obu.range)
            }
            offset = obu.range.upperBound
        }
        return hasSequenceHeader && AV1.isKeyframe(frame)
    }

    /// Begins a packet with its aggregation header (§4.4); the length is put right by `endPacket`.
    private mutating func beginPacket(
        _ timestamp: UInt32,
        continues: Bool,
        isFirst: Bool,
        in image: inout PacketImage
    ) {
        let isNew = isFirst && image.packets.isEmpty
        begin(payloadLength: 1, marker: false, timestamp, in: &image)
        image.append((continues ? 0x80 : 0) | (isNew ? 0x08 : 0))
    }

    private func endPacket(_ image: inout PacketImage, continues: Bool) {
        guard let packet = image.packets.last else { return }
        let length = image.bytes.count - packet.offset
        image.packets[image.packets.count - 1].length = length
        image.bytes[packet.offset - 2] = UInt8(truncatingIfNeeded: length >> 8)
        image.bytes[packet.offset - 1] = UInt8(truncatingIfNeeded: length)
        if continues { image.bytes[packet.offset + RTPHeader.length] |= 0x40 }
    }

    private func append(length: Int, to image: inout PacketImage) {
        var rest = length
        repeat {
            image.append(UInt8(rest & 0x7F) | (rest > 0x7F ? 0x80 : 0))
            rest >>= 7
        } while rest > 0
    }
}
