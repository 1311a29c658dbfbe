// SPDX-License-Identifier: Apache-2.0
// H.264 (RFC 6184) and H.265 (RFC 7798) payloads to Annex B access units.

import Bytes
import Media

extension RTPDepacketizer {
    /// What is known of the access unit at hand.
    struct NALState: Sendable {
        let format: NALFormat
        var sets: ParameterSets
        /// Where the start code of a unit that still grows stands in the frame.
        var fragment: Int?
        var hasPicture = false
        /// Where parameter sets would go: behind the delimiter.
        var parameterOffset = 0
        /// One bit for each kind of parameter set in it.
        var kinds: UInt8 = 0

        init(_ format: NALFormat, _ stream: StreamDescription) {
            self.format = format
            sets = ParameterSets(format, annexB: stream.configuration.span)
        }

        mutating func reset() {
            fragment = nil
            hasPicture = false
            parameterOffset = 0
            kinds = 0
        }

        /// True if every kind of set that a decoder needs is in the access unit.
        var hasAllKinds: Bool { kinds == (format == .h264 ? 0b110 : 0b111) }
    }

    /// Bytes that units without picture may have before the picture comes.
    private static let maximumPrelude = 64 * 1024

    /// Appends the NAL units of a packet to the access unit.
    mutating func takeUnits(_ payload: Span<UInt8>) {
        let format = nal.format
        guard payload.count >= format.headerLength else { return deviations.note(.unknownPacket) }
        switch (format, format.type(payload[0])) {
        case (.h264, 24): takeAggregate(payload, from: 1)
        case (.h264, 25): takeAggregate(payload, from: 3)  // STAP-B: the decoding order number is not used.
        case (.h264, 28): takeFragment(payload, flags: 1, from: 2)
        // FU-B: only the first fragment of a unit has a decoding order number.
        case (.h264, 29): takeFragment(payload, flags: 1, from: 4)
        case (.h265, 48): takeAggregate(payload, from: 2)
        case (.h265, 49): takeFragment(payload, flags: 2, from: 3)
        case (.h264, 0) where AnnexB.startCode(in: payload, from: 0) != nil, (.h265, 0) where hasStartCode(payload):
            deviations.note(.startCode)
            var units = NALUnits(payload)
            while let range = units.next() { takeUnit(payload.extracting(range)) }
        case (.h264, 1...23), (.h265, 0...47): takeUnit(payload)
        default: deviations.note(.unknownPacket)
        }
    }

    /// Ends the access unit; false if it has no picture yet and goes on with the next packets.
    mutating func endUnits() -> Bool {
        if nal.fragment != nil {
            deviations.note(.fragmentWithoutEnd)
            closeFragment()
        }
        guard nal.hasPicture else {
            deviations.note(.frameWithoutPicture)
            if frame.count > Self.maximumPrelude {
                frame.removeAll(keepingCapacity: true)
                nal.reset()
            }
            return false
        }
        if isKeyframe, !nal.hasAllKinds, !nal.sets.annexB.isEmpty {
            frame.insert(contentsOf: nal.sets.annexB, at: nal.parameterOffset)
        }
        return true
    }

    /// True if the payload's first NAL unit opens an access unit.
    func startsAccessUnit(_ payload: Span<UInt8>) -> Bool {
        let start = UnitStart(payload, nal.format)
        return nal.format.startsAccessUnit(start.bytes.span.extracting(0..<start.count))
    }

    /// True if the payload is a further part of a picture.
    func continuesPicture(_ payload: Span<UInt8>) -> Bool {
        let start = UnitStart(payload, nal.format)
        guard start.count > 0 else { return true }
        return nal.format.isPicture(start.bytes[0]) && !startsAccessUnit(payload)
    }

    /// The first bytes of a payload's first NAL unit; none for a fragment that is not the first.
    private struct UnitStart {
        var bytes: InlineArray<3, UInt8> = InlineArray(repeating: 0)
        var count = 0

        init(_ payload: Span<UInt8>, _ format: NALFormat) {
            guard payload.count > format.headerLength else { return }
            let type = format.type(payload[0])
            switch (format, type) {
            case (.h264, 24): take(payload, from: 3, format.boundaryLength)
            case (.h264, 25): take(payload, from: 5, format.boundaryLength)
            case (.h265, 48): take(payload, from: 4, format.boundaryLength)
            case (.h264, 28), (.h264, 29):
                let content = type == 28 ? 2 : 4
                guard payload[1] & 0x80 != 0, payload.count > content else { return }
                append(payload[0] & 0xE0 | payload[1] & 0x1F)
                append(payload[content])
            case (.h265, 49):
                guard payload.count > 3, payload[2] & 0x80 != 0 else { return }
                append(payload[0] & 0x81 | (payload[2] & 0x3F) << 1)
                append(payload[1])
                append(payload[3])
            default: take(payload, from: 0, format.boundaryLength)
            }
        }

