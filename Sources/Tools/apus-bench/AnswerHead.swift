// SPDX-License-Identifier: Apache-2.0
// What viewers need to know of an answer's head, found without making strings of it.

/// The head of an HTTP answer, or of a part of a multipart one.
enum AnswerHead {
    private static let name = Array("Content-Length: ".utf8)

    /// Behind the empty line that ends the head; nil if it is not all there.
    static func end(in bytes: Span<UInt8>) -> Int? {
        var index = 3
        while index < bytes.count {
            if bytes[index] == 10, bytes[index - 1] == 13, bytes[index - 2] == 10 { return index + 1 }
            index += 1
        }
        return nil
    }

    /// The length that the head tells; 0 if it tells none.
    static func contentLength(in head: Span<UInt8>) -> Int {
        var line = 0
        for index in 0..<head.count where head[index] == 10 {
            if let length = length(of: head.extracting(line..<index)) { return length }
            line = index + 1
        }
        return 0
    }

    private static func length(of line: Span<UInt8>) -> Int? {
        guard line.count > name.count else { return nil }
        for index in 0..<name.count where line[index] != name[index] { return nil }
        var length = 0
        for index in name.count..<line.count where line[index] >= 48 && line[index] <= 57 {
            length = length * 10 + Int(line[index]) - 48
        }
        return length
    }
}
