// SPDX-License-Identifier: Apache-2.0
// One owner for each kind of libav* object: made here, freed when the owner goes.

import CSysFFmpeg

/// Owns an encoder or decoder. C: AVCodecContext
@safe struct CodecContext: ~Copyable {
    let pointer: UnsafeMutablePointer<AVCodecContext>

    /// C: avcodec_alloc_context3()
    init(_ codec: UnsafePointer<AVCodec>) throws(EncodeError) {
        // Safe: the pointer is only kept, to be freed in deinit.
        guard let pointer = unsafe avcodec_alloc_context3(codec) else {
            throw EncodeError("allocate codec context", "out of memory")
        }
        unsafe self.pointer = pointer
    }

    deinit {
        // Safe: this is the only owner.
        var pointer: UnsafeMutablePointer<AVCodecContext>? = unsafe pointer
        unsafe avcodec_free_context(&pointer)
    }
}

/// Owns a packet. C: AVPacket
@safe struct Packet: ~Copyable {
    let pointer: UnsafeMutablePointer<AVPacket>

    /// C: av_packet_alloc()
    init() throws(EncodeError) {
        // Safe: the pointer is only kept, to be freed in deinit.
        guard let pointer = unsafe av_packet_alloc() else { throw EncodeError("allocate packet", "out of memory") }
        unsafe self.pointer = pointer
    }

    deinit {
        // Safe: this is the only owner.
        var pointer: UnsafeMutablePointer<AVPacket>? = unsafe pointer
        unsafe av_packet_free(&pointer)
    }

    /// Lends the packet's bytes for the length of the call.
    func withBytes<R>(_ body: (Span<UInt8>) -> R) -> R {
        // Safe: `data` has `size` bytes, which stay until the packet's owner clears it, after this call.
        let buffer = unsafe UnsafeBufferPointer(start: pointer.pointee.data, count: Int(pointer.pointee.size))
        return unsafe body(buffer.span)
    }

    /// Lets go of the bytes. C: av_packet_unref()
    func clear() { unsafe av_packet_unref(pointer) }
}

/// Owns a frame whose contents come and go. C: AVFrame
@safe struct Frame: ~Copyable {
    let pointer: UnsafeMutablePointer<AVFrame>

    /// C: av_frame_alloc()
    init() throws(EncodeError) {
        // Safe: the pointer is only kept, to be freed in deinit.
        guard let pointer = unsafe av_frame_alloc() else { throw EncodeError("allocate frame", "out of memory") }
        unsafe self.pointer = pointer
    }

    deinit {
        // Safe: this is the only owner.
        var pointer: UnsafeMutablePointer<AVFrame>? = unsafe pointer
        unsafe av_frame_free(&pointer)
    }
}

/// Owns a counted reference to a buffer. C: AVBufferRef
@safe struct BufferReference: ~Copyable {
    let pointer: UnsafeMutablePointer<AVBufferRef>

    /// Takes over a reference.
    // Safe: the pointer is only kept, to be freed in deinit.
    init(owning pointer: UnsafeMutablePointer<AVBufferRef>) { unsafe self.pointer = pointer }

    deinit {
        // Safe: this is the only owner.
        var pointer: UnsafeMutablePointer<AVBufferRef>? = unsafe pointer
        unsafe av_buffer_unref(&pointer)
    }
}
