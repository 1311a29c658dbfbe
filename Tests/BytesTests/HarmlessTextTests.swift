// SPDX-License-Identifier: Apache-2.0
// What terminals would obey does not reach them.

import Bytes
import Testing

@Suite("harmless text") struct HarmlessTextTests {
    @Test(
        "what a terminal obeys is written as an escape",
        arguments: [
            ("\u{1B}[31mred", "\\u001b[31mred"), ("a\u{9B}2Jb", "a\\u009b2Jb"), ("a\rb\u{7F}", "a\\u000db\\u007f"),
            ("a\u{202E}b", "a\\u202eb"), ("a\u{2028}b", "a\\u2028b"), ("\u{E0001}", "\\udb40\\udc01"),
            ("one\ntwo\tthree", "one\\u000atwo\\u0009three"),
        ]
    )
    func escaped(text: String, expected: String) {
        #expect(text.harmless == expected)
    }

    @Test(
        "what can be read is left as it is",
        arguments: ["", "Kamera Größe № 5 – 東", "می\u{200C}خواهم", "👩\u{200D}🚀"]
    )
    func untouched(text: String) {
        #expect(text.harmless == text)
        #expect(text.harmlessLines == text)
    }

    @Test("lines and tabulators of a text of several lines stay")
    func lines() {
        #expect("one\n\ttwo\u{1B}\n".harmlessLines == "one\n\ttwo\\u001b\n")
        #expect("one\r\ntwo".harmlessLines == "one\\u000d\ntwo")
    }
}
