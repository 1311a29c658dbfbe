// SPDX-License-Identifier: Apache-2.0
// The client's side of Digest and Basic: from a 401's challenges to the next request's Authorization.

/// Answers the challenges of one server; for HTTP and RTSP, which share the headers.
///
/// ```
/// // 401 came in:
/// guard client.take(AuthenticationField.challenges(in: response.headers.all("WWW-Authenticate"))) else { give up }
/// // every request from then on:
/// let value = client.authorization(method: "DESCRIBE", uri: url, clientNonce: random, hashes)
/// ```
package struct AuthenticationClient: Sendable {
    private enum Scheme: Sendable {
        case basic
        case digest(DigestAlgorithm, realm: String, nonce: String, opaque: String?, usesQuality: Bool)
    }

    private let user: String
    private let password: String
    private let allowsBasic: Bool
    private var scheme: Scheme?
    /// How often the nonce was used.
    private var count: UInt32 = 0

    /// Starts without a challenge.
    ///
    /// - Parameter allowsBasic: false keeps the password from going over the wire in the clear.
    package init(user: String, password: String, allowsBasic: Bool) {
        self.user = user
        self.password = password
        self.allowsBasic = allowsBasic
    }

    /// Takes the challenges of a 401 response and keeps the strongest: SHA-256, MD5, Basic.
    ///
    /// - Returns: false if the request is not worth repeating: no scheme can be used, or the credentials were refused
    ///   (a 401 to an authorized request whose challenge does not say `stale`).
    package mutating func take(_ challenges: [AuthenticationField]) -> Bool {
        let wasTried = count > 0
        var best: (scheme: Scheme, rank: Int, isStale: Bool)?
        for challenge in challenges {
            guard let (scheme, rank) = usable(challenge), rank > best?.rank ?? 0 else { continue }
            let isStale = challenge["stale"].map { Syntax.lowercased($0) == "true" } ?? false
            best = (scheme, rank, isStale)
        }
        guard let best, !wasTried || best.isStale || isNewRealm(best.scheme) else { return false }
        scheme = best.scheme
        count = 0
        return true
    }

    /// True once there is a challenge to answer.
    package var isChallenged: Bool { scheme != nil }

    /// The `Authorization` value of a request; nil before the first challenge.
    ///
    /// - Parameters:
    ///   - uri: as it stands in the request line.
    ///   - clientNonce: unpredictable, of characters that need no quoting.
    package mutating func authorization(
        method: String,
        uri: String,
        clientNonce: String,
        _ hashes: DigestHashes
    ) -> String? {
        switch scheme {
        case nil: return nil
        case .basic:
            count = 1
            return BasicCredentials(user: user, password: password).header
        case .digest(let algorithm, let realm, let nonce, let opaque, let usesQuality):
            count &+= 1
            var protection: Digest.Protection?
            if usesQuality {
                let digits = String(count, radix: 16)
                protection = Digest.Protection(
                    count: String(repeating: "0", count: max(0, 8 - digits.count)) + digits,
                    clientNonce: clientNonce,
                    quality: "auth"
                )
            }
            let secret = Digest.secret(algorithm, user: user, realm: realm, password: password, hashes)
            let response = Digest.response(
                algorithm,
                secret: secret,
                nonce: nonce,
                method: method,
                uri: uri,
                protection,
                hashes
            )
            var value = "Digest username=\(quoted(user)), realm=\(quoted(realm)), nonce=\(quoted(nonce)), "
            value += "uri=\(quoted(uri)), response=\"\(response)\", algorithm=\(algorithm.rawValue)"
            if let protection {
                value += ", cnonce=\(quoted(protection.clientNonce)), nc=\(protection.count), qop=auth"
            }
            if let opaque { value += ", opaque=\(quoted(opaque))" }
            return value
        }
    }

    private func usable(_ challenge: AuthenticationField) -> (Scheme, rank: Int)? {
        switch challenge.scheme {
        case "basic": return allowsBasic ? (.basic, 1) : nil
        case "digest":
            guard let realm = challenge["realm"], let nonce = challenge["nonce"],
                let algorithm = DigestAlgorithm(parameter: challenge["algorithm"])
            else { return nil }
            let qualities = challenge["qop"].map { Syntax.lowercased($0).split(separator: ",") } ?? []
            let usesQuality = qualities.contains { $0.trimmingWhitespace() == "auth" }
            // auth-int alone would need the body's hash, which no camera asks for.
            guard usesQuality || qualities.isEmpty, usesQuality || !algorithm.isSession else { return nil }
            let scheme = Scheme.digest(
                algorithm,
                realm: realm,
                nonce: nonce,
                opaque: challenge["opaque"],
                usesQuality: usesQuality
            )
            return (scheme, algorithm.isSHA256 ? 3 : 2)
        default: return nil
        }
    }

    private func isNewRealm(_ new: Scheme) -> Bool {
        guard case .digest(_, let old, _, _, _)? = scheme, case .digest(_, let new, _, _, _) = new else { return false }
        return old != new
    }

    private func quoted(_ text: String) -> String {
        var bytes: [UInt8] = [UInt8(ascii: "\"")]
        for byte in text.utf8 where Syntax.isText(byte) {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { bytes.append(UInt8(ascii: "\\")) }
            bytes.append(byte)
        }
        return String(decoding: bytes + [UInt8(ascii: "\"")], as: UTF8.self)
    }
}

extension Substring {
    fileprivate func trimmingWhitespace() -> Substring {
        var text = self
        while let first = text.utf8.first, Syntax.isWhitespace(first) { text = text.dropFirst() }
        while let last = text.utf8.last, Syntax.isWhitespace(last) { text = text.dropLast() }
        return text
    }
}
