// SPDX-License-Identifier: Apache-2.0
// Cameras' JPEGs, made whole on their way.

import Bytes
import Media
import Testing

@Suite("JPEG repair") struct JPEGRepairTests {
    private static let bare =
        SampleJPEG.start + SampleJPEG.tables + SampleJPEG.frame + SampleJPEG.scanHeader + SampleJPEG.scan
        + SampleJPEG.end

    /// Mends by both ways, which give the same.
    private func mend(_ image: [UInt8], acceptsMissingEnd: Bool = false) throws(JPEGFault) -> [UInt8] {
        let repair = try JPEGRepair(image.span, acceptsMissingEnd: acceptsMissingEnd)
        var appended: [UInt8] = []
        repair.append(image.span, to: &appended)
        var written = [UInt8](repeating: 0, count: repair.mendedLength)
        var span = written.mutableSpan
        repair.write(image.span, into: &span)
        #expect(appended == written)
        return appended
    }

    @Test("a whole image is left as it is")
    func whole() throws {
        let image = SampleJPEG.image
        let repair = try JPEGRepair(image.span)

        #expect(repair.isWhole && repair.length == SampleJPEG.image.count)
        #expect(try mend(SampleJPEG.image) == SampleJPEG.image)
    }

    @Test("missing Huffman tables are seen, and the standard ones put in")
    func tables() throws {
        let bare = Self.bare
        let repair = try JPEGRepair(bare.span)

        #expect(!repair.isWhole)
        #expect(try mend(Self.bare) == SampleJPEG.image)
    }

    @Test("zeros behind the end are cut off, however many; other padding up to a limit")
    func padding() throws {
        let zeros = SampleJPEG.image + [UInt8](repeating: 0, count: 100_000)
        let other = [UInt8](repeating: 0x55, count: JPEGRepair.paddingLimit - 3)

        #expect(try mend(zeros) == SampleJPEG.image)
        #expect(try mend(SampleJPEG.image + [0xFF, 0xFF]) == SampleJPEG.image)
        #expect(try mend(SampleJPEG.image + other) == SampleJPEG.image)
        #expect(throws: JPEGFault.truncated) { try mend(SampleJPEG.image + other + [0x55, 0x55, 0x55]) }
    }

    @Test("an image without an end is truncated, unless that is how the camera is")
    func end() throws {
        let image = Array(SampleJPEG.image.dropLast(2))
        let bare = Array(Self.bare.dropLast(2))

        #expect(throws: JPEGFault.truncated) { try mend(image) }
        #expect(try mend(image, acceptsMissingEnd: true) == SampleJPEG.image)
        #expect(try mend(bare, acceptsMissingEnd: true) == SampleJPEG.image)
    }

    @Test("an image that is cut anywhere is no whole one")
    func truncation() {
        for length in 0..<SampleJPEG.image.count - 2 {
            let cut = Array(SampleJPEG.image[..<length])
            #expect(throws: JPEGFault.self, "cut at \(length)") { try mend(cut) }
        }
    }

    @Test("what is no JPEG is told from one with a broken header")
    func faults() {
        var broken = SampleJPEG.image
        broken[2] = 0

        #expect(throws: JPEGFault.notJPEG) { try mend([UInt8](repeating: 0, count: 500)) }
        #expect(throws: JPEGFault.notJPEG) { try mend([0xFF, 0xD8, 0xFF, 0xD9]) }
        #expect(throws: JPEGFault.malformed) { try mend(broken) }
    }
}
