// SPDX-License-Identifier: Apache-2.0
// Makes whole JPEGs of what cameras call MJPEG.

import Bytes
import Media

/// Mends the ways in which cameras' JPEGs fall short of the standard.
package enum JPEGRepair {
    /// How far from the end the end marker is looked for: some cameras pad their images.
    static let paddingLimit = 256

    /// Copies an image without what is behind its end, and with the standard Huffman tables if it has none.
    ///
    /// - Returns: false if it is cut short or no JPEG; `output` is undefined then.
    package static func repair(_ image: Span<UInt8>, into output: inout [UInt8]) -> Bool {
        output.removeAll(keepingCapacity: true)
        guard let end = end(of: image) else { return false }
        let whole = image.extracting(0..<end)
        guard let header = try? JPEGHeader(parsing: whole) else { return false }
        if header.hasHuffmanTables {
            output.append(whole)
        } else {
            JPEG.appendInsertingHuffmanTables(whole, header, to: &output)
        }
        return true
    }

    private static func end(of image: Span<UInt8>) -> Int? {
        guard image.count >= 4, image[0] == 0xFF, image[1] == 0xD8 else { return nil }
        var end = image.count
        while end >= 4, end > image.count - paddingLimit {
            if image[end - 2] == 0xFF, image[end - 1] == 0xD9 { return end }
            end -= 1
        }
        return nil
    }
}
