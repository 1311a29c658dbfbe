// SPDX-License-Identifier: Apache-2.0
// Reading and writing JSON.

import Control
import Foundation
import Testing

@Suite("JSON")
struct JSONTests {
    @Test(
        "a value is read",
        arguments: [
            ("null", nil), ("true", true), (" false ", false), ("0", 0), ("-1", -1),
            ("9223372036854775807", .integer(.max)),
            ("9223372036854775808", .number(9_223_372_036_854_775_808)), ("1.5", 1.5), ("1e3", 1000.0),
            ("-0.5E-1", -0.05),
            ("\"\"", ""), ("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "a\"\\/\u{8}\u{C}\n\r\t"), ("\"\\u00e4\\u20AC\"", "ä€"),
            ("\"\\ud83d\\ude00\"", "😀"), ("\"😀\"", "😀"), ("[]", []), ("[1, [2]]", [1, [2]]), ("{}", [:]),
            ("{\"a\":1,\"b\":{\"c\":[null]}}", ["a": 1, "b": ["c": [nil]]]), ("\t[\r\n1 , 2 ]", [1, 2]),
        ] as [(String, JSON)]
    )
    func values(text: String, expected: JSON) throws {
        #expect(try JSON(parsing: text) == expected)
    }

    @Test(
        "what is not JSON is refused",
        arguments: [
            "", " ", "nul", "truee", "01", "-", "1.", ".5", "1e", "+1", "NaN", "1e999", "\"", "\"\\x\"", "\"\\u12\"",
            "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"a\nb\"", "[", "[1", "[1,]", "[,]", "[1 2]", "{",
            "{\"a\"}",
            "{\"a\":}", "{\"a\":1,}", "{a:1}", "{\"a\":1 \"b\":2}", "{\"a\":1,\"a\":2}", "1 2", "[]]", "//", "'a'",
        ]
    )
    func refused(text: String) {
        #expect(throws: JSONError.self) { try JSON(parsing: text) }
    }

    @Test(
        "bytes that are not UTF-8 are refused",
        arguments: [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xE2, 0x82]]
    )
    func encoding(bytes: [UInt8]) {
        let text: [UInt8] = [0x22] + bytes + [0x22]

        #expect(throws: JSONError.self) { try JSON(parsing: text.span) }
    }

    @Test("values nest up to the limit, not deeper")
    func depth() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }

        _ = try JSON(parsing: nested(JSON.maximumDepth))
        #expect(throws: JSONError.self) { try JSON(parsing: nested(JSON.maximumDepth + 1)) }
        #expect(throws: JSONError.self) { try JSON(parsing: String(repeating: "[", count: 100_000)) }
    }

    @Test("lists have elements up to the limit, not more")
    func elements() throws {
        func list(_ count: Int) -> String { "[" + repeatElement("1", count: count).joined(separator: ",") + "]" }

        #expect(try JSON(parsing: list(JSON.maximumElements)).elements.count == JSON.maximumElements)
        #expect(throws: JSONError.self) { try JSON(parsing: list(JSON.maximumElements + 1)) }
    }

    @Test("text cut anywhere is refused, never a trap")
    func truncation() {
        let text = #"{"id":7,"do":"set","a":[1.5e2,"\ud83d\ude00ä",{"b":null}],"c":-12}"#
        for length in 0..<text.utf8.count {
            let part = Array(text.utf8.prefix(length))
            #expect(throws: JSONError.self) { try JSON(parsing: part.span) }
        }
    }

    @Test("an error tells the byte at which it shows")
    func offset() {
        let error = #expect(throws: JSONError.self) { try JSON(parsing: "{\"a\": x}") }

        #expect(error?.offset == 6)
    }

    @Test("a value is written so that it is read back, in one line or many")
    func roundTrip() throws {
        let value: JSON = [
            "a": [1, 2.25, -3, true, false, nil, []], "b": "\u{0}\u{1F}\u{7F}\"\\\n\r\t/ä😀", "c": [:],
            "d": [["e": "f"]],
            "g": .number(1e300), "h": .integer(.min), "": "",
        ]

        #expect(try JSON(parsing: value.text) == value)
        #expect(try JSON(parsing: value.prettyText) == value)
        #expect(!value.text.utf8.contains { $0 < 0x20 })
        #expect(value["a"]?.elements.count == 7)
    }

    @Test("numbers that JSON cannot hold are written as null")
    func infinity() {
        #expect(JSON(Double.infinity) == .null)
        #expect(JSON.number(.nan).text == "null")
        #expect(JSON(UInt64.max) == .integer(.max))
    }

    @Test("texts of the corpus keep the rules, also when they are cut anywhere")
    func corpus() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let folder = root.appending(path: "Fuzz/corpus/JSON")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        #expect(!files.isEmpty)
        for file in files {
            let bytes = Array(try Data(contentsOf: file))
            for length in 0...bytes.count { JSONFuzz.check(bytes.span.extracting(0..<length)) }
        }
    }
}
