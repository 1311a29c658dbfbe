// SPDX-License-Identifier: Apache-2.0
// Apus's own small font: each character is a few strokes on a grid, drawn smooth at any size.

/// Draws characters as coverage maps.
///
/// The grid is 5 columns (0…4) by 7 rows (0…6); a stroke is a run of points, each a column and a row digit. Capitals
/// and digits fill the grid. All of them are equally wide, so that a running clock stands still; only colon and point
/// are narrow.
struct StrokeFont {
    /// The width of a character's cell, in grid units.
    static let cellUnits = 5.6
    /// The height of a character's cell, in grid units: the grid and the half strokes around it.
    static let cellHeightUnits = 7.2

    /// How much of each pixel the character covers, row by row.
    struct Glyph {
        let width: Int
        let height: Int
        let coverage: [UInt8]
    }

    /// Pixels from one digit or letter to the next.
    let advance: Int
    /// Pixels from the top of a cell to the bottom.
    let cellHeight: Int

    private let unit: Double
    private var glyphs: [UInt8: Glyph] = [:]

    /// Makes the font for capitals of this height in pixels.
    init(capitalHeight: Int) {
        unit = Double(capitalHeight) / 6
        advance = max(2, Int((unit * Self.cellUnits).rounded()))
        cellHeight = max(4, Int((unit * Self.cellHeightUnits).rounded()))
    }

    /// Pixels from this character to the next.
    func advance(of character: UInt8) -> Int {
        character == UInt8(ascii: ":") || character == UInt8(ascii: ".") ? advance / 2 : advance
    }

    /// The pixels that a text takes.
    func width(of text: [UInt8]) -> Int { text.reduce(0) { $0 + advance(of: $1) } }

    /// The character's coverage, drawn on first use; lower case is shown as capitals, what is unknown as a blank.
    mutating func glyph(_ character: UInt8) -> Glyph {
        let capital = (97...122).contains(character) ? character - 32 : character
        if let known = glyphs[capital] { return known }
        let drawn = draw(Self.strokes[capital] ?? "", width: advance(of: capital))
        glyphs[capital] = drawn
        return drawn
    }

    private func draw(_ strokes: String, width: Int) -> Glyph {
        var coverage = [UInt8](repeating: 0, count: width * cellHeight)
        let segments = Self.segments(strokes)
        let half = unit * 0.48
        let left = (Double(width) - 4 * unit) / 2
        let top = (Double(cellHeight) - 6 * unit) / 2
        for row in 0..<cellHeight {
            for column in 0..<width {
                let x = (Double(column) + 0.5 - left) / unit
                let y = (Double(row) + 0.5 - top) / unit
                var distance = 1000.0
                for segment in segments { distance = min(distance, segment.distance(x, y)) }
                // A pixel wide ramp from covered to not covered.
                let cover = max(0, min(1, half - distance * unit + 0.5))
                coverage[row * width + column] = UInt8(cover * 255)
            }
        }
        return Glyph(width: width, height: cellHeight, coverage: coverage)
    }

    private struct Segment {
        var x0, y0, x1, y1: Double

        func distance(_ x: Double, _ y: Double) -> Double {
            let (dx, dy) = (x1 - x0, y1 - y0)
            let length = dx * dx + dy * dy
            let along = length == 0 ? 0 : max(0, min(1, ((x - x0) * dx + (y - y0) * dy) / length))
            let (ex, ey) = (x - x0 - along * dx, y - y0 - along * dy)
            return (ex * ex + ey * ey).squareRoot()
        }
    }

    private static func segments(_ strokes: String) -> [Segment] {
        var result: [Segment] = []
        for stroke in strokes.split(separator: "|") {
            let points = stroke.split(separator: " ")
                .map { point -> (Double, Double) in
                    let digits = point.utf8.map { Double($0) - 48 }
                    return (digits.first ?? 0, digits.last ?? 0)
                }
            for (from, to) in zip(points, points.count == 1 ? points[...] : points.dropFirst()) {
                result.append(Segment(x0: from.0, y0: from.1, x1: to.0, y1: to.1))
            }
        }
        return result
    }

    /// Strokes parted by |, points parted by blanks, each point column then row.
    private static let strokes: [UInt8: String] = Dictionary(
        uniqueKeysWithValues: [
            ("0", "10 30 41 45 36 16 05 01 10"), ("1", "11 20 26|16 36"), ("2", "01 10 30 41 42 06 46"),
            ("3", "01 10 30 41 42 33 44 45 36 16 05|33 23"), ("4", "36 30 04 44"), ("5", "40 00 03 33 44 45 36 16 05"),
            ("6", "41 30 10 01 05 16 36 45 44 33 13 04"), ("7", "00 40 41 16"),
            ("8", "10 30 41 42 33 13 02 01 10|13 04 05 16 36 45 44 33"), ("9", "05 16 36 45 41 30 10 01 02 13 33 42"),
            ("A", "06 02 20 42 46|04 44"), ("B", "03 33 44 45 36 06 00 30 41 42 33"), ("C", "41 30 10 01 05 16 36 45"),
            ("D", "00 30 41 45 36 06 00"), ("E", "40 00 06 46|03 33"), ("F", "40 00 06|03 33"),
            ("G", "41 30 10 01 05 16 36 45 43 23"), ("H", "00 06|40 46|03 43"), ("I", "10 30|20 26|16 36"),
            ("J", "40 45 36 16 05"), ("K", "00 06|40 03 46"), ("L", "00 06 46"), ("M", "06 00 23 40 46"),
            ("N", "06 00 46 40"), ("O", "10 30 41 45 36 16 05 01 10"), ("P", "06 00 30 41 42 33 03"),
            ("Q", "10 30 41 45 36 16 05 01 10|24 46"), ("R", "06 00 30 41 42 33 03|23 46"),
            ("S", "41 30 10 01 02 13 33 44 45 36 16 05"), ("T", "00 40|20 26"), ("U", "00 05 16 36 45 40"),
            ("V", "00 26 40"), ("W", "00 16 22 36 40"), ("X", "00 46|40 06"), ("Y", "00 23 40|23 26"),
            ("Z", "00 40 06 46"), ("-", "13 33"), ("_", "06 46"), (".", "26"), (":", "22|25"), ("/", "06 40"),
            ("*", "12 34|32 14"), ("+", "03 43|21 25"), (",", "25 17"),
        ]
        .map { (UInt8(ascii: $0.0), $0.1) }
    )
}
