// SPDX-License-Identifier: Apache-2.0
// Uncompressed pictures in planes, and the pool that they come from.

import CSysFFmpeg

/// How a picture's samples are laid out.
package enum PixelFormat: Sendable, Hashable, CaseIterable {
    /// Three planes, chroma halved both ways: what every encoder here takes.
    case yuv420
    /// Three planes, chroma halved across.
    case yuv422
    /// Three planes, chroma halved down.
    case yuv440
    /// Three planes, full chroma.
    case yuv444
    /// One plane of luma.
    case grey
    /// Luma, then one plane of alternating Cb and Cr, halved both ways.
    case nv12
    /// As nv12, with Cr first.
    case nv21
    /// One plane: Y0 Cb Y1 Cr.
    case yuyv
    /// One plane: Cb Y0 Cr Y1.
    case uyvy
    /// One plane: red, green, blue.
    case rgb24
    /// One plane: blue, green, red.
    case bgr24

    var code: AVPixelFormat {
        switch self {
        case .yuv420: AV_PIX_FMT_YUV420P
        case .yuv422: AV_PIX_FMT_YUV422P
        case .yuv440: AV_PIX_FMT_YUV440P
        case .yuv444: AV_PIX_FMT_YUV444P
        case .grey: AV_PIX_FMT_GRAY8
        case .nv12: AV_PIX_FMT_NV12
        case .nv21: AV_PIX_FMT_NV21
        case .yuyv: AV_PIX_FMT_YUYV422
        case .uyvy: AV_PIX_FMT_UYVY422
        case .rgb24: AV_PIX_FMT_RGB24
        case .bgr24: AV_PIX_FMT_BGR24
        }
    }

    /// How many planes a picture of this format has.
    package var planeCount: Int {
        switch self {
        case .yuv420, .yuv422, .yuv440, .yuv444: 3
        case .nv12, .nv21: 2
        case .grey, .yuyv, .uyvy, .rgb24, .bgr24: 1
        }
    }
}

/// Which sample values mean black and white.
package enum SampleRange: Sendable, Hashable {
    /// Luma 16 to 235, as television and nearly all video.
    case limited
    /// Luma 0 to 255, as JPEG.
    case full
}

