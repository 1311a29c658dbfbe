// SPDX-License-Identifier: Apache-2.0
// Host names, looked up while the loop goes on.

import CShimLinux
import Glibc

/// A host name being looked up by the C library's own thread. C: `getaddrinfo_a`.
@safe
package final class NameLookup {
    /// Addresses taken of one name.
    package static let maximumAddresses = 8

    /// How far a lookup is.
    package enum State: Sendable, Equatable {
        case pending
        case found([SocketAddress])
        /// The resolver's words.
        case failed(String)
    }

    private let port: UInt16
    private let lookup: OpaquePointer?

    /// Starts to look for `host`; its addresses get `port`. A numeric address is found at once.
    package init(host: String, port: UInt16) {
        self.port = port
        // Safe: the call copies the name.
        unsafe lookup = apus_lookup_start(host)
    }

    deinit {
        // Safe: this is the only owner.
        if let lookup = unsafe lookup { unsafe apus_lookup_end(lookup) }
    }

    /// How far it is now; to be asked again while it is pending.
    package var state: State {
        guard let lookup = unsafe lookup else { return .failed("out of memory") }
        var reason: UnsafePointer<CChar>?
        // Safe: the lookup lives as long as self, and the reason for ever.
        switch unsafe apus_lookup_state(lookup, &reason) {
        case 1: return .pending
        case 0: return .found(addresses)
        default: return .failed(unsafe reason.map { unsafe String(cString: $0) } ?? "unknown")
        }
    }

    private var addresses: [SocketAddress] {
        var result: [SocketAddress] = []
        for index in 0..<Self.maximumAddresses {
            var address = SocketAddress()
            // Safe: the call writes one address into storage of its size; the lookup is done.
            guard let lookup = unsafe lookup,
                unsafe apus_lookup_address(lookup, Int32(index), &address.storage, &address.length) == 0
            else { break }
            address.port = port
            result.append(address)
        }
        return result
    }
}
