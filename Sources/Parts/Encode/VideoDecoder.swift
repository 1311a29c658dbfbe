// SPDX-License-Identifier: Apache-2.0
// Decoding of any video codec by libavcodec: one coded unit in, pictures out.

package import Bytes
import CSysFFmpeg
package import Media

/// Decodes coded units into pictures, one thread, without delay beyond what the stream's reordering needs.
@safe package final class VideoDecoder {
    private let context: CodecContext
    private let packet: Packet
    private let frame: Frame
    private let name: String

    /// Opens a decoder for H.264 or H.265 in ring form, or for JPEG. C: avcodec_open2()
    package convenience init(codec: Codec) throws(EncodeError) {
        let code: AVCodecID
        switch codec {
        case .h264: code = AV_CODEC_ID_H264
        case .h265: code = AV_CODEC_ID_HEVC
        case .av1: code = AV_CODEC_ID_AV1
        case .jpeg: code = AV_CODEC_ID_MJPEG
        default: throw EncodeError("open decoder", "\(codec.name) is not a video codec")
        }
        // Safe: there are no parameters to read.
        try unsafe self.init(code: code, parameters: nil)
    }

    /// Opens the decoder that a container's stream asks for.
    init(code: AVCodecID, parameters: UnsafePointer<AVCodecParameters>?) throws(EncodeError) {
        // Safe: the library's name of a codec is a constant.
        name = unsafe String(cString: avcodec_get_name(code))
        let what = "open decoder \(name)"
        LibraryLog.begin()
        guard let codec = unsafe avcodec_find_decoder(code) else {
            throw EncodeError(what, "not in this build of FFmpeg")
        }
        context = unsafe try CodecContext(codec)
        packet = try Packet()
        frame = try Frame()
        // Safe: the context is ours and not open yet; the parameters are copied.
        if let parameters = unsafe parameters {
            try check(unsafe avcodec_parameters_to_context(context.pointer, parameters), what)
        } else {
            unsafe context.pointer.pointee.flags |= Int32(AV_CODEC_FLAG_LOW_DELAY)
        }
        unsafe context.pointer.pointee.thread_count = 1
        try check(unsafe avcodec_open2(context.pointer, codec, nil), what)
    }

    /// Decodes one unit; `emit` gets each picture that comes out, with the instant of the unit that it came from.
    ///
    /// Damaged units throw; the next keyframe heals the decoder.
    /// C: avcodec_send_packet(), avcodec_receive_frame()
    package func decode(
        _ unit: Span<UInt8>,
        captured: Instant,
        emit: (PictureBuffer, Instant) -> Void
    ) throws(EncodeError) {
        // Safe: av_new_packet() gives `unit.count` bytes and the padding that decoders read beyond.
        try check(unsafe av_new_packet(packet.pointer, Int32(clamping: unit.count)), "decode \(name)")
        defer { packet.clear() }
        unsafe unit.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            unsafe UnsafeMutableRawPointer(packet.pointer.pointee.data).copyMemory(from: start, byteCount: bytes.count)
        }
        unsafe packet.pointer.pointee.pts = captured.nanoseconds
        try decode(packet, emit: emit)
    }

    /// Decodes a demuxer's packet; the packet's pts comes back as the picture's instant.
    func decode(_ packet: borrowing Packet, emit: (PictureBuffer, Instant) -> Void) throws(EncodeError) {
        // Safe: context, packet and frame are owned; the decoder counts its own references.
        try check(unsafe avcodec_send_packet(context.pointer, packet.pointer), "decode \(name)")
        try receive(emit)
    }

    /// Gets out the pictures that reordering still holds back; `flush()` must come before the next unit.
    package func finish(emit: (PictureBuffer, Instant) -> Void) throws(EncodeError) {
        // Safe: a null packet says that no more come.
        try check(unsafe avcodec_send_packet(context.pointer, nil), "decode \(name)")
        try receive(emit)
    }

    private func receive(_ emit: (PictureBuffer, Instant) -> Void) throws(EncodeError) {
        // Safe: context and frame are owned; the picture takes the frame's references over.
        while true {
            let code = unsafe avcodec_receive_frame(context.pointer, frame.pointer)
            if code == apus_averror_eagain || code == apus_averror_eof { return }
            try check(code, "decode \(name)")
            let best = unsafe frame.pointer.pointee.best_effort_timestamp
            let instant = Instant(nanoseconds: best == apus_av_nopts_value ? 0 : best)
            emit(try unsafe PictureBuffer(taking: frame.pointer), instant)
        }
    }

    /// Forgets all earlier units, as after a seek. C: avcodec_flush_buffers()
    // Safe: the context is ours.
    package func flush() { unsafe avcodec_flush_buffers(context.pointer) }
}
