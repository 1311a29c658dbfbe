// SPDX-License-Identifier: Apache-2.0
// What went wrong in TLS, in OpenSSL's own words.

import CSysOpenSSL

/// A certificate, key or TLS connection that is not as it should be.
package struct TLSError: Error, Sendable, Equatable {
    /// What was tried, such as "read certificate /etc/apus/server.pem".
    package var operation: String
    /// What stood in the way.
    package var reason: String
    /// True if the peer's certificate is not one that authorities vouch for.
    package var isAboutTrust = false

    /// True if the peer began with an HTTP request where TLS was expected.
    package var isPlainHTTP: Bool { reason == "http request" }

    package init(_ operation: String, _ reason: String) {
        self.operation = operation
        self.reason = reason
    }

    /// Takes the cause that the library noted first, and forgets the rest. C: ERR_get_error()
    static func noted(_ operation: String) -> TLSError {
        let code = ERR_get_error()
        ERR_clear_error()
        return TLSError(operation, code == 0 ? "unknown fault" : text(code))
    }

    /// The reason in `error:CODE:LIBRARY:FUNCTION:REASON`. C: ERR_error_string_n()
    private static func text(_ code: UInt) -> String {
        // Safe: the call gets the buffer's true size and always ends its text with a NUL.
        let line = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer -> String in
            unsafe ERR_error_string_n(code, buffer.baseAddress, buffer.count)
            return unsafe buffer.baseAddress.map { unsafe String(cString: $0) } ?? ""
        }
        let parts = line.split(separator: ":", maxSplits: 4, omittingEmptySubsequences: false)
        return parts.count == 5 && !parts[4].isEmpty ? String(parts[4]) : line
    }
}

extension TLSError: CustomStringConvertible {
    package var description: String { "\(operation): \(reason)" }
}
