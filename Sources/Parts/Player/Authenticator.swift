// SPDX-License-Identifier: Apache-2.0
// Answers a server's challenges with the name and password of the URL.

import Crypto
import HTTP
import RTSP

/// Makes the Authorization values of one connection.
final class Authenticator {
    private var client: AuthenticationClient?
    private var challenges: [String] = []
    private let hashes = DigestHashes(md5: Hash.md5.hexDigest, sha256: Hash.sha256.hexDigest)

    /// Takes name and password; nil answers no challenge.
    init(_ credentials: RTSPTarget.Credentials?) {
        client = credentials.map { AuthenticationClient(user: $0.user, password: $0.password, allowsBasic: true) }
    }

    /// The value for a request, nil if there is none.
    func authorization(_ challenge: ClientSession.Challenge) -> String? {
        guard client != nil else { return nil }
        if challenge.challenges != challenges {
            challenges = challenge.challenges
            guard client?.take(AuthenticationField.challenges(in: challenges)) == true else { return nil }
        }
        return client?
            .authorization(
                method: challenge.method,
                uri: challenge.url,
                clientNonce: Hexadecimal.text(SecureRandom.bytes(8).span),
                hashes
            )
    }
}
