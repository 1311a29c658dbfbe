// SPDX-License-Identifier: Apache-2.0
// The quantisation tables that JPEG's specification gives as examples, scaled by a quality.

extension JPEG {
    /// Appends `table` scaled by a quality of 1 to 99, 64 values in zigzag order (RFC 2435 §4.2, appendix A).
    package static func appendQuantisation(_ table: [UInt8], quality: Int, to output: inout [UInt8]) {
        precondition(table.count == 64 && (1...99).contains(quality), "a table has 64 values, a quality 1 to 99")
        let scale = quality < 50 ? 5000 / quality : 200 - quality * 2
        for index in 0..<64 {
            output.append(UInt8(min(255, max(1, (Int(table[Int(zigzag[index])]) * scale + 50) / 100))))
        }
    }

    /// T.81 table K.1, row by row.
    package static let luminanceQuantisation: [UInt8] = [
        16, 11, 10, 16, 24, 40, 51, 61,
        12, 12, 14, 19, 26, 58, 60, 55,
        14, 13, 16, 24, 40, 57, 69, 56,
        14, 17, 22, 29, 51, 87, 80, 62,
        18, 22, 37, 56, 68, 109, 103, 77,
        24, 35, 55, 64, 81, 104, 113, 92,
        49, 64, 78, 87, 103, 121, 120, 101,
        72, 92, 95, 98, 112, 100, 103, 99,
    ]

    /// T.81 table K.2, row by row.
    package static let chrominanceQuantisation: [UInt8] = [
        17, 18, 24, 47, 99, 99, 99, 99,
        18, 21, 26, 66, 99, 99, 99, 99,
        24, 26, 56, 99, 99, 99, 99, 99,
        47, 66, 99, 99, 99, 99, 99, 99,
        99, 99, 99, 99, 99, 99, 99, 99,
        99, 99, 99, 99, 99, 99, 99, 99,
        99, 99, 99, 99, 99, 99, 99, 99,
        99, 99, 99, 99, 99, 99, 99, 99,
    ]

    /// Which value of a table, counted row by row, stands at each place of its zigzag order (T.81 figure A.6).
    private static let zigzag: [UInt8] = [
        0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
        12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
        35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
        58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
    ]
}
