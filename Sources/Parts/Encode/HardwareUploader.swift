// SPDX-License-Identifier: Apache-2.0
// Brings pictures into the graphics memory that VA-API encoders read from.

import CSysFFmpeg

/// Owns a VA-API device and a pool of its surfaces.
@safe final class HardwareUploader {
    /// Surfaces in the pool: the one being filled, and those the encoder refers to.
    static let surfaceCount: Int32 = 8

    private let device: BufferReference
    private let frames: BufferReference
    private let surface: Frame
    private var scaler = Scaler()
    private let interleaved: PictureBuffer

    /// Opens the default VA-API device. C: av_hwdevice_ctx_create(), av_hwframe_ctx_init()
    init(width: Int, height: Int) throws(EncodeError) {
        let what = "open VA-API device"
        var opened: UnsafeMutablePointer<AVBufferRef>?
        // Safe: each reference that the library gives out gets its one owner at once.
        let code = unsafe av_hwdevice_ctx_create(&opened, AV_HWDEVICE_TYPE_VAAPI, nil, nil, 0)
        // The library's own text, "generic error in an external library", tells nobody what is missing.
        guard code >= 0, let opened = unsafe opened else { throw EncodeError(what, "there is no usable VA-API device") }
        device = unsafe BufferReference(owning: opened)
        guard let pool = unsafe av_hwframe_ctx_alloc(opened) else { throw EncodeError(what, "out of memory") }
        frames = unsafe BufferReference(owning: pool)
        surface = try Frame()
        interleaved = try PictureBuffer(width: width, height: height, format: .nv12)
        // Safe: av_hwframe_ctx_alloc() documents its buffer's data to be an AVHWFramesContext.
        unsafe UnsafeMutableRawPointer(pool.pointee.data)
            .withMemoryRebound(to: AVHWFramesContext.self, capacity: 1) { context in
                unsafe context.pointee.format = AV_PIX_FMT_VAAPI
                unsafe context.pointee.sw_format = AV_PIX_FMT_NV12
                unsafe context.pointee.width = Int32(width)
                unsafe context.pointee.height = Int32(height)
                unsafe context.pointee.initial_pool_size = Self.surfaceCount
            }
        try check(unsafe av_hwframe_ctx_init(pool), what)
    }

    /// A reference to the pool for the encoder to keep. C: av_buffer_ref()
    // Safe: the reference counts; whoever asked for it owns it.
    func newReference() -> UnsafeMutablePointer<AVBufferRef>? { unsafe av_buffer_ref(frames.pointer) }

    /// Copies a picture into a surface, which stays valid until the next call. C: av_hwframe_transfer_data()
    func upload(_ picture: PictureBuffer) throws(EncodeError) -> UnsafeMutablePointer<AVFrame> {
        try scaler.scale(picture, into: interleaved)
        // Safe: surface and pool are owned here; the caller gets no further than the next call.
        unsafe av_frame_unref(surface.pointer)
        try check(unsafe av_hwframe_get_buffer(frames.pointer, surface.pointer, 0), "take VA-API surface")
        try check(unsafe av_hwframe_transfer_data(surface.pointer, interleaved.frame, 0), "fill VA-API surface")
        return unsafe surface.pointer
    }
}
