// SPDX-License-Identifier: Apache-2.0
// What is kept of a password: a yescrypt hash, and what Digest needs.

import CSysCrypt
import Crypto
import HTTP

/// The verifiers of one password; it says nothing of itself in logs.
package struct Secret: Sendable, Equatable {
    /// crypt(3)'s, `$y$…`.
    package let crypt: String
    /// H(user:realm:password) in hexadecimal, by MD5 and by SHA-256; nil for users who cannot use Digest.
    package let digest: DigestSecrets?

    package struct DigestSecrets: Sendable, Equatable {
        package let md5: String
        package let sha256: String

        /// True if this is the password; as fast as Digest, so that nobody keeps a daemon busy with guesses.
        package func matches(user: String, password: String) -> Bool {
            ConstantTime.areEqual(Secret.digest(user: user, password: password).sha256, sha256)
        }
    }

    /// The longest password, in bytes.
    package static let maximumPassword = 256

    package init(crypt: String, digest: DigestSecrets?) {
        self.crypt = crypt
        self.digest = digest
    }

    /// Hashes a password; takes a tenth of a second by intent.
    ///
    /// - Returns: nil if the library cannot hash it.
    package init?(user: String, password: String) {
        guard let crypt = Crypt.hash(password) else { return nil }
        self.init(crypt: crypt, digest: Self.digest(user: user, password: password))
    }

    /// What Digest needs of a password.
    package static func digest(user: String, password: String) -> DigestSecrets {
        func secret(_ algorithm: DigestAlgorithm) -> String {
            Digest.secret(algorithm, user: user, realm: Access.realm, password: password, Access.hashes)
        }
        return DigestSecrets(md5: secret(.md5), sha256: secret(.sha256))
    }

    /// A new password has at least so many characters; those of before stay good.
    package static let minimumPassword = 8

    /// Why a password cannot be given to a user; nil if it can.
    package static func problem(withNew password: String) -> String? {
        if let problem = problem(with: password) { return problem }
        return password.count < minimumPassword
            ? "the password has less than \(minimumPassword) characters; several words make a good one" : nil
    }

    /// Why a password cannot be used; nil if it can.
    package static func problem(with password: String) -> String? {
        if password.isEmpty { return "the password is empty" }
        if password.utf8.count > maximumPassword { return "the password is longer than \(maximumPassword) bytes" }
        if password.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) { return "the password has a control character" }
        return nil
    }

    /// True if both are of one password, as far as that can be told: by the Digest hashes if both have them, else by a
    /// crypt(3) hash that is the same. A password that was hashed since stays what it was.
    package func isSamePassword(as other: Secret) -> Bool {
        if let digest, let others = other.digest { return digest == others }
        return !crypt.isEmpty && crypt == other.crypt
    }
}

extension Secret: CustomStringConvertible {
    package var description: String { "…" }
}

/// The library's password hashes. C: crypt(3)
package enum Crypt {
    /// Hashes with yescrypt at the library's standard cost; nil if the library cannot. C: crypt_gensalt_ra, crypt_ra
    package static func hash(_ password: String) -> String? {
        let setting = setting(SecureRandom.bytes(32))
        return setting.isEmpty ? nil : run(password, setting)
    }

    /// What a hash begins with: yescrypt's parameters and the salt; empty if the library cannot.
    static func setting(_ random: [UInt8]) -> String {
        let salt = random.map { CChar(bitPattern: $0) }
        // Safe: the library reads the salt's bytes and returns a string on the heap, which is copied and freed.
        return unsafe salt.withUnsafeBufferPointer { bytes -> String in
            guard let text = unsafe crypt_gensalt_ra("$y$", 0, bytes.baseAddress, Int32(bytes.count)) else {
                return ""
            }
            defer { unsafe free(text) }
            return unsafe String(cString: text)
        }
    }

    /// True if `hash` is one of this password.
    package static func matches(_ password: String, _ hash: String) -> Bool {
        guard let result = run(password, hash) else { return false }
        return ConstantTime.areEqual(result, hash)
    }

    /// True for a hash that the library can compute and that is no toy.
    package static func isHash(_ text: String) -> Bool {
        ["$y$", "$gy$", "$7$", "$2b$", "$6$", "$5$"].contains { text.hasPrefix($0) }
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") } && text.utf8.count <= 384
    }

    private static func run(_ password: String, _ setting: String) -> String? {
        var data: UnsafeMutableRawPointer?
        var size: Int32 = 0
        // Safe: the library allocates `data` itself; it is freed after what it holds was copied.
        defer { unsafe free(data) }
        guard let result = unsafe crypt_ra(password, setting, &data, &size) else { return nil }
        let text = unsafe String(cString: result)
        return text.hasPrefix("*") ? nil : text
    }
}
