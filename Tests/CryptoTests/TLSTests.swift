// SPDX-License-Identifier: Apache-2.0
// TLS connections between two engines, in whole and in pieces, with the wrong certificates and with garbage.

import Crypto
import System
import Testing

@Suite("TLS")
struct TLSTests {
    @Test("two ends agree on TLS 1.3 and what one says the other hears")
    func conversation() throws {
        let files = try CertificateFiles()
        var pair = try Pair(files, trust: .authorities(path: files.certificate), serverName: "camera.test")

        try pair.shakeHands()
        try pair.client.send(Array("hello".utf8).span)
        try pair.server.send(Array("good day".utf8).span)
        try pair.exchange()

        #expect(pair.client.state == .open)
        #expect(pair.server.state == .open)
        #expect(pair.server.version == "TLSv1.3")
        #expect(pair.heardByServer == Array("hello".utf8))
        #expect(pair.heardByClient == Array("good day".utf8))
    }

    @Test("a conversation goes well in pieces of any length", arguments: [1, 2, 3, 5, 7, 64, 1000])
    func pieces(_ length: Int) throws {
        let files = try CertificateFiles()
        var pair = try Pair(files, trust: .anybody)
        pair.pieceLength = length

        try pair.shakeHands()
        let long = (0..<40_000).map { UInt8(truncatingIfNeeded: $0) }
        for start in stride(from: 0, to: long.count, by: TLSEngine.recordLimit) {
            try pair.client.send(long.span.extracting(start..<min(long.count, start + TLSEngine.recordLimit)))
        }
        try pair.exchange()

        #expect(pair.heardByServer == long)
    }

    @Test("a conversation goes well split at every byte of the client's")
    func splits() throws {
        let files = try CertificateFiles()
        let (server, client) = try contexts(files, .anybody)
        let probe = try TLSEngine(client)
        let length = probe.takeOutput().count
        for split in 0...length {
            var pair = try Pair(server, client)
            let hello = pair.client.takeOutput()
            try pair.server.receive(hello.span.extracting(..<min(split, hello.count)), into: &pair.heardByServer)
            try pair.server.receive(hello.span.extracting(min(split, hello.count)...), into: &pair.heardByServer)
            try pair.shakeHands()
            try pair.client.send([1, 2, 3].span)
            try pair.exchange()
            #expect(pair.heardByServer == [1, 2, 3])
        }
    }

    @Test("ALPN chooses what both have, the server's favourite first")
    func protocols() throws {
        let files = try CertificateFiles()
        let server = try TLSContext.server(
            certificate: files.certificate,
            key: files.key,
            protocols: ["h2", "http/1.1"]
        )
        var pair = try Pair(server, try .client(trust: .anybody, protocols: ["http/1.1", "h2"]))
        try pair.shakeHands()
        #expect(pair.client.negotiatedProtocol == "h2")
        #expect(pair.server.negotiatedProtocol == "h2")

        var other = try Pair(server, try .client(trust: .anybody, protocols: ["rtsp/1.0"]))
        try other.shakeHands()
        #expect(other.client.negotiatedProtocol == nil)
    }

    @Test("closing is told to the peer, and then nothing more can be said")
    func closing() throws {
        let files = try CertificateFiles()
        var pair = try Pair(files, trust: .anybody)
        try pair.shakeHands()

        try pair.client.send([9].span)
        pair.client.close()
        try pair.exchange()

        #expect(pair.heardByServer == [9])
        #expect(pair.server.state == .closedByPeer)
        #expect(pair.client.state == .ended)
        #expect(throws: TLSError.self) { try pair.client.send([1].span) }
    }

    @Test("a certificate that nobody known vouches for is refused")
    func unknownAuthority() throws {
        let files = try CertificateFiles()
        let other = try CertificateFiles()
        var pair = try Pair(files, trust: .authorities(path: other.certificate), serverName: "camera.test")

        let error = #expect(throws: TLSError.self) { try pair.shakeHands() }

        #expect(error?.description.contains("camera.test is not trusted") == true)
        #expect(error?.isAboutTrust == true)
        #expect(pair.client.state == .ended)
    }

    @Test("a certificate for another name is refused", arguments: ["other.test", "127.0.0.2"])
    func otherName(_ name: String) throws {
        let files = try CertificateFiles()
        var pair = try Pair(files, trust: .authorities(path: files.certificate), serverName: name)

        let error = #expect(throws: TLSError.self) { try pair.shakeHands() }

        #expect(error?.reason.contains("mismatch") == true)
    }

