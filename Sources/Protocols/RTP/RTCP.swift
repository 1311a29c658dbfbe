// SPDX-License-Identifier: Apache-2.0
// RTCP: sender reports with their source description, farewells, and what receivers report.

package import Bytes

/// Numbers and writers of RTCP packets (RFC 3550 §6).
package enum RTCP {
    package static let senderReport: UInt8 = 200
    package static let receiverReport: UInt8 = 201
    package static let sourceDescription: UInt8 = 202
    package static let goodbye: UInt8 = 203
    /// Feedback on a payload (RFC 4585 §6.1).
    package static let payloadFeedback: UInt8 = 206

    /// Bytes of the longest canonical name written.
    package static let maximumName = 255

    /// What a sender says of itself (§6.4.1).
    package struct SenderInfo: Sendable, Hashable {
        package var source: UInt32
        /// UTC of an instant, and the RTP timestamp of the same instant.
        package var time: NTPTime
        package var timestamp: UInt32
        /// Packets and payload bytes sent so far; both wrap.
        package var packets: UInt32
        package var octets: UInt32

        package init(source: UInt32, time: NTPTime, timestamp: UInt32, packets: UInt32, octets: UInt32) {
            self.source = source
            self.time = time
            self.timestamp = timestamp
            self.packets = packets
            self.octets = octets
        }
    }

    /// What a receiver says of one source (§6.4.1).
    package struct ReportBlock: Sendable, Hashable {
        package var source: UInt32
        /// Lost packets of the last interval, in 256ths.
        package var fractionLost: UInt8
        /// Packets lost in all; negative with duplicates.
        package var lost: Int32
        package var highestSequence: UInt32
        /// In timestamp ticks.
        package var jitter: UInt32
        /// The middle of the last sender report's time, and the delay since, in 65 536ths of a second.
        package var lastReport: UInt32
        package var delaySinceLastReport: UInt32

        package init(
            source: UInt32,
            fractionLost: UInt8,
            lost: Int32,
            highestSequence: UInt32,
            jitter: UInt32,
            lastReport: UInt32,
            delaySinceLastReport: UInt32
        ) {
            self.source = source
            self.fractionLost = fractionLost
            self.lost = lost
            self.highestSequence = highestSequence
            self.jitter = jitter
            self.lastReport = lastReport
            self.delaySinceLastReport = delaySinceLastReport
        }
    }

    /// Appends a compound packet of a sender report and the source's canonical name (§6.1).
    package static func append(_ info: SenderInfo, name: String, to output: inout [UInt8]) {
        output.append(0x80)
        output.append(senderReport)
        output.append(bigEndian: UInt16(6))
        output.append(bigEndian: info.source)
        output.append(bigEndian: info.time.rawValue)
        output.append(bigEndian: info.timestamp)
        output.append(bigEndian: info.packets)
        output.append(bigEndian: info.octets)
        appendDescription(source: info.source, name: name, to: &output)
    }

    /// Appends a compound packet of an empty receiver report, the canonical name and a farewell (§6.6).
    package static func appendGoodbye(source: UInt32, name: String, to output: inout [UInt8]) {
        output.append(0x80)
        output.append(receiverReport)
        output.append(bigEndian: UInt16(1))
        output.append(bigEndian: source)
        appendDescription(source: source, name: name, to: &output)
        output.append(0x81)
        output.append(goodbye)
        output.append(bigEndian: UInt16(1))
        output.append(bigEndian: source)
    }

    /// Appends a compound packet of a receiver report and the canonical name; at most 31 blocks are taken.
    package static func appendReceiverReport(
        _ blocks: [ReportBlock],
        from source: UInt32,
        name: String,
        to output: inout [UInt8]
    ) {
        let count = min(31, blocks.count)
        output.append(0x80 | UInt8(count))
        output.append(receiverReport)
        output.append(bigEndian: UInt16(1 + 6 * count))
        output.append(bigEndian: source)
        for block in blocks.prefix(count) { append(block, to: &output) }
        appendDescription(source: source, name: name, to: &output)
    }

    /// Appends a picture loss indication (RFC 4585 §6.3.1); a compound packet has a report in front of it.
    package static func appendPictureLoss(from source: UInt32, media: UInt32, to output: inout [UInt8]) {
        output.append(0x81)
        output.append(payloadFeedback)
        output.append(bigEndian: UInt16(2))
        output.append(bigEndian: source)
        output.append(bigEndian: media)
    }

    /// Appends a full intra request (RFC 5104 §4.3.1); `number` grows by one with each new request.
    package static func appendFullIntraRequest(
        from source: UInt32,
        media: UInt32,
        number: UInt8,
        to output: inout [UInt8]
    ) {
        output.append(0x84)
        output.append(payloadFeedback)
        output.append(bigEndian: UInt16(4))
        output.append(bigEndian: source)
        output.append(bigEndian: UInt32(0))
        output.append(bigEndian: media)
        output.append(bigEndian: UInt32(number) << 24)
    }

    /// Appends a receiver report with one block, without the name that a compound packet needs; for tests.
    package static func append(_ block: ReportBlock, from source: UInt32, to output: inout [UInt8]) {
        output.append(0x81)
        output.append(receiverReport)
        output.append(bigEndian: UInt16(7))
        output.append(bigEndian: source)
        append(block, to: &output)
    }

    private static func append(_ block: ReportBlock, to output: inout [UInt8]) {
        output.append(bigEndian: block.source)
        output.append(bigEndian: UInt32(block.fractionLost) << 24 | UInt32(bitPattern: block.lost) & 0xFF_FFFF)
        output.append(bigEndian: block.highestSequence)
        output.append(bigEndian: block.jitter)
        output.append(bigEndian: block.lastReport)
        output.append(bigEndian: block.delaySinceLastReport)
    }

    /// Source description with the CNAME item, ended and padded by zeros (§6.5).
    private static func appendDescription(source: UInt32, name: String, to output: inout [UInt8]) {
        let text = Array(name.utf8.prefix(maximumName))
        let items = (2 + text.count + 1 + 3) & ~3
        output.append(0x81)
        output.append(sourceDescription)
        output.append(bigEndian: UInt16(1 + items / 4))
        output.append(bigEndian: source)
        output.append(1)  // CNAME
        output.append(UInt8(text.count))
        output.append(contentsOf: text)
        for _ in (2 + text.count)..<items { output.append(0) }
    }
}

