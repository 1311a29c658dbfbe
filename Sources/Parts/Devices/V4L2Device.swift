// SPDX-License-Identifier: Apache-2.0
// A V4L2 capture device: what it offers, and its mapped buffers.

package import Bytes
import CShimLinux
package import Config
package import Media
package import System

/// An open capture device. Stops streaming, unmaps and closes when it goes.
@safe package final class V4L2Device {
    /// The buffers asked for at least: one being filled, one being read, and two against hiccups.
    package static let fewestBuffers: UInt32 = 4
    /// More are not mapped, whatever the driver wants. V4L2's own limit is 32.
    package static let mostBuffers: UInt32 = 32
    /// More formats, sizes or intervals than this are not asked for: a driver may never end its list.
    package static let listLimit: UInt32 = 128

    package let path: String
    /// What the device calls itself.
    package let card: String
    /// True if its frames are another program's, which feeds it (v4l2loopback).
    package let isLoopback: Bool
    private let file: FileDescriptor
    /// Names of controls in the device's order; see `controls()`.
    var controlNames: [UInt32: (name: String, group: String)] = [:]
    // Safe: mapped in startStreaming(), unmapped in close(), lent in between only.
    private var buffers: [UnsafeRawBufferPointer] = unsafe []
    /// Whether buffers were asked for, and have to be given back before another format is set.
    private var hasBuffers = false
    private var isStreaming = false
    /// A bit for each buffer that the driver has.
    private var queued: UInt32 = 0
    /// Whether planes are memory of their own; see the shim.
    let type: UInt32
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

    /// Which clock a frame's time is of.
    package enum FrameClock: String, Sendable {
        /// CLOCK_MONOTONIC.
        case monotonic
        /// Whatever somebody else's frames carried.
        case copy
        case unknown
    }

    /// A filled buffer, lent until `requeue`.
    package struct Filled {
        package var index: UInt32
        /// Where the bytes are in each plane.
        package var ranges: InlineArray<3, Range<Int>>
        package var sequence: UInt32
        package var isDamaged: Bool
        package var clock: FrameClock
        /// Whether `time` is the start of the exposure; else the frame's end.
        package var isStart: Bool
        /// When it was captured, as the driver says, by `clock`.
        package var time: Instant
    }

    /// Opens a device node that can capture.
    package init(path: String) throws(CaptureError) {
        self.path = path
        do throws(SystemError) {
            file = try DeviceOpener.open(path)
        } catch {
            let told = Self.explain(error, path)
            guard !error.isPermissionDenied else { throw CaptureError(told.description, kind: .forbidden) }
            throw error.code == V4L2Code.isDirectory ? CaptureError(told.description, kind: .wrong) : told
        }
        var identity = apus_v4l2_identity()
        // Safe: the call fills in a structure of ours.
        guard unsafe apus_v4l2_identify(file.raw, &identity) == 0 else {
            let error = SystemError("", code: lastErrorCode)
            guard error.code == V4L2Code.noCall || error.isInvalidArgument else { throw Self.explain(error, path) }
            throw CaptureError("\(path): not a V4L2 device (\(error.reason))", kind: .wrong)
        }
        // Safe: the shim always ends the name with a NUL.
        card = unsafe withUnsafeBytes(of: identity.card) {
            unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        // Safe: as above.
        isLoopback = unsafe withUnsafeBytes(of: identity.driver) {
            unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) == Self.loopbackDriver
        }
        type = apus_v4l2_capture_type(identity.capabilities)
        guard type != 0 else {
            if isLoopback { throw Self.unfed(path) }
            throw CaptureError("\(path): \(card) does not capture video", kind: .wrong)
        }
    }

    /// What v4l2loopback calls itself.
    static let loopbackDriver = "v4l2 loopback"

    /// What is told of a loopback device that nobody feeds: it does not capture, or has no format.
    package static func unfed(_ path: String) -> CaptureError {
        CaptureError("\(path): nobody feeds the loopback device", kind: .unfed)
    }

    deinit { close() }

    /// The device's descriptor, which stays the device's own: readable when a frame is there, of priority when an event is.
    package var descriptor: Int32 { file.raw }

    /// The size that the device is set to; nil if it does not tell.
    package var presentSize: PictureSize? {
        var width: UInt32 = 0
        var height: UInt32 = 0
        // Safe: the call fills in variables of ours.
        guard unsafe apus_v4l2_get_size(file.raw, type, &width, &height) == 0, width > 0, height > 0 else { return nil }
        return PictureSize(width: Int(width), height: Int(height))
    }

    // MARK: Streaming

    /// Sets format, size and rate as near as the driver gets; gives back the buffers that there were.
    package func configure(_ plan: V4L2Plan) throws(CaptureError) -> Setting {
        // A driver with buffers answers EBUSY.
        releaseBuffers()
        var wanted = apus_v4l2_format()
        wanted.fourcc = plan.mode.fourCC
        wanted.width = UInt32(plan.mode.size.width)
        wanted.height = UInt32(plan.mode.size.height)
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
        return Setting(
            format: format,
            size: size,
            strides: strides,
            frameRate: set(rate: plan.frameRate),
            isFullRange: wanted.is_full_range == 1
        )
    }

    /// Sets the rate as near as the driver gets; a device without a rate to set keeps its own.
    private func set(rate: Double) -> Rational {
        let isWhole = rate == rate.rounded()
        var numerator: UInt32 = isWhole ? 1 : 1000
        var denominator = UInt32(max(1, min(rate, 1000) * Double(numerator)).rounded())
        let asked = Rational(denominator, numerator)
        // Safe: the call fills in variables of ours.
        guard unsafe apus_v4l2_set_interval(file.raw, type, &numerator, &denominator) == 0, numerator > 0,
            denominator > 0
        else { return asked }
        return Self.believable(denominator, numerator) ?? asked
    }

    /// Frames per second that cameras have.
    static let rates = 0.01...1000

    /// A rate as a driver tells it, in numbers that everybody can calculate with; nil if no camera has it.
    static func believable(_ numerator: UInt32, _ denominator: UInt32) -> Rational? {
        guard denominator > 0 else { return nil }
        let rate = Double(numerator) / Double(denominator)
        guard Self.rates.contains(rate) else { return nil }
        let limit: UInt32 = 1_000_000
        return max(numerator, denominator) <= limit
            ? Rational(numerator, denominator) : Rational(UInt32((rate * 1000).rounded()), 1000)
    }

    /// Maps the buffers, hands them to the driver and starts the stream.
    ///
    /// - Throws: a `CaptureError` of the kind `noBandwidth` if less should be asked for.
    package func startStreaming() throws(CaptureError) {
        // What the driver fills itself, and two for us.
        var count = min(max(Self.fewestBuffers, apus_v4l2_minimum_buffers(file.raw) + 2), Self.mostBuffers)
        // Safe: the call fills in a variable of ours.
        guard unsafe apus_v4l2_request_buffers(file.raw, type, &count) == 0, count > 0 else {
            throw failure("request buffers")
        }
        hasBuffers = true
        for index in 0..<min(count, Self.mostBuffers) {
            for plane in 0..<UInt32(planes) {
                var length = 0
                // Safe: the mapping is ours until releaseBuffers() unmaps it.
                guard let start = unsafe apus_v4l2_map(file.raw, type, index, plane, &length) else {
                    throw failure("map buffer")
                }
                unsafe buffers.append(UnsafeRawBufferPointer(start: start, count: length))
            }
        }
        try queueAllAndStart()
    }

    /// Stops the stream and starts it again with the same buffers: what helps a camera that has come out of step.
    package func restartStreaming() throws(CaptureError) {
        _ = apus_v4l2_stream(file.raw, type, 0)
        isStreaming = false
        try queueAllAndStart()
    }

    /// Stops the stream, if it runs, and gives the buffers back.
    package func stopStreaming() { releaseBuffers() }

    /// How many buffers there are.
    // Safe: only counted.
    package var bufferCount: Int { unsafe buffers.count / max(1, planes) }

    private func queueAllAndStart() throws(CaptureError) {
        queued = 0
        for index in 0..<UInt32(bufferCount) { try queue(index) }
        guard apus_v4l2_stream(file.raw, type, 1) == 0 else { throw failure("start stream") }
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
        // One that it has not been given, or has given back, is ours to read or not there at all.
        guard unsafe first + planes <= buffers.count, queued & 1 << frame.index != 0 else {
            throw CaptureError("\(path): the driver gave a buffer that it does not have", kind: .ended)
        }
        queued &= ~(1 << frame.index)
        let starts = [frame.start.0, frame.start.1, frame.start.2]
        let lengths = [frame.length.0, frame.length.1, frame.length.2]
        let ranges = InlineArray<3, Range<Int>> { plane in
            guard plane < planes else { return 0..<0 }
            // What the driver says is not believed beyond what is mapped.
            let limit = unsafe buffers[first + plane].count
            let start = min(Int(starts[plane]), limit)
            return start..<min(start + Int(lengths[plane]), limit)
        }
        let clock: FrameClock =
            switch Int(frame.clock) {
            case apus_v4l2_clock_monotonic: .monotonic
            case apus_v4l2_clock_copy: .copy
            default: .unknown
            }
        return Filled(
            index: frame.index,
            ranges: ranges,
            sequence: frame.sequence,
            isDamaged: frame.is_damaged != 0,
            clock: clock,
            isStart: frame.is_start != 0,
            time: Instant(nanoseconds: frame.time_ns)
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
    package func requeue(_ filled: Filled) throws(CaptureError) { try queue(filled.index) }

    private func queue(_ index: UInt32) throws(CaptureError) {
        guard apus_v4l2_queue(file.raw, type, index) == 0 else { throw failure("queue buffer") }
        queued |= 1 << index
    }

    private func close() { releaseBuffers() }

    private func releaseBuffers() {
        if isStreaming { _ = apus_v4l2_stream(file.raw, type, 0) }
        isStreaming = false
        // Safe: the mappings are ours, and nothing refers to them any more.
        for index in unsafe buffers.indices {
            let buffer = unsafe buffers[index]
            if let base = unsafe UnsafeMutableRawPointer(mutating: buffer.baseAddress) {
                unsafe apus_v4l2_unmap(base, buffer.count)
            }
        }
        unsafe buffers.removeAll()
        guard hasBuffers else { return }
        hasBuffers = false
        var none: UInt32 = 0
        // Safe: the call reads and fills in a variable of ours. What it says changes nothing.
        _ = unsafe apus_v4l2_request_buffers(file.raw, type, &none)
    }

    // MARK: Failures

    private static let tryAgain: Int32 = 11

    private func failure(_ call: String) -> CaptureError {
        let error = SystemError(call, code: lastErrorCode)
        switch (error.code, call) {
        case (V4L2Code.noSpace, _):
            return CaptureError(
                "\(path): the USB bus has no bandwidth left; try format=mjpeg, a smaller size or fps, another port, or "
                    + "the option quirks=0x80 of the module uvcvideo",
                kind: .noBandwidth
            )
        case (V4L2Code.noDevice, _), (V4L2Code.noAddress, _):
            return CaptureError("\(path): the camera has been taken away", kind: .gone)
        case (V4L2Code.noLink, _), (V4L2Code.noLock, _):
            return CaptureError("\(path): \(signalFault ?? "no signal")", kind: .transient)
        case (V4L2Code.ioError, "start stream"), (V4L2Code.protocolError, "start stream"),
            (V4L2Code.timedOut, "start stream"):
            return CaptureError(
                "\(path): the stream does not start: \(error.reason); look at the cable or hub",
                kind: .transient
            )
        case (V4L2Code.brokenPipe, "start stream"):
            return CaptureError(
                "\(path): the stream does not start: the formats along the media pipeline differ; set them with media-ctl"
            )
        case (V4L2Code.ioError, "take frame"):
            return CaptureError("\(path): the device reports an error instead of a frame", kind: .transient)
        case (V4L2Code.brokenPipe, "take frame"), (V4L2Code.invalid, "take frame"), (V4L2Code.invalid, "queue buffer"):
            return CaptureError("\(path): the driver has ended the stream", kind: .ended)
        default: return Self.explain(error, path)
        }
    }

    /// The values of errno that say what to do.
    private enum V4L2Code {
        static let ioError: Int32 = 5
        static let noAddress: Int32 = 6
        static let noDevice: Int32 = 19
        static let isDirectory: Int32 = 21
        static let invalid: Int32 = 22
        static let noCall: Int32 = 25
        static let noSpace: Int32 = 28
        static let brokenPipe: Int32 = 32
        static let noLock: Int32 = 37
        static let noLink: Int32 = 67
        static let protocolError: Int32 = 71
        static let timedOut: Int32 = 110
    }

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
        return CaptureError("\(place): \(error.reason)\(remedy)", kind: error.isDeviceGone ? .gone : .other)
    }
}
