// SPDX-License-Identifier: Apache-2.0
// Base64: the vectors of RFC 4648, pieces, padding in the middle, and what is refused.

import Bytes
import Testing

@Suite("Base64")
struct Base64Tests {
    /// RFC 4648 §10.
    static let vectors = [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ]

    /// What `pieces` decode to, one after the other.
    private func decode(_ pieces: [String]) throws -> String {
        var decoder = Base64Decoder()
        var bytes: [UInt8] = []
        for piece in pieces {
            let text = Array(piece.utf8)
            try decoder.decode(text.span, into: &bytes)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test("the RFC's vectors go both ways", arguments: vectors)
    func roundTrip(plain: String, text: String) throws {
        let bytes = Array(plain.utf8)

        #expect(Base64.encode(bytes.span) == text)
        #expect(try Base64.decode(text) == bytes)
        #expect(try Base64.decode(text.filter { $0 != "=" }) == bytes)
    }

    @Test("all byte values go both ways")
    func allBytes() throws {
        let bytes = (0...255).map { UInt8($0) }

        #expect(try Base64.decode(Base64.encode(bytes.span)) == bytes)
    }

    @Test(
        "what is no base64 is refused",
        arguments: ["Z", "Zg=", "=", "Z===", "Zg==Zg==", "Zm8=Zm9v", "Zm9v=", "Zg=a", "Zm9v\n", "Zm 9v", "Zm9-", "é"]
    )
    func refused(text: String) {
        #expect(throws: WireError.self) { try Base64.decode(text) }
    }

    @Test("a stream may hold several runs with padding and line ends, cut anywhere")
    func stream() throws {
        let text = "Zm9v\r\nYg==YmFyYg==\n Zm8=Zm9vYmFy"
        for first in 0...text.utf8.count {
            let bytes = Array(text.utf8)
            let pieces = [bytes[..<first], bytes[first...]].map { String(decoding: $0, as: UTF8.self) }
            #expect(try decode(pieces) == "foobbarbfofoobar")
        }
        #expect(try decode(text.map { String($0) }) == "foobbarbfofoobar")
    }

    @Test(
        "a stream with a stray character or padding in the wrong place is refused",
        arguments: ["=", "Z=", "Zg=a", "$"]
    )
    func refusedStream(text: String) {
        #expect(throws: WireError.self) { try self.decode([text]) }
    }
}
