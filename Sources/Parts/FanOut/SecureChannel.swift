// SPDX-License-Identifier: Apache-2.0
// The TLS between a connection and its socket.

import Crypto
import System

/// Encrypts what a connection sends, a record at a time, and decrypts what it gets.
///
/// The next record is made when the last one has gone, so that a slow client holds one record and no queue.
struct SecureChannel: ~Copyable {
    private let engine: TLSEngine
    private var ciphertext: [UInt8] = []
    private var sent = 0

    init(_ engine: TLSEngine) { self.engine = engine }

    /// The most plaintext that `encrypt` takes.
    static let recordLimit = TLSEngine.recordLimit

    /// How far the connection is.
    var state: TLSEngine.State { engine.state }

    /// The protocol that ALPN chose.
    var negotiatedProtocol: String? { engine.negotiatedProtocol }

    /// Ciphertext that waits for the socket, in bytes.
    var pendingBytes: Int { ciphertext.count - sent }

    /// Takes what came from the socket; there may be an answer to it to `flush` then, even if this throws.
    mutating func receive(_ bytes: Span<UInt8>, into input: inout [UInt8]) throws(TLSError) {
        defer { takeOutput() }
        try engine.receive(bytes, into: &input)
    }

    /// Makes the next record; to be called when none waits.
    mutating func encrypt(_ plaintext: Span<UInt8>) throws(TLSError) {
        defer { takeOutput() }
        try engine.send(plaintext)
    }

    /// Sends what waits, as much of it as the socket takes.
    mutating func flush(_ socket: Int32) throws(SystemError) -> IOResult {
        guard pendingBytes > 0 else { return .bytes(0) }
        let result = try Socket.send(socket, ciphertext.span.extracting(sent...))
        if case .bytes(let count) = result { sent += count }
        if sent == ciphertext.count {
            ciphertext = []
            sent = 0
        }
        return result
    }

    /// Tells the peer that nothing more comes, if the socket has room for it.
    mutating func sayGoodbye(_ socket: Int32) {
        engine.close()
        takeOutput()
        // The socket is about to be closed: a peer that cannot be told will see that.
        _ = try? flush(socket)
    }

    private mutating func takeOutput() {
        guard engine.hasOutput else { return }
        if ciphertext.isEmpty {
            ciphertext = engine.takeOutput()
        } else {
            ciphertext.append(contentsOf: engine.takeOutput())
        }
    }
}
