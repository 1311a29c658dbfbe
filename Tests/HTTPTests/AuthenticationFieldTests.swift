// SPDX-License-Identifier: Apache-2.0
// Challenges and credentials: what real programs send, what is cut off, what is too much.

import Bytes
import HTTP
import Testing

@Suite("Authentication fields")
struct AuthenticationFieldTests {
    private static func credentials(_ text: String) throws(WireError) -> AuthenticationField {
        let bytes = Array(text.utf8)
        return try AuthenticationField(credentials: bytes.span)
    }

    /// As ffmpeg, curl, GStreamer, live555 (VLC) and Python's requests write them.
    static let clients = [
        #"Digest username="user", realm="Apus", nonce="4f3a", uri="rtsp://127.0.0.1:8554/cam", response="6629fae49393a05397450978507c4ef1", algorithm="MD5", qop="auth", cnonce="0a4f113b", nc=00000001"#,
        #"Digest username="user",realm="Apus",nonce="4f3a",uri="rtsp://127.0.0.1:8554/cam",cnonce="NDRj",nc=00000001,algorithm=MD5,response="6629fae49393a05397450978507c4ef1",qop=auth"#,
        #"Digest username="user", realm="Apus", nonce="4f3a", uri="rtsp://127.0.0.1:8554/cam", response="6629fae49393a05397450978507c4ef1""#,
        #"Digest username="user", realm="Apus", nonce="4f3a", uri="/cam", response="6629FAE49393A05397450978507C4EF1", opaque="1\"2", qop="auth", nc=0000000a, cnonce="x""#,
    ]

    @Test("the credentials of real programs are understood", arguments: clients)
    func credentialsOfClients(_ text: String) throws {
        let field = try Self.credentials(text)
        let digest = try #require(DigestCredentials(field))

        #expect(digest.user == "user" && digest.realm == "Apus" && digest.nonce == "4f3a")
        #expect(digest.response == "6629fae49393a05397450978507c4ef1" && digest.algorithm == .md5)
        #expect(digest.uri.hasSuffix("/cam"))
    }

    @Test("credentials cut off anywhere are refused or complete", arguments: clients)
    func truncated(_ text: String) {
        for length in 0..<text.utf8.count {
            guard let field = try? Self.credentials(String(decoding: text.utf8.prefix(length), as: UTF8.self)),
                let digest = DigestCredentials(field)
            else { continue }
            #expect(digest.user == "user")
        }
    }

    @Test(
        "credentials that can be read in two ways are refused",
        arguments: [
            "", "Digest a=1, a=2", "Digest a=1, Basic eA==", "Basic eA==, Basic eA==", "Digest a=\"1", "Digest a=\"1\\",
            "Digest =1", "Digest a=1\"", "\"x\" y", "Digest a=\"\u{1}\"", "Basic eA== x",
        ]
    )
    func refused(_ text: String) {
        #expect(throws: WireError.self) { try Self.credentials(text) }
    }

    @Test("lengths and counts are limited")
    func limits() throws {
        let parameters = (0..<AuthenticationField.parameterLimit).map { "a\($0)=1" }.joined(separator: ",")
        let challenges = (0..<AuthenticationField.challengeLimit).map { "S\($0)" }.joined(separator: ",")
        let long = String(repeating: "a", count: AuthenticationField.byteLimit - "Basic ".utf8.count)
        let more = Array((challenges + ",T").utf8)

        #expect(try Self.credentials("Digest \(parameters)").parameters.count == AuthenticationField.parameterLimit)
        #expect(throws: WireError.self) { try Self.credentials("Digest \(parameters),b=1") }
        #expect(AuthenticationField.challenges(in: [challenges]).count == AuthenticationField.challengeLimit)
        #expect(throws: WireError.self) { try AuthenticationField.challenges(more.span) }
        #expect(try Self.credentials("Basic \(long)").token == long)
        #expect(throws: WireError.self) { try Self.credentials("Basic \(long)a") }
    }

    @Test("the challenges of servers and cameras are understood, with commas or quotes left out")
    func challenges() {
        let fields = AuthenticationField.challenges(in: [
            #"Digest realm="a, b", nonce="n==", qop="auth,auth-int", algorithm=SHA-256, Basic realm="x", Negotiate"#,
            #"Digest realm=IPC nonce=a/b+c== stale="FALSE""#, "Negotiate dG9rZW4=", #"Digest realm="open"#,
        ])

        #expect(fields.map(\.scheme) == ["digest", "basic", "negotiate", "digest", "negotiate"])
        #expect(fields[0]["realm"] == "a, b" && fields[0]["qop"] == "auth,auth-int" && fields[0]["nonce"] == "n==")
        #expect(fields[3]["nonce"] == "a/b+c==" && fields[3]["stale"] == "FALSE")
        #expect(fields[4].token == "dG9rZW4=")
    }

    @Test("Basic is read back as it was written", arguments: ["", "a", "ab", "abc", "pass:word", "ü€😀"])
    func basic(_ password: String) throws {
        let credentials = BasicCredentials(user: "Aladdin", password: password)

        #expect(BasicCredentials(try Self.credentials(credentials.header)) == credentials)
    }

    @Test("Basic is that of RFC 7617")
    func basicVector() throws {
        let credentials = BasicCredentials(user: "Aladdin", password: "open sesame")

        #expect(credentials.header == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        #expect(BasicCredentials(try Self.credentials("Basic QWxhZGRpbg==")) == nil)
        #expect(BasicCredentials(try Self.credentials("Basic Q")) == nil)
    }

    @Test(
        "Digest credentials that lack something are refused",
        arguments: [
            #"Digest realm="r", nonce="n", uri="/", response="6629fae49393a05397450978507c4ef1""#,
            #"Digest username="u", realm="r", nonce="n", uri="/", response="6629fae4""#,
            #"Digest username="u", realm="r", nonce="n", uri="/", response="6629fae49393a05397450978507c4eg1""#,
            #"Digest username="u", realm="r", nonce="n", uri="/", response="6629fae49393a05397450978507c4ef1", qop=auth"#,
            #"Digest username="u", realm="r", nonce="n", uri="/", response="6629fae49393a05397450978507c4ef1", algorithm=SHA-256"#,
            #"Digest username="u", realm="r", nonce="n", uri="/", response="6629fae49393a05397450978507c4ef1", algorithm=X"#,
            #"Digest username="u", realm="r", nonce="n", uri="/", response="6629fae49393a05397450978507c4ef1", qop=auth, nc=1, cnonce="c""#,
            #"Digest username="u", realm="r", nonce="n", uri="/", response="6629fae49393a05397450978507c4ef1", algorithm=MD5-sess"#,
            "Basic eA==",
        ]
    )
    func incomplete(_ text: String) throws {
        #expect(DigestCredentials(try Self.credentials(text)) == nil)
    }
}
