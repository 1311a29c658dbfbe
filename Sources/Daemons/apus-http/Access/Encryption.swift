// SPDX-License-Identifier: Apache-2.0
// HTTPS: the certificate, and who is sent there.

import Bytes
import Config
import Crypto
import Daemon
import FanOut
import HTTP
import Log
import System

extension Server {
    /// Reads the certificate and the key.
    static func security(_ files: (certificate: String, key: String), _ log: Logger) throws -> Security {
        do throws(TLSError) {
            return try Security(
                certificate: files.certificate,
                key: files.key,
                protocols: ["h2", "http/1.1"],
                log
            )
        } catch {
            throw Failure(.usage, "[tls] \(error)")
        }
    }

    /// Sends who asks without TLS to the TLS port, if that is configured; true if it was so.
    ///
    /// Who asks from this machine is answered as it is: proxies and supervisors ask that way.
    func redirects(_ exchange: Exchange) -> Bool {
        let connection = exchange.client.connection
        guard configuration.http.redirectsToTLS, !connection.isEncrypted, !connection.peer.isLoopback,
            let port = securePort
        else { return false }
        let head = exchange.request.head
        guard !exchange.client.isOnSocketPort else {
            exchange.refuse(.forbidden, "this server is asked over TLS only: wss://…:\(port)/<camera>/ws")
            return true
        }
        guard !head.target.isServer, let host = head.fields["host"].map(Self.withoutPort), !host.isEmpty else {
            exchange.refuse(.badRequest, "this server is asked by https:// only")
            return true
        }
        let authority = port == 443 ? host : "\(host):\(port)"
        exchange.respond(
            Response(
                .permanentRedirect,
                text: "this server is asked by https:// only",
                fields: [HeaderField("Location", "https://\(authority)\(head.target.encoded)")]
            )
        )
        return true
    }

    /// What tells browsers to come by TLS only; nil if they are not told, or not over TLS (RFC 6797 §7.2).
    func strictTransport(_ exchange: Exchange) -> String? {
        let seconds = Int(configuration.http.strictTransport.seconds)
        return seconds > 0 && exchange.client.connection.isEncrypted ? "max-age=\(seconds)" : nil
    }

    /// The host of a Host field; an IPv6 address keeps its brackets.
    private static func withoutPort(_ host: String) -> String {
        if host.hasPrefix("[") { return host.firstIndex(of: "]").map { String(host[...$0]) } ?? "" }
        return String(host.prefix { $0 != ":" })
    }
}
