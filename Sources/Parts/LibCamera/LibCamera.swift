// SPDX-License-Identifier: Apache-2.0
// libcamera: for cameras that are no V4L2 device by themselves, such as those on the Raspberry Pi's CSI connectors.

package import Bytes
import CLibCameraAPI
package import Config
package import Devices
import System

/// What is there of libcamera.
package enum LibCamera {
    /// The library with libcamera in it, beside the programs: it is loaded by who needs it, and by nobody else.
    package static let file = "libApusLibCamera.so"

    /// Why there are no cameras of libcamera's; nil if there may be.
    package static var absence: String? {
        do throws(CaptureError) {
            _ = try LibCameraDevice.library.get()
            return nil
        } catch {
            return error.description
        }
    }

    /// Where the library may be: beside the running program, and where the daemons are installed.
    package static var directories: [String] {
        let program = Process.executablePath
        let directory = program.lastIndex(of: "/").map { String(program[..<$0]) } ?? "."
        return [directory, directory + "/../libexec/apus"]
    }

    /// A camera as it is listed.
    package struct Camera: Sendable, Equatable {
        /// What `libcamera:ID` takes: `/base/soc/i2c0mux/i2c@1/imx219@10`.
        package var id: String
        /// `imx219`; empty if it is not known.
        package var model: String
    }
}

