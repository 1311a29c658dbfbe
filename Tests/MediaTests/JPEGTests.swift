// SPDX-License-Identifier: Apache-2.0
// The JPEG marker walk, the stream splitter, the header and the standard Huffman tables.

import Bytes
import Media
import Testing

/// Makes small JPEGs: real structure, invented scan data.
enum SampleJPEG {
    static let start = hex("ffd8")
    static let tables = hex("ffdb 0084") + [0] + [UInt8](1...64) + [1] + [UInt8](65...128)
    static let frame = hex("ffc0 0011 08 00f0 0140 03 012200 021101 031101")
    static let huffman = hex("ffc4 01a2") + JPEG.standardHuffmanTables
    static let scanHeader = hex("ffda 000c 03 0100 0211 0311 003f00")
    static let scan = hex("1234 ff00 5678 ffd0 9abc")
    static let end = hex("ffd9")
    static let image = start + tables + frame + huffman + scanHeader + scan + end
}

@Suite("JPEG splitter")
struct JPEGSplitterTests {
    static func split(
        _ chunks: [[UInt8]],
        limit: Int = JPEGSplitter.maximumLength
    ) -> (images: [[UInt8]], splitter: JPEGSplitter) {
        var splitter = JPEGSplitter(limit: limit)
        var images: [[UInt8]] = []
        for chunk in chunks { splitter.push(chunk.span) { images.append(Array($0)) } }
        return (images, splitter)
    }

    static let image = SampleJPEG.image
    /// A thumbnail inside APP1: a whole JPEG, passed over by length.
    static let withThumbnail =
        SampleJPEG.start + hex("ffe1 0008 ffd8ffd9 aabb") + hex("ffffff") + Array(SampleJPEG.image[2...].dropFirst())

    @Test("images come out whole, whatever stands between them is dropped and counted")
    func multipart() {
        let text = Array("--boundary\r\nContent-Type: image/jpeg\r\n\r\n".utf8)
        let stream = text + Self.image + text + Self.withThumbnail + Self.image + [0xFF]

        let (images, splitter) = Self.split([stream])

        #expect(images == [Self.image, Self.withThumbnail, Self.image])
        #expect(splitter.skippedBytes == UInt64(2 * text.count))
        #expect(splitter.rejected == 0)
    }

    @Test("the images are the same at every split")
    func everySplit() {
        let stream = hex("00ffffd8") + Self.image + hex("ffff") + Self.withThumbnail
        for cut in 0...stream.count {
            let (images, _) = Self.split([Array(stream[..<cut]), Array(stream[cut...])])
            #expect(images == [Self.image, Self.withThumbnail], "cut at \(cut)")
        }
        #expect(Self.split(stream.map { [$0] }).images == [Self.image, Self.withThumbnail])
    }

    @Test(
        "an image with a wrong marker is dropped with its reason and the next one is found",
        arguments: [
            ("ffd8 ffe0 0001", JPEGWalker.Reason.segmentLength),
            ("ffd8 ffe0 0000", .segmentLength),
            ("ffd8 ffe0 0002 00", .noMarker),
            ("ffd8 ff00", .marker(0)),
            ("ffd8 ffd0", .marker(0xD0)),
            ("ffd8 ff01", .marker(1)),
            ("ffd8 ffd9", .missing(0xDA)),
            ("ffd8 ffda", .missing(0xC0)),
            ("ffd8 ffc0 0002 ffda 0002 12 ff50", .marker(0x50)),
            ("ffd8 ffc0 0002 ffda 0002 12", .marker(0xD8)),
        ]
    )
    func rejection(broken: String, reason: JPEGWalker.Reason) {
        let (images, splitter) = Self.split([hex(broken) + Self.image])

        #expect(images == [Self.image])
        #expect(splitter.rejected == 1)
        #expect(splitter.lastReason == reason)
    }

    @Test("an image at the limit passes, one byte longer is dropped and counted", arguments: [1, 7, 4096])
    func limit(chunk: Int) {
        var longer = Self.image
        longer.insert(0x42, at: longer.count - 2)
        let stream = Self.image + longer + Self.image
        let chunks = stride(from: 0, to: stream.count, by: chunk)
            .map { Array(stream[$0..<min($0 + chunk, stream.count)]) }

        let (images, splitter) = Self.split(chunks, limit: Self.image.count)

        #expect(images == [Self.image, Self.image])
        #expect(splitter.oversized == 1)
    }

    @Test("the end of the stream drops what is unfinished and a new stream starts clean")
    func finish() {
        var splitter = JPEGSplitter()
        var images: [[UInt8]] = []
        splitter.push(Self.image.span.extracting(0..<20)) { images.append(Array($0)) }
        splitter.finish()
        splitter.push(Self.image.span) { images.append(Array($0)) }

        #expect(images == [Self.image])
        #expect(splitter.rejected == 1)
    }

    @Test("only a whole image with nothing behind it is valid")
    func validity() {
        let whole = JPEG.isValid(Self.image.span)
        #expect(whole)
        for length in 0..<Self.image.count {
            let cut = JPEG.isValid(Self.image.span.extracting(0..<length))
            #expect(!cut)
        }
        let longer = Self.image + [0]
        let trailing = JPEG.isValid(longer.span)
        #expect(!trailing)
    }
}

@Suite("JPEG header")
struct JPEGHeaderTests {
    @Test("size, sampling, tables and the scan's place are read")
    func reading() throws {
        let image = SampleJPEG.start + hex("ffdd 0004 0028") + Array(SampleJPEG.image[2...])

        let header = try JPEGHeader(parsing: image.span)

        #expect(header.width == 320 && header.height == 240 && header.frameType == 0xC0)
        #expect(
            header.componentCount == 3 && header.components[0].horizontal == 2 && header.components[0].vertical == 2
        )
        #expect(header.components[1].table == 1 && header.components[2].horizontal == 1)
        #expect(image[header.quantisationOffsets[0]] == 1 && image[header.quantisationOffsets[1]] == 65)
        #expect(header.restartInterval == 40)
        #expect(header.hasHuffmanTables && header.hasStandardHuffmanTables)
        #expect(Array(image[header.scanOffset...]) == SampleJPEG.scan + SampleJPEG.end)
    }

    @Test("a header cut anywhere is an error")
    func truncation() {
        let end = SampleJPEG.image.count - SampleJPEG.scan.count - 2
        for length in 0..<end {
            let header = try? JPEGHeader(parsing: SampleJPEG.image.span.extracting(0..<length))
            #expect(header == nil, "cut at \(length)")
        }
    }

    @Test("a Huffman table of another kind is told apart")
    func otherHuffman() throws {
        var image = SampleJPEG.image
        let place = SampleJPEG.start.count + SampleJPEG.tables.count + SampleJPEG.frame.count + 4 + 30 + 16
        image[place] ^= 1

        let header = try JPEGHeader(parsing: image.span)

        #expect(header.hasHuffmanTables && !header.hasStandardHuffmanTables)
    }
}