        private mutating func take(_ payload: Span<UInt8>, from start: Int, _ length: Int) {
            for index in start..<max(start, min(payload.count, start + length)) { append(payload[index]) }
        }

        private mutating func append(_ byte: UInt8) {
            bytes[count] = byte
            count += 1
        }
    }

    private func hasStartCode(_ payload: Span<UInt8>) -> Bool {
        // Type 0 is a slice in H.265: only a start code right at the front is one.
        guard let code = AnnexB.startCode(in: payload, from: 0) else { return false }
        return code <= 1
    }

    private mutating func takeUnit(_ unit: Span<UInt8>) {
        endFragment()
        guard unit.count >= nal.format.headerLength else { return deviations.note(.emptyUnit) }
        guard hasRoom(AnnexB.startCodeLength + unit.count) else { return }
        let start = frame.count
        AnnexB.append(unit, to: &frame)
        closeUnit(at: start)
    }

    /// STAP (RFC 6184 §5.7.1) and AP (RFC 7798 §4.4.2): units behind their lengths.
    private mutating func takeAggregate(_ payload: Span<UInt8>, from start: Int) {
        var offset = start
        while offset + 2 <= payload.count {
            let length = Int(payload[offset]) << 8 | Int(payload[offset + 1])
            offset += 2
            guard length > 0 else {
                deviations.note(.emptyUnit)
                continue
            }
            guard length <= payload.count - offset else { break }
            takeUnit(payload.extracting(offset..<(offset + length)))
            offset += length
        }
        if offset < payload.count {
            deviations.note(.brokenAggregate)
            isDamaged = true
        }
    }

    /// FU-A (RFC 6184 §5.8) and FU (RFC 7798 §4.4.3).
    private mutating func takeFragment(_ payload: Span<UInt8>, flags position: Int, from content: Int) {
        guard payload.count > position else { return deviations.note(.unknownPacket) }
        let flags = payload[position]
        var start = content
        if flags & 0x80 != 0 {
            endFragment()
            guard hasRoom(AnnexB.startCodeLength + payload.count) else { return }
            nal.fragment = frame.count
            frame.append(bigEndian: UInt32(1))
            if nal.format == .h264 {
                frame.append(payload[0] & 0xE0 | flags & 0x1F)
            } else {
                frame.append(payload[0] & 0x81 | (flags & 0x3F) << 1)
                frame.append(payload[1])
            }
        } else {
            if nal.format == .h264, nal.format.type(payload[0]) == 29 { start = 2 }
            guard nal.fragment != nil else {
                deviations.note(.fragmentWithoutStart)
                isDamaged = true
                return
            }
            guard hasRoom(payload.count) else { return }
        }
        if start < payload.count { frame.append(payload.extracting(start..<payload.count)) }
        if flags & 0x40 != 0 { closeFragment() }
    }

    /// A new unit begins: one that still grows has lost its end.
    private mutating func endFragment() {
        guard nal.fragment != nil else { return }
        deviations.note(.fragmentWithoutEnd)
        closeFragment()
    }

    private mutating func closeFragment() {
        if let start = nal.fragment { closeUnit(at: start) }
        nal.fragment = nil
    }

    /// Looks at the unit that ends the frame so far; its start code stands at `start`.
    private mutating func closeUnit(at start: Int) {
        let format = nal.format
        let begin = start + AnnexB.startCodeLength
        let header = frame[begin]
        if format.isPicture(header) {
            nal.hasPicture = true
            if format.isKeyframe(header) { isKeyframe = true }
        } else if let kind = format.parameterSet(header) {
            nal.kinds |= kind == .video ? 1 : kind == .sequence ? 2 : 4
            var bytes: [UInt8] = []
            swap(&bytes, &frame)
            let isNew = nal.sets.absorb(bytes.span.extracting(begin..<bytes.count))
            swap(&bytes, &frame)
            if isNew { describe() }
        } else if format.type(header) == (format == .h264 ? H264.NALType.filler.rawValue : H265.NALType.filler.rawValue)
        {
            frame.removeSubrange(start...)
        } else if format.isDelimiter(header), nal.kinds == 0, !nal.hasPicture {
            nal.parameterOffset = frame.count
        }
    }

    /// Brings the description up to date with the parameter sets.
    private mutating func describe() {
        var stream = description
        stream.configuration = nal.sets.annexB
        stream.take(nal.sets)
        guard stream != description else { return }
        description = stream
        descriptionVersion &+= 1
    }
}
