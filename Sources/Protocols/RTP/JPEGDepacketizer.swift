// SPDX-License-Identifier: Apache-2.0
// JPEG payloads (RFC 2435) to whole images.

import Bytes
import Media

extension RTPDepacketizer {
    /// What is known of the image at hand.
    struct JPEGState: Sendable {
        /// The quantisation tables that came with each Q of 128 and more, one behind the other.
        var tables: [UInt8: [UInt8]] = [:]
        /// Where in the frame the entropy-coded data begins; nil in front of the first packet.
        var scan: Int?

        mutating func reset() { scan = nil }
    }

    /// Appends a packet's part of the scan, in front of the first one the image's header (§3.1, appendix B).
    mutating func takeJPEG(_ payload: Span<UInt8>) {
        do throws(WireError) {
            try readJPEG(payload)
        } catch {
            deviations.note(.unsupportedJPEG)
            isDamaged = true
        }
    }

    /// Ends the image.
    mutating func endJPEG() {
        guard jpeg.scan != nil else {
            isDamaged = true
            return
        }
        isKeyframe = true
        let hasEnd = frame.count >= 2 && frame[frame.count - 2] == 0xFF && frame[frame.count - 1] == 0xD9
        if !hasEnd { frame.append(bigEndian: UInt16(0xFFD9)) }
    }

    private mutating func readJPEG(_ payload: Span<UInt8>) throws(WireError) {
        var reader = ByteReader(payload)
        try reader.skip(1)
        let offset = try Int(reader.uint24())
        let type = try reader.uint8()
        let quality = try reader.uint8()
        let width = try reader.uint8()
        let height = try reader.uint8()
        // 64 to 127: the same types with restart markers (§3.1.3, §3.1.7).
        guard type & ~0x40 <= 1 else { throw .unsupported(field: "JPEG type", value: UInt64(type)) }
        var interval: UInt16 = 0
        if type & 0x40 != 0 {
            interval = try reader.uint16()
            try reader.skip(2)
        }
        if offset == 0 {
            let precision = try readTables(quality, &reader)
            guard jpeg.scan == nil, hasRoom(2048) else {
                isDamaged = true
                return
            }
            let size = try size(width, height)
            try appendHeader(type, quality, precision, size, interval)
            if (description.width, description.height) != (UInt32(size.width), UInt32(size.height)) {
                (description.width, description.height) = (UInt32(size.width), UInt32(size.height))
                descriptionVersion &+= 1
            }
            jpeg.scan = frame.count
        }
        guard let scan = jpeg.scan, frame.count - scan == offset else {
            isDamaged = true
            return
        }
        guard hasRoom(reader.remaining) else { return }
        frame.append(reader.rest())
    }

    /// Reads the quantisation table header (§3.1.8) and answers which tables are of 16 bits.
    private mutating func readTables(_ quality: UInt8, _ reader: inout ByteReader) throws(WireError) -> UInt8 {
        guard quality >= 128 else { return 0 }
        try reader.skip(1)
        let precision = try reader.uint8()
        let length = try Int(reader.uint16())
        if length > 0 {
            guard length <= 256 else { throw .limit(field: "JPEG tables", limit: 256) }
            let tables = try reader.span(length)
            let old = jpeg.tables[quality] ?? []
            if !old.span.isEqual(to: tables) { jpeg.tables[quality] = [UInt8](tables) }
        }
        return precision
    }

    /// The picture's size in pixels; the description tells it where it does not fit into the payload's header.
    private func size(_ width: UInt8, _ height: UInt8) throws(WireError) -> (width: UInt16, height: UInt16) {
        let stream = format.stream
        // Only a description of the same number of blocks says more than the header.
        func exact(_ blocks: UInt8, _ described: UInt32) -> UInt16? {
            if described > 0, described <= 0xFFFF, blocks == 0 || (described + 7) / 8 == UInt32(blocks) {
                return UInt16(described)
            }
            return blocks == 0 ? nil : UInt16(blocks) * 8
        }
        guard let width = exact(width, stream.width), let height = exact(height, stream.height) else {
            throw .unsupported(field: "JPEG over RTP wider or higher than 2040", value: 0)
        }
        return (width, height)
    }

    /// Writes SOI, DQT, DRI, SOF0, DHT and SOS as appendix B wants them.
    private mutating func appendHeader(
        _ type: UInt8,
        _ quality: UInt8,
        _ precision: UInt8,
        _ size: (width: UInt16, height: UInt16),
        _ interval: UInt16
    ) throws(WireError) {
        frame.append(bigEndian: UInt16(0xFFD8))
        try appendTables(quality, precision)
        if interval > 0 {
            frame.append(bigEndian: UInt32(0xFFDD_0004))
            frame.append(bigEndian: interval)
        }
        frame.append(bigEndian: UInt32(0xFFC0_0011))
        frame.append(8)
        frame.append(bigEndian: size.height)
        frame.append(bigEndian: size.width)
        frame.append(3)
        let sampling: UInt8 = type & 1 == 0 ? 0x21 : 0x22
        for component: (UInt8, UInt8, UInt8) in [(1, sampling, 0), (2, 0x11, 1), (3, 0x11, 1)] {
            frame.append(component.0)
            frame.append(component.1)
            frame.append(component.2)
        }
        frame.append(bigEndian: UInt16(0xFFC4))
        frame.append(bigEndian: UInt16(JPEG.standardHuffmanTables.count + 2))
        frame.append(contentsOf: JPEG.standardHuffmanTables)
        frame.append(bigEndian: UInt32(0xFFDA_000C))
        frame.append(contentsOf: [3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0])
    }

    private mutating func appendTables(_ quality: UInt8, _ precision: UInt8) throws(WireError) {
        if quality < 128 {
            guard (1...99).contains(quality) else { throw .unsupported(field: "JPEG Q", value: UInt64(quality)) }
            for (index, table) in [JPEG.luminanceQuantisation, JPEG.chrominanceQuantisation].enumerated() {
                frame.append(bigEndian: UInt32(0xFFDB_0043))
                frame.append(UInt8(index))
                JPEG.appendQuantisation(table, quality: Int(quality), to: &frame)
            }
            return
        }
        guard let tables = jpeg.tables[quality] else {
            throw .unsupported(field: "JPEG without tables, Q", value: UInt64(quality))
        }
        var offset = 0
        for index: UInt8 in 0...1 {
            // One bit a table, the first one lowest; a single table serves all components.
            let length = precision >> index & 1 == 1 ? 128 : 64
            if offset + length > tables.count {
                guard index == 1, offset > 0 else { throw .truncated(needed: length, available: tables.count) }
                offset = 0
            }
            frame.append(bigEndian: UInt16(0xFFDB))
            frame.append(bigEndian: UInt16(3 + length))
            frame.append((length == 128 ? 0x10 : 0) | index)
            guard offset + length <= tables.count else { throw .truncated(needed: length, available: tables.count) }
            frame.append(contentsOf: tables[offset..<(offset + length)])
            offset += length
        }
    }
}
