// SPDX-License-Identifier: Apache-2.0
// Base64 (RFC 4648 §4), as Basic authentication and tunnels use it.

/// The standard alphabet with padding.
package enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// Encodes bytes.
    package static func encode(_ bytes: some Collection<UInt8>) -> String {
        var output: [UInt8] = []
        output.reserveCapacity((bytes.count + 2) / 3 * 4)
        var group = 0
        var count = 0
        func flush() {
            for index in 0..<4 {
                output.append(index <= count ? alphabet[group >> (18 - 6 * index) & 0x3F] : UInt8(ascii: "="))
            }
        }
        for byte in bytes {
            group |= Int(byte) << (16 - 8 * count)
            count += 1
            guard count == 3 else { continue }
            flush()
            (group, count) = (0, 0)
        }
        if count > 0 { flush() }
        return String(decoding: output, as: UTF8.self)
    }

    /// Decodes text whose padding may be missing; nil for anything else that is not base64.
    package static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        var output: [UInt8] = []
        var group = 0
        var count = 0
        var padding = 0
        for byte in text {
            if byte == UInt8(ascii: "=") {
                padding += 1
                continue
            }
            guard padding == 0, let value = value(byte) else { return nil }
            group = group << 6 | value
            count += 1
            guard count == 4 else { continue }
            output += [UInt8(group >> 16), UInt8(group >> 8 & 0xFF), UInt8(group & 0xFF)]
            (group, count) = (0, 0)
        }
        guard padding == 0 || padding + count == 4 else { return nil }
        switch count {
        case 0: break
        case 2: output.append(UInt8(group >> 4))
        case 3: output += [UInt8(group >> 10), UInt8(group >> 2 & 0xFF)]
        default: return nil
        }
        return output
    }

    /// True for a character of token68 but the padding (RFC 9110 §11.2).
    static func isToken68(_ byte: UInt8) -> Bool { value(byte) != nil || "-._~".utf8.contains(byte) }

    private static func value(_ byte: UInt8) -> Int? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): Int(byte - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): Int(byte - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
