// SPDX-License-Identifier: Apache-2.0
// A server's certificate and key, and what encrypts a connection with them.

package import Crypto
package import Log

/// Encrypts the connections that begin while it is in use.
package final class Security {
    private let context: TLSContext
    private let log: Logger

    /// Reads the PEM files that `[tls]` names.
    ///
    /// - Parameter protocols: what ALPN offers, the dearest first (RFC 7301).
    /// - Throws: which of them is no good, and why; there is no going on without.
    package init(
        certificate: String,
        key: String,
        protocols: [String] = [],
        _ log: Logger
    ) throws(TLSError) {
        self.log = log
        context = try TLSContext.server(certificate: certificate, key: key, protocols: protocols)
        if let facts = context.certificate, let problem = facts.problem {
            log.warn(
                "clients that check will refuse the certificate",
                ["file": certificate, "subject": facts.subject, "problem": problem]
            )
        }
    }

    /// What encrypts one connection; nil if there is no memory for it.
    package func engine() -> TLSEngine? {
        do throws(TLSError) {
            return try TLSEngine(context)
        } catch {
            log.warn("a connection cannot be encrypted", ["error": error])
            return nil
        }
    }
}
