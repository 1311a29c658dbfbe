// SPDX-License-Identifier: Apache-2.0
// What the TLS connections of one side share: certificate and key, or whom to trust; versions and ciphers.

import CSysOpenSSL

/// Whom a client believes to be the server it asked for.
package enum TLSTrust: Sendable, Hashable {
    /// The system's authorities vouch for the server's name.
    case system
    /// The authorities in this PEM file vouch for the server's name.
    case authorities(path: String)
    /// The server's certificate has this SHA-256 digest, whoever made it.
    case fingerprint([UInt8])
    /// Anybody: protects from those who listen only, not from those who reach into the connection.
    case anybody
}

/// Settings that many connections share. Not to be used by two threads. C: SSL_CTX
@safe package final class TLSContext {
    /// Which end of a connection this is.
    package enum Side: Sendable { case server, client }

    package let side: Side
    /// A server's own certificate.
    package let certificate: CertificateFacts?

    // Owned: freed in deinit.
    let pointer: OpaquePointer
    let bridge: TLSBridge
    let trust: TLSTrust
    private let protocols: UnsafeMutableBufferPointer<UInt8>

    /// Suites with forward secrecy and authenticated encryption; TLS 1.3 has no others.
    private static let serverSuites = "ECDHE+AESGCM:ECDHE+CHACHA20"
    /// SSL_OP_CIPHER_SERVER_PREFERENCE and SSL_OP_NO_RENEGOTIATION, which are macros that Swift does not see.
    private static let serverOptions: UInt64 = 1 << 22 | 1 << 30

    /// Makes a server's context of two PEM files: its certificate with what leads to the root, and the key.
    ///
    /// - Parameter protocols: what ALPN offers, the dearest first (RFC 7301); none: ALPN is passed over.
    /// - Throws: which file is wrong and why: unreadable, no PEM, encrypted, or not belonging to each other.
    package static func server(
        certificate: String,
        key: String,
        protocols: [String] = []
    ) throws(TLSError) -> TLSContext {
        try TLSContext(certificate: certificate, key: key, protocols: protocols)
    }

    /// Makes a client's context.
    package static func client(trust: TLSTrust = .system, protocols: [String] = []) throws(TLSError) -> TLSContext {
        try TLSContext(trust: trust, protocols: protocols)
    }

    private init(certificate: String, key: String, protocols names: [String]) throws(TLSError) {
        side = .server
        trust = .anybody
        bridge = try TLSBridge()
        let context = try OwnedContext(server: true)
        // Safe: the library copies what it is given; `context` is ours.
        unsafe SSL_CTX_set_options(context.pointer, Self.serverOptions)
        guard unsafe SSL_CTX_set_cipher_list(context.pointer, Self.serverSuites) == 1 else {
            throw .noted("choose TLS ciphers")
        }
        guard unsafe SSL_CTX_use_certificate_chain_file(context.pointer, certificate) == 1 else {
            throw .noted("read certificate \(certificate)")
        }
        // Safe: the password callback captures nothing. It gives none, where the library would ask on the terminal.
        unsafe SSL_CTX_set_default_passwd_cb(context.pointer) { _, _, _, _ in -1 }
        guard unsafe SSL_CTX_use_PrivateKey_file(context.pointer, key, SSL_FILETYPE_PEM) == 1 else {
            throw Self.keyFault(key, certificate)
        }
        guard unsafe SSL_CTX_check_private_key(context.pointer) == 1 else { throw Self.keyFault(key, certificate) }
        // Safe: the context owns its certificate, which is only looked at here.
        self.certificate = unsafe SSL_CTX_get0_certificate(context.pointer).map { unsafe CertificateFacts($0) }
        unsafe protocols = Self.wireFormat(names)
        unsafe pointer = context.release()
        if !names.isEmpty { offerProtocols() }
    }

    private init(trust: TLSTrust, protocols names: [String]) throws(TLSError) {
        side = .client
        certificate = nil
        self.trust = trust
        bridge = try TLSBridge()
        let context = try OwnedContext(server: false)
        // Safe: the library copies what it is given; `context` is ours.
        switch trust {
        case .system:
            guard unsafe SSL_CTX_set_default_verify_paths(context.pointer) == 1 else {
                throw .noted("read the system's authorities")
            }
        case .authorities(let path):
            guard unsafe SSL_CTX_load_verify_file(context.pointer, path) == 1 else {
                throw .noted("read authorities \(path)")
            }
        case .fingerprint, .anybody: break
        }
        let mode = trust.isByAuthority ? SSL_VERIFY_PEER : SSL_VERIFY_NONE
        unsafe SSL_CTX_set_verify(context.pointer, mode, nil)
        unsafe protocols = Self.wireFormat(names)
        unsafe pointer = context.release()
        // Safe: the list is copied.
        if !names.isEmpty {
            unsafe SSL_CTX_set_alpn_protos(pointer, protocols.baseAddress, UInt32(protocols.count))
        }
    }

    deinit {
        // Safe: this is the only owner; engines, which also count their references in the library, keep self.
        unsafe SSL_CTX_free(pointer)
        unsafe protocols.deallocate()
    }

    /// Why a key was not taken, in words of what is wrong with the files.
    private static func keyFault(_ key: String, _ certificate: String) -> TLSError {
        var error = TLSError.noted("read key \(key)")
        if error.reason.contains("mismatch") { error.reason = "it does not belong to certificate \(certificate)" }
        // What the library calls a passphrase that was not given.
        if error.reason.contains("cancelled") {
            error.reason = "it is encrypted; a key without a passphrase is needed"
        }
        return error
    }

    /// Names behind their lengths (RFC 7301 §3.1); those that do not fit are left out.
    private static func wireFormat(_ names: [String]) -> UnsafeMutableBufferPointer<UInt8> {
        var bytes: [UInt8] = []
        for name in names where (1...255).contains(name.utf8.count) {
            bytes.append(UInt8(name.utf8.count))
            bytes.append(contentsOf: name.utf8)
        }
        // Safe: filled completely here; owned by the context.
        let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
        _ = unsafe buffer.initialize(from: bytes)
        return unsafe buffer
    }

    private func offerProtocols() {
        // Safe: the callback is only called while an engine, and so the context, lives; it keeps no pointer.
        unsafe SSL_CTX_set_alpn_select_cb(
            pointer,
            { _, chosen, chosenLength, offered, offeredLength, context in
                guard let context = unsafe context else { return SSL_TLSEXT_ERR_NOACK }
                let own = unsafe Unmanaged<TLSContext>.fromOpaque(context).takeUnretainedValue().protocols
                var match: UnsafeMutablePointer<UInt8>?
                let result = unsafe SSL_select_next_proto(
                    &match,
                    chosenLength,
                    own.baseAddress,
                    UInt32(own.count),
                    offered,
                    offeredLength
                )
                guard result == OPENSSL_NPN_NEGOTIATED else { return SSL_TLSEXT_ERR_NOACK }
                unsafe chosen?.pointee = UnsafePointer(match)
                return SSL_TLSEXT_ERR_OK
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
    }
}

extension TLSTrust {
    /// True if a chain of signatures has to lead to an authority.
    var isByAuthority: Bool {
        switch self {
        case .system, .authorities: true
        case .fingerprint, .anybody: false
        }
    }
}

/// A context while it is being made, freed when that fails.
@safe private struct OwnedContext: ~Copyable {
    let pointer: OpaquePointer

    init(server: Bool) throws(TLSError) {
        ERR_clear_error()
        // Safe: the method descriptions are the library's constants.
        guard let pointer = unsafe SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()) else {
            throw .noted("set up TLS")
        }
        unsafe self.pointer = pointer
        let modes = Int(SSL_MODE_RELEASE_BUFFERS) | Int(SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER)
        // Safe: these take numbers only. What they set cannot fail.
        unsafe SSL_CTX_ctrl(pointer, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_2_VERSION), nil)
        unsafe SSL_CTX_ctrl(pointer, SSL_CTRL_MODE, modes, nil)
        // Tickets hold all that is needed to go on with a session: nothing is kept here for clients that are gone.
        unsafe SSL_CTX_ctrl(pointer, SSL_CTRL_SET_SESS_CACHE_MODE, Int(SSL_SESS_CACHE_OFF), nil)
        unsafe SSL_CTX_set_num_tickets(pointer, 1)
    }

    deinit { unsafe SSL_CTX_free(pointer) }

    /// Gives the context to a new owner.
    consuming func release() -> OpaquePointer {
        // Safe: one reference more, for the one that deinit takes.
        unsafe SSL_CTX_up_ref(pointer)
        return unsafe pointer
    }
}
