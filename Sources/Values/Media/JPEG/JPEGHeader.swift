// SPDX-License-Identifier: Apache-2.0
// What a JPEG's header says: size, sampling, tables, where the scan begins.

package import Bytes

/// Names of the JPEG specification (ITU-T T.81).
package enum JPEG {
    /// True if `image` is one whole JPEG, SOI to EOI, with nothing behind it.
    package static func isValid(_ image: Span<UInt8>) -> Bool {
        guard image.count > 4, image[0] == 0xFF, image[1] == 0xD8 else { return false }
        var walker = JPEGWalker()
        return walker.advance(image, from: 2) == .complete(image.count)
    }
}

/// The header of one JPEG: everything in front of its first scan's data, without a copy of any table.
package struct JPEGHeader: Sendable {
    /// Components a header may have; grey has one, colour three, CMYK four.
    package static let maximumComponents = 4

    /// One colour component of the frame header.
    package struct Component: Sendable, Hashable {
        package var identifier: UInt8 = 0
        /// Sampling factors, 1 to 4.
        package var horizontal: UInt8 = 0
        package var vertical: UInt8 = 0
        /// Which quantisation table it uses, 0 to 3.
        package var table: UInt8 = 0
    }

    /// The SOF marker's code: C0 is baseline, C2 progressive.
    package private(set) var frameType: UInt8 = 0
    package private(set) var precision: UInt8 = 0
    package private(set) var width: UInt16 = 0
    package private(set) var height: UInt16 = 0
    package private(set) var componentCount = 0
    package private(set) var components: InlineArray<4, Component> = InlineArray(repeating: Component())
    /// Where each quantisation table's 64 values begin, in zigzag order; 0 if it is missing or of 16 bits.
    package private(set) var quantisationOffsets: InlineArray<4, Int> = InlineArray(repeating: 0)
    /// MCUs between restart markers; 0 for none.
    package private(set) var restartInterval: UInt16 = 0
    /// False for the MJPEG of many USB cameras, which leaves the standard tables out.
    package private(set) var hasHuffmanTables = false
    /// True if every Huffman table given is the standard one (T.81 Annex K.3).
    package private(set) var hasStandardHuffmanTables = true
    /// Where the SOS marker begins.
    package private(set) var scanHeaderOffset = 0
    /// Where the entropy-coded data of the first scan begins.
    package private(set) var scanOffset = 0

    /// Reads an image's header as far as the first scan.
    package init(parsing image: Span<UInt8>) throws(WireError) {
        var reader = ByteReader(image)
        let start = try reader.uint16()
        guard start == 0xFFD8 else { throw .invalid(field: "JPEG SOI", value: UInt64(start)) }
        while scanOffset == 0 {
            let prefix = try reader.uint8()
            guard prefix == 0xFF else { throw .invalid(field: "JPEG marker", value: UInt64(prefix)) }
            var code = try reader.uint8()
            while code == 0xFF { code = try reader.uint8() }
            let markerOffset = reader.offset - 2
            let length = try Int(reader.uint16())
            guard length >= 2 else { throw .invalid(field: "JPEG segment length", value: UInt64(length)) }
            let contentOffset = reader.offset
            let content = try reader.span(length - 2)
            switch code {
            case 0xC4: try readHuffman(content)
            case 0xC0...0xC3, 0xC5...0xC7, 0xC9...0xCB, 0xCD...0xCF: try readFrame(code, content)
            case 0xDB: try readQuantisation(content, at: contentOffset)
            case 0xDD:
                var interval = ByteReader(content)
                restartInterval = try interval.uint16()
            case 0xDA:
                guard componentCount > 0 else { throw .invalid(field: "JPEG scan without frame", value: 0xDA) }
                scanHeaderOffset = markerOffset
                scanOffset = contentOffset + length - 2
            case 0xCC, 0xDC, 0xDE...0xEF, 0xFE: break
            default: throw .invalid(field: "JPEG marker", value: UInt64(code))
            }
        }
    }

    private mutating func readFrame(_ code: UInt8, _ content: Span<UInt8>) throws(WireError) {
        guard componentCount == 0 else { throw .unsupported(field: "second JPEG frame", value: UInt64(code)) }
        var reader = ByteReader(content)
        frameType = code
        precision = try reader.uint8()
        height = try reader.uint16()
        width = try reader.uint16()
        let count = try Int(reader.uint8())
        guard width > 0, height > 0 else { throw .unsupported(field: "JPEG height or width", value: 0) }
        guard (1...Self.maximumComponents).contains(count) else {
            throw .invalid(field: "JPEG component count", value: UInt64(count))
        }
        for index in 0..<count {
            let identifier = try reader.uint8()
            let sampling = try reader.uint8()
            let table = try reader.uint8()
            guard (1...4).contains(sampling >> 4), (1...4).contains(sampling & 15), table <= 3 else {
                throw .invalid(field: "JPEG component", value: UInt64(sampling) << 8 | UInt64(table))
            }
            components[index] = Component(
                identifier: identifier,
                horizontal: sampling >> 4,
                vertical: sampling & 15,
                table: table
            )
        }
        componentCount = count
    }

    private mutating func readQuantisation(_ content: Span<UInt8>, at offset: Int) throws(WireError) {
        var reader = ByteReader(content)
        while !reader.isAtEnd {
            let kind = try reader.uint8()
            guard kind >> 4 <= 1, kind & 15 <= 3 else {
                throw .invalid(field: "JPEG quantisation table", value: UInt64(kind))
            }
            quantisationOffsets[Int(kind & 15)] = kind >> 4 == 0 ? offset + reader.offset : 0
            try reader.skip(kind >> 4 == 0 ? 64 : 128)
        }
    }

    private mutating func readHuffman(_ content: Span<UInt8>) throws(WireError) {
        var reader = ByteReader(content)
        while !reader.isAtEnd {
            let begin = reader.offset
            let kind = try reader.uint8()
            guard kind >> 4 <= 1, kind & 15 <= 3 else {
                throw .invalid(field: "JPEG Huffman table", value: UInt64(kind))
            }
            var values = 0
            for _ in 0..<16 { values += try Int(reader.uint8()) }
            guard values <= 256 else { throw .invalid(field: "JPEG Huffman values", value: UInt64(values)) }
            try reader.skip(values)
            hasHuffmanTables = true
            if !JPEG.isStandardHuffman(content.extracting(begin..<reader.offset)) { hasStandardHuffmanTables = false }
        }
    }
}
