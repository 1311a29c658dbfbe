// SPDX-License-Identifier: Apache-2.0
// How OpenSSL reaches an engine's bytes: a BIO of our own that holds none itself.

import CSysOpenSSL

/// The functions that OpenSSL calls to get ciphertext and to get rid of it, one set for a context's engines.
///
/// OpenSSL's memory BIOs keep buffers as large as the largest record seen, two for each connection; this keeps none.
@safe final class TLSBridge {
    // Owned: freed in deinit.
    private let method: OpaquePointer
    /// Where plaintext is put before it is appended to its array; shared, since only one engine works at a time.
    let scratch: UnsafeMutableBufferPointer<UInt8>

    /// The most plaintext that a record has (RFC 8446 §5.1).
    static let recordLimit = 16 << 10

    /// BIO_FLAGS_RWS, a macro that Swift does not see.
    private static let directions = BIO_FLAGS_READ | BIO_FLAGS_WRITE | BIO_FLAGS_IO_SPECIAL

    /// C: BIO_meth_new()
    init() throws(TLSError) {
        // Safe: the object is only kept, to be freed in deinit. The callbacks capture nothing.
        guard let method = unsafe BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "apus") else {
            throw .noted("set up TLS")
        }
        unsafe self.method = method
        unsafe scratch = .allocate(capacity: Self.recordLimit)
        unsafe scratch.initialize(repeating: 0)
        unsafe BIO_meth_set_read(method) { bio, buffer, count in
            // Safe: the flags are numbers; the library gives a buffer of `count` bytes.
            unsafe BIO_clear_flags(bio, TLSBridge.directions | BIO_FLAGS_SHOULD_RETRY)
            guard let wire = unsafe TLSWire.of(bio), let buffer = unsafe buffer, count > 0 else { return -1 }
            let taken = unsafe wire.take(UnsafeMutableRawPointer(buffer), Int(count))
            if taken > 0 { return Int32(taken) }
            unsafe BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY)
            return -1
        }
        unsafe BIO_meth_set_write(method) { bio, buffer, count in
            // Safe: as above.
            unsafe BIO_clear_flags(bio, TLSBridge.directions | BIO_FLAGS_SHOULD_RETRY)
            guard let wire = unsafe TLSWire.of(bio), let buffer = unsafe buffer, count > 0 else { return -1 }
            unsafe wire.give(UnsafeRawPointer(buffer), Int(count))
            return count
        }
        unsafe BIO_meth_set_ctrl(method) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
    }

    deinit {
        // Safe: this is the only owner; the engines that use it keep the context, which keeps self.
        unsafe BIO_meth_free(method)
        unsafe scratch.deallocate()
    }

    /// A BIO whose bytes are those of `wire`, which must outlive it. C: BIO_new()
    func attach(_ wire: TLSWire) -> OpaquePointer? {
        // Safe: the method lives as long as the context; `wire` belongs to the engine that frees the BIO.
        guard let bio = unsafe BIO_new(method) else { return nil }
        unsafe BIO_set_data(bio, Unmanaged.passUnretained(wire).toOpaque())
        unsafe BIO_set_init(bio, 1)
        return unsafe bio
    }
}

/// The ciphertext of one engine: what has come in, lent for the length of a call, and what is to go out.
@safe final class TLSWire {
    /// What is to be sent to the peer.
    var output: [UInt8] = []
    // Safe: an empty buffer; see `lend`.
    private var input = unsafe UnsafeRawBufferPointer(start: nil, count: 0)

    /// The wire behind a BIO.
    static func of(_ bio: OpaquePointer?) -> TLSWire? {
        // Safe: set by `attach`, and the engine outlives its BIO.
        guard let data = unsafe BIO_get_data(bio) else { return nil }
        return unsafe Unmanaged<TLSWire>.fromOpaque(data).takeUnretainedValue()
    }

    /// True when all input that was lent has been taken.
    var isDrained: Bool { unsafe input.isEmpty }

    /// Lends input until it is lent nothing.
    // Safe: the engine ends the loan before the bytes' owner gets them back.
    func lend(_ bytes: UnsafeRawBufferPointer) { unsafe input = bytes }

    func take(_ target: UnsafeMutableRawPointer, _ room: Int) -> Int {
        // Safe: only its count is looked at.
        let count = unsafe min(room, input.count)
        guard count > 0, let start = unsafe input.baseAddress else { return 0 }
        // Safe: `target` has `room` bytes, and the input at least `count`.
        unsafe target.copyMemory(from: start, byteCount: count)
        unsafe input = UnsafeRawBufferPointer(rebasing: input[count...])
        return count
    }

    func give(_ bytes: UnsafeRawPointer, _ count: Int) {
        // Safe: the library gives `count` bytes, which stay for the call.
        unsafe output.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: count))
    }
}
