// SPDX-License-Identifier: Apache-2.0
// What a device node says when it is asked: whether it captures, in which formats, and what its input sees.

import CShimLinux
import System

/// What came of asking a device node.
package enum DeviceProbe: Sendable, Hashable {
    case captures(DeviceFacts)
    /// It is there for something else: metadata, output, coding, touch.
    case other
    /// It cannot be asked.
    case failed(DeviceProblem)
}

/// What a capturing device says of itself.
package struct DeviceFacts: Sendable, Hashable {
    package var card: String
    package var driver: String
    /// The kernel's name for where it is: `usb-0000:00:14.0-1`.
    package var bus: String
    /// The kernel's codes of its formats.
    package var formats: [UInt32]
    package var input: DeviceInput?
    /// Why it cannot be used now; nil if it can.
    package var problem: DeviceProblem?

    package init(
        card: String,
        driver: String,
        bus: String,
        formats: [UInt32],
        input: DeviceInput? = nil,
        problem: DeviceProblem? = nil
    ) {
        self.card = card
        self.driver = driver
        self.bus = bus
        self.formats = formats
        self.input = input
        self.problem = problem
    }
}

/// Why a device cannot be used.
package enum DeviceProblem: Sendable, Hashable, CustomStringConvertible {
    case permission
    case busy
    case formats
    /// Part of a chain of devices that a program has to put together.
    case pipeline
    /// Its driver hangs, or takes very long.
    case silent
    case failure(String)

    /// What is wrong, and what helps.
    package var description: String {
        switch self {
        case .permission: "no permission; add the user to the group video"
        case .busy: "another program is using it"
        case .formats: "offers no format that can be used"
        case .pipeline: "one part of a processor's camera pipeline; use the libcamera source for its camera"
        case .silent: "it does not answer; unplug it, or restart the machine"
        case .failure(let reason): reason
        }
    }

    /// One word for programs.
    package var code: String {
        switch self {
        case .permission: "permission"
        case .busy: "busy"
        case .formats: "formats"
        case .pipeline: "pipeline"
        case .silent: "silent"
        case .failure: "failure"
        }
    }

    /// True for what may be otherwise the next time without the device having gone.
    package var mayPass: Bool { self != .formats && self != .pipeline }
}

/// What a digitiser's input sees.
package struct DeviceInput: Sendable, Hashable {
    package enum Signal: Sendable, Hashable {
        /// Cameras have no signal to speak of.
        case unknown
        case none
        case unstable
        case unsupported
        case present(width: Int, height: Int, frameRate: Double)
    }

    package var name: String
    package var signal: Signal

    package init(name: String, signal: Signal) {
        self.name = name
        self.signal = signal
    }

    /// The signal in words; nil for cameras.
    package var state: String? {
        switch signal {
        case .unknown: nil
        case .none: "no signal"
        case .unstable: "no lock"
        case .unsupported: "unsupported signal"
        case .present(let width, let height, let rate):
            "\(width)x\(height)\(rate > 0 ? " at \((rate * 100).rounded() / 100) fps" : "")"
        }
    }
}

extension DeviceProbe {
    /// Asks a node for no more than a sign of life, and forgets what it says; may wait for the device, too.
    static func knock(_ path: String) -> DeviceProbe {
        guard let file = try? DeviceOpener.open(path) else { return .other }
        var identity = apus_v4l2_identity()
        // Safe: the call fills in a variable of ours.
        _ = unsafe apus_v4l2_identify(file.raw, &identity)
        return .other
    }

