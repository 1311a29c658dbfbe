// SPDX-License-Identifier: Apache-2.0
// Reading coded pictures out of media files by libavformat.

package import Bytes
import CSysFFmpeg
package import Media

/// Reads the video stream of a media file, unit by unit.
@safe package final class Demuxer {
    /// What the file's video stream is.
    package struct Description: Sendable, Equatable {
        /// Nil for a codec that cannot be passed through.
        package var codec: Codec?
        package var codecName: String
        package var width: Int
        package var height: Int
        package var frameRate: Rational
        /// True if pictures are shown in another order than they are coded in.
        package var isReordered: Bool
    }

    /// One coded unit's place in time, from the file's first.
    package struct Timing: Sendable, Equatable {
        package var presentation: Duration
        package var isKeyframe: Bool
    }

    package let description: Description

    private let path: String
    private let file: OpenedFile
    private let packet: Packet
    private let filter: BitstreamFilter?
    private let streamIndex: Int32
    private let decoderCode: AVCodecID
    private var unit: AccessUnitBuffer

    /// Opens a file of this machine; no address in it is followed elsewhere. C: avformat_open_input()
    package init(path: String) throws(EncodeError) {
        let what = "open \(path)"
        LibraryLog.begin()
        self.path = path
        file = try OpenedFile.open(path)
        packet = try Packet()
        // Safe: the file, its streams and their parameters live as long as `file`.
        let index = unsafe av_find_best_stream(file.pointer, AVMEDIA_TYPE_VIDEO, -1, -1, nil, 0)
        guard index >= 0, let stream = unsafe file.pointer.pointee.streams[Int(index)] else {
            throw EncodeError(what, "there is no video in it")
        }
        streamIndex = index
        guard let parameters = unsafe stream.pointee.codecpar else { throw EncodeError(what, "no codec parameters") }
        decoderCode = unsafe parameters.pointee.codec_id
        let codec: Codec? =
            switch decoderCode {
            case AV_CODEC_ID_H264: .h264
            case AV_CODEC_ID_HEVC: .h265
            case AV_CODEC_ID_MJPEG: .jpeg
            default: nil
            }
        unit = AccessUnitBuffer(codec == .h265 ? .h265 : .h264)
        let rate = unsafe av_guess_frame_rate(file.pointer, stream, nil)
        // Safe: the library's name of a codec is a constant.
        let name = unsafe String(cString: avcodec_get_name(decoderCode))
        description = Description(
            codec: codec,
            codecName: name,
            width: unsafe Int(parameters.pointee.width),
            height: unsafe Int(parameters.pointee.height),
            frameRate: Rational(UInt32(clamping: rate.num), UInt32(clamping: rate.den)),
            isReordered: unsafe parameters.pointee.video_delay > 0
        )
        // Safe: avformat_new_stream() never leaves these unset, and `stream` lives as long as the file.
        switch codec {
        case .h264: filter = try unsafe BitstreamFilter("h264_mp4toannexb", stream)
        case .h265: filter = try unsafe BitstreamFilter("hevc_mp4toannexb", stream)
        default: filter = nil
        }
    }

    /// Opens a decoder for the file's video.
    package func makeDecoder() throws(EncodeError) -> VideoDecoder {
        // Safe: the stream was found when the file was opened.
        try unsafe VideoDecoder(
            code: decoderCode,
            parameters: UnsafePointer(file.pointer.pointee.streams[Int(streamIndex)]?.pointee.codecpar)
        )
    }

    /// Moves on to the next coded unit. C: av_read_frame()
    ///
    /// - Returns: the unit's timing, or nil at the end of the file.
    package func next() throws(EncodeError) -> Timing? {
        while true {
            packet.clear()
            // Safe: file and packet are owned here; the streams live as long as the file.
            let code = unsafe av_read_frame(file.pointer, packet.pointer)
            if code == apus_averror_eof { return nil }
            try check(code, "read \(path)")
            guard unsafe packet.pointer.pointee.stream_index == streamIndex else { continue }
            guard let stream = unsafe file.pointer.pointee.streams[Int(streamIndex)] else { continue }
            let base = unsafe stream.pointee.time_base
            let start = unsafe stream.pointee.start_time == apus_av_nopts_value ? 0 : stream.pointee.start_time
            let stamp =
                unsafe packet.pointer.pointee.pts == apus_av_nopts_value
                ? packet.pointer.pointee.dts : packet.pointer.pointee.pts
            guard stamp != apus_av_nopts_value else { throw EncodeError("read \(path)", "its units have no times") }
            let nanoseconds = av_rescale_q(stamp &- start, base, AVRational(num: 1, den: 1_000_000_000))
            let isKey = unsafe packet.pointer.pointee.flags & AV_PKT_FLAG_KEY != 0
            // Safe: the packet is owned here.
            // From here on, the packet's time is the unit's, so that decoded pictures carry it too.
            unsafe packet.pointer.pointee.pts = nanoseconds
            return Timing(presentation: .nanoseconds(nanoseconds), isKeyframe: isKey)
        }
    }

    /// Lends the unit that `next()` moved to: H.264 and H.265 in ring form, others as they are.
    ///
    /// C: av_bsf_send_packet(), av_bsf_receive_packet()
    package func withUnit(_ body: (Span<UInt8>, _ isKeyframe: Bool) -> Void) throws(EncodeError) {
        guard let filter else { return packet.withBytes { body($0, true) } }
        try filter.run(packet)
        packet.withBytes { unit.load($0) }
        let bytes = unit.bytes
        body(bytes.span, unit.isKeyframe)
    }

    /// Decodes the unit that `next()` moved to; the instants are times from the file's start.
    package func decode(with decoder: VideoDecoder, emit: (PictureBuffer, Instant) -> Void) throws(EncodeError) {
        try decoder.decode(packet, emit: emit)
    }

    /// The stream's parameter sets as far as they were seen, each behind a 4-byte start code.
    package var configuration: [UInt8] { unit.parameterSets.annexB }

    /// Goes back to the start. C: avformat_seek_file()
    package func rewind() throws(EncodeError) {
        // Safe: the file is owned here, and not in use elsewhere.
        let code = unsafe avformat_seek_file(file.pointer, -1, .min, file.pointer.pointee.start_time, .max, 0)
        if code < 0 {
            // Raw streams have no index to seek by.
            try check(unsafe av_seek_frame(file.pointer, streamIndex, 0, AVSEEK_FLAG_BYTE), "rewind \(path)")
        }
        filter?.flush()
    }
}

