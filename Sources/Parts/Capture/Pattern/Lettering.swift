// SPDX-License-Identifier: Apache-2.0
// Writes text onto pictures.

import Encode

extension StrokeFont {
    /// Writes a line of text with its cells' upper left corner at `place`, on a ground of the panel's level.
    mutating func write(_ text: [UInt8], at place: (column: Int, row: Int), ink: UInt8, on picture: PictureBuffer) {
        var column = place.column
        for character in text {
            let glyph = glyph(character)
            picture.withPlane(0) { luma in
                glyph.draw(at: (column, place.row), ink: ink, onto: &luma, of: picture)
            }
            column += advance(of: character)
        }
    }
}

extension StrokeFont.Glyph {
    /// Draws the character and the ground around it onto the luma of `picture`; what lies outside is left out.
    func draw(
        at place: (column: Int, row: Int),
        ink: UInt8,
        onto luma: inout MutableSpan<UInt8>,
        of picture: PictureBuffer
    ) {
        let end = (column: min(width, picture.width - place.column), row: min(height, picture.height - place.row))
        let start = (column: max(0, -place.column), row: max(0, -place.row))
        guard start.column < end.column, start.row < end.row else { return }
        let stride = picture.stride(ofPlane: 0)
        let contrast = Int(ink) - Int(PatternLayout.panel)
        for row in start.row..<end.row {
            let from = row * width
            let to = (place.row + row) * stride + place.column
            for column in start.column..<end.column {
                let level = Int(PatternLayout.panel) + contrast * Int(coverage[from + column]) / 255
                luma[to + column] = UInt8(truncatingIfNeeded: level)
            }
        }
    }
}
