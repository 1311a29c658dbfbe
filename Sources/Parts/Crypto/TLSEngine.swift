// SPDX-License-Identifier: Apache-2.0
// One TLS connection without its socket: ciphertext in, plaintext out, and back.

import CSysOpenSSL

/// One end of a TLS connection. Bytes go in and come out; who moves them is the owner's business. C: SSL
///
/// After each call, what `takeOutput` gives is to be sent to the peer, even when the call threw: it may be the alert
/// that tells the peer why.
@safe package final class TLSEngine {
    /// How far the connection is.
    package enum State: Sendable, Equatable {
        /// The two sides agree on keys; nothing can be sent yet.
        case handshaking
        /// Plaintext goes both ways.
        case open
        /// The peer has said that it sends no more.
        case closedByPeer
        /// It failed, or this side closed it.
        case ended
    }

    package private(set) var state = State.handshaking

    private let context: TLSContext
    private let wire = TLSWire()
    // Owned, with its BIO: freed in deinit.
    private let pointer: OpaquePointer
    private let peerName: String

    /// The most plaintext that `send` takes at once: one record.
    package static let recordLimit = TLSBridge.recordLimit
    /// Output that waits beyond this ends the connection: a peer can ask for answers and never take them.
    package static let outputLimit = 256 << 10

    /// Makes a connection's end; a client's first words are in the output at once.
    ///
    /// - Parameter serverName: a client's word for whom it wants: a host name or an IP address, which the certificate
    ///   must name too if authorities are asked.
    package init(_ context: TLSContext, serverName: String? = nil) throws(TLSError) {
        self.context = context
        peerName = serverName ?? "the peer"
        ERR_clear_error()
        // Safe: the objects are only kept, to be freed in deinit, and the context lives as long as self.
        guard let pointer = unsafe SSL_new(context.pointer) else { throw .noted("set up TLS") }
        unsafe self.pointer = pointer
        guard let bio = unsafe context.bridge.attach(wire) else { throw .noted("set up TLS") }
        // Safe: gives the BIO's one reference away for both directions.
        unsafe SSL_set_bio(pointer, bio, bio)
        switch context.side {
        case .server: unsafe SSL_set_accept_state(pointer)
        case .client:
            unsafe SSL_set_connect_state(pointer)
            if let serverName { try name(serverName) } else { try requireNoName() }
            try shakeHands()
        }
    }

    deinit {
        // Safe: this is the only owner. The BIO goes with it, and `wire` after it.
        unsafe SSL_free(pointer)
    }

    /// Takes what the peer sent and appends what it says to `plaintext`.
    ///
    /// - Throws: why the connection cannot go on; what it said before is in `plaintext`.
    package func receive(_ ciphertext: Span<UInt8>, into plaintext: inout [UInt8]) throws(TLSError) {
        guard state != .ended else { throw TLSError("receive over TLS", "the connection has ended") }
        // Safe: lent until the end of this closure; the library copies what it needs.
        let result = unsafe ciphertext.withUnsafeBytes { bytes -> Result<Void, TLSError> in
            unsafe wire.lend(bytes)
            defer { unsafe wire.lend(UnsafeRawBufferPointer(start: nil, count: 0)) }
            do throws(TLSError) {
                return .success(try work(&plaintext))
            } catch {
                return .failure(error)
            }
        }
        try result.get()
        guard wire.output.count <= Self.outputLimit else {
            throw fail(TLSError("send over TLS", "the peer does not take its answers"))
        }
    }

    /// Encrypts at most `recordLimit` bytes into the output. To be called when the state is open.
    package func send(_ plaintext: Span<UInt8>) throws(TLSError) {
        precondition(plaintext.count <= Self.recordLimit, "one record at a time")
        guard state == .open || state == .closedByPeer else {
            throw TLSError("send over TLS", "the connection is not open")
        }
        guard !plaintext.isEmpty else { return }
        ERR_clear_error()
        // Safe: the library reads `plaintext` during the call only.
        let count = unsafe plaintext.withUnsafeBytes { unsafe SSL_write(pointer, $0.baseAddress, Int32($0.count)) }
        // The output takes everything, so there is no half of a record.
        guard count == plaintext.count else { throw fail(.noted("send over TLS")) }
    }

    /// Tells the peer that nothing more will be sent.
    package func close() {
        guard state == .open || state == .closedByPeer else {
            state = .ended
            return
        }
        state = .ended
        ERR_clear_error()
        // Safe: the pointer is ours. Whether the peer answers does not matter to us.
        unsafe SSL_shutdown(pointer)
        ERR_clear_error()
    }

    /// Takes what is to be sent to the peer.
    package func takeOutput() -> [UInt8] {
        var output: [UInt8] = []
        swap(&output, &wire.output)
        return output
    }

    /// True if there is something to be sent to the peer.
    package var hasOutput: Bool { !wire.output.isEmpty }

    /// The protocol that ALPN chose. C: SSL_get0_alpn_selected()
    package var negotiatedProtocol: String? {
        var start: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        // Safe: the name belongs to the connection; it is copied here.
        unsafe SSL_get0_alpn_selected(pointer, &start, &count)
        guard let start = unsafe start, count > 0 else { return nil }
        return unsafe String(decoding: UnsafeBufferPointer(start: start, count: Int(count)), as: UTF8.self)
    }

    /// The protocol's version, such as `TLSv1.3`. C: SSL_get_version()
    package var version: String {
        // Safe: one of the library's constant texts.
        unsafe String(cString: SSL_get_version(pointer))
    }

    /// The facts of the peer's certificate; nil if it has shown none. C: SSL_get1_peer_certificate()
    package var peerCertificate: CertificateFacts? {
        // Safe: one reference, given back here.
        guard let certificate = unsafe SSL_get1_peer_certificate(pointer) else { return nil }
        defer { unsafe X509_free(certificate) }
        return unsafe CertificateFacts(certificate)
    }

    // MARK: Private

    private func work(_ plaintext: inout [UInt8]) throws(TLSError) {
        if state == .handshaking { try shakeHands() }
        guard state != .handshaking else { return }
        let scratch = unsafe context.bridge.scratch
        while state == .open {
            ERR_clear_error()
            // Safe: the library gets the scratch buffer's true size.
            let count = unsafe SSL_read(pointer, scratch.baseAddress, Int32(scratch.count))
            guard count > 0 else { return try stop(count, "receive over TLS") }
            unsafe plaintext.append(contentsOf: scratch[..<Int(count)])
        }
    }

    private func shakeHands() throws(TLSError) {
        ERR_clear_error()
        // Safe: the pointer is ours.
        let result = unsafe SSL_do_handshake(pointer)
        guard result == 1 else { return try stop(result, "TLS handshake") }
        try checkFingerprint()
        state = .open
    }

    /// What a call that gave nothing means.
    private func stop(_ result: Int32, _ operation: String) throws(TLSError) {
        // Safe: the pointer is ours.
        switch unsafe SSL_get_error(pointer, result) {
        case SSL_ERROR_WANT_READ: return
        case SSL_ERROR_ZERO_RETURN: state = .closedByPeer
        default:
            let verdict = unsafe SSL_get_verify_result(pointer)
            var error = TLSError.noted(operation)
            if context.trust.isByAuthority, verdict != X509_V_OK {
                // Safe: one of the library's constant texts.
                let why = unsafe String(cString: X509_verify_cert_error_string(verdict))
                error.reason = "the certificate of \(peerName) is not trusted: \(why)"
                error.isAboutTrust = true
            }
            throw fail(error)
        }
    }

    private func fail(_ error: TLSError) -> TLSError {
        state = .ended
        return error
    }

    /// Says whom this client wants, and has the certificate checked for it.
    private func name(_ serverName: String) throws(TLSError) {
        // Safe: the library copies the name; the parameters belong to the connection.
        if unsafe X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(pointer), serverName) == 1 { return }
        ERR_clear_error()
        guard unsafe SSL_set1_host(pointer, serverName) == 1 else { throw .noted("look for server \(serverName)") }
        // Safe: the name is copied.
        let isNamed = unsafe serverName.withCString { text in
            unsafe SSL_ctrl(
                pointer,
                SSL_CTRL_SET_TLSEXT_HOSTNAME,
                Int(TLSEXT_NAMETYPE_host_name),
                UnsafeMutableRawPointer(mutating: text)
            )
        }
        guard isNamed == 1 else { throw .noted("look for server \(serverName)") }
    }

    private func requireNoName() throws(TLSError) {
        guard !context.trust.isByAuthority else {
            throw TLSError("set up TLS", "authorities cannot vouch for a server without a name")
        }
    }

    private func checkFingerprint() throws(TLSError) {
        guard context.side == .client, case .fingerprint(let wanted) = context.trust else { return }
        guard let found = peerCertificate?.fingerprint, ConstantTime.areEqual(found.span, wanted.span) else {
            throw fail(TLSError("TLS handshake", "the certificate of \(peerName) is not the one that was agreed on"))
        }
    }
}
