// SPDX-License-Identifier: Apache-2.0
// JPEG encoding and decoding by libjpeg-turbo.

import CSysTurboJPEG

/// Encodes 4:2:0 pictures as JPEG images. C: tjInitCompress()
@safe package final class JPEGEncoder {
    /// 1 (smallest) to 100 (best).
    package var quality: Int

    // Owned: freed in deinit.
    private let handle: tjhandle
    private var output: [UInt8] = []
    private var widened = PicturePool()

    package init(quality: Int) throws(EncodeError) {
        // Safe: the handle is only kept, to be freed in deinit.
        guard let handle = unsafe tjInitCompress() else { throw EncodeError("open JPEG encoder", "out of memory") }
        unsafe self.handle = handle
        self.quality = quality
    }

    // Safe: this is the only owner.
    deinit { unsafe tjDestroy(handle) }

    /// Encodes a picture; `emit` gets the image for the length of the call. C: tjCompressFromYUVPlanes()
    package func encode(_ picture: PictureBuffer, emit: (Span<UInt8>) -> Void) throws(EncodeError) {
        guard picture.format == .yuv420 else { throw EncodeError("encode JPEG", "picture is not 4:2:0") }
        var source = picture
        if picture.range == .limited {
            // JPEG knows only the full range (JFIF 1.02 page 3).
            source = try widened.take(width: picture.width, height: picture.height)
            widen(picture, into: source)
        }
        let width = Int32(source.width)
        let height = Int32(source.height)
        let largest = Int(clamping: tjBufSize(width, height, Int32(TJSAMP_420.rawValue)))
        if output.count < largest { output = [UInt8](repeating: 0, count: largest) }
        var size = UInt(output.count)
        var strides: (Int32, Int32, Int32) = (
            Int32(source.stride(ofPlane: 0)), Int32(source.stride(ofPlane: 1)), Int32(source.stride(ofPlane: 2))
        )
        // Safe: the planes belong to `source`, which lives on; the output buffer has room for the largest image, and
        // TJFLAG_NOREALLOC keeps the library from replacing it.
        let result = unsafe output.withUnsafeMutableBufferPointer { buffer -> Int32 in
            var start = buffer.baseAddress
            var planes = unsafe (
                UnsafePointer(source.base(ofPlane: 0)), UnsafePointer(source.base(ofPlane: 1)),
                UnsafePointer(source.base(ofPlane: 2))
            )
            return unsafe withUnsafeMutablePointer(to: &planes) { planes in
                unsafe planes.withMemoryRebound(to: UnsafePointer<UInt8>?.self, capacity: 3) { planes in
                    unsafe withUnsafeMutablePointer(to: &strides) { strides in
                        unsafe strides.withMemoryRebound(to: Int32.self, capacity: 3) { strides in
                            unsafe tjCompressFromYUVPlanes(
                                handle,
                                planes,
                                width,
                                strides,
                                height,
                                Int32(TJSAMP_420.rawValue),
                                &start,
                                &size,
                                Int32(quality),
                                TJFLAG_NOREALLOC | TJFLAG_FASTDCT
                            )
                        }
                    }
                }
            }
        }
        withExtendedLifetime(source) {}
        // Safe: the handle is ours.
        guard result == 0 else { throw unsafe EncodeError("encode JPEG", turboJPEG: handle) }
        let image = output
        emit(image.span.extracting(first: Int(size)))
    }

    /// Stretches luma 16…235 and chroma 16…240 to 0…255.
    private func widen(_ source: PictureBuffer, into target: PictureBuffer) {
        for plane in 0..<3 {
            // 255/219 and 255/224 in 256ths, and what must come off so that black (or no colour) stays put.
            let gain: Int32 = plane == 0 ? 298 : 291
            let offset: Int32 = plane == 0 ? 16 * 298 - 128 : 128 * (291 - 256) - 128
            source.withReadOnlyPlane(plane) { from in
                target.withPlane(plane) { to in
                    let count = min(from.count, to.count)
                    // Safe: both buffers have at least `count` bytes, and stay for the closure.
                    unsafe from.withUnsafeBufferPointer { from in
                        unsafe to.withUnsafeMutableBufferPointer { to in
                            for index in 0..<count {
                                let value = unsafe (Int32(from[index]) &* gain &- offset) &>> 8
                                unsafe to[index] = UInt8(truncatingIfNeeded: max(0, min(255, value)))
                            }
                        }
                    }
                }
            }
        }
        target.copyColour(of: source)
        target.range = .full
    }
}

