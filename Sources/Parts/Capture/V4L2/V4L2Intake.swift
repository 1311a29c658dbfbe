// SPDX-License-Identifier: Apache-2.0
// What happens to each filled buffer of a V4L2 camera: judged, counted, dated, handed over.

import Bytes
import Devices
import Encode
import Media

/// Takes the buffers of one start of a stream.
final class V4L2Intake {
    /// So many JPEGs in a row without an end marker, and none with one, show that the camera never writes it.
    static let endPatience = 4
    /// Fewer bytes are no coded frame: a start code, and a header and a byte of H.265. Where nothing moves, frames are short.
    static let shortest = 6

    private let output: SourceOutput
    private let memory: V4L2Memory
    private let setting: V4L2Device.Setting
    private var times: FrameTimes
    private var pace: FramePace
    private var cutter: UnitCutter?
    private var lastSequence: UInt32?
    /// Frames are missing in front of the next.
    private var isBroken: Bool
    private var endless = 0
    private var hasSeenEnd = false
    /// A coded frame was passed on that a decoder can begin with.
    private var hasBegun = false
    /// True when a keyframe would help: frames are missing, or none can be decoded yet.
    private(set) var needsKeyframe: Bool

    /// What came instead of frames that can be shown, since the last of those; nil for nothing.
    private var fault: V4L2Fault?
    /// Called in front of each frame that can be shown.
    private let onGood: () -> Void

    /// `isBroken`: frames of another start came before.
    init(
        _ output: SourceOutput,
        _ memory: V4L2Memory,
        _ setting: V4L2Device.Setting,
        isBroken: Bool,
        onGood: @escaping () -> Void
    ) {
        self.onGood = onGood
        self.output = output
        self.memory = memory
        self.setting = setting
        self.isBroken = isBroken
        times = FrameTimes(frameRate: setting.frameRate)
        pace = FramePace(frameRate: setting.frameRate)
        cutter = setting.format.codec.flatMap(NALFormat.init).map(UnitCutter.init)
        needsKeyframe = cutter != nil
    }

    /// Counts frames that are not delivered.
    func drop(_ fault: V4L2Fault, _ count: Int = 1) {
        memory.report.add(fault, count)
        output.dropped(count)
        if fault != .gap, fault != .superseded { self.fault = fault }
        isBroken = true
        if cutter != nil { needsKeyframe = true }
    }

    /// What is the matter while no frame can be shown, for people.
    var lack: String {
        switch fault {
        case .damaged: "only damaged frames"
        case .short: "only frames that are too short"
        case .truncated: "only truncated pictures"
        case .malformed: "only pictures that make no sense"
        case .early: "no keyframe with parameter sets"
        case .error: "errors instead of frames"
        case .gap, .superseded, nil: "no frame"
        }
    }

    /// A frame that can be shown comes next.
    func noteGood() {
        fault = nil
        onGood()
    }

    /// True if the buffer that came at `now` has a frame as far as the driver knows.
    func admits(_ filled: V4L2Device.Filled, at now: Instant) -> Bool {
        if let rate = pace.slowRate(filled.sequence, at: now) {
            memory.deviates(
                "slow",
                "the camera gives \(V4L2Plan.text(rate)) frames a second, not \(V4L2Plan.text(setting.frameRate.value)); in the "
                    + "dark many expose longer, unless exposure_dynamic_framerate is off"
            )
        }
        if let lastSequence {
            // Counts wrap around; a driver that starts anew goes back, and one that does not count stands.
            let gap = filled.sequence &- lastSequence
            if gap > 1, gap < 1 << 31 { drop(.gap, Int(min(gap - 1, 1 << 16))) }
        }
        lastSequence = filled.sequence
        if filled.isDamaged {
            drop(.damaged)
            return false
        }
        if filled.ranges[0].isEmpty {
            drop(.short)
            return false
        }
        return true
    }

    /// When a buffer's frame was captured.
    func instant(_ filled: V4L2Device.Filled, at now: Instant) -> Instant {
        let instant = times.instant(filled.time, filled.clock, at: now)
        if times.isLying {
            memory.deviates("wrong-timestamps", "the driver's times are not the present; arrivals are taken instead")
        }
        let isArrival = times.isLying || filled.clock != .monotonic
        memory.report.times = isArrival ? "arrival" : filled.isStart ? "start of exposure" : "end of frame"
        return instant
    }

    /// Hands over a coded frame; false if it is none.
    func deliver(_ bytes: Span<UInt8>, captured: Instant) -> Bool {
        cutter == nil ? deliverImage(bytes, captured) : deliverUnits(bytes, captured)
    }

    private func deliverImage(_ bytes: Span<UInt8>, _ captured: Instant) -> Bool {
        let repair: JPEGRepair
        do throws(JPEGFault) {
            repair = try JPEGRepair(bytes, acceptsMissingEnd: endless >= Self.endPatience)
        } catch {
            switch error {
            case .notJPEG: drop(.short)
            case .malformed: drop(.malformed)
            case .truncated:
                if !hasSeenEnd { endless += 1 }
                drop(.truncated)
            }
            return false
        }
        if repair.needsEnd {
            memory.deviates("no-end-marker", "the camera's JPEGs have no end marker; it is put in")
        } else {
            hasSeenEnd = true
            endless = 0
        }
        if repair.tablesOffset != nil {
            memory.deviates(
                "no-huffman-tables",
                "the camera's JPEGs have no Huffman tables; the standard ones are put in"
            )
        }
        noteGood()
        let info = UnitInfo(
            codec: .jpeg,
            captured: captured,
            isKeyframe: true,
            isDiscontinuous: takeBreak(),
            repair: repair.isWhole ? nil : repair
        )
        output.unit(info, repair.isWhole ? bytes.extracting(0..<repair.length) : bytes)
        return true
    }

    private func deliverUnits(_ bytes: Span<UInt8>, _ captured: Instant) -> Bool {
        guard let codec = setting.format.codec, bytes.count >= Self.shortest else {
            drop(.short)
            return false
        }
        // Taken out while it works: what it hands over may come back to us.
        guard var cutter else { return false }
        self.cutter = nil
        var count = 0
        cutter.push(bytes, captured: captured) { flags, began, unit in
            count += 1
            let isKeyframe = flags.contains(.keyframe)
            guard isDecodable(unit, isKeyframe, codec) else { return drop(.early) }
            if isKeyframe { needsKeyframe = false }
            noteGood()
            output.unit(
                UnitInfo(codec: codec, captured: began, isKeyframe: isKeyframe, isDiscontinuous: takeBreak()),
                unit
            )
        }
        self.cutter = cutter
        if cutter.isSplit {
            memory.deviates(
                "split-access-units",
                "the camera's frames are spread over buffers; each waits for the next"
            )
        }
        return count > 0
    }

    /// Nothing is passed on before the first keyframe with all that decoders need: cameras may send that seldom.
    private func isDecodable(_ unit: Span<UInt8>, _ isKeyframe: Bool, _ codec: Codec) -> Bool {
        if hasBegun { return true }
        guard isKeyframe, let format = NALFormat(codec) else { return false }
        hasBegun = ParameterSets(format, annexB: unit).isComplete
        return hasBegun
    }

    /// The stream was stopped, and starts anew.
    func interrupted() {
        cutter?.finish { _, _, _ in }
        lastSequence = nil
        pace.interrupted()
        isBroken = true
        if setting.format.codec.flatMap(NALFormat.init) != nil { needsKeyframe = true }
    }

    private func takeBreak() -> Bool {
        defer { isBroken = false }
        return isBroken
    }
}
