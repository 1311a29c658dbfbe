// SPDX-License-Identifier: Apache-2.0
// Makes whole JPEGs of what cameras call MJPEG, without a copy of their own.

import Bytes

/// What is wrong with an image that cannot be mended.
package enum JPEGFault: Error, Sendable, Hashable, CaseIterable {
    /// It does not begin as a JPEG does, or is too short to be one.
    case notJPEG
    /// It ends in the middle.
    case truncated
    /// Its header makes no sense.
    case malformed
}

/// A camera's JPEG: which of its bytes are one, and what they lack of a whole one.
///
/// Who copies the image puts in what is missing on the way: an image is never copied for that alone.
package struct JPEGRepair: Sendable, Hashable {
    /// How far from the end the end marker is looked for: some cameras pad their images with what is no zeros.
    package static let paddingLimit = 256
    /// No JPEG is shorter.
    package static let shortest = 125

    /// The image proper begins at the buffer's first byte, and has so many; what follows is padding.
    package private(set) var length: Int
    /// Where the standard Huffman tables go, in front of the first scan; nil if it has tables.
    package private(set) var tablesOffset: Int?
    /// The end marker is missing.
    package private(set) var needsEnd = false

    /// Looks at what a camera gave.
    ///
    /// - Parameter acceptsMissingEnd: takes images without an end marker as whole; for cameras that never write it.
    package init(_ image: Span<UInt8>, acceptsMissingEnd: Bool = false) throws(JPEGFault) {
        guard image.count >= Self.shortest, image[0] == 0xFF, image[1] == 0xD8 else { throw .notJPEG }
        var end = image.count
        // Some drivers hand over the whole buffer, whatever is in it.
        while end > Self.shortest, image[end - 1] == 0 { end -= 1 }
        if let marked = Self.end(of: image.extracting(0..<end)) {
            length = marked
        } else {
            guard acceptsMissingEnd else { throw .truncated }
            length = end
            needsEnd = true
        }
        do throws(WireError) {
            let header = try JPEGHeader(parsing: image.extracting(0..<length))
            if !header.hasHuffmanTables { tablesOffset = header.scanHeaderOffset }
        } catch {
            throw .malformed
        }
    }

    private static func end(of image: Span<UInt8>) -> Int? {
        var end = image.count
        while end >= 4, end > image.count - paddingLimit {
            if image[end - 2] == 0xFF, image[end - 1] == 0xD9 { return end }
            end -= 1
        }
        return nil
    }

    /// True if its bytes are a whole JPEG as they are.
    package var isWhole: Bool { tablesOffset == nil && !needsEnd }

    /// How many bytes the mended image has.
    package var mendedLength: Int {
        length + (tablesOffset == nil ? 0 : 4 + JPEG.standardHuffmanTables.count) + (needsEnd ? 2 : 0)
    }

    /// Writes the mended image into `target`, which has `mendedLength` bytes.
    package func write(_ image: Span<UInt8>, into target: inout MutableSpan<UInt8>) {
        var (from, to) = (0, 0)
        if let tablesOffset {
            target.replace(at: 0, with: image.extracting(0..<tablesOffset))
            let tables = JPEG.standardHuffmanTables
            let size = tables.count + 2
            // DHT.
            target[tablesOffset] = 0xFF
            target[tablesOffset + 1] = 0xC4
            target[tablesOffset + 2] = UInt8(size >> 8)
            target[tablesOffset + 3] = UInt8(size & 0xFF)
            target.replace(at: tablesOffset + 4, with: tables.span)
            from = tablesOffset
            to = tablesOffset + 4 + tables.count
        }
        target.replace(at: to, with: image.extracting(from..<length))
        guard needsEnd else { return }
        target[to + length - from] = 0xFF
        target[to + length - from + 1] = 0xD9
    }

    /// Appends the mended image.
    package func append(_ image: Span<UInt8>, to output: inout [UInt8]) {
        var from = 0
        if let tablesOffset {
            output.append(image.extracting(0..<tablesOffset))
            output.append(bigEndian: UInt16(0xFFC4))
            output.append(bigEndian: UInt16(JPEG.standardHuffmanTables.count + 2))
            output.append(contentsOf: JPEG.standardHuffmanTables)
            from = tablesOffset
        }
        output.append(image.extracting(from..<length))
        if needsEnd { output.append(bigEndian: UInt16(0xFFD9)) }
    }
}