/// libcamera, at work in this process: its cameras, and the one that is open. Stops and gives back when it goes.
@safe package final class LibCameraDevice {
    /// More cameras, formats or controls are not asked for.
    static let listLimit: UInt32 = 128

    /// What the library tells; called on one thread.
    package enum Event {
        case frame(Filled)
        /// The camera that is open is gone.
        case gone
        /// A camera has come or gone.
        case changed
    }

    /// A filled buffer, lent until `giveBack`.
    package struct Filled {
        package var index: UInt32
        package var sequence: UInt32
        package var isDamaged: Bool
        package var captured: Instant?
        fileprivate var frame: apus_libcamera_frame
    }

    /// What the camera was set to.
    package struct Setting {
        package var format: V4L2Format
        package var size: PictureSize
        /// Bytes from one row of the first plane to the next.
        package var stride: Int
        package var isFullRange: Bool
    }

    /// A table of functions that is never unloaded.
    private let functions: apus_libcamera_api
    // Safe: opened in init, closed in deinit, used on one thread.
    private let handle: OpaquePointer
    /// The controls' values as they were set last, by id; libcamera does not tell.
    var values: [UInt32: Double] = [:]

    /// The library, or why there is none.
    static let library: Result<apus_libcamera_api, CaptureError> = {
        var reason = "\(LibCamera.file) is not beside the programs"
        for directory in LibCamera.directories {
            let path = "\(directory)/\(LibCamera.file)"
            // Safe: null, or a text that stays until the next call.
            var problem: UnsafePointer<CChar>?
            // Safe: the call reads a NUL-terminated path, and what it returns is never unloaded.
            if let found = unsafe apus_libcamera_load(path, &problem) { return .success(unsafe found.pointee) }
            guard let text = unsafe problem else { continue }
            reason = "\(path) cannot be used: \(unsafe String(cString: text))"
            break
        }
        return .failure(CaptureError("no libcamera: \(reason)"))
    }()

    /// Starts libcamera, which looks for cameras; only one of these may be there at a time.
    package init() throws(CaptureError) {
        let library = try Self.library.get()
        var result: Int32 = 0
        // Safe: the call fills in a variable of ours.
        guard let handle = unsafe library.open(&result) else {
            throw CaptureError("libcamera does not start: \(SystemError("", code: -result).reason)")
        }
        functions = library
        unsafe self.handle = handle
    }

    // Safe: nothing uses the handle any more.
    deinit { unsafe functions.close(handle) }

    /// libcamera's own version.
    package var version: String {
        // Safe: a text of the library's that stays.
        guard let text = functions.library() else { return "" }
        return unsafe String(cString: text)
    }

    /// Readable when `next` has something to say; stays the library's.
    package var descriptor: Int32 { unsafe functions.descriptor(handle) }

    /// All cameras that libcamera knows of.
    package var cameras: [LibCamera.Camera] {
        var result: [LibCamera.Camera] = []
        for place in 0..<Self.listLimit {
            var found = apus_libcamera_camera()
            // Safe: this and the calls below fill in structures of ours, whose texts end with a NUL.
            guard unsafe functions.camera_at(handle, place, &found) == 0 else { break }
            result.append(
                LibCamera.Camera(
                    id: unsafe withUnsafeBytes(of: found.id) { unsafe Self.text($0) },
                    model: unsafe withUnsafeBytes(of: found.model) { unsafe Self.text($0) }
                )
            )
        }
        return result
    }

    private static func text(_ bytes: UnsafeRawBufferPointer) -> String {
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// Takes a camera for this process.
    package func acquire(_ id: String) throws(CaptureError) {
        try check(unsafe functions.acquire(handle, id), "cannot take \(id)")
        values = [:]
    }

    /// The formats of the camera that are known here.
    package var formats: [V4L2Format] {
        var result: [V4L2Format] = []
        for place in 0..<Self.listLimit {
            var found = apus_libcamera_format()
            // Safe: the call fills in a structure of ours.
            guard unsafe functions.format_at(handle, place, &found) == 0 else { break }
            if let format = Self.format(found.fourcc) { result.append(format) }
        }
        return result
    }

    /// Sets format and size as near as the camera gets.
    package func configure(_ format: V4L2Format, _ size: PictureSize) throws(CaptureError) -> Setting {
        var wanted = apus_libcamera_format()
        wanted.fourcc = Self.code(format)
        wanted.width = UInt32(size.width)
        wanted.height = UInt32(size.height)
        // Safe: the call fills in a structure of ours.
        try check(unsafe functions.configure(handle, &wanted), "cannot set \(format.rawValue) of \(size)")
        guard let format = Self.format(wanted.fourcc) else {
            throw CaptureError("libcamera: the camera insists on a format that is not supported")
        }
        return Setting(
            format: format,
            size: PictureSize(width: Int(wanted.width), height: Int(wanted.height)),
            stride: max(Int(wanted.stride), Int(wanted.width)),
            isFullRange: wanted.is_full_range != 0
        )
    }

    /// Starts at so many frames a second, if the camera lets that be set.
    package func start(frameRate: Int) throws(CaptureError) {
        try check(unsafe functions.start(handle, UInt32(clamping: frameRate)), "cannot start")
    }

    /// What has happened; nil if there is nothing more.
    package func next() throws(CaptureError) -> Event? {
        var frame = apus_libcamera_frame()
        // Safe: the call fills in a structure of ours.
        let result = unsafe functions.next(handle, &frame)
        switch Int(result) {
        case APUS_LIBCAMERA_NOTHING: return nil
        case APUS_LIBCAMERA_GONE: return .gone
        case APUS_LIBCAMERA_CHANGED: return .changed
        case APUS_LIBCAMERA_FRAME:
            let instant = frame.monotonic_ns > 0 ? Instant(nanoseconds: frame.monotonic_ns) : nil
            return .frame(
                Filled(
                    index: frame.index,
                    sequence: frame.sequence,
                    isDamaged: frame.is_damaged != 0,
                    captured: instant,
                    frame: frame
                )
            )
        default:
            try check(result, "cannot take a frame")
            return nil
        }
    }

    /// How many planes a filled buffer has.
    package func planes(_ filled: Filled) -> Int { min(3, Int(filled.frame.planes)) }

    /// Lends the bytes of a plane of a filled buffer; none if it has no such plane.
    package func withBytes(_ filled: Filled, plane: Int = 0, _ body: (Span<UInt8>) -> Void) {
        let starts = unsafe [filled.frame.start.0, filled.frame.start.1, filled.frame.start.2]
        let lengths = [filled.frame.length.0, filled.frame.length.1, filled.frame.length.2]
        guard plane < planes(filled), let start = unsafe starts[plane] else { return }
        // Safe: the library made the range fit its mapping, and leaves the buffer alone until it is given back.
        let bytes = unsafe Span<UInt8>(_unsafeStart: start, count: Int(lengths[plane]))
        body(bytes)
    }

    /// Gives a buffer back to be filled again.
    package func giveBack(_ filled: Filled) throws(CaptureError) {
        try check(unsafe functions.give_back(handle, filled.index), "cannot give a frame back")
    }

    /// The control at a place in the camera's list; nil beyond the last.
    func control(at place: UInt32) -> apus_libcamera_control? {
        var found = apus_libcamera_control()
        // Safe: the call fills in a structure of ours.
        return unsafe functions.control_at(handle, place, &found) == 0 ? found : nil
    }

    /// Sets a control with the next frame; an errno if that cannot be.
    func setControl(_ id: UInt32, _ value: Double) -> Int32 { -(unsafe functions.set_control(handle, id, value)) }

    private func check(_ result: Int32, _ what: String) throws(CaptureError) {
        guard result < 0 else { return }
        throw CaptureError("libcamera: \(what): \(SystemError("", code: -result).reason)")
    }
}

// MARK: Formats

extension LibCameraDevice {
    /// DRM's codes, which name a pixel's bytes from the highest on where V4L2 begins with the lowest.
    private static let codes: [(V4L2Format, StaticString)] = [
        (.nv12, "NV12"), (.yu12, "YU12"), (.nv21, "NV21"), (.mjpeg, "MJPG"), (.yuyv, "YUYV"), (.uyvy, "UYVY"),
        (.bgr24, "RG24"), (.rgb24, "BG24"), (.grey, "R8  "),
    ]

    static func format(_ code: UInt32) -> V4L2Format? { codes.first { number($0.1) == code }?.0 }

    static func code(_ format: V4L2Format) -> UInt32 { codes.first { $0.0 == format }.map { number($0.1) } ?? 0 }

    private static func number(_ name: StaticString) -> UInt32 {
        "\(name)".utf8.reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
}
