// SPDX-License-Identifier: Apache-2.0
// Digest authentication (RFC 7616, and RFC 2617 for those that know no better): what both sides compute.

/// The hash functions that Digest needs; the caller brings them, as this module has no library.
///
/// `DigestHashes(md5: Hash.md5.hexDigest, sha256: Hash.sha256.hexDigest)` with `Crypto`.
package struct DigestHashes: Sendable {
    private let md5: @Sendable (String) -> String
    private let sha256: @Sendable (String) -> String

    /// Takes functions from a text to its hash in lower-case hexadecimal.
    package init(md5: @escaping @Sendable (String) -> String, sha256: @escaping @Sendable (String) -> String) {
        self.md5 = md5
        self.sha256 = sha256
    }

    /// The hash of a text in lower-case hexadecimal.
    package func hexadecimal(_ algorithm: DigestAlgorithm, _ text: String) -> String {
        algorithm.isSHA256 ? sha256(text) : md5(text)
    }
}

/// The algorithms of Digest that are understood.
package enum DigestAlgorithm: String, Sendable, CaseIterable {
    case md5 = "MD5"
    case md5Session = "MD5-sess"
    case sha256 = "SHA-256"
    case sha256Session = "SHA-256-sess"

    /// Reads the parameter in any case; a missing one means MD5 (RFC 2617 §3.2.1).
    package init?(parameter: String?) {
        guard let parameter else {
            self = .md5
            return
        }
        let name = Syntax.lowercased(parameter)
        guard let known = Self.allCases.first(where: { Syntax.lowercased($0.rawValue) == name }) else { return nil }
        self = known
    }

    package var isSHA256: Bool { self == .sha256 || self == .sha256Session }
    /// True if the first hash holds the nonces, too.
    package var isSession: Bool { self == .md5Session || self == .sha256Session }
}

/// The formulas of RFC 7616 §3.4.
package enum Digest {
    /// H(user:realm:password): what a server keeps instead of the password; as secret as that for this realm.
    package static func secret(
        _ algorithm: DigestAlgorithm,
        user: String,
        realm: String,
        password: String,
        _ hashes: DigestHashes
    ) -> String { hashes.hexadecimal(algorithm, "\(user):\(realm):\(password)") }

    /// What the client adds to a nonce of the server's; nil in RFC 2069's way, without `qop`.
    package struct Protection: Sendable, Equatable {
        /// The `nc` parameter as it was sent: eight hexadecimal digits.
        package var count: String
        package var clientNonce: String
        /// `auth`.
        package var quality: String

        package init(count: String, clientNonce: String, quality: String) {
            self.count = count
            self.clientNonce = clientNonce
            self.quality = quality
        }
    }

    /// The `response` parameter; `secret` is that of `secret(_:user:realm:password:_:)`.
    package static func response(
        _ algorithm: DigestAlgorithm,
        secret: String,
        nonce: String,
        method: String,
        uri: String,
        _ protection: Protection?,
        _ hashes: DigestHashes
    ) -> String {
        var first = secret
        if algorithm.isSession {
            first = hashes.hexadecimal(algorithm, "\(secret):\(nonce):\(protection?.clientNonce ?? "")")
        }
        let second = hashes.hexadecimal(algorithm, "\(method):\(uri)")
        let middle = protection.map { "\(nonce):\($0.count):\($0.clientNonce):\($0.quality)" } ?? nonce
        return hashes.hexadecimal(algorithm, "\(first):\(middle):\(second)")
    }
}

/// The parameters of a Digest `Authorization`, checked for being there and well-formed (RFC 7616 §3.4).
package struct DigestCredentials: Sendable, Equatable {
    package var user: String
    package var realm: String
    package var nonce: String
    /// As the client wrote it, which need not be the request's own.
    package var uri: String
    /// In lower case.
    package var response: String
    package var algorithm: DigestAlgorithm
    package var opaque: String?
    /// nil without `qop`.
    package var protection: Digest.Protection?

    /// The value of `nc`; 0 without `qop`.
    package var count: UInt32 { protection.flatMap { UInt32($0.count, radix: 16) } ?? 0 }

    /// Takes them out of an `Authorization` value; nil if it is of another scheme or not complete.
    package init?(_ field: AuthenticationField) {
        guard field.scheme == "digest", let user = field["username"], let realm = field["realm"],
            let nonce = field["nonce"], let uri = field["uri"], let response = field["response"],
            let algorithm = DigestAlgorithm(parameter: field["algorithm"]),
            response.utf8.count == (algorithm.isSHA256 ? 64 : 32),
            response.utf8.allSatisfy({ Syntax.hexadecimal($0) != nil })
        else { return nil }
        self.user = user
        self.realm = realm
        self.nonce = nonce
        self.uri = uri
        self.response = Syntax.lowercased(response)
        self.algorithm = algorithm
        opaque = field["opaque"]
        if let quality = field["qop"] {
            guard Syntax.lowercased(quality) == "auth", let count = field["nc"], let clientNonce = field["cnonce"],
                count.utf8.count == 8, count.utf8.allSatisfy({ Syntax.hexadecimal($0) != nil })
            else { return nil }
            protection = Digest.Protection(count: count, clientNonce: clientNonce, quality: quality)
        } else if algorithm.isSession {
            // Without a client's nonce there is no session.
            return nil
        }
    }
}