/// Owns an opened media file. C: AVFormatContext
@safe private struct OpenedFile: ~Copyable {
    let pointer: UnsafeMutablePointer<AVFormatContext>

    // Safe: the pointer is only kept, to be freed in deinit.
    private init(owning pointer: UnsafeMutablePointer<AVFormatContext>) { unsafe self.pointer = pointer }

    static func open(_ path: String) throws(EncodeError) -> OpenedFile {
        let what = "open \(path)"
        var options: OpaquePointer?
        // Safe: the dictionary is ours, and freed whatever happens.
        defer { unsafe av_dict_free(&options) }
        // A playlist must not make a camera fetch from the network.
        unsafe av_dict_set(&options, "protocol_whitelist", "file", 0)
        var opened: UnsafeMutablePointer<AVFormatContext>?
        try check(unsafe avformat_open_input(&opened, "file:" + path, nil, &options), what)
        guard let opened = unsafe opened else { throw EncodeError(what, "out of memory") }
        let file = unsafe OpenedFile(owning: opened)
        try check(unsafe avformat_find_stream_info(file.pointer, nil), what)
        return file
    }

    deinit {
        // Safe: this is the only owner.
        var pointer: UnsafeMutablePointer<AVFormatContext>? = unsafe pointer
        unsafe avformat_close_input(&pointer)
    }
}

/// Owns a bitstream filter. C: AVBSFContext
@safe private final class BitstreamFilter {
    let pointer: UnsafeMutablePointer<AVBSFContext>
    let name: String

    init(_ name: String, _ stream: UnsafeMutablePointer<AVStream>) throws(EncodeError) {
        let what = "open filter \(name)"
        // Safe: the filter is a constant of the library, and what is made of it is kept by self.
        guard let filter = unsafe av_bsf_get_by_name(name) else {
            throw EncodeError(what, "not in this build of FFmpeg")
        }
        var made: UnsafeMutablePointer<AVBSFContext>?
        try check(unsafe av_bsf_alloc(filter, &made), what)
        guard let made = unsafe made else { throw EncodeError(what, "out of memory") }
        unsafe pointer = made
        self.name = name
        try check(unsafe avcodec_parameters_copy(made.pointee.par_in, stream.pointee.codecpar), what)
        unsafe made.pointee.time_base_in = unsafe stream.pointee.time_base
        try check(unsafe av_bsf_init(made), what)
    }

    deinit {
        // Safe: this is the only owner.
        var pointer: UnsafeMutablePointer<AVBSFContext>? = unsafe pointer
        unsafe av_bsf_free(&pointer)
    }

    /// Filters a packet in place; both filters used here give one packet for each.
    func run(_ packet: borrowing Packet) throws(EncodeError) {
        try check(unsafe av_bsf_send_packet(pointer, packet.pointer), "filter \(name)")
        try check(unsafe av_bsf_receive_packet(pointer, packet.pointer), "filter \(name)")
    }

    func flush() { unsafe av_bsf_flush(pointer) }
}
