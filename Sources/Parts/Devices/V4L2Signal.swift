// SPDX-License-Identifier: Apache-2.0
// What is connected to a V4L2 device that digitises a signal: inputs, standards, timings, and what is wrong with it.

import CShimLinux
package import Config
import System

/// One of the sockets of a device that digitises signals.
package struct V4L2Input: Sendable, Hashable {
    package var number: Int
    /// As the driver calls it: `HDMI 0`.
    package var name: String
    /// It takes digital signals, whose timings are found out.
    package var isDigital: Bool
    /// It takes television signals of one of the standards.
    package var isAnalogue: Bool
    /// What the device says is wrong there, such as `no signal`; nil if nothing is.
    package var fault: String?

    init(_ found: apus_v4l2_input) {
        number = Int(found.index)
        // Safe: the shim always ends the name with a NUL.
        name = unsafe withUnsafeBytes(of: found.name) {
            unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        isDigital = found.capabilities & Self.digital != 0
        isAnalogue = found.capabilities & Self.analogue != 0
        fault = Self.fault(found.status)
    }

    /// Reads V4L2_IN_ST_…, the gravest first: of nothing connected, no lock says nothing new.
    static func fault(_ status: UInt32) -> String? {
        if status & 0x1 != 0 { return "no power" }
        if status & 0x2 != 0 { return "no signal" }
        // No horizontal, vertical or standard lock; no synchronisation lock, no carrier.
        return status & (0x100 | 0x400 | 0x800 | 0x1_0000 | 0x4_0000) != 0 ? "no sync" : nil
    }

    /// V4L2_IN_CAP_DV_TIMINGS, V4L2_IN_CAP_STD.
    private static let digital: UInt32 = 2
    private static let analogue: UInt32 = 4
}

/// The timings of a digital signal.
package struct V4L2Timings: Sendable, Hashable, CustomStringConvertible {
    package var size: PictureSize
    package var isInterlaced: Bool
    /// Frames (or fields) per second.
    package var frameRate: Double

    init(_ found: apus_v4l2_timings) {
        size = PictureSize(width: Int(found.width), height: Int(found.height))
        isInterlaced = found.is_interlaced != 0
        frameRate = Double(found.millihertz) / 1000
    }

    /// True if nothing is to be set anew for them; devices that measure the rate tell another fraction of it each time.
    package func isLike(_ other: V4L2Timings) -> Bool {
        size == other.size && isInterlaced == other.isInterlaced && abs(frameRate - other.frameRate) < 0.05
    }

    /// As people write it: `1920x1080p60`.
    package var description: String { "\(size)\(isInterlaced ? "i" : "p")\(V4L2Plan.text(frameRate))" }
}

extension V4L2Device {
    /// The inputs; none where there is nothing to choose.
    package func inputs() -> [V4L2Input] {
        var result: [V4L2Input] = []
        for index in 0..<Self.listLimit {
            var found = apus_v4l2_input()
            // Safe: the call fills in a structure of ours.
            guard unsafe apus_v4l2_input_at(descriptor, index, &found) == 0 else { break }
            result.append(V4L2Input(found))
        }
        return result
    }

    /// The input that frames are taken from, as it is now; nil if the device has no inputs.
    package var input: V4L2Input? {
        var index: UInt32 = 0
        var found = apus_v4l2_input()
        // Safe: both calls fill in variables of ours.
        guard unsafe apus_v4l2_get_input(descriptor, &index) == 0,
            unsafe apus_v4l2_input_at(descriptor, index, &found) == 0
        else { return nil }
        return V4L2Input(found)
    }

    /// The timings that the input takes; none if it takes no digital signal.
    package func timings() -> [V4L2Timings] {
        var result: [V4L2Timings] = []
        for index in 0..<Self.listLimit {
            var found = apus_v4l2_timings()
            // Safe: the call fills in a structure of ours.
            guard unsafe apus_v4l2_timings_at(descriptor, index, &found) == 0 else { break }
            result.append(V4L2Timings(found))
        }
        return result
    }

    /// The timings of the signal at the input; nil if there is none, or the input has none.
    package var signalTimings: V4L2Timings? {
        var found = apus_v4l2_timings()
        // Safe: the call fills in a structure of ours.
        guard input?.isDigital == true, unsafe apus_v4l2_query_timings(descriptor, &found) == 0, found.width > 0,
            found.height > 0
        else { return nil }
        return V4L2Timings(found)
    }

    /// The size that the signal of a television standard is digitised in; nil if the input takes none.
    package var standardSize: PictureSize? {
        var lines: UInt32 = 0
        // Safe: the call fills in a variable of ours.
        guard input?.isAnalogue == true, unsafe apus_v4l2_get_lines(descriptor, &lines) == 0, lines > 0 else {
            return nil
        }
        // ITU-R BT.601: 720 samples of each of the lines that show something.
        return PictureSize(width: 720, height: lines == 525 ? 480 : 576)
    }

    /// Takes frames from another input.
    package func select(input number: Int) throws(CaptureError) {
        if input?.number == number { return }
        guard apus_v4l2_set_input(descriptor, UInt32(number)) != 0 else { return }
        let error = SystemError("", code: lastErrorCode)
        guard !error.isBusy else { throw CaptureError("\(path): input \(number): another program captures from it") }
        let inputs = inputs()
        let names = inputs.map { "\($0.number) (\($0.name))" }.joined(separator: ", ")
        throw CaptureError(
            "\(path): no input \(number); there are \(names.isEmpty ? "none to choose" : names)",
            kind: inputs.contains { $0.number == number } || error.isDeviceGone ? .other : .wrong
        )
    }

    /// Sets an analogue input to a television standard, or (nil) to the one that it sees.
    package func set(standard: SourceAddress.TelevisionStandard?) throws(CaptureError) {
        guard let standard else { return followStandard() }
        let bits =
            switch standard {
            case .pal: apus_v4l2_pal()
            case .ntsc: apus_v4l2_ntsc()
            case .secam: apus_v4l2_secam()
            }
        guard apus_v4l2_set_standard(descriptor, bits) != 0 else { return }
        // Without a signal, or while somebody captures, drivers may refuse what they take at other times.
        throw CaptureError(
            "\(path): the input takes no standard \(standard.rawValue): \(SystemError("", code: lastErrorCode).reason)"
        )
    }

    private func followStandard() {
        var seen: UInt64 = 0
        // Safe: the call fills in a variable of ours.
        guard input?.isAnalogue == true, unsafe apus_v4l2_query_standard(descriptor, &seen) == 0, seen != 0 else {
            return
        }
        // A device that cannot tell says all standards: then it stays as it is, as does one that does not take its own.
        let families = [apus_v4l2_pal() | apus_v4l2_secam(), apus_v4l2_ntsc()]
        if families.contains(where: { seen & ~$0 == 0 }) { _ = apus_v4l2_set_standard(descriptor, seen) }
    }

    /// Sets a digital input to the timings of its signal, as far as there is one; there must be no buffers.
    package func adoptTimings() throws(CaptureError) {
        guard input?.isDigital == true, apus_v4l2_adopt_timings(descriptor) != 0 else { return }
        let error = SystemError("set timings", code: lastErrorCode)
        // What is wrong with the signal is told by `signalFault`.
        if error.isBusy { throw Self.explain(error, path) }
    }

    /// Why there is nothing to capture: `no signal at input HDMI 0`; nil if there is, or the device does not tell.
    package var signalFault: String? {
        guard let input else { return nil }
        guard let fault = input.isDigital ? digitalFault(input) ?? input.fault : input.fault else { return nil }
        return "\(fault) at input \(input.name)"
    }

    private func digitalFault(_ input: V4L2Input) -> String? {
        var found = apus_v4l2_timings()
        // Safe: the call fills in a structure of ours.
        if unsafe apus_v4l2_query_timings(descriptor, &found) == 0 { return nil }
        switch lastErrorCode {
        case Self.noLink:
            var powered: Int64 = 0
            // Safe: the call fills in a variable of ours.
            let tells = unsafe apus_v4l2_powered_inputs(descriptor, &powered) == 0 && input.number < 63
            return tells && powered & 1 << Int64(input.number) == 0 ? "no cable" : "no signal"
        case Self.noLock: return "no lock to the signal"
        case Self.outOfRange:
            let known = Set(timings().map(\.size)).sorted { $0.width * $0.height > $1.width * $1.height }
            let list = known.prefix(8).map(\.description).joined(separator: ", ")
            return list.isEmpty ? "unsupported timings" : "unsupported timings (sizes taken: \(list))"
        default: return nil
        }
    }

    /// ENOLINK, ENOLCK, ERANGE.
    private static let noLink: Int32 = 67
    private static let noLock: Int32 = 37
    private static let outOfRange: Int32 = 34

    /// What became of claiming a device.
    package enum Claim: Sendable {
        /// Nobody else can change the device until it is closed.
        case granted
        /// Another program has claimed it already.
        case refused
        /// The driver knows no claims: anybody can change the device.
        case unknown
    }

    /// Has nobody else change the device until it is closed.
    package func claim() -> Claim {
        if apus_v4l2_claim(descriptor) == 0 { return .granted }
        return SystemError("", code: lastErrorCode).isBusy ? .refused : .unknown
    }

    /// Asks the device's encoder for a keyframe; false if it cannot be asked.
    package func forceKeyframe() -> Bool { apus_v4l2_set_number(descriptor, apus_v4l2_keyframe_control(), 0, 1) == 0 }
}
