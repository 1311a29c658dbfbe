// SPDX-License-Identifier: Apache-2.0
// Base64: whole texts, and a decoder for text that comes in pieces.

/// Base64 (RFC 4648 §4).
package enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// The text of `bytes`, padded.
    package static func encode(_ bytes: Span<UInt8>) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let count = min(3, bytes.count - start)
            var group: UInt32 = 0
            for index in 0..<3 { group = group << 8 | (index < count ? UInt32(bytes[start + index]) : 0) }
            for index in 0..<4 {
                text.append(index <= count ? alphabet[Int(group >> UInt32(18 - 6 * index) & 63)] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes of a whole text, whose padding may be missing.
    ///
    /// - Throws: `WireError.invalid` for any other character, white space included, and for what follows padding.
    package static func decode(_ text: String) throws(WireError) -> [UInt8] {
        let text = Array(text.utf8)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3)
        var decoder = Base64Decoder()
        try decoder.decode(text.span, into: &bytes)
        guard !decoder.sawPadding || text.count.isMultiple(of: 4) && !decoder.continuedBehindPadding else {
            throw .invalid(field: "base64 padding", value: UInt64(text.count))
        }
        guard !text.contains(where: Base64Decoder.isLineSpace) else { throw .invalid(field: "base64", value: 0x20) }
        try decoder.finish(into: &bytes)
        return bytes
    }

    /// The six bits that a character of the alphabet stands for.
    static func value(_ character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): character - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): character - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}

/// Decodes base64 that comes in any pieces: one run behind another, each with its padding, and line ends between.
///
/// So RTSP requests come through an HTTP tunnel: encoded one by one, cut anywhere.
package struct Base64Decoder: Sendable, Hashable {
    /// The bits of the group that is not whole yet, and of how many characters they are.
    private var group: UInt32 = 0
    private var characters = 0
    /// Padding characters of the present group.
    private var padding = 0
    /// True once there was padding.
    private(set) var sawPadding = false
    /// True once another run began behind padding.
    private(set) var continuedBehindPadding = false

    package init() {}

    /// True between two groups, where a run may end.
    package var isBetweenGroups: Bool { characters == 0 }

    /// Appends what `text` stands for to `bytes`; white space is passed over.
    ///
    /// - Throws: `WireError.invalid` for any other character, and for padding in the wrong place.
    package mutating func decode(_ text: Span<UInt8>, into bytes: inout [UInt8]) throws(WireError) {
        for index in text.indices {
            let character = text[index]
            if let value = Base64.value(character) {
                guard padding == 0 else { throw .invalid(field: "base64 behind padding", value: UInt64(character)) }
                if sawPadding { continuedBehindPadding = true }
                group = group << 6 | UInt32(value)
                characters += 1
            } else if character == UInt8(ascii: "=") {
                guard characters >= 2 else { throw .invalid(field: "base64 padding", value: UInt64(characters)) }
                sawPadding = true
                padding += 1
                group <<= 6
                characters += 1
            } else if Self.isLineSpace(character) {
                continue
            } else {
                throw .invalid(field: "base64", value: UInt64(character))
            }
            if characters == 4 { flush(into: &bytes) }
        }
    }

    /// Ends the text, of whose last group the padding may be missing.
    package mutating func finish(into bytes: inout [UInt8]) throws(WireError) {
        guard characters != 1, padding == 0 else {
            throw .truncated(needed: 4 - characters, available: 0)
        }
        guard characters > 0 else { return }
        padding = 4 - characters
        group <<= UInt32(6 * padding)
        flush(into: &bytes)
    }

    private mutating func flush(into bytes: inout [UInt8]) {
        for index in 0..<(3 - padding) { bytes.append(UInt8(truncatingIfNeeded: group >> UInt32(16 - 8 * index))) }
        group = 0
        characters = 0
        padding = 0
    }

    static func isLineSpace(_ character: UInt8) -> Bool {
        character == UInt8(ascii: "\r") || character == UInt8(ascii: "\n") || character == UInt8(ascii: " ")
            || character == UInt8(ascii: "\t")
    }
}