    @Test("a certificate is good for the address it names")
    func address() throws {
        let files = try CertificateFiles()
        var pair = try Pair(files, trust: .authorities(path: files.certificate), serverName: "127.0.0.1")

        try pair.shakeHands()

        #expect(pair.client.state == .open)
    }

    @Test("an expired certificate is refused by a client and told of at the server")
    func expired() throws {
        let files = try CertificateFiles(days: -1)
        var pair = try Pair(files, trust: .authorities(path: files.certificate), serverName: "camera.test")

        #expect(throws: TLSError.self) { try pair.shakeHands() }
        let context = try TLSContext.server(certificate: files.certificate, key: files.key)
        #expect(context.certificate?.problem?.hasPrefix("it expired on ") == true)
    }

    @Test("a fingerprint is enough, the wrong one is not")
    func fingerprint() throws {
        let files = try CertificateFiles()
        let context = try TLSContext.server(certificate: files.certificate, key: files.key)
        let fingerprint = try #require(context.certificate?.fingerprint)
        var pair = try Pair(context, try .client(trust: .fingerprint(fingerprint)))
        try pair.shakeHands()
        #expect(pair.client.state == .open)

        var wrong = fingerprint
        wrong[31] ^= 1
        var other = try Pair(context, try .client(trust: .fingerprint(wrong)))
        #expect(throws: TLSError.self) { try other.shakeHands() }
        #expect(other.client.state == .ended)
    }

    @Test("authorities are not asked about a server without a name")
    func nameless() throws {
        let files = try CertificateFiles()
        let context = try TLSContext.client(trust: .authorities(path: files.certificate))

        #expect(throws: TLSError.self) { try TLSEngine(context) }
    }

    @Test(
        "garbage instead of a handshake ends the connection",
        arguments: ["OPTIONS * RTSP/1.0\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "\0\0\0\0\0\0\0\0\0\0", "$\0\0\u{4}abcd"]
    )
    func garbage(_ text: String) throws {
        let files = try CertificateFiles()
        let engine = try TLSEngine(.server(certificate: files.certificate, key: files.key))
        var heard: [UInt8] = []

        #expect(throws: TLSError.self) { try engine.receive(Array(text.utf8).span, into: &heard) }
        #expect(engine.state == .ended)
        #expect(heard == [])
        #expect(throws: TLSError.self) { try engine.receive([22].span, into: &heard) }
    }

    @Test("a record that was changed on the way ends the connection; what came before it is heard")
    func changed() throws {
        let files = try CertificateFiles()
        var pair = try Pair(files, trust: .anybody)
        try pair.shakeHands()
        try pair.client.send([1, 2].span)
        try pair.client.send([3, 4].span)
        var bytes = pair.client.takeOutput()
        bytes[bytes.count - 1] ^= 1

        #expect(throws: TLSError.self) { try pair.server.receive(bytes.span, into: &pair.heardByServer) }

        #expect(pair.heardByServer == [1, 2])
        #expect(pair.server.state == .ended)
        #expect(pair.server.hasOutput)
    }

    @Test("a truncated record is waited for, at every length")
    func truncated() throws {
        let files = try CertificateFiles()
        var pair = try Pair(files, trust: .anybody)
        try pair.shakeHands()
        for _ in 0..<8 {
            try pair.client.send([7, 7, 7].span)
            let bytes = pair.client.takeOutput()
            pair.heardByServer = []
            for index in bytes.indices {
                #expect(pair.heardByServer == [])
                try pair.server.receive([bytes[index]].span, into: &pair.heardByServer)
            }
            #expect(pair.heardByServer == [7, 7, 7])
        }
    }

    // MARK: Files

    @Test("a certificate and a key that do not belong to each other are refused by name")
    func mismatch() throws {
        let one = try CertificateFiles()
        let other = try CertificateFiles()

        let error = #expect(throws: TLSError.self) {
            try TLSContext.server(certificate: one.certificate, key: other.key)
        }
        #expect(error?.description == "read key \(other.key): it does not belong to certificate \(one.certificate)")
    }

