// SPDX-License-Identifier: Apache-2.0
// The certificate that an instance makes for itself: `certificate = self-signed` in [tls].

import Config
import Crypto
import Daemon
import System

/// A self-signed certificate and its key, as files beside the users' file.
struct OwnCertificate {
    /// Apple's systems refuse certificates that are valid for more than 825 days.
    private static let days = 820

    let certificate: String
    let key: String
    /// The SHA-256 digest of the certificate as browsers show it: `AB:CD:…`.
    let fingerprint: String
    /// True if the files were not there, or were of no use.
    let isNew: Bool

    /// Takes the files in the directory of `users`; makes them if they are missing, expired or unreadable.
    init(beside users: String) throws(Failure) {
        let directory = users.lastIndex(of: "/").map { String(users[...$0]) } ?? ""
        certificate = File.absolute(directory + "self-signed.crt")
        key = File.absolute(directory + "self-signed.key")
        if let fingerprint = Self.fingerprint(certificate, key) {
            self.fingerprint = fingerprint
            isNew = false
            return
        }
        do {
            if !directory.isEmpty, !File.isDirectory(directory) { try File.makeDirectory(directory) }
            let made = try SelfSignedCertificate(names: Self.names, days: Self.days)
            try File.replace(key, with: Array(made.key.utf8).span, mode: 0o600, keepsMode: false)
            try File.replace(certificate, with: Array(made.certificate.utf8).span, mode: 0o644)
        } catch {
            throw Failure(.failure, "certificate = self-signed in [tls]: cannot make \(certificate): \(error)")
        }
        guard let fingerprint = Self.fingerprint(certificate, key) else {
            throw Failure(.failure, "certificate = self-signed in [tls]: \(certificate) is of no use")
        }
        self.fingerprint = fingerprint
        isNew = true
    }

    /// nil if the files cannot serve now.
    private static func fingerprint(_ certificate: String, _ key: String) -> String? {
        guard let context = try? TLSContext.server(certificate: certificate, key: key),
            let facts = context.certificate, facts.problem == nil
        else { return nil }
        let digits = Array("0123456789ABCDEF")
        return facts.fingerprint.map { "\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined(separator: ":")
    }

    /// This machine's name and addresses, the name first.
    private static var names: [String] {
        let host = text("/proc/sys/kernel/hostname").filter { !$0.isWhitespace }
        var names = host.isEmpty ? [] : [host]
        for name in ["localhost", "127.0.0.1", "::1"] + addresses4(text("/proc/net/fib_trie"))
            + addresses6(text("/proc/net/if_inet6")) where !names.contains(name)
        { names.append(name) }
        return Array(names.prefix(SelfSignedCertificate.maximumNames))
    }

    private static func text(_ path: String) -> String {
        String(decoding: (try? File.contents(path, limit: 1 << 20)) ?? [], as: UTF8.self)
    }

    /// The machine's IPv4 addresses: a leaf `|-- ADDRESS`, then `/32 host LOCAL`.
    static func addresses4(_ trie: String) -> [String] {
        var (leaf, found) = ("", [String]())
        for line in trie.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, words[0] == "|--" { leaf = String(words[1]) }
            if words == ["/32", "host", "LOCAL"], !found.contains(leaf) { found.append(leaf) }
        }
        return found
    }

    /// The machine's IPv6 addresses, those of a link (`fe80::/10`) and loopback left out.
    static func addresses6(_ table: String) -> [String] {
        table.split(separator: "\n")
            .compactMap { line in
                let words = line.split(separator: " ")
                guard words.count == 6, words[0].count == 32, words[3] == "00" else { return nil }
                let digits = Array(words[0])
                return stride(from: 0, to: 32, by: 4).map { String(digits[$0..<$0 + 4]) }.joined(separator: ":")
            }
    }
}
