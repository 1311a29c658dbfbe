// SPDX-License-Identifier: Apache-2.0
// Payloads of sound to frames: AAC (RFC 3640, RFC 6416), Opus (RFC 7587), G.711 and L16 (RFC 3551).

import Bytes
import Media

extension RTPDepacketizer {
    /// What is known of the AAC frame at hand.
    struct AACState: Sendable {
        /// Bytes of the whole access unit of which fragments are being put together; nil for none.
        var fragmentSize: Int?
        /// The description's configuration as far as it was needed.
        var samplesPerFrame: UInt32?
    }

    /// AUs of one packet.
    private static let maximumUnits = 64

    /// Hands over the frames of a packet; L16 stays big-endian, as rings carry it.
    mutating func takeAudio(_ payload: Span<UInt8>, _ packet: Packet, _ emit: Emit) {
        if packet.followsLoss {
            noteLoss()
            dropPartialAudio()
        }
        arrival = packet.arrival
        guard payload.count > 0 else { return deviations.note(.emptyPayload) }
        switch description.codec {
        case .aac where format.isLATM: takeLATM(payload, packet, emit)
        case .aac:
            do throws(WireError) {
                try takeAAC(payload, packet, emit)
            } catch {
                deviations.note(.brokenAggregate)
                counters.damaged += 1
                dropPartialAudio()
                noteLoss()
            }
        case .opus:
            guard let samples = OpusPacket.samples(payload) else { return deviations.note(.unknownPacket) }
            emitAudio(payload, packet.timestamp, samples, emit)
        default:
            let width = max(1, Int(description.channels)) * (description.codec == .l16 ? 2 : 1)
            // A part of a sample at the end would shift all that follows.
            let count = payload.count / width
            guard count > 0 else { return deviations.note(.unknownPacket) }
            emitAudio(payload.extracting(0..<(count * width)), packet.timestamp, UInt32(count), emit)
        }
    }

    /// Drops an access unit whose last fragment will not come any more.
    mutating func dropPartialAudio() {
        if aac.fragmentSize != nil || !frame.isEmpty { counters.damaged += 1 }
        aac.fragmentSize = nil
        frame.removeAll(keepingCapacity: true)
    }

    /// Ticks of one AAC frame.
    private mutating func aacDuration() -> UInt32 {
        if let samples = aac.samplesPerFrame { return samples }
        let bytes = description.configuration
        var ticks: UInt32 = 1024
        if let config = try? AudioSpecificConfig(parsing: bytes.span) {
            // The RTP clock of HE-AAC may be that of the core or of the output.
            let ratio = UInt64(format.clockRate) * UInt64(config.samplesPerFrame) / UInt64(config.sampleRate)
            ticks = UInt32(clamping: ratio)
        }
        aac.samplesPerFrame = ticks
        return ticks
    }

    private mutating func takeAAC(
        _ payload: Span<UInt8>,
        _ packet: Packet,
        _ emit: Emit
    ) throws(WireError) {
        let widths = format.aacHeader
        var reader = ByteReader(payload)
        let headerBits = try Int(reader.uint16())
        let headers = try reader.span((headerBits + 7) / 8)
        var bits = BitReader(headers)
        let data = reader.rest()
        let ticks = aacDuration()
        var offset = 0
        var read = 0
        var count: Int64 = 0
        while offset < data.count, count < Int64(Self.maximumUnits) {
            let isFirst = count == 0
            let width = widths.size + (isFirst ? widths.index : widths.indexDelta)
            guard read + width <= headerBits, width > 0 else { break }
            let size = try Int(bits.bits(widths.size))
            let index = try bits.bits(isFirst ? widths.index : widths.indexDelta)
            read += width
            if index != 0 { deviations.note(.interleavedAAC) }
            guard size > 0 else {
                deviations.note(.emptyUnit)
                continue
            }
            let available = min(size, data.count - offset)
            let unit = data.extracting(offset..<(offset + available))
            offset += available
            if isFirst, available < size || aac.fragmentSize != nil {
                return takeFragment(unit, size, packet, ticks, emit)
            }
            guard available == size else { throw .truncated(needed: size, available: available) }
            emitUnit(unit, packet.timestamp + count * Int64(ticks), ticks, emit)
            count += 1
        }
        if count == 0 { deviations.note(.unknownPacket) }
    }

    /// One of the fragments that an access unit was cut into (RFC 3640 §3.1); each tells the whole's size.
    private mutating func takeFragment(
        _ unit: Span<UInt8>,
        _ size: Int,
        _ packet: Packet,
        _ ticks: UInt32,
        _ emit: Emit
    ) {
        if let expected = aac.fragmentSize, expected != size || timestamp != packet.timestamp {
            deviations.note(.fragmentWithoutEnd)
            dropPartialAudio()
            noteLoss()
        }
        // The rest of a unit whose beginning was lost.
        if aac.fragmentSize == nil, packet.marker, unit.count < size {
            counters.damaged += 1
            return
        }
        aac.fragmentSize = size
        timestamp = packet.timestamp
        frame.append(unit)
        if frame.count >= size {
            if frame.count == size {
                let whole = frame
                emitUnit(whole.span, timestamp, ticks, emit)
                frame.removeAll(keepingCapacity: true)
            }
            aac.fragmentSize = nil
            dropPartialAudio()
        } else if packet.marker {
            dropPartialAudio()
            noteLoss()
        }
    }

    /// RFC 6416 §6.3 with the configuration out of band: each frame behind its length in bytes of up to 255.
    private mutating func takeLATM(_ payload: Span<UInt8>, _ packet: Packet, _ emit: Emit) {
        if !frame.isEmpty, timestamp != packet.timestamp {
            dropPartialAudio()
            noteLoss()
        }
        timestamp = packet.timestamp
        guard frame.count + payload.count <= limit else { return dropPartialAudio() }
        frame.append(payload)
        guard packet.marker else { return }
        let element = frame
        frame.removeAll(keepingCapacity: true)
        let ticks = aacDuration()
        var offset = 0
        var count: Int64 = 0
        while offset < element.count {
            var length = 0
            while offset < element.count {
                let part = element[offset]
                offset += 1
                length += Int(part)
                if part < 255 { break }
            }
            guard length > 0, length <= element.count - offset else {
                if count == 0 { deviations.note(.unknownPacket) }
                return
            }
            emitUnit(
                element.span.extracting(offset..<(offset + length)),
                packet.timestamp + count * Int64(ticks),
                ticks,
                emit
            )
            offset += length
            count += 1
        }
    }

    private mutating func emitUnit(_ unit: Span<UInt8>, _ timestamp: Int64, _ ticks: UInt32, _ emit: Emit) {
        // A raw data block cannot begin with twelve ones: that would be its end already.
        if unit.count > 9, unit[0] == 0xFF, unit[1] & 0xF6 == 0xF0 {
            deviations.note(.adtsHeader)
            let header = unit[1] & 1 == 1 ? 7 : 9
            emitAudio(unit.extracting(header..<unit.count), timestamp, ticks, emit)
        } else {
            emitAudio(unit, timestamp, ticks, emit)
        }
    }
}
