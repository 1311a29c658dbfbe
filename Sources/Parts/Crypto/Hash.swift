// SPDX-License-Identifier: Apache-2.0
// Message digests, hexadecimal, comparison that tells nothing by its time, and random bytes.

import CSysOpenSSL

/// A hash function of those that protocols ask for.
package enum Hash: Sendable, Hashable, CaseIterable {
    /// RFC 1321. Broken for signatures; Digest authentication still names it.
    case md5
    /// RFC 3174. What WebSocket's handshake names.
    case sha1
    /// FIPS 180-4.
    case sha256

    /// The length of a digest, in bytes.
    package var length: Int {
        switch self {
        case .md5: 16
        case .sha1: 20
        case .sha256: 32
        }
    }

    /// The digest of `bytes`. C: EVP_Digest()
    package func digest(_ bytes: Span<UInt8>) -> [UInt8] {
        // Safe: the library's constant descriptions, which live for ever.
        let function =
            switch self {
            case .md5: unsafe EVP_md5()
            case .sha1: unsafe EVP_sha1()
            case .sha256: unsafe EVP_sha256()
            }
        return unsafe [UInt8](unsafeUninitializedCapacity: length) { output, count in
            // Safe: `output` has room for this function's digest; the library writes all of it and reads only `bytes`.
            let done = unsafe bytes.withUnsafeBufferPointer { input in
                unsafe EVP_Digest(input.baseAddress, input.count, output.baseAddress, nil, function, nil)
            }
            precondition(done == 1, "OpenSSL has the hash functions")
            count = length
        }
    }

    /// The digest of a text's UTF-8 bytes.
    package func digest(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        return digest(bytes.span)
    }

    /// The digest of a text as Digest authentication writes it: lower-case hexadecimal (RFC 7616 §3).
    package func hexDigest(_ text: String) -> String {
        let bytes = digest(text)
        return Hexadecimal.text(bytes.span)
    }
}

/// Bytes written as hexadecimal digits.
package enum Hexadecimal {
    /// Two lower-case digits for each byte.
    package static func text(_ bytes: Span<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(2 * bytes.count)
        for index in bytes.indices {
            text.append(digits[Int(bytes[index] >> 4)])
            text.append(digits[Int(bytes[index] & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes of a text of digits in pairs; nil if it is anything else.
    package static func bytes(_ text: String) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = value(digits[index]), let low = value(digits[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

/// Comparison of secrets.
package enum ConstantTime {
    /// Compares in a time that depends on the lengths alone, so that nobody can guess a secret byte by byte.
    package static func areEqual(_ one: Span<UInt8>, _ other: Span<UInt8>) -> Bool {
        guard one.count == other.count else { return false }
        guard !one.isEmpty else { return true }
        // Safe: both buffers have the same count, and stay for the call.
        return unsafe one.withUnsafeBufferPointer { one in
            unsafe other.withUnsafeBufferPointer { other in
                unsafe CRYPTO_memcmp(one.baseAddress, other.baseAddress, one.count) == 0
            }
        }
    }

    /// Compares the UTF-8 bytes of two texts in a time that depends on the lengths alone.
    package static func areEqual(_ one: String, _ other: String) -> Bool {
        let one = Array(one.utf8)
        let other = Array(other.utf8)
        return areEqual(one.span, other.span)
    }
}

/// Random bytes for keys and nonces.
package enum SecureRandom {
    /// That many bytes nobody can foretell. C: RAND_bytes()
    package static func bytes(_ count: Int) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: count) { output, filled in
            // Safe: `output` has room for `count` bytes, all of which the library writes.
            let done = unsafe RAND_bytes(output.baseAddress, Int32(clamping: count))
            precondition(done == 1, "the kernel gives random bytes")
            filled = count
        }
    }
}
