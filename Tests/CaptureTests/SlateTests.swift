// SPDX-License-Identifier: Apache-2.0
// The slate: what is drawn of it, and that it fits into any picture.

import Bytes
import Encode
import Testing

@testable import Capture

@Suite("slate") struct SlateTests {
    private static func notice(seconds: Int, reason: String = "waits for a publisher") -> SlatePainter.Notice {
        SlatePainter.Notice(name: "cam", reason: reason, since: 1_700_000_000_000_000_000, seconds: seconds)
    }

    /// Pixels that are bright, row by row.
    private static func ink(_ picture: PictureBuffer) -> [Int] {
        let stride = picture.stride(ofPlane: 0)
        return picture.withReadOnlyPlane(0) { luma in
            (0..<picture.height)
                .map { row in (0..<picture.width).count { luma[row * stride + $0] > 100 } }
        }
    }

    @Test("it has four lines of text on a dark ground") func lines() throws {
        let picture = try SlatePainter(width: 1280, height: 720).paint(Self.notice(seconds: 3))
        let rows = Self.ink(picture).prefix(690)
        let lines = zip(rows, rows.dropFirst()).count { $0 == 0 && $1 > 0 }

        #expect(lines == 4)
        #expect(rows.reduce(0, +) < 1280 * 720 / 20)
    }

    @Test("it is painted anew only when it says something else") func economy() throws {
        let painter = SlatePainter(width: 640, height: 360)
        let first = try painter.paint(Self.notice(seconds: 3))
        let same = try painter.paint(Self.notice(seconds: 3))
        let later = try painter.paint(Self.notice(seconds: 4))

        #expect(first === same)
        #expect(later !== first)
    }

    @Test(
        "long reasons and small pictures stay inside",
        arguments: [(16, 16), (64, 36), (176, 144), (360, 640), (1920, 1080)]
    )
    func extremes(width: Int, height: Int) throws {
        let reason = String(repeating: "word ", count: 200) + String(repeating: "x", count: 4000) + " \u{E9}\u{1F600}"
        let picture = try SlatePainter(width: width, height: height)
            .paint(Self.notice(seconds: 360_000, reason: reason))
        #expect(picture.width == width)
    }
}
