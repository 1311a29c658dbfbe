// SPDX-License-Identifier: Apache-2.0
// Size and pixel format conversion by libswscale.

import CSysFFmpeg

/// Converts pictures of one kind into pictures of another; follows changes of either by itself.
@safe package struct Scaler: ~Copyable {
    private struct Shape: Equatable {
        var format: Int32
        var width: Int32
        var height: Int32
        var range: SampleRange
    }

    // Owned: freed in deinit.
    private var context: OpaquePointer?
    private var shapes: (from: Shape, to: Shape)?

    package init() {}

    // Safe: this is the only owner.
    deinit { unsafe sws_freeContext(context) }

    /// Scales `source` to the size and format of `target`; the sample range and matrix stay as they are.
    ///
    /// C: sws_getContext(), sws_scale_frame()
    package mutating func scale(_ source: PictureBuffer, into target: PictureBuffer) throws(EncodeError) {
        target.copyColour(of: source)
        let from = Self.shape(of: source)
        let to = Self.shape(of: target)
        if shapes.map({ $0 != (from, to) }) ?? true { try prepare(from, to) }
        guard let context = unsafe context else { throw EncodeError("scale picture", "out of memory") }
        // Safe: both frames own planes of the shapes that the context was made for.
        try check(unsafe sws_scale_frame(context, target.frame, source.frame), "scale picture")
    }

    private mutating func prepare(_ from: Shape, _ to: Shape) throws(EncodeError) {
        // Safe: the old context is ours, and is gone after this.
        unsafe sws_freeContext(context)
        shapes = nil
        // Safe: libswscale checks shapes and formats itself, and the context has this one owner.
        let isShrunk = to.width < from.width || to.height < from.height
        let filter = isShrunk ? SWS_AREA : SWS_BILINEAR
        unsafe context = sws_getContext(
            from.width,
            from.height,
            AVPixelFormat(from.format),
            to.width,
            to.height,
            AVPixelFormat(to.format),
            filter,
            nil,
            nil,
            nil
        )
        guard let context = unsafe context else {
            throw EncodeError(
                "scale picture",
                "cannot make \(to.width)x\(to.height) from \(from.width)x\(from.height)"
            )
        }
        // Safe: the tables are libswscale's constants; it copies them.
        let table = unsafe sws_getCoefficients(SWS_CS_ITU601)
        let unit: Int32 = 1 << 16
        unsafe sws_setColorspaceDetails(
            context,
            table,
            from.range == .full ? 1 : 0,
            table,
            to.range == .full ? 1 : 0,
            0,
            unit,
            unit
        )
        shapes = (from, to)
    }

    private static func shape(of picture: PictureBuffer) -> Shape {
        // Safe: the frame lives as long as its owner.
        Shape(
            format: unsafe picture.frame.pointee.format,
            width: Int32(picture.width),
            height: Int32(picture.height),
            range: picture.range
        )
    }
}
