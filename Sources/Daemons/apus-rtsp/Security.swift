// SPDX-License-Identifier: Apache-2.0
// The server's certificate and key, and what encrypts a connection with them.

import Config
import Crypto
import Daemon
import Log

/// Encrypts the connections that begin while it is in use.
final class Security {
    private let context: TLSContext
    private let log: Logger

    /// Reads the files that `[tls]` names.
    /// - Throws: which of them is no good, and why; there is no going on without.
    init(_ configuration: TLSConfiguration, _ log: Logger) throws {
        self.log = log
        do throws(TLSError) {
            context = try TLSContext.server(certificate: configuration.certificate, key: configuration.key)
        } catch {
            throw Failure(.usage, "[tls] \(error)")
        }
        if let facts = context.certificate, let problem = facts.problem {
            log.warn(
                "clients that check will refuse the certificate",
                ["file": configuration.certificate, "subject": facts.subject, "problem": problem]
            )
        }
    }

    /// What encrypts one connection; nil if there is no memory for it.
    func engine() -> TLSEngine? {
        do throws(TLSError) {
            return try TLSEngine(context)
        } catch {
            log.warn("a connection cannot be encrypted", ["error": error])
            return nil
        }
    }
}
