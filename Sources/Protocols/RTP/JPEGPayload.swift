// SPDX-License-Identifier: Apache-2.0
// JPEG in RTP (RFC 2435): what it can carry, and how.

package import Bytes
import Media

/// The fields of RFC 2435's header that an image fixes.
package struct JPEGPayload: Sendable, Hashable {
    /// The largest width and height that the header's eight bits can tell, in pixels (§3.1.5).
    package static let maximumDimension: UInt16 = 2040

    /// 0 for 4:2:2, 1 for 4:2:0; 64 more with restart markers (§4.1).
    package var type: UInt8
    /// Width and height in blocks of eight pixels.
    package var widthInBlocks: UInt8
    package var heightInBlocks: UInt8
    package var restartInterval: UInt16
    /// Where in the image the luminance and the chrominance table begin.
    package var luminanceTable: Int
    package var chrominanceTable: Int
    /// The entropy-coded data: behind the scan header, without EOI.
    package var scan: Range<Int>

    /// Examines an image.
    ///
    /// - Throws: `unsupported` with the property that RFC 2435 cannot carry.
    package init(_ image: Span<UInt8>) throws(WireError) {
        let header = try JPEGHeader(parsing: image)
        guard header.frameType == 0xC0, header.precision == 8 else {
            throw .unsupported(field: "JPEG for RTP: only baseline of 8 bits, SOF", value: UInt64(header.frameType))
        }
        guard header.width <= Self.maximumDimension else {
            throw .unsupported(field: "JPEG for RTP: wider than 2040, width", value: UInt64(header.width))
        }
        guard header.height <= Self.maximumDimension else {
            throw .unsupported(field: "JPEG for RTP: higher than 2040, height", value: UInt64(header.height))
        }
        guard header.componentCount == 3 else {
            throw .unsupported(
                field: "JPEG for RTP: only three components, count",
                value: UInt64(header.componentCount)
            )
        }
        guard header.hasStandardHuffmanTables else {
            throw .unsupported(field: "JPEG for RTP: optimised Huffman tables", value: 0)
        }
        type = try Self.sampling(header) + (header.restartInterval > 0 ? 64 : 0)
        try Self.checkScanHeader(image, header)
        luminanceTable = header.quantisationOffsets[Int(header.components[0].table)]
        chrominanceTable = header.quantisationOffsets[Int(header.components[1].table)]
        guard luminanceTable > 0, chrominanceTable > 0, header.components[1].table == header.components[2].table else {
            throw .unsupported(field: "JPEG for RTP: quantisation tables missing or of 16 bits", value: 0)
        }
        widthInBlocks = UInt8((header.width + 7) / 8)
        heightInBlocks = UInt8((header.height + 7) / 8)
        restartInterval = header.restartInterval
        scan = header.scanOffset..<Self.scanEnd(image, from: header.scanOffset)
        guard scan.count < 1 << 24 else { throw .limit(field: "JPEG for RTP: scan", limit: 1 << 24) }
    }

    private static func sampling(_ header: JPEGHeader) throws(WireError) -> UInt8 {
        let luminance = header.components[0]
        for index in 1...2 where header.components[index].horizontal != 1 || header.components[index].vertical != 1 {
            throw .unsupported(field: "JPEG for RTP: chroma sampling of component", value: UInt64(index))
        }
        switch (luminance.horizontal, luminance.vertical) {
        case (2, 1): return 0
        case (2, 2): return 1
        default:
            throw .unsupported(
                field: "JPEG for RTP: only 4:2:0 and 4:2:2, sampling",
                value: UInt64(luminance.horizontal << 4 | luminance.vertical)
            )
        }
    }

    /// The receiver makes up a scan of three components with tables 0, 1, 1: the image must have just that.
    private static func checkScanHeader(_ image: Span<UInt8>, _ header: JPEGHeader) throws(WireError) {
        let scan = image.extracting((header.scanHeaderOffset + 4)..<header.scanOffset)
        guard scan.count >= 7, scan[0] == 3, scan[2] == 0x00, scan[4] == 0x11, scan[6] == 0x11 else {
            throw .unsupported(field: "JPEG for RTP: component or table order of the scan", value: 0)
        }
    }

    private static func scanEnd(_ image: Span<UInt8>, from start: Int) -> Int {
        var end = image.count
        while end - 2 >= start {
            if image[end - 2] == 0xFF, image[end - 1] == 0xD9 { return end - 2 }
            end -= 1
        }
        return image.count
    }
}

extension RTPPacketizer {
    /// Cuts the scan data into packets; tables travel with every frame's first packet (§3.1.8, Q = 255).
    mutating func packetizeJPEG(
        _ frame: Span<UInt8>,
        _ timestamp: UInt32,
        into image: inout PacketImage
    ) throws(WireError) {
        let payload = try JPEGPayload(frame)
        var offset = payload.scan.lowerBound
        repeat {
            let isFirst = offset == payload.scan.lowerBound
            let overhead = 8 + (payload.restartInterval > 0 ? 4 : 0) + (isFirst ? 4 + 128 : 0)
            let length = min(maximumPayload - overhead, payload.scan.upperBound - offset)
            let ends = offset + length == payload.scan.upperBound
            begin(payloadLength: overhead + length, marker: ends, timestamp, in: &image)
            let fragment = offset - payload.scan.lowerBound
            image.append(0, UInt8(truncatingIfNeeded: fragment >> 16))
            image.append(UInt8(truncatingIfNeeded: fragment >> 8), UInt8(truncatingIfNeeded: fragment))
            image.append(payload.type, 255)
            image.append(payload.widthInBlocks, payload.heightInBlocks)
            if payload.restartInterval > 0 {
                image.append(UInt8(payload.restartInterval >> 8), UInt8(truncatingIfNeeded: payload.restartInterval))
                // F, L and a count of 0x3FFF: the receiver puts whole frames together (§3.1.7).
                image.append(0xFF, 0xFF)
            }
            if isFirst {
                image.append(0, 0)  // MBZ, precision: tables of 8 bits
                image.append(0, 128)
                image.append(frame.extracting(payload.luminanceTable..<(payload.luminanceTable + 64)))
                image.append(frame.extracting(payload.chrominanceTable..<(payload.chrominanceTable + 64)))
            }
            image.append(frame.extracting(offset..<(offset + length)))
            offset += length
        } while offset < payload.scan.upperBound
    }
}
