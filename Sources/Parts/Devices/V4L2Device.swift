// SPDX-License-Identifier: Apache-2.0
// A V4L2 capture device: what it offers, and its mapped buffers.

package import Bytes
import CShimLinux
package import Config
package import Media
package import System

/// An open capture device. Stops streaming, unmaps and closes when it goes.
@safe package final class V4L2Device {
    /// The buffers asked for: one being filled, one being read, and two against hiccups.
    package static let bufferCount: UInt32 = 4
    /// More formats, sizes or intervals than this are not asked for: a driver may never end its list.
    package static let listLimit: UInt32 = 128

    package let path: String
    /// What the device calls itself.
    package let card: String
    private let file: FileDescriptor
    /// Names of controls in the device's order; see `controls()`.
    var controlNames: [UInt32: (name: String, group: String)] = [:]
    // Safe: mapped in startStreaming(), unmapped in close(), lent in between only.
    private var buffers: [UnsafeRawBufferPointer] = unsafe []
    private var isStreaming = false
    /// Whether planes are memory of their own; see the shim.
    private let type: UInt32
    /// Of each buffer, as many mappings stand behind each other.
    private var planes = 1

    /// What the device was set to.
    package struct Setting {
        package var format: V4L2Format
        package var size: PictureSize
        /// Of each plane that is memory of its own.
        package var strides: [Int]
        package var frameRate: Rational
        package var isFullRange: Bool
    }

    /// A filled buffer, lent until `requeue`.
    package struct Filled {
        package var index: UInt32
        /// Where the bytes are in each plane.
        package var ranges: InlineArray<3, Range<Int>>
        package var sequence: UInt32
        package var isDamaged: Bool
        package var captured: Instant?
    }

    /// Opens a device node that can capture.
    package init(path: String) throws(CaptureError) {
        self.path = path
        do throws(SystemError) {
            file = try File.open(path, .readWrite, nonBlocking: true)
        } catch {
            throw Self.explain(error, path)
        }
        var identity = apus_v4l2_identity()
        // Safe: the call fills in a structure of ours.
        guard unsafe apus_v4l2_identify(file.raw, &identity) == 0 else {
            throw CaptureError("\(path): not a V4L2 device (\(SystemError("", code: lastErrorCode).reason))")
        }
        // Safe: the shim always ends the name with a NUL.
        card = unsafe withUnsafeBytes(of: identity.card) {
            unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        type = apus_v4l2_capture_type(identity.capabilities)
        guard type != 0 else { throw CaptureError("\(path): \(card) does not capture video") }
    }

    deinit { close() }

    /// The device's descriptor, which stays the device's own: readable when a frame is there, of priority when an event is.
    package var descriptor: Int32 { file.raw }

    /// All modes that the device lists.
    package func modes() -> [V4L2Mode] {
        var result: [V4L2Mode] = []
        for index in 0..<Self.listLimit {
            var fourCC: UInt32 = 0
            // Safe: this and the calls below fill in variables of ours.
            guard unsafe apus_v4l2_format_at(file.raw, type, index, &fourCC) == 0 else { break }
            for sizeIndex in 0..<Self.listLimit {
                var sizes = apus_v4l2_sizes()
                guard unsafe apus_v4l2_sizes_at(file.raw, fourCC, sizeIndex, &sizes) == 0 else { break }
                for size in Self.candidates(sizes) {
                    result.append(V4L2Mode(fourCC: fourCC, size: size, frameRate: highestRate(fourCC, size)))
                }
                if sizes.step_width != 0 { break }
            }
        }
        return result
    }

    /// The sizes worth looking at: the one that is offered, or usual ones within the range.
    private static func candidates(_ sizes: apus_v4l2_sizes) -> [PictureSize] {
        let largest = PictureSize(width: Int(sizes.max_width), height: Int(sizes.max_height))
        guard sizes.step_width != 0 else { return [largest] }
        let usual = [
            (3840, 2160), (2560, 1440), (1920, 1080), (1280, 720), (800, 600), (640, 480), (640, 360), (320, 240),
        ]
        return usual.map { PictureSize(width: $0.0, height: $0.1) }
            .filter {
                $0.width <= largest.width && $0.height <= largest.height && $0.width >= Int(sizes.min_width)
                    && $0.height >= Int(sizes.min_height)
            }
    }

    private func highestRate(_ fourCC: UInt32, _ size: PictureSize) -> Double {
        var best = 0.0
        for index in 0..<Self.listLimit {
            var numerator: UInt32 = 0
            var denominator: UInt32 = 0
            // Safe: the call fills in variables of ours.
            let result = unsafe apus_v4l2_interval_at(
                file.raw,
                fourCC,
                UInt32(size.width),
                UInt32(size.height),
                index,
                &numerator,
                &denominator
            )
            guard result == 0 else { break }
            if numerator > 0 { best = max(best, Double(denominator) / Double(numerator)) }
        }
        return best
    }

    /// Sets format, size and rate as near as the driver gets.
    package func configure(_ mode: V4L2Mode, frameRate: Int) throws(CaptureError) -> Setting {
        var wanted = apus_v4l2_format()
        wanted.fourcc = mode.fourCC
        wanted.width = UInt32(mode.size.width)
        wanted.height = UInt32(mode.size.height)
        // Safe: the call fills in a structure of ours.
        guard unsafe apus_v4l2_set_format(file.raw, type, &wanted) == 0 else { throw failure("set format") }
        guard let format = V4L2Format(fourCC: wanted.fourcc) else {
            throw CaptureError("\(path): the driver insists on a format that is not supported")
        }
        let size = PictureSize(width: Int(wanted.width), height: Int(wanted.height))
        planes = Int(wanted.planes)
        let strides = [wanted.stride.0, wanted.stride.1, wanted.stride.2].prefix(planes).enumerated()
            .map { plane, stride in
                max(Int(stride), plane == 0 ? size.width * format.pixelLength : size.width / 2)
            }
        var rate = Rational(UInt32(frameRate))
        var numerator: UInt32 = 1
        var denominator = UInt32(frameRate)
        // Safe: the call fills in variables of ours. A device without a rate to set keeps its own.
        if unsafe apus_v4l2_set_interval(file.raw, type, &numerator, &denominator) == 0, numerator > 0 {
            rate = Rational(denominator, numerator)
        }
        return Setting(
            format: format,
            size: size,
            strides: strides,
            frameRate: rate,
            isFullRange: wanted.is_full_range == 1
        )
    }

    /// Maps the buffers, hands them to the driver and starts the stream.
    package func startStreaming() throws(CaptureError) {
        var count = Self.bufferCount
        // Safe: the call fills in a variable of ours.
        guard unsafe apus_v4l2_request_buffers(file.raw, type, &count) == 0, count > 0 else {
            throw failure("request buffers")
        }
        for index in 0..<count {
            for plane in 0..<UInt32(planes) {
                var length = 0
                // Safe: the mapping is ours until close() unmaps it.
                guard let start = unsafe apus_v4l2_map(file.raw, type, index, plane, &length) else {
                    throw failure("map buffer")
                }
                unsafe buffers.append(UnsafeRawBufferPointer(start: start, count: length))
            }
            guard apus_v4l2_queue(file.raw, type, index) == 0 else { throw failure("queue buffer") }
        }
        guard apus_v4l2_stream(file.raw, type, 1) == 0 else {
            if lastErrorCode == Self.noSpace {
                throw CaptureError(
                    "\(path): the USB bus has no bandwidth left; try format=mjpeg, or a smaller size or fps"
                )
            }
            throw failure("start stream")
        }
        isStreaming = true
    }

    /// Takes a filled buffer; nil if there is none yet.
    package func dequeue() throws(CaptureError) -> Filled? {
        var frame = apus_v4l2_frame()
        // Safe: the call fills in a structure of ours.
        guard unsafe apus_v4l2_dequeue(file.raw, type, &frame) == 0 else {
            if lastErrorCode == Self.tryAgain { return nil }
            throw failure("take frame")
        }
        let first = Int(frame.index) * planes
        guard unsafe first + planes <= buffers.count else {
            throw CaptureError("\(path): the driver gave a buffer that is none")
        }
        let starts = [frame.start.0, frame.start.1, frame.start.2]
        let lengths = [frame.length.0, frame.length.1, frame.length.2]
        let ranges = InlineArray<3, Range<Int>> { plane in
            guard plane < planes else { return 0..<0 }
            // What the driver says is not believed beyond what is mapped.
            let limit = unsafe buffers[first + plane].count
            let start = min(Int(starts[plane]), limit)
            return start..<min(start + Int(lengths[plane]), limit)
        }
        return Filled(
            index: frame.index,
            ranges: ranges,
            sequence: frame.sequence,
            isDamaged: frame.is_damaged != 0,
            captured: frame.monotonic_ns > 0 ? Instant(nanoseconds: frame.monotonic_ns) : nil
        )
    }

    /// Lends a filled buffer's bytes, or those of one of its planes.
    package func withBytes(_ filled: Filled, plane: Int = 0, _ body: (Span<UInt8>) -> Void) {
        let buffer = unsafe buffers[Int(filled.index) * planes + plane]
        // Safe: the driver leaves a dequeued buffer alone until it is queued again; dequeue() made the range fit.
        let bytes = unsafe Span<UInt8>(_unsafeBytes: UnsafeRawBufferPointer(rebasing: buffer[filled.ranges[plane]]))
        body(bytes)
    }

    /// Gives a buffer back to the driver.
    package func requeue(_ filled: Filled) throws(CaptureError) {
        guard apus_v4l2_queue(file.raw, type, filled.index) == 0 else { throw failure("queue buffer") }
    }

    private func close() {
        if isStreaming { _ = apus_v4l2_stream(file.raw, type, 0) }
        // Safe: the mappings are ours, and nothing refers to them any more.
        for index in unsafe buffers.indices {
            let buffer = unsafe buffers[index]
            if let base = unsafe UnsafeMutableRawPointer(mutating: buffer.baseAddress) {
                unsafe apus_v4l2_unmap(base, buffer.count)
            }
        }
        unsafe buffers.removeAll()
    }

    private static let tryAgain: Int32 = 11
    private static let noSpace: Int32 = 28

    private func failure(_ what: String) -> CaptureError { Self.explain(SystemError(what, code: lastErrorCode), path) }

    /// Says what to do about the failures that users meet.
    package static func explain(_ error: SystemError, _ path: String) -> CaptureError {
        let remedy =
            if error.isPermissionDenied {
                "; add the user to the group video"
            } else if error.isNotFound {
                "; is the camera plugged in?"
            } else if error.isBusy {
                "; another program is using it"
            } else {
                ""
            }
        let place = error.call.contains(path) ? path : "\(path): \(error.call)"
        return CaptureError("\(place): \(error.reason)\(remedy)")
    }
}