/// One packet of a received compound RTCP packet.
package enum RTCPPacket: Sendable, Hashable {
    case senderReport(RTCP.SenderInfo, [RTCP.ReportBlock])
    case receiverReport(source: UInt32, [RTCP.ReportBlock])
    /// The first source's canonical name; empty if none is given.
    case sourceDescription(source: UInt32, name: [UInt8])
    case goodbye(sources: [UInt32])
    /// A receiver asks for a keyframe of `media`: PLI or FIR.
    case keyframeRequest(source: UInt32, media: UInt32)
    /// A type that Apus does not use.
    case other(type: UInt8)

    /// Packets taken from one compound packet.
    package static let maximumCount = 32

    /// Parses a compound packet (RFC 3550 §6.1, appendix A.2).
    package static func parse(_ compound: Span<UInt8>) throws(WireError) -> [RTCPPacket] {
        var packets: [RTCPPacket] = []
        var reader = ByteReader(compound)
        while !reader.isAtEnd {
            guard packets.count < maximumCount else { throw .limit(field: "RTCP packets", limit: maximumCount) }
            let first = try reader.uint8()
            guard first >> 6 == 2 else { throw .invalid(field: "RTCP version", value: UInt64(first >> 6)) }
            let type = try reader.uint8()
            let length = try Int(reader.uint16()) * 4
            let body = try reader.span(length)
            try packets.append(parse(type: type, count: Int(first & 0x1F), hasPadding: first & 0x20 != 0, body))
        }
        return packets
    }

    private static func parse(
        type: UInt8,
        count: Int,
        hasPadding: Bool,
        _ body: Span<UInt8>
    ) throws(WireError) -> RTCPPacket {
        var end = body.count
        if hasPadding {
            guard end > 0, Int(body[end - 1]) <= end else { throw .invalid(field: "RTCP padding", value: UInt64(end)) }
            end -= Int(body[end - 1])
        }
        var reader = ByteReader(body.extracting(0..<end))
        switch type {
        case RTCP.senderReport:
            let info = try RTCP.SenderInfo(
                source: reader.uint32(),
                time: NTPTime(rawValue: reader.uint64()),
                timestamp: reader.uint32(),
                packets: reader.uint32(),
                octets: reader.uint32()
            )
            return try .senderReport(info, blocks(count, &reader))
        case RTCP.receiverReport:
            return try .receiverReport(source: reader.uint32(), blocks(count, &reader))
        case RTCP.sourceDescription:
            guard count > 0 else { return .sourceDescription(source: 0, name: []) }
            return try .sourceDescription(source: reader.uint32(), name: canonicalName(&reader))
        case RTCP.goodbye:
            var sources: [UInt32] = []
            for _ in 0..<count { try sources.append(reader.uint32()) }
            return .goodbye(sources: sources)
        case RTCP.payloadFeedback where count == 1:
            return try .keyframeRequest(source: reader.uint32(), media: reader.uint32())
        case RTCP.payloadFeedback where count == 4:
            let source = try reader.uint32()
            try reader.skip(4)
            return try .keyframeRequest(source: source, media: reader.uint32())
        default:
            return .other(type: type)
        }
    }

    private static func blocks(_ count: Int, _ reader: inout ByteReader) throws(WireError) -> [RTCP.ReportBlock] {
        var blocks: [RTCP.ReportBlock] = []
        for _ in 0..<count {
            let source = try reader.uint32()
            let loss = try reader.uint32()
            try blocks.append(
                RTCP.ReportBlock(
                    source: source,
                    fractionLost: UInt8(loss >> 24),
                    // 24 bits with a sign.
                    lost: Int32(bitPattern: loss << 8) >> 8,
                    highestSequence: reader.uint32(),
                    jitter: reader.uint32(),
                    lastReport: reader.uint32(),
                    delaySinceLastReport: reader.uint32()
                )
            )
        }
        return blocks
    }

    private static func canonicalName(_ reader: inout ByteReader) throws(WireError) -> [UInt8] {
        while !reader.isAtEnd {
            let item = try reader.uint8()
            if item == 0 { break }
            let length = try Int(reader.uint8())
            let text = try reader.span(length)
            if item == 1 { return [UInt8](text) }
        }
        return []
    }
}
