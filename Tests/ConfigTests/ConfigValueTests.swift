// SPDX-License-Identifier: Apache-2.0
// The types of values: what is read, what is refused.

import Config
import Media
import Testing

@Suite("Configuration values")
struct ConfigValueTests {
    private func parse(_ type: ConfigType, _ text: String) -> ConfigValue? { try? type.parse(text) }

    @Test(
        "durations have a unit",
        arguments: [
            ("500ms", .milliseconds(500)), ("2s", .seconds(2)), ("1m", .seconds(60)), ("1h", .seconds(3600)),
            ("10us", .microseconds(10)), ("0", .zero), ("0s", .zero),
        ] as [(String, Duration)]
    )
    func durations(text: String, expected: Duration) {
        #expect(parse(.duration(.zero ... .seconds(3600)), text) == .duration(expected))
    }

    @Test(
        "other durations are refused",
        arguments: ["", "s", "2", "-1s", "1.5s", "2 s", "9223372036854775807h", "3601s", "ms", "1d"]
    )
    func badDurations(text: String) {
        #expect(parse(.duration(.zero ... .seconds(3600)), text) == nil)
    }

    @Test(
        "bit rates are decimal, bytes binary",
        arguments: [
            ("640k", 640_000, 655_360), ("4M", 4_000_000, 4 << 20), ("1G", 1_000_000_000, 1 << 30), ("17", 17, 17),
            ("2.5M", 2_500_000, 2_621_440), ("0.125k", 125, 128),
        ]
    )
    func rates(text: String, decimal: Int, binary: Int) {
        #expect(parse(.bitrate(0...(.max)), text) == .integer(decimal))
        #expect(parse(.bytes(0...(.max)), text) == .integer(binary))
    }

    @Test(
        "other rates are refused",
        arguments: [
            "", "k", "-1", "1.5", "1.2345M", "1.M", ".5M", "4 M", "99999999999999999999", "9223372036854775807M",
        ]
    )
    func badRates(text: String) {
        #expect(parse(.bitrate(0...(.max)), text) == nil)
    }

    @Test(
        "sizes are two even edges, or the source's",
        arguments: [
            ("1920x1080", PictureSize(width: 1920, height: 1080)), ("16x16", PictureSize(width: 16, height: 16)),
        ]
    )
    func sizes(text: String, expected: PictureSize) {
        #expect(parse(.size, text) == .size(expected))
        #expect(parse(.size, "source") == .size(nil))
    }

    @Test("other sizes are refused", arguments: ["", "x", "1920", "1920x", "1921x1080", "8194x16", "14x16", "1x2x3"])
    func badSizes(text: String) {
        #expect(parse(.size, text) == nil)
    }

    @Test(
        "frame rates are whole, decimal or a ratio",
        arguments: [
            ("25", Rational(25)), ("30000/1001", Rational(30_000, 1001)), ("29.97", Rational(30_000, 1001)),
            ("23.976", Rational(24_000, 1001)), ("59.94", Rational(60_000, 1001)), ("12.5", Rational(12_500, 1000)),
        ]
    )
    func frameRates(text: String, expected: Rational) {
        #expect(parse(.frameRate, text) == .frameRate(expected))
    }

    @Test("other frame rates are refused", arguments: ["", "0", "241", "1/0", "-5", "30/", "a", "0.5", "1/2/3"])
    func badFrameRates(text: String) {
        #expect(parse(.frameRate, text) == nil)
    }

    @Test("yes has four spellings, and so has no")
    func booleans() {
        #expect(["yes", "true", "on", "1"].allSatisfy { parse(.boolean, $0) == .boolean(true) })
        #expect(["no", "false", "off", "0"].allSatisfy { parse(.boolean, $0) == .boolean(false) })
        #expect(["", "YES", "2", "maybe"].allSatisfy { parse(.boolean, $0) == nil })
    }

    @Test(
        "a misspelt word is recognised, another one is not",
        arguments: [
            ("bitrat", "bitrate"), ("prot", "port"), ("bitrtae", "bitrate"), ("BITRATE", "bitrate"), ("elephant", nil),
            ("", nil),
        ] as [(String, String?)]
    )
    func suggestions(word: String, expected: String?) {
        #expect(Suggestion.nearest(to: word, among: ["port", "bitrate", "enabled"]) == expected)
    }
}
