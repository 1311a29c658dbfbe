// SPDX-License-Identifier: Apache-2.0
// H.264 and H.265 encoding by libavcodec: one picture in, one access unit out.

package import Bytes
import CSysFFmpeg
package import Media

/// What is known of an access unit besides its bytes.
package struct UnitInfo: Sendable, Hashable {
    package var codec: Codec
    /// The capture instant of the picture that it shows.
    package var captured: Instant
    package var isKeyframe: Bool
    /// Frames are missing in front of this one.
    package var isDiscontinuous: Bool
    /// What is to be put into a camera's JPEG on its way, so that it is a whole one; nil if it is.
    package var repair: JPEGRepair?

    package init(
        codec: Codec,
        captured: Instant,
        isKeyframe: Bool,
        isDiscontinuous: Bool = false,
        repair: JPEGRepair? = nil
    ) {
        self.codec = codec
        self.captured = captured
        self.isKeyframe = isKeyframe
        self.isDiscontinuous = isDiscontinuous
        self.repair = repair
    }
}

/// Encodes pictures into access units in ring form, without B-frames and without delay.
///
/// Keyframes come every `gop` frames, counted here, and when asked for; so the GOP can change at any time with every
/// encoder. Owns its C objects and frees them when it goes.
@safe package final class VideoEncoder {
    /// Pictures inside the encoder at once, beyond which something is broken.
    static let inFlightLimit = 32

    package private(set) var settings: EncoderSettings
    package let report: EncoderReport

    private let context: CodecContext
    private let packet: Packet
    private let uploader: HardwareUploader?
    private var unit: AccessUnitBuffer
    private var inFlight: [(pts: Int64, captured: Instant)] = []
    private var nextPTS: Int64 = 0
    private var framesSinceKey = 0
    private var keyframeRequested = true

    /// Opens one encoder. C: avcodec_open2()
    ///
    /// - Throws: `EncodeError` with the library's reason, such as a driver that is missing.
    package init(_ settings: EncoderSettings, kind: EncoderKind) throws(EncodeError) {
        guard let name = kind.name(for: settings.codec) else {
            throw EncodeError("open encoder \(kind.rawValue)", "does not encode \(settings.codec.name)")
        }
        let what = "open encoder \(name)"
        LibraryLog.begin()
        // Safe: the codec is a constant of the library.
        guard let codec = unsafe avcodec_find_encoder_by_name(name) else {
            throw EncodeError(what, "not in this build of FFmpeg")
        }
        context = unsafe try CodecContext(codec)
        packet = try Packet()
        self.settings = settings
        report = EncoderReport(chosen: name, kind: kind, refused: [])
        unit = AccessUnitBuffer(settings.codec == .h265 ? .h265 : .h264)
        switch kind {
        case .vaapi: uploader = try HardwareUploader(width: settings.width, height: settings.height)
        case .nvenc, .qsv, .v4l2m2m, .software: uploader = nil
        }
        configure(kind)
        var options: OpaquePointer?
        // Safe: the dictionary is ours, and freed whatever happens.
        defer { unsafe av_dict_free(&options) }
        for (key, value) in kind.options(for: settings.codec, settings.effort) {
            unsafe av_dict_set(&options, key, value, 0)
        }
        try check(unsafe avcodec_open2(context.pointer, codec, &options), what)
    }

    /// Encodes one picture; `emit` gets each access unit that comes out, for the length of the call only.
    ///
    /// The picture must have the size of the settings.
    /// C: avcodec_send_frame(), avcodec_receive_packet()
    package func encode(
        _ picture: PictureBuffer,
        captured: Instant,
        emit: (UnitInfo, Span<UInt8>) -> Void
    ) throws(EncodeError) {
        guard picture.width == settings.width, picture.height == settings.height, picture.format == .yuv420 else {
            throw EncodeError(
                "encode with \(report.chosen)",
                "picture is \(picture.width)x\(picture.height), want \(settings.width)x\(settings.height) 4:2:0"
            )
        }
        let forcesKey = keyframeRequested || framesSinceKey >= settings.gop
        try send(picture, key: forcesKey)
        if inFlight.count >= Self.inFlightLimit { inFlight.removeFirst() }
        inFlight.append((nextPTS, captured))
        nextPTS += 1
        framesSinceKey = forcesKey ? 1 : framesSinceKey + 1
        if forcesKey { keyframeRequested = false }
        try receive(emit)
    }

    /// Makes the next picture a keyframe.
    package func requestKeyframe() { keyframeRequested = true }

    /// The stream's parameter sets, each behind a 4-byte start code; empty before the first keyframe.
    package var configuration: [UInt8] { unit.parameterSets.annexB }

    /// Changes the bitrate or the GOP of the running encoder.
    ///
    /// - Returns: false if this change needs a new encoder; nothing is changed then.
    package func reconfigure(to new: EncoderSettings) -> Bool {
        var same = new
        same.gop = settings.gop
        same.bitrate = settings.bitrate
        guard same == settings else { return false }
        guard new.bitrate == settings.bitrate || report.kind.changesBitrateLive(new.codec) else { return false }
        settings = new
        applyBitrate()
        return true
    }

    private func configure(_ kind: EncoderKind) {
        // Safe: the context is ours and not open yet.
        unsafe context.pointer.pointee.width = Int32(settings.width)
        unsafe context.pointer.pointee.height = Int32(settings.height)
        let rate = settings.frameRate
        // What a sender tells of its rate may need 32 bits; FFmpeg has 31.
        let scale: UInt32 = max(rate.numerator, rate.denominator) > Int32.max ? 2 : 1
        let (frames, seconds) = (Int32(rate.numerator / scale), Int32(max(1, rate.denominator / scale)))
        unsafe context.pointer.pointee.framerate = AVRational(num: frames, den: seconds)
        unsafe context.pointer.pointee.time_base = AVRational(num: seconds, den: frames)
        unsafe context.pointer.pointee.max_b_frames = 0
        unsafe context.pointer.pointee.thread_count = Int32(settings.effort.threads)
        // Keyframes are forced from here, so the encoder's own count only has to stay out of the way.
        unsafe context.pointer.pointee.gop_size = 1 << 20
        unsafe context.pointer.pointee.color_range = settings.range == .full ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG
        unsafe context.pointer.pointee.colorspace = AVCOL_SPC_SMPTE170M
        // Safe: as above.
        unsafe context.pointer.pointee.color_primaries = AVCOL_PRI_SMPTE170M
        unsafe context.pointer.pointee.color_trc = AVCOL_TRC_SMPTE170M
        applyBitrate()
        switch kind {
        case .vaapi:
            unsafe context.pointer.pointee.pix_fmt = AV_PIX_FMT_VAAPI
            unsafe context.pointer.pointee.hw_frames_ctx = unsafe uploader?.newReference()
        case .qsv: unsafe context.pointer.pointee.pix_fmt = AV_PIX_FMT_NV12
        case .nvenc, .v4l2m2m, .software: unsafe context.pointer.pointee.pix_fmt = AV_PIX_FMT_YUV420P
        }
    }

    /// Sets rate and buffer; libx264 and NVENC look at them again with every frame.
    private func applyBitrate() {
        let bitrate = Int64(settings.bitrate)
        // Safe: the context is ours; these fields may change between two pictures.
        unsafe context.pointer.pointee.bit_rate = bitrate
        unsafe context.pointer.pointee.rc_max_rate = bitrate
        // One second of buffer: keyframes may be large, and no second is above the rate.
        unsafe context.pointer.pointee.rc_buffer_size = Int32(clamping: bitrate)
    }

    private func send(_ picture: PictureBuffer, key: Bool) throws(EncodeError) {
        let input: UnsafeMutablePointer<AVFrame>
        if let uploader {
            // Safe: each of these frames lives until the encoder has been given it.
            unsafe input = try uploader.upload(picture)
        } else if unsafe context.pointer.pointee.pix_fmt == AV_PIX_FMT_NV12 {
            unsafe input = try toNV12(picture).frame
        } else {
            unsafe input = picture.frame
        }
        // Safe: the encoder takes a counted reference of its own.
        unsafe input.pointee.pts = nextPTS
        unsafe input.pointee.pict_type = key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE
        defer { unsafe input.pointee.pict_type = AV_PICTURE_TYPE_NONE }
        try check(unsafe avcodec_send_frame(context.pointer, input), "encode with \(report.chosen)")
    }

    private var interleaver = Scaler()
    private var interleaved = PicturePool()

    private func toNV12(_ picture: PictureBuffer) throws(EncodeError) -> PictureBuffer {
        let target = try interleaved.take(width: picture.width, height: picture.height, format: .nv12)
        try interleaver.scale(picture, into: target)
        return target
    }

    private func receive(_ emit: (UnitInfo, Span<UInt8>) -> Void) throws(EncodeError) {
        while true {
            // Safe: context and packet are ours.
            let code = unsafe avcodec_receive_packet(context.pointer, packet.pointer)
            if code == apus_averror_eagain || code == apus_averror_eof { return }
            try check(code, "encode with \(report.chosen)")
            defer { packet.clear() }
            let pts = unsafe packet.pointer.pointee.pts
            guard let index = inFlight.firstIndex(where: { $0.pts == pts }) else { continue }
            let captured = inFlight[index].captured
            inFlight.removeSubrange(...index)
            packet.withBytes { unit.load($0) }
            let info = UnitInfo(codec: settings.codec, captured: captured, isKeyframe: unit.isKeyframe)
            let bytes = unit.bytes
            emit(info, bytes.span)
        }
    }
}
