// SPDX-License-Identifier: Apache-2.0
// Draws the test pattern: a background made once, and over it only what changes.

package import Encode

/// Paints the frames of the test pattern: colour bars, a clock, the frame's number, a bouncing ball and the stamp.
///
/// Each frame is painted onto a picture that still shows an earlier frame, so only the ball, the characters that
/// changed and the blocks of the stamp that changed are touched.
package final class PatternPainter {
    /// Pictures painted on by turns; encoders may hold some of them for a while.
    static let sheetLimit = 6
    /// The digits of the frame's number that are shown.
    static let numberLength = 6

    package let layout: PatternLayout
    private let background: PictureBuffer
    private var sheets: [Sheet] = []
    private var large: StrokeFont
    private let cameraName: String
    private let frameRate: Int

    /// How the background looks; the clock and the stamp stay readable in any.
    var look = PatternLook() {
        didSet {
            guard look != oldValue else { return }
            paintBackground()
            sheets.removeAll()
        }
    }

    /// What is painted of one frame.
    package struct Moment: Sendable {
        /// Nanoseconds since 1970 UTC.
        package var utc: Int64
        /// Counts frames, from 1.
        package var number: UInt64
        /// Seconds since the pattern began, by which the ball moves.
        package var elapsed: Double

        package init(utc: Int64, number: UInt64, elapsed: Double) {
            self.utc = utc
            self.number = number
            self.elapsed = elapsed
        }
    }

    /// Paints the background. The name is shown in a corner.
    package init(width: Int, height: Int, frameRate: Int, name: String) throws(EncodeError) {
        layout = PatternLayout(width: width, height: height)
        cameraName = name
        self.frameRate = frameRate
        background = try PictureBuffer(width: width, height: height)
        large = StrokeFont(capitalHeight: layout.largeCapital)
        paintBackground()
    }

    /// Paints one frame. The picture is the receiver's until it lets go of it.
    package func paint(_ moment: Moment) throws(EncodeError) -> PictureBuffer {
        let sheet = try freeSheet()
        let picture = sheet.picture
        let time = CalendarTime(utc: moment.utc)
        var text = sheet.text
        text.removeAll(keepingCapacity: true)
        time.appendClock(to: &text)
        appendNumber(moment.number, to: &text)
        paintCharacters(text, on: sheet)
        sheet.text = text
        let stamp = PatternStamp(milliseconds: UInt64(max(0, moment.utc) / 1_000_000)).bits
        paintStamp(stamp, on: sheet)
        if time.day != sheet.day { paintDay(time, on: sheet) }
        if let old = sheet.ball { restore(old, on: picture) }
        let ball = layout.ball(at: moment.elapsed)
        paintBall(ball, on: picture)
        sheet.ball = ball
        return picture
    }

    /// A picture with what it shows.
    private final class Sheet {
        var picture: PictureBuffer
        var text: [UInt8] = []
        var shown: [UInt8] = []
        var stamp: UInt64?
        var day: Int?
        var ball: PatternLayout.Ball?

        init(_ picture: PictureBuffer) { self.picture = picture }

        func isFree() -> Bool { isKnownUniquelyReferenced(&picture) && picture.isWritable }
    }

    private func freeSheet() throws(EncodeError) -> Sheet {
        for sheet in sheets where sheet.isFree() { return sheet }
        let sheet = Sheet(try PictureBuffer(width: layout.width, height: layout.height))
        for plane in 0..<3 {
            background.withReadOnlyPlane(plane) { from in
                sheet.picture.withPlane(plane) { to in
                    for index in 0..<min(from.count, to.count) { to[index] = from[index] }
                }
            }
        }
        if sheets.count < Self.sheetLimit { sheets.append(sheet) }
        return sheet
    }

    // MARK: What changes

    private func paintCharacters(_ text: [UInt8], on sheet: Sheet) {
        let picture = sheet.picture
        picture.withPlane(0) { luma in
            var column = layout.margin
            for (index, character) in text.enumerated() {
                // The clock stands on the left, the number ends at the right margin.
                if index == CalendarTime.clockLength {
                    column = layout.width - layout.margin - Self.numberLength * large.advance
                }
                defer { column += large.advance(of: character) }
                if index < sheet.shown.count, sheet.shown[index] == character { continue }
                let glyph = large.glyph(character)
                let ink = index < CalendarTime.clockLength ? PatternLayout.white : PatternLayout.accent
                glyph.draw(at: (column, layout.largeTop), ink: ink, onto: &luma, of: picture)
            }
        }
        sheet.shown.removeAll(keepingCapacity: true)
        sheet.shown.append(contentsOf: text)
    }

    private func paintStamp(_ bits: UInt64, on sheet: Sheet) {
        let stride = sheet.picture.stride(ofPlane: 0)
        let changed = sheet.stamp.map { $0 ^ bits } ?? .max
        sheet.stamp = bits
        sheet.picture.withPlane(0) { luma in
            for block in 0..<PatternStamp.blocks where changed >> UInt64(63 - block) & 1 == 1 {
                let columns = PatternStamp.columns(ofBlock: block, pictureWidth: layout.width)
                let level: UInt8 = bits >> UInt64(63 - block) & 1 == 1 ? 235 : 16
                for row in max(0, layout.height - layout.stampHeight)..<layout.height {
                    Self.fill(&luma, (row * stride + columns.lowerBound)..<(row * stride + columns.upperBound), level)
                }
            }
        }
    }

    private func paintDay(_ time: CalendarTime, on sheet: Sheet) {
        sheet.day = time.day
        var text: [UInt8] = Array("UTC ".utf8)
        time.appendDate(to: &text)
        var font = StrokeFont(capitalHeight: layout.smallCapital)
        font.write(text, at: (layout.margin, layout.labelTop), ink: PatternLayout.grey, on: sheet.picture)
    }

    private func restore(_ ball: PatternLayout.Ball, on picture: PictureBuffer) {
        for plane in 0..<3 {
            let shift = plane == 0 ? 0 : 1
            let stride = picture.stride(ofPlane: plane)
            background.withReadOnlyPlane(plane) { from in
                picture.withPlane(plane) { to in
                    for row in (ball.rows.lowerBound >> shift)..<(ball.rows.upperBound >> shift) {
                        let columns = (ball.columns.lowerBound >> shift)..<(ball.columns.upperBound >> shift)
                        for column in columns { to[row * stride + column] = from[row * stride + column] }
                    }
                }
            }
        }
    }

    /// Paints a white ball with a dark rim and a little light from above.
    private func paintBall(_ ball: PatternLayout.Ball, on picture: PictureBuffer) {
        let radius = Double(ball.radius)
        let rim = max(2, radius * 0.12)
        for plane in 0..<3 {
            let shift = plane == 0 ? 0 : 1
            let scale = Double(1 << shift)
            let stride = picture.stride(ofPlane: plane)
            picture.withPlane(plane) { bytes in
                for row in (ball.rows.lowerBound >> shift)..<(ball.rows.upperBound >> shift) {
                    let dy = (Double(row) + 0.5) * scale - Double(ball.centre.y)
                    for column in (ball.columns.lowerBound >> shift)..<(ball.columns.upperBound >> shift) {
                        let dx = (Double(column) + 0.5) * scale - Double(ball.centre.x)
                        let square = dx * dx + dy * dy
                        guard square < (radius + 1) * (radius + 1) else { continue }
                        let index = row * stride + column
                        if plane > 0 {
                            if square < radius * radius { bytes[index] = 128 }
                            continue
                        }
                        let distance = square.squareRoot()
                        let cover = max(0, min(1, radius - distance + 0.5))
                        let inner = max(0, min(1, radius - rim - distance + 0.5))
                        let light = 205 - 28 * dy / radius
                        let ink = 24 + (light - 24) * inner
                        bytes[index] = UInt8(Double(bytes[index]) * (1 - cover) + ink * cover)
                    }
                }
            }
        }
    }

    private func appendNumber(_ number: UInt64, to text: inout [UInt8]) {
        var divisor: UInt64 = 1
        for _ in 0..<Self.numberLength { divisor *= 10 }
        var rest = number % divisor
        divisor /= 10
        while divisor > 0 {
            text.append(UInt8(48 + rest / divisor))
            rest %= divisor
            divisor /= 10
        }
    }

    // MARK: What stays

    private func paintBackground() {
        let panel = layout.panelTop
        for plane in 0..<3 {
            let shift = plane == 0 ? 0 : 1
            let stride = background.stride(ofPlane: plane)
            background.withPlane(plane) { bytes in
                for row in 0..<(layout.height >> shift) {
                    let y = row << shift
                    for column in 0..<(layout.width >> shift) {
                        let x = column << shift
                        bytes[row * stride + column] =
                            if y >= panel {
                                plane == 0 ? PatternLayout.panel : 128
                            } else if plane == 0 {
                                look.luma(motif(x, y, 0))
                            } else {
                                look.chroma(motif(x, y, plane))
                            }
                    }
                }
            }
        }
        var small = StrokeFont(capitalHeight: layout.smallCapital)
        let frame = Array("FRAME".utf8)
        let right = layout.width - layout.margin
        let grey = PatternLayout.grey
        small.write(frame, at: (right - small.width(of: frame), layout.labelTop), ink: grey, on: background)
        let title = Array("APUS TEST PATTERN  \(look.label.isEmpty ? cameraName : look.label)".utf8)
        small.write(title, at: (layout.margin, layout.footTop), ink: grey, on: background)
        let shape = Array("\(layout.width)*\(layout.height)  \(frameRate) FPS".utf8)
        small.write(shape, at: (right - small.width(of: shape), layout.footTop), ink: grey, on: background)
    }

    /// The picture above the panel, before the look's levels.
    private func motif(_ x: Int, _ y: Int, _ plane: Int) -> UInt8 {
        let grey: UInt8
        switch look.motif {
        case .bars where y < layout.rampTop: return PatternLayout.bars[min(7, x * 8 / layout.width)][plane]
        case .bars, .ramp: grey = UInt8(16 + 219 * x / max(1, layout.width - 1))
        case .checkerboard: grey = (x / layout.square + y / layout.square) % 2 == 0 ? 235 : 16
        case .white: grey = 235
        case .black: grey = 16
        }
        return plane == 0 ? grey : 128
    }

    private static func fill(_ bytes: inout MutableSpan<UInt8>, _ range: Range<Int>, _ level: UInt8) {
        for index in range { bytes[index] = level }
    }
}
