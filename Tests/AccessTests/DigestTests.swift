// SPDX-License-Identifier: Apache-2.0
// Digest by the examples of its standards, and a client against the server's side.

import Bytes
import HTTP
import Testing

@testable import Access

@Suite("Digest")
struct DigestTests {
    private static let protection = Digest.Protection(
        count: "00000001",
        clientNonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        quality: "auth"
    )

    @Test(
        "the examples of RFC 7616 §3.9.1 come out",
        arguments: [
            (DigestAlgorithm.md5, "8ca523f5e9506fed4657c9700eebdbec"),
            (.sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ]
    )
    func rfc7616(algorithm: DigestAlgorithm, expected: String) {
        let secret = Digest.secret(
            algorithm,
            user: "Mufasa",
            realm: "http-auth@example.org",
            password: "Circle of Life",
            Access.hashes
        )
        let response = Digest.response(
            algorithm,
            secret: secret,
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            method: "GET",
            uri: "/dir/index.html",
            Self.protection,
            Access.hashes
        )

        #expect(response == expected)
    }

    @Test("the example of RFC 2617 §3.5 comes out, and that of RFC 2069 without qop")
    func olderStandards() {
        func response(_ protection: Digest.Protection?, _ password: String, _ realm: String) -> String {
            let secret = Digest.secret(.md5, user: "Mufasa", realm: realm, password: password, Access.hashes)
            return Digest.response(
                .md5,
                secret: secret,
                nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
                method: "GET",
                uri: "/dir/index.html",
                protection,
                Access.hashes
            )
        }
        let protection = Digest.Protection(count: "00000001", clientNonce: "0a4f113b", quality: "auth")

        #expect(response(protection, "Circle Of Life", "testrealm@host.com") == "6629fae49393a05397450978507c4ef1")
        // RFC 2069 errata 749.
        #expect(response(nil, "CircleOfLife", "testrealm@host.com") == "1949323746fe6a43ef61f9606e7febea")
    }

    @Test("a client answers every algorithm such that the server's side agrees", arguments: DigestAlgorithm.allCases)
    func client(algorithm: DigestAlgorithm) throws {
        let client = Caller("an\"na", "s3:cret")
        let challenge =
            "Digest realm=\"a \\\"realm\", nonce=\"n=\", qop=\"auth,auth-int\", algorithm=\(algorithm.rawValue)"
        let isTaken = client.take(AuthenticationField.challenges(in: [challenge]))
        let bytes = Array((client.answer("PLAY", "rtsp://h/c") ?? "").utf8)
        let field = try AuthenticationField(credentials: bytes.span)
        let digest = try #require(DigestCredentials(field))
        let secret = Digest.secret(
            algorithm,
            user: digest.user,
            realm: digest.realm,
            password: "s3:cret",
            Access.hashes
        )

        #expect(isTaken && digest.user == "an\"na" && digest.realm == "a \"realm" && digest.algorithm == algorithm)
        #expect(
            digest.response
                == Digest.response(
                    algorithm,
                    secret: secret,
                    nonce: "n=",
                    method: "PLAY",
                    uri: "rtsp://h/c",
                    digest.protection,
                    Access.hashes
                )
        )
    }

    @Test("a client takes the strongest challenge it knows, Basic only if it may")
    func strongest() {
        let challenges = AuthenticationField.challenges(in: [
            "Basic realm=\"r\"", "Digest realm=\"r\", nonce=\"1\"",
            "Digest realm=\"r\", nonce=\"2\", algorithm=SHA-256",
            "Digest realm=\"r\", nonce=\"3\", algorithm=SHA-512-256", "Bearer",
        ])
        let client = Caller("u", "p", allowsBasic: true)
        let careful = Caller("u", "p")

        #expect(client.take(challenges))
        #expect(
            client.answer()?.contains("SHA-256") == true
        )
        #expect(!careful.take(Array(challenges.prefix(1))))
        #expect(careful.answer() == nil)
    }

    @Test("a client that was refused gives up, unless its nonce was stale")
    func refusedClient() {
        let challenge = AuthenticationField.challenges(in: ["Digest realm=\"r\", nonce=\"1\""])
        let stale = AuthenticationField.challenges(in: ["Digest realm=\"r\", nonce=\"2\", stale=TRUE"])
        let client = Caller("u", "p")

        #expect(client.take(challenge))
        _ = client.answer()
        #expect(!client.take(challenge))
        #expect(client.take(stale))
        #expect(client.take(challenge))
    }
}
