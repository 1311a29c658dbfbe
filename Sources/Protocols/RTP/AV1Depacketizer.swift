// SPDX-License-Identifier: Apache-2.0
// AV1 payloads (RTP Payload Format For AV1, AOMedia) to temporal units.

import Bytes
import Media

extension RTPDepacketizer {
    /// What is known of the temporal unit at hand.
    struct AV1State: Sendable {
        /// Where the OBU that the next packet continues stands in the frame.
        var fragment: Int?
        var hasSequenceHeader = false
        var hasFrame = false

        mutating func reset() {
            fragment = nil
            hasSequenceHeader = false
            hasFrame = false
        }
    }

    /// Appends the OBU elements of a packet to the temporal unit (§4.3, §4.4).
    mutating func takeAV1(_ payload: Span<UInt8>) {
        if frame.isEmpty { frame.append(contentsOf: AV1.temporalDelimiter) }
        do throws(WireError) {
            var reader = ByteReader(payload)
            let header = try reader.uint8()
            var continues = header & 0x80 != 0
            let remainsOpen = header & 0x40 != 0
            let count = Int(header >> 4 & 3)
            if continues, av1.fragment == nil {
                deviations.note(.fragmentWithoutStart)
                isDamaged = true
                return
            }
            if !continues, av1.fragment != nil {
                deviations.note(.fragmentWithoutEnd)
                isDamaged = true
                return
            }
            var index = 0
            while !reader.isAtEnd, count == 0 || index < count {
                index += 1
                let length = try index == count ? reader.remaining : AV1.leb128(&reader)
                let element = try reader.span(length)
                guard hasRoom(element.count + 8) else { return }
                if !continues { av1.fragment = frame.count }
                continues = false
                frame.append(element)
                if !(reader.isAtEnd && remainsOpen) { try closeOBU() }
            }
        } catch {
            deviations.note(.brokenAggregate)
            isDamaged = true
        }
    }

    /// Ends the temporal unit; one without a frame is broken.
    mutating func endAV1() {
        if av1.fragment != nil { deviations.note(.fragmentWithoutEnd) }
        guard av1.fragment == nil, av1.hasFrame else {
            isDamaged = true
            return
        }
        isKeyframe = AV1.isKeyframe(frame.span)
        if isKeyframe, !av1.hasSequenceHeader {
            frame.insert(contentsOf: description.configuration, at: AV1.temporalDelimiter.count)
        }
    }

    /// Gives the OBU that ends the frame its size field, which RTP leaves out (§5).
    private mutating func closeOBU() throws(WireError) {
        guard let start = av1.fragment else { return }
        av1.fragment = nil
        guard start < frame.count else { return deviations.note(.emptyUnit) }
        let obu = try AV1.OBU(at: start, of: frame.span)
        switch AV1.OBUType(rawValue: obu.type) {
        case .temporalDelimiter, .tileList, .padding:
            frame.removeSubrange(start...)
            return
        case .frame, .frameHeader, .tileGroup: av1.hasFrame = true
        default: break
        }
        if frame[start] & 0x02 == 0 {
            frame[start] |= 0x02
            var size: [UInt8] = []
            var rest = obu.payload.count
            repeat {
                size.append(UInt8(rest & 0x7F) | (rest > 0x7F ? 0x80 : 0))
                rest >>= 7
            } while rest > 0
            frame.insert(contentsOf: size, at: obu.payload.lowerBound)
        } else if obu.range.upperBound < frame.count {
            throw .invalid(field: "AV1 OBU size", value: UInt64(obu.payload.count))
        }
        if obu.type == AV1.OBUType.sequenceHeader.rawValue {
            av1.hasSequenceHeader = true
            describe([UInt8](frame.span.extracting(start..<frame.count)))
        }
    }

    private mutating func describe(_ obu: [UInt8]) {
        guard description.configuration != obu, obu.count <= ParameterSets.maximumLength,
            let parsed = try? AV1.OBU(at: 0, of: obu.span),
            let header = try? AV1.SequenceHeader(parsing: obu.span.extracting(parsed.payload))
        else { return }
        description.configuration = obu
        description.width = header.width
        description.height = header.height
        descriptionVersion &+= 1
    }
}