/// Decodes JPEG images into planes, without a detour through RGB. C: tjInitDecompress()
@safe package final class JPEGDecoder {
    /// What an image's header says of it.
    package struct Header: Sendable, Equatable {
        package var width: Int
        package var height: Int
        package var format: PixelFormat
    }

    // Owned: freed in deinit.
    private let handle: tjhandle
    private var pool = PicturePool()

    package init() throws(EncodeError) {
        // Safe: the handle is only kept, to be freed in deinit.
        guard let handle = unsafe tjInitDecompress() else { throw EncodeError("open JPEG decoder", "out of memory") }
        unsafe self.handle = handle
    }

    // Safe: this is the only owner.
    deinit { unsafe tjDestroy(handle) }

    /// Reads an image's header. C: tjDecompressHeader3()
    package func header(of image: Span<UInt8>) throws(EncodeError) -> Header {
        var width: Int32 = 0
        var height: Int32 = 0
        var subsampling: Int32 = -1
        var space: Int32 = 0
        // Safe: the image is only read, for the length of the call.
        let result = unsafe image.withUnsafeBufferPointer { buffer in
            unsafe tjDecompressHeader3(
                handle,
                buffer.baseAddress,
                UInt(buffer.count),
                &width,
                &height,
                &subsampling,
                &space
            )
        }
        guard result == 0 else { throw unsafe EncodeError("read JPEG header", turboJPEG: handle) }
        guard let format = Self.format(subsampling) else {
            throw EncodeError("read JPEG header", "chroma subsampling \(subsampling) is not supported")
        }
        return Header(width: Int(width), height: Int(height), format: format)
    }

    /// Decodes an image in the subsampling that it has; a truncated one gives what there is of it.
    ///
    /// C: tjDecompressToYUVPlanes()
    package func decode(_ image: Span<UInt8>) throws(EncodeError) -> PictureBuffer {
        let header = try header(of: image)
        let picture = try pool.take(width: header.width, height: header.height, format: header.format)
        picture.range = .full
        let count = header.format.planeCount
        // Safe: the pointers are used only below, while `picture` lives.
        var planes = unsafe (
            picture.base(ofPlane: 0), count > 1 ? picture.base(ofPlane: 1) : nil,
            count > 1 ? picture.base(ofPlane: 2) : nil
        )
        var strides: (Int32, Int32, Int32) = (
            Int32(picture.stride(ofPlane: 0)), Int32(picture.stride(ofPlane: 1)), Int32(picture.stride(ofPlane: 2))
        )
        // Safe: the planes were made for the size and subsampling of this image's header, which the library reads
        // again from the same bytes.
        let result = unsafe image.withUnsafeBufferPointer { buffer in
            unsafe withUnsafeMutablePointer(to: &planes) { planes in
                unsafe planes.withMemoryRebound(to: UnsafeMutablePointer<UInt8>?.self, capacity: 3) { planes in
                    unsafe withUnsafeMutablePointer(to: &strides) { strides in
                        unsafe strides.withMemoryRebound(to: Int32.self, capacity: 3) { strides in
                            unsafe tjDecompressToYUVPlanes(
                                handle,
                                buffer.baseAddress,
                                UInt(buffer.count),
                                planes,
                                Int32(header.width),
                                strides,
                                Int32(header.height),
                                TJFLAG_FASTDCT
                            )
                        }
                    }
                }
            }
        }
        // Safe: the handle is ours.
        if result != 0, unsafe tjGetErrorCode(handle) != Int32(TJERR_WARNING.rawValue) {
            throw unsafe EncodeError("decode JPEG", turboJPEG: handle)
        }
        return picture
    }

    private static func format(_ subsampling: Int32) -> PixelFormat? {
        switch subsampling {
        case Int32(TJSAMP_420.rawValue): .yuv420
        case Int32(TJSAMP_422.rawValue): .yuv422
        case Int32(TJSAMP_440.rawValue): .yuv440
        case Int32(TJSAMP_444.rawValue): .yuv444
        case Int32(TJSAMP_GRAY.rawValue): .grey
        default: nil
        }
    }
}

extension EncodeError {
    /// Takes the text of a TurboJPEG handle's last failure. C: tjGetErrorStr2()
    @unsafe fileprivate init(_ operation: String, turboJPEG handle: tjhandle) {
        // Safe: the text belongs to the handle and is copied at once.
        self.init(operation, unsafe tjGetErrorStr2(handle).map { unsafe String(cString: $0) } ?? "unknown failure")
    }
}
