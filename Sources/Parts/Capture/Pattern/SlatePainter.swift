// SPDX-License-Identifier: Apache-2.0
// Draws the slate: the picture that stands in for a source that is lost.

package import Encode

/// Paints slates of one size: the camera's name, that there is no signal, why, and since when.
///
/// All is still but the time that has passed, which says that the stream is alive; so a slate codes to next to nothing.
package final class SlatePainter {
    /// Lines that the reason is broken into, at most.
    static let reasonLines = 3

    /// What a slate says.
    package struct Notice: Sendable, Equatable {
        package var name: String
        package var reason: String
        /// When the source was lost: nanoseconds since 1970 UTC.
        package var since: Int64
        /// Whole seconds since then.
        package var seconds: Int

        package init(name: String, reason: String, since: Int64, seconds: Int) {
            self.name = name
            self.reason = reason
            self.since = since
            self.seconds = seconds
        }
    }

    package let width: Int
    package let height: Int
    private let layout: PatternLayout
    private var large: StrokeFont
    private var middle: StrokeFont
    private var small: StrokeFont
    private var pool = PicturePool()
    private var newest: (notice: Notice, picture: PictureBuffer)?

    /// Makes a painter of pictures of this size.
    package init(width: Int, height: Int) {
        self.width = width
        self.height = height
        layout = PatternLayout(width: width, height: height)
        large = StrokeFont(capitalHeight: layout.largeCapital)
        middle = StrokeFont(capitalHeight: max(6, layout.largeCapital / 2))
        small = StrokeFont(capitalHeight: max(5, layout.smallCapital * 5 / 4))
    }

    /// Paints what `notice` says, or hands out the picture that says it already.
    package func paint(_ notice: Notice) throws(EncodeError) -> PictureBuffer {
        if let newest, newest.notice == notice { return newest.picture }
        newest = nil
        let picture = try pool.take(width: width, height: height)
        paintGround(picture)
        var row = height / 2 - large.cellHeight - middle.cellHeight
        centre(Array(notice.name.utf8), &middle, PatternLayout.grey, &row, on: picture)
        row += small.cellHeight / 2
        centre(Array("NO SIGNAL".utf8), &large, PatternLayout.white, &row, on: picture)
        row += small.cellHeight
        for line in wrapped(notice.reason) { centre(line, &small, PatternLayout.accent, &row, on: picture) }
        row += small.cellHeight / 2
        centre(time(notice), &small, PatternLayout.grey, &row, on: picture)
        newest = (notice, picture)
        return picture
    }

    private func centre(
        _ text: [UInt8],
        _ font: inout StrokeFont,
        _ ink: UInt8,
        _ row: inout Int,
        on picture: PictureBuffer
    ) {
        font.write(text, at: ((width - font.width(of: text)) / 2, row), ink: ink, on: picture)
        row += font.cellHeight * 5 / 4
    }

    /// A dark ground, with the colour bars dimmed along its lower edge.
    private func paintGround(_ picture: PictureBuffer) {
        let bar = height - layout.stampHeight
        for plane in 0..<3 {
            let shift = plane == 0 ? 0 : 1
            let stride = picture.stride(ofPlane: plane)
            let (columns, rows) = ((width + shift) >> shift, (height + shift) >> shift)
            picture.withPlane(plane) { bytes in
                for row in 0..<rows {
                    for column in 0..<columns {
                        bytes[row * stride + column] =
                            if row << shift < bar {
                                plane == 0 ? PatternLayout.panel : 128
                            } else {
                                dimmed(PatternLayout.bars[min(7, (column << shift) * 8 / width)][plane], plane)
                            }
                    }
                }
            }
        }
    }

    private func dimmed(_ level: UInt8, _ plane: Int) -> UInt8 {
        let black = plane == 0 ? 16 : 128
        return UInt8(black + (Int(level) - black) / 2)
    }

    /// "since 2026-11-21 06:30:12 UTC  00:01:23"
    private func time(_ notice: Notice) -> [UInt8] {
        let since = CalendarTime(utc: notice.since)
        var text = Array("SINCE ".utf8)
        since.appendDate(to: &text)
        text.append(UInt8(ascii: " "))
        since.appendClock(to: &text)
        // Without milliseconds.
        text.removeLast(4)
        text.append(contentsOf: " UTC  ".utf8)
        for (index, part) in [notice.seconds / 3600, notice.seconds / 60 % 60, notice.seconds % 60].enumerated() {
            if index > 0 { text.append(UInt8(ascii: ":")) }
            text.append(contentsOf: (part < 10 ? "0\(part)" : "\(part)").utf8)
        }
        return text
    }

    /// The reason in lines that fit, broken at blanks where there are some.
    private func wrapped(_ reason: String) -> [[UInt8]] {
        let limit = max(8, (width - 2 * layout.margin) / small.advance)
        var lines: [[UInt8]] = [[]]
        for word in reason.utf8.split(separator: UInt8(ascii: " ")) {
            if let line = lines.last, !line.isEmpty, line.count + 1 + word.count > limit { lines.append([]) }
            guard lines.count <= Self.reasonLines else { break }
            if lines[lines.count - 1].isEmpty == false { lines[lines.count - 1].append(UInt8(ascii: " ")) }
            lines[lines.count - 1].append(contentsOf: word.prefix(limit))
        }
        return Array(lines.prefix(Self.reasonLines))
    }
}
