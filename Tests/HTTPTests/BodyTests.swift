// SPDX-License-Identifier: Apache-2.0
// Request bodies: stated lengths and chunks.

import Bytes
import HTTP
import Testing

@Suite("Request bodies")
struct BodyTests {
    /// Decodes `text` as chunks; nil when it ends early.
    private func chunked(_ text: String, limit: Int = 64) throws -> String? {
        let bytes = Array(text.utf8)
        var decoder = try BodyDecoder(.chunked, limit: limit)
        _ = try decoder.decode(bytes.span)
        return decoder.isComplete ? String(decoding: decoder.body, as: UTF8.self) : nil
    }

    @Test("a body of stated length is taken, and what follows is left")
    func sized() throws {
        let bytes = Array("abcdef".utf8)
        var decoder = try BodyDecoder(.length(4), limit: 4)

        let consumed = try decoder.decode(bytes.span)

        #expect(consumed == 4)
        #expect(decoder.body == Array("abcd".utf8))
        #expect(decoder.isComplete)
    }

    @Test(
        "chunks are joined, extensions and trailers skipped",
        arguments: [
            ("0\r\n\r\n", ""), ("3\r\nabc\r\n0\r\n\r\n", "abc"), ("1\r\na\r\n2\r\nbc\r\n00\r\n\r\n", "abc"),
            ("A;q=\"x\"\r\n0123456789\r\n0;z\r\nA: b\r\nC: d\r\n\r\n", "0123456789"),
            ("00000001\r\na\r\n0\r\n\r\n", "a"),
        ]
    )
    func chunks(text: String, body: String) throws {
        #expect(try chunked(text) == body)
        for length in 0..<text.utf8.count { #expect(try chunked(cut(text, length)) == nil) }
    }

    @Test(
        "malformed chunks are refused",
        arguments: [
            "\r\n", "g\r\n", "-1\r\n", "0x1\r\n", " 1\r\n", "1 \r\n", "1\n", "1\r\r", "1\r\nab", "1\r\na\n",
            "1\r\na\rb", "000000001\r\n", "ffffffffffffffff\r\n", "1;\0\r\n", "1;\n", "0\r\n\n", "0\r\na\n",
            "0\r\n\rx", "0\r\na\rb",
        ]
    )
    func malformed(text: String) {
        let error = #expect(throws: RequestError.self) { try self.chunked(text) }
        #expect(error?.status == .badRequest)
    }

    @Test("each limit holds at its value and refuses one more")
    func limits() throws {
        #expect(try chunked("4\r\nabcd\r\n0\r\n\r\n", limit: 4) == "abcd")
        #expect(throws: RequestError.self) { try self.chunked("5\r\n", limit: 4) }
        #expect(throws: RequestError.self) { try self.chunked("4\r\nabcd\r\n1\r\n", limit: 4) }
        #expect(throws: RequestError.self) { try BodyDecoder(.length(5), limit: 4) }
        // The semicolon opens the extension; its text and line end count, and so does the line end of no trailers.
        let text = String(repeating: "x", count: BodyDecoder.overheadLimit - 2)
        #expect(try chunked("0;\(text)\r\n\r\n") == "")
        #expect(throws: RequestError.self) { try self.chunked("0;\(text)x\r\n\r\n") }
    }
}