    /// Asks a node; may wait for the device, so it is for threads that have the time.
    package static func ask(_ path: String) -> DeviceProbe {
        let file: FileDescriptor
        do throws(SystemError) {
            file = try DeviceOpener.open(path)
        } catch {
            if error.isPermissionDenied { return .failed(.permission) }
            return .failed(error.isBusy ? .busy : .failure(error.reason))
        }
        var identity = apus_v4l2_identity()
        // Safe: this and the calls below fill in variables of ours.
        guard unsafe apus_v4l2_identify(file.raw, &identity) == 0 else { return .other }
        let type = apus_v4l2_capture_type(identity.capabilities)
        guard type != 0, identity.capabilities & Self.memoryToMemory == 0 else { return .other }
        // Safe: the shim always ends the texts with NULs.
        var facts = unsafe DeviceFacts(
            card: withUnsafeBytes(of: identity.card) { unsafe text($0) },
            driver: withUnsafeBytes(of: identity.driver) { unsafe text($0) },
            bus: withUnsafeBytes(of: identity.bus) { unsafe text($0) },
            formats: []
        )
        for index in 0..<V4L2Device.listLimit {
            var fourCC: UInt32 = 0
            guard unsafe apus_v4l2_format_at(file.raw, type, index, &fourCC) == 0 else { break }
            if !facts.formats.contains(fourCC) { facts.formats.append(fourCC) }
        }
        facts.input = input(file.raw)
        var none: UInt32 = 0
        if identity.capabilities & Self.mediaCentric != 0 || Self.pipelines.contains(facts.driver) {
            facts.problem = .pipeline
        } else if !facts.formats.contains(where: { V4L2Format(fourCC: $0) != nil }) {
            facts.problem = .formats
        } else if facts.driver != V4L2Device.loopbackDriver,
            unsafe apus_v4l2_request_buffers(file.raw, type, &none) != 0, lastErrorCode == Self.busyCode
        {
            // To give back no buffers is refused only while somebody else has some. v4l2loopback (0.12) refuses nothing,
            // but takes the buffers from whoever captures from it: his next frame fails with EINVAL.
            facts.problem = .busy
        }
        return .captures(facts)
    }

    private static func input(_ fd: Int32) -> DeviceInput? {
        var index: UInt32 = 0
        var found = apus_v4l2_input()
        // Safe: both calls fill in variables of ours, and the shim ends the name with a NUL.
        guard unsafe apus_v4l2_get_input(fd, &index) == 0, unsafe apus_v4l2_input_at(fd, index, &found) == 0 else {
            return nil
        }
        let name = unsafe withUnsafeBytes(of: found.name) { unsafe text($0) }
        var signal = DeviceInput.Signal.unknown
        if found.capabilities & Self.hasTimings != 0 {
            var seen = apus_v4l2_timings()
            if unsafe apus_v4l2_query_timings(fd, &seen) == 0 {
                let (width, height) = (Int(seen.width), Int(seen.height))
                signal = .present(width: width, height: height, frameRate: Double(seen.millihertz) / 1000)
            } else {
                signal = Self.signals[lastErrorCode] ?? .unknown
            }
        } else if found.status & Self.noSignal != 0 {
            signal = .none
        } else if found.status & Self.noLock != 0 {
            signal = .unstable
        }
        return DeviceInput(name: name, signal: signal)
    }

    private static func text(_ bytes: UnsafeRawBufferPointer) -> String {
        // Safe: the bytes are the caller's for the call.
        DeviceText.plain(unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self))
    }

    /// V4L2_CAP_VIDEO_M2M and V4L2_CAP_VIDEO_M2M_MPLANE: a codec or scaler, whatever else it says.
    private static let memoryToMemory: UInt32 = 0xC000
    /// V4L2_CAP_IO_MC: its formats depend on links that the media controller makes.
    private static let mediaCentric: UInt32 = 0x2000_0000
    /// Drivers of Raspberry Pi that capture from memory, not from a camera.
    private static let pipelines: Set<String> = ["bcm2835-isp", "pispbe", "rp1-cfe"]
    private static let busyCode: Int32 = 16
    /// V4L2_IN_CAP_DV_TIMINGS.
    private static let hasTimings: UInt32 = 2
    /// V4L2_IN_ST_NO_POWER and V4L2_IN_ST_NO_SIGNAL.
    private static let noSignal: UInt32 = 0x3
    /// V4L2_IN_ST_NO_H_LOCK, V4L2_IN_ST_NO_V_LOCK and V4L2_IN_ST_NO_SYNC.
    private static let noLock: UInt32 = 0x0001_0500
    /// ENOLINK, ENOLCK and ERANGE.
    private static let signals: [Int32: DeviceInput.Signal] = [67: .none, 37: .unstable, 34: .unsupported]
}