/// One uncompressed picture; its memory is shared with the codecs that still work on it.
@safe package final class PictureBuffer {
    /// The largest width and height, in pixels.
    package static let maximumSide = 8192

    // Owned: freed in deinit, and never handed out of this module.
    let frame: UnsafeMutablePointer<AVFrame>
    package let width: Int
    package let height: Int
    /// Nil for what a decoder puts out in a layout of its own; a `Scaler` takes it all the same.
    package let format: PixelFormat?

    /// Allocates a picture, contents undefined. C: av_frame_get_buffer()
    package init(width: Int, height: Int, format: PixelFormat = .yuv420) throws(EncodeError) {
        let what = "allocate picture \(width)x\(height)"
        guard (1...Self.maximumSide).contains(width), (1...Self.maximumSide).contains(height) else {
            throw EncodeError(what, "sides must be 1 to \(Self.maximumSide) pixels")
        }
        // Safe: a fresh frame, filled in before it is shared; freed in deinit.
        guard let frame = unsafe av_frame_alloc() else { throw EncodeError(what, "out of memory") }
        unsafe self.frame = frame
        self.width = width
        self.height = height
        self.format = format
        unsafe frame.pointee.format = format.code.rawValue
        unsafe frame.pointee.width = Int32(width)
        unsafe frame.pointee.height = Int32(height)
        unsafe frame.pointee.color_range = AVCOL_RANGE_MPEG
        unsafe frame.pointee.colorspace = AVCOL_SPC_SMPTE170M
        try check(unsafe av_frame_get_buffer(frame, 0), what)
    }

    /// Takes over a decoder's frame and leaves `source` blank. C: av_frame_move_ref()
    init(taking source: UnsafeMutablePointer<AVFrame>) throws(EncodeError) {
        // Safe: a fresh frame takes over the references of `source`, which its owner may refill.
        guard let frame = unsafe av_frame_alloc() else { throw EncodeError("take decoded picture", "out of memory") }
        unsafe av_frame_move_ref(frame, source)
        unsafe self.frame = frame
        width = unsafe Int(frame.pointee.width)
        height = unsafe Int(frame.pointee.height)
        let code = unsafe frame.pointee.format
        if code == AV_PIX_FMT_YUVJ420P.rawValue {
            // The same layout; the range is said by color_range, not by a format of its own.
            unsafe frame.pointee.format = AV_PIX_FMT_YUV420P.rawValue
            unsafe frame.pointee.color_range = AVCOL_RANGE_JPEG
            format = .yuv420
        } else {
            format = PixelFormat.allCases.first { $0.code.rawValue == code }
        }
        // Safe: the frame is ours.
        unsafe frame.pointee.pict_type = AV_PICTURE_TYPE_NONE
    }

    deinit {
        // Safe: `frame` is ours alone; its buffers are counted and stay while a codec holds them.
        var frame: UnsafeMutablePointer<AVFrame>? = unsafe frame
        unsafe av_frame_free(&frame)
    }

    /// The sample range; encoders write it into the stream.
    package var range: SampleRange {
        // Safe: the frame lives as long as self.
        get { unsafe frame.pointee.color_range == AVCOL_RANGE_JPEG ? .full : .limited }
        set { unsafe frame.pointee.color_range = newValue == .full ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG }
    }

    /// Copies what the samples mean (range, matrix, primaries, transfer) from another picture.
    func copyColour(of other: PictureBuffer) {
        // Safe: both frames live as long as their owners.
        unsafe frame.pointee.color_range = other.frame.pointee.color_range
        unsafe frame.pointee.colorspace = other.frame.pointee.colorspace
        unsafe frame.pointee.color_primaries = other.frame.pointee.color_primaries
        unsafe frame.pointee.color_trc = other.frame.pointee.color_trc
    }

    /// False while a codec still reads this picture. C: av_frame_is_writable()
    // Safe: the frame lives as long as self.
    package var isWritable: Bool { unsafe av_frame_is_writable(frame) > 0 }

    /// The bytes from one row's start to the next row's.
    package func stride(ofPlane plane: Int) -> Int {
        precondition(plane < 4, "a picture has at most 4 planes")
        // Safe: `linesize` is a C array of 8.
        return unsafe withUnsafeBytes(of: frame.pointee.linesize) { raw in
            unsafe Int(raw.load(fromByteOffset: plane * 4, as: Int32.self))
        }
    }

    /// The rows of a plane.
    package func rows(ofPlane plane: Int) -> Int {
        switch format {
        case .yuv420, .nv12, .nv21, .yuv440: plane == 0 ? height : (height + 1) / 2
        default: height
        }
    }

    func base(ofPlane plane: Int) -> UnsafeMutablePointer<UInt8>? {
        // Safe: `data` is a C array of 8 pointers.
        unsafe withUnsafeBytes(of: frame.pointee.data) { raw in
            unsafe raw.load(
                fromByteOffset: plane * MemoryLayout<UnsafeMutablePointer<UInt8>?>.stride,
                as: UnsafeMutablePointer<UInt8>?.self
            )
        }
    }

    /// Lends a plane for writing: its bytes, row after row, `stride(ofPlane:)` apart.
    package func withPlane<R>(_ plane: Int, _ body: (inout MutableSpan<UInt8>) -> R) -> R {
        guard let base = unsafe base(ofPlane: plane) else { preconditionFailure("plane \(plane) does not exist") }
        // Safe: libavutil allocated at least stride × rows bytes here, and self outlives the call.
        var span = unsafe MutableSpan(_unsafeStart: base, count: stride(ofPlane: plane) * rows(ofPlane: plane))
        defer { withExtendedLifetime(self) {} }
        return body(&span)
    }

    /// Copies a packed frame with rows `stride` bytes apart, its planes behind each other, as V4L2 gives them.
    ///
    /// Rows that `bytes` is too short for are left as they are.
    package func load(_ bytes: Span<UInt8>, stride: Int) {
        var offset = 0
        for plane in 0..<(format?.planeCount ?? 0) where offset < bytes.count {
            let distance = sourceStride(ofPlane: plane, stride)
            load(plane, bytes.extracting(offset...), stride: distance)
            offset += distance * rows(ofPlane: plane)
        }
    }

    /// Copies one plane with rows `stride` bytes apart.
    package func load(_ plane: Int, _ bytes: Span<UInt8>, stride: Int) {
        guard plane < format?.planeCount ?? 0 else { return }
        let target = self.stride(ofPlane: plane)
        let width = min(stride, target)
        withPlane(plane) { rows in
            for row in 0..<self.rows(ofPlane: plane) {
                let start = row * stride
                guard start + width <= bytes.count else { return }
                for column in 0..<width { rows[row * target + column] = bytes[start + column] }
            }
        }
    }

    /// The bytes of a packed frame whose first plane has rows `stride` bytes apart.
    package func packedLength(stride: Int) -> Int {
        (0..<(format?.planeCount ?? 0)).reduce(0) { $0 + sourceStride(ofPlane: $1, stride) * rows(ofPlane: $1) }
    }

    /// Three planes have chroma rows of half the length, two have it in pairs.
    private func sourceStride(ofPlane plane: Int, _ stride: Int) -> Int {
        plane > 0 && (format == .yuv420 || format == .yuv422) ? stride / 2 : stride
    }

    /// Lends a plane for reading, laid out as in `withPlane`.
    package func withReadOnlyPlane<R>(_ plane: Int, _ body: (Span<UInt8>) -> R) -> R {
        withPlane(plane) { span in body(span.span) }
    }
}

/// Reuses the pictures of one size, so that a running stream allocates none.
package struct PicturePool {
    /// More pictures than this in use at once is a leak of ours.
    package static let limit = 16

    private var pictures: [PictureBuffer] = []

    package init() {}

    /// Hands out a picture that nobody holds, contents undefined; allocates only if there is none.
    package mutating func take(
        width: Int,
        height: Int,
        format: PixelFormat = .yuv420
    ) throws(EncodeError) -> PictureBuffer {
        if let first = pictures.first, first.width != width || first.height != height || first.format != format {
            pictures.removeAll()
        }
        for index in pictures.indices
        where isKnownUniquelyReferenced(&pictures[index]) && pictures[index].isWritable {
            return pictures[index]
        }
        let picture = try PictureBuffer(width: width, height: height, format: format)
        if pictures.count < Self.limit { pictures.append(picture) }
        return picture
    }
}