    @Test("a missing file, a folder, no PEM, and an encrypted key are refused with the file's name")
    func badFiles() throws {
        let files = try CertificateFiles()
        let text = try files.write("text.pem", "no certificate at all\n")
        let locked = try files.write("locked.pem", Self.encryptedKey)

        let expected = [
            (files.folder + "/none.pem", files.key, "none.pem: No such file"),
            (files.folder, files.key, files.folder + ": "),
            (text, files.key, "text.pem: no start line"),
            (files.certificate, files.folder + "/none.key", "none.key: No such file"),
            (files.certificate, text, "text.pem: unsupported"),
            (files.certificate, locked, "locked.pem: it is encrypted"),
        ]
        for (certificate, key, words) in expected {
            let error = #expect(throws: TLSError.self) { try TLSContext.server(certificate: certificate, key: key) }
            #expect(error?.description.contains(words) == true, "\(String(describing: error))")
        }
    }

    @Test("names that are none make no certificate", arguments: [[], [""], ["a,IP:1.2.3.4"], ["a b"], ["é"]])
    func badNames(_ names: [String]) {
        #expect(throws: TLSError.self) { try SelfSignedCertificate(names: names, days: 1) }
    }

    /// Made by `openssl genpkey -algorithm EC … -aes256`; its passphrase opens nothing else.
    private static let encryptedKey = """
        -----BEGIN ENCRYPTED PRIVATE KEY-----
        MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjqghSFF0WQNgICCAAw
        DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEE95lTcYzs8OR/hpP/KzScAEgZAy
        6gzqzc6CJSzsf7IKXe/zIl5aSo6+Y282Xy75oyDoQe1KCeV/9KsiXYmWvWhsAopw
        VXBKJmZsqUIqylDvczqIWcGu+VMzg8LTOpPAHJZpYWKn/gGfFG7VibBNGk0OoEL4
        bKdm2TQHy0eWu7OSc06/Zgw3lj31AHu0tB9MloaHDwNontHSoAtDHxoMhKBbFJo=
        -----END ENCRYPTED PRIVATE KEY-----

        """
}

/// A certificate and its key in a folder of their own, removed at the end.
final class CertificateFiles {
    let folder = "/tmp/apus-crypto-\(Hexadecimal.text(SecureRandom.bytes(8).span))"
    var certificate: String { folder + "/server.crt" }
    var key: String { folder + "/server.key" }
    private var written: [String] = []

    init(days: Int = 30) throws {
        try File.makeDirectory(folder, mode: 0o700)
        let pair = try SelfSignedCertificate(names: ["camera.test", "127.0.0.1", "::1"], days: days)
        _ = try write("server.crt", pair.certificate)
        _ = try write("server.key", pair.key)
    }

    deinit {
        for path in written { File.remove(path) }
        File.removeDirectory(folder)
    }

    func write(_ name: String, _ text: String) throws -> String {
        let path = "\(folder)/\(name)"
        try File.replace(path, with: Array(text.utf8).span, mode: 0o600)
        written.append(path)
        return path
    }
}

private func contexts(_ files: CertificateFiles, _ trust: TLSTrust) throws -> (TLSContext, TLSContext) {
    (try .server(certificate: files.certificate, key: files.key), try .client(trust: trust))
}

/// Two engines, and what each has heard.
private struct Pair {
    let server: TLSEngine
    let client: TLSEngine
    var heardByServer: [UInt8] = []
    var heardByClient: [UInt8] = []
    var pieceLength = Int.max

    init(_ files: CertificateFiles, trust: TLSTrust, serverName: String? = nil) throws {
        let (server, client) = try contexts(files, trust)
        try self.init(server, client, serverName: serverName)
    }

    init(_ server: TLSContext, _ client: TLSContext, serverName: String? = nil) throws {
        self.server = try TLSEngine(server)
        self.client = try TLSEngine(client, serverName: serverName)
    }

    mutating func shakeHands() throws {
        try exchange()
        #expect(client.state == .open && server.state == .open)
    }

    /// Carries bytes to and fro until there are none.
    mutating func exchange() throws {
        while client.hasOutput || server.hasOutput {
            try carry(client.takeOutput(), to: server, &heardByServer)
            try carry(server.takeOutput(), to: client, &heardByClient)
        }
    }

    private func carry(_ bytes: [UInt8], to engine: TLSEngine, _ heard: inout [UInt8]) throws {
        var start = 0
        while start < bytes.count {
            let end = start + min(pieceLength, bytes.count - start)
            try engine.receive(bytes.span.extracting(start..<end), into: &heard)
            start = end
        }
    }
}
