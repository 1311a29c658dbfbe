// SPDX-License-Identifier: Apache-2.0
// A V4L2 camera as a source: opened, set, watched over, given up.

import Bytes
import Config
import Devices
import Encode
import Loop
import Media
import System

/// Captures from a V4L2 device with mapped buffers.
///
/// A device that digitises a signal stays open while there is none, and goes on by itself when it is back.
final class V4L2Source: ControlledSource {
    /// How often a signal that is missing is looked for, and one that is there looked after.
    static let signalPeriod = Duration.milliseconds(500)
    /// How often it is looked whether frames still come.
    static let watchPeriod = Duration.milliseconds(200)
    /// So many errors in a row instead of frames mean that the stream is broken.
    static let errorLimit = 3
    /// A keyframe that helps is asked for so often.
    static let keyframePeriod = Duration.seconds(1)

    private let loop: EventLoop
    private let path: String
    private let request: SourceAddress.V4L2Request
    private let target: CaptureTarget
    private let memory: V4L2Memory
    private let mayResetUSB: Bool
    private var device: V4L2Device?
    private var output: SourceOutput?
    private var stream: Stream?
    private var timers: [LoopTimer] = []
    private var errors = 0
    private var canForceKeyframes = true
    private var lastKeyframeRequest = Instant.zero
    private var pictures = V4L2Pictures()
    var wantsPictures = true

    /// What belongs to a stream that runs.
    private struct Stream {
        var setting: V4L2Device.Setting
        var intake: V4L2Intake
        var stalls: StallWatch
        var watch: Watch
        /// The signal's, if it is digital.
        var timings: V4L2Timings?
        /// When the device last told of something.
        var told: Instant
        /// What it gives, for when it does.
        var format: CaptureFormat
        /// When the last frame that can be shown came, before it the start; nil once their absence was told.
        var shown: Instant?
        /// Frames that can be shown come; before, and when none has come for long, the camera is not live.
        var isLive = false
    }

    init(
        loop: EventLoop,
        path: String,
        request: SourceAddress.V4L2Request,
        target: CaptureTarget,
        memory: V4L2Memory,
        mayResetUSB: Bool
    ) {
        self.loop = loop
        self.path = path
        self.request = request
        self.target = target
        self.memory = memory
        self.mayResetUSB = mayResetUSB
    }

    // MARK: Life

    func start(_ output: SourceOutput) throws(CaptureError) {
        let device = try V4L2Device(path: path)
        if let input = request.input { try device.select(input: input) }
        try device.set(standard: request.standard)
        let claim = request.priority == .record ? device.claim() : nil
        memory.report.isClaimed = claim == .granted
        if claim == .refused {
            memory.deviates("claimed-by-another", "another program has claimed the device, and may change it")
        }
        device.watchControls()
        self.device = device
        self.output = output
        if let fault = device.signalFault {
            output.controllable(.withFrames)
            output.waits(fault)
        } else {
            do throws(CaptureError) {
                try begin(device, output, isBroken: false)
            } catch {
                let error = judged(error)
                stop()
                escalate(error)
                throw error
            }
        }
        timers = [
            loop.timer(every: Self.watchPeriod) { [unowned self] in lookForFrames() },
            loop.timer(every: Self.signalPeriod) { [unowned self] in lookForSignal() },
        ]
    }

    func stop() {
        for timer in timers { timer.cancel() }
        timers = []
        stream?.watch.cancel()
        stream = nil
        // Closed at once: the node of a device that is gone stays until then.
        device = nil
        output = nil
    }

    /// True while a signal is waited for.
    var comesBack: Bool { device != nil && stream == nil }

    /// Sets the device to what the signal and the request say, and starts the stream.
    private func begin(_ device: V4L2Device, _ output: SourceOutput, isBroken: Bool) throws(CaptureError) {
        try device.adoptTimings()
        let timings = device.signalTimings
        // The signal's own size and rate are what there is to see of it.
        let size = timings?.size ?? device.standardSize ?? target.size
        let modes = device.modes(near: request.size ?? size, asked: request.size)
        let rate = timings.map { max(1, Int($0.frameRate.rounded())) } ?? target.frameRate
        if modes.isEmpty, device.isLoopback { throw V4L2Device.unfed(path) }
        guard let mode = V4L2Mode.best(among: modes, for: request, preferring: size, rate: rate) else {
            let wanted = request.format.map { "format \($0.rawValue)" } ?? "format that can be used"
            // A device that lists nothing at all may only not be ready.
            throw CaptureError(
                "\(path): \(device.card) offers no \(wanted)",
                kind: modes.isEmpty || request.format == nil ? .other : .wrong
            )
        }
        let asked = Double(request.frameRate ?? rate)
        let wanted = V4L2Plan(mode, frameRate: mode.frameRate > 0 ? min(asked, mode.frameRate) : asked)
        // Controls that turn the picture are locked while there are buffers.
        output.controllable(.beforeFrames)
        let setting = try startStreaming(device, wanted, modes)
        output.controllable(.withFrames)
        let watch = try watch(device)
        report(device, setting, timings)
        errors = 0
        pictures = V4L2Pictures()
        let format = CaptureFormat(
            codec: setting.format.codec,
            size: setting.size,
            frameRate: setting.frameRate,
            name: device.card,
            compromise: memory.report.compromise
        )
        stream = Stream(
            setting: setting,
            intake: V4L2Intake(output, memory, setting, isBroken: isBroken) { [unowned self] in showsFrame() },
            stalls: StallWatch(frameRate: setting.frameRate, at: loop.now),
            watch: watch,
            timings: timings,
            told: loop.now,
            format: format,
            shown: loop.now
        )
    }

    private func watch(_ device: V4L2Device) throws(CaptureError) -> Watch {
        do throws(SystemError) {
            return try loop.watch(device.descriptor, [.read, .priority]) { [unowned self] readiness in
                stream?.told = loop.now
                if readiness.contains(.priority) { takeEvents() }
                if readiness.isWorthReading { drain(isFaulty: !readiness.contains(.readable)) }
            }
        } catch {
            throw CaptureError("\(path): \(error)")
        }
    }

    /// Starts with the plan, or with less if the bus has no room for it.
    private func startStreaming(
        _ device: V4L2Device,
        _ wanted: V4L2Plan,
        _ modes: [V4L2Mode]
    ) throws(CaptureError) -> V4L2Device.Setting {
        var plan = wanted
        memory.report.compromise = nil
        for attempt in 1... {
            do throws(CaptureError) {
                let setting = try device.configure(plan)
                try device.startStreaming()
                memory.report.compromise =
                    attempt > 1
                    ? "the USB bus has no bandwidth for \(wanted); \(plan) goes" : substitution(plan, setting)
                return setting
            } catch {
                guard error.kind == .noBandwidth, attempt < V4L2Plan.limit,
                    let next = wanted.next(after: plan, among: modes, keeping: request.format)
                else { throw error }
                plan = next
            }
        }
        throw CaptureError("\(path): no plan is left")
    }

    /// What the device was set to instead of what was asked for, or of what it had offered; nil if it was set to that.
    private func substitution(_ plan: V4L2Plan, _ setting: V4L2Device.Setting) -> String? {
        let rate = setting.frameRate.value
        let given = V4L2Plan.text(setting.format, setting.size, rate)
        let isOther = setting.format != V4L2Format(fourCC: plan.mode.fourCC) || setting.size != plan.mode.size
        if isOther { return "the driver sets \(given) instead of \(plan)" }
        if let size = request.size, size != setting.size { return "the camera has no \(size); \(given) is the nearest" }
        guard let wanted = request.frameRate, rate < Double(wanted) - 0.5 else { return nil }
        return "the camera has no \(wanted) fps there; \(given) is the nearest"
    }

    private func report(_ device: V4L2Device, _ setting: V4L2Device.Setting, _ timings: V4L2Timings?) {
        memory.report.mode = V4L2Plan.text(setting.format, setting.size, setting.frameRate.value)
        memory.report.buffers = device.bufferCount
        memory.report.timings = timings?.description
        let input = device.input
        let isTold = input?.isDigital == true || input?.isAnalogue == true || request.input != nil
        memory.report.input = isTold ? input?.name : nil
    }

    // MARK: Faults

    private func fail(_ fault: CaptureError) {
        let output = output
        let error = judged(fault)
        memory.report.add(.reopen)
        output?.recovery(.reopen, error.description)
        stop()
        escalate(error)
        output?.stopped(error)
    }

    /// What an error means: a loopback device has no cable or bus, so whatever happens is up to who feeds it.
    private func judged(_ error: CaptureError) -> CaptureError {
        guard device?.isLoopback == true, error.kind != .gone else { return error }
        return CaptureError(error.description, kind: .unfed)
    }

    /// Counts an opening without use, and resets a USB device when nothing else has helped.
    private func escalate(_ error: CaptureError) {
        guard error.kind == .transient || error.kind == .ended else { return }
        memory.fruitless += 1
        guard memory.mayReset(at: loop.now), let device = USBDevice(behind: path) else { return }
        guard mayResetUSB else {
            memory.deviates("needs-reset", "the camera does not recover; usb_reset = yes would reset it on its bus")
            return
        }
        memory.reset(device, on: loop)
    }

    /// Takes the step that frames are to be brought back by.
    private func take(_ step: StallWatch.Step, _ error: CaptureError) {
        // Loopback devices do not start anew, and while they are open, nobody can feed them with another size.
        guard let device, step == .restart, !device.isLoopback else { return fail(error) }
        memory.report.add(.restart)
        output?.recovery(.restart, error.description)
        // Viewers see the slate until there is a frame.
        output?.waits(error.description)
        stream?.isLive = false
        errors = 0
        stream?.intake.interrupted()
        do throws(CaptureError) { try device.restartStreaming() } catch { fail(error) }
    }

    /// Takes frames that the device has not told of, and then watches it anew.
    ///
    /// v4l2loopback (0.12) never wakes whoever has begun to watch it while a frame was there.
    private func lookForUntoldFrames() {
        guard let device, let told = stream?.told, loop.now - told >= Self.watchPeriod, drain(isFaulty: false),
            self.device === device, stream != nil
        else { return }
        stream?.watch.cancel()
        do throws(CaptureError) { stream?.watch = try watch(device) } catch { fail(error) }
    }

    private func lookForFrames() {
        lookForUntoldFrames()
        tellOfLack()
        guard let stalls = stream?.stalls, let step = stream?.stalls.check(at: loop.now) else { return }
        take(step, lack(for: stalls.allowed))
    }

    /// A camera that gives nothing to show is not live, however well it streams.
    private func tellOfLack() {
        guard let limit = stream?.stalls.limit, let shown = stream?.shown, loop.now - shown > limit else { return }
        stream?.shown = nil
        stream?.isLive = false
        output?.waits(lack(for: limit).description)
    }

    private func lack(for span: Duration) -> CaptureError {
        CaptureError("\(path): \(stream?.intake.lack ?? "no frame") for \(span)", kind: .transient)
    }

    /// A frame that can be shown is handed over next: now the camera is live.
    private func showsFrame() {
        noteFrame()
        stream?.shown = loop.now
        guard stream?.isLive == false, let format = stream?.format else { return }
        stream?.isLive = true
        output?.live(format)
    }

    private func fault(_ error: CaptureError) {
        switch error.kind {
        case .ended:
            guard let step = stream?.stalls.fault(at: loop.now) else { return }
            take(step, error)
        case .transient:
            stream?.intake.drop(.error)
            errors += 1
            guard errors >= Self.errorLimit, let step = stream?.stalls.fault(at: loop.now) else { return }
            take(step, error)
        case .other, .gone, .noBandwidth, .unfed, .wrong, .forbidden: fail(error)
        }
    }

    // MARK: The signal

    private func takeEvents() {
        while let device, let event = device.nextEvent() {
            switch event {
            case .control(let id): if let control = device.control(id) { output?.control(control) }
            case .sourceChange: signalChanged()
            case .end: fault(CaptureError("\(path): the driver has ended the stream", kind: .ended))
            }
        }
    }

    private func lookForSignal() {
        guard let device else { return }
        if stream == nil {
            takeEvents()
            if stream == nil, device.signalFault == nil { signalChanged() }
        } else if memory.report.input != nil, let fault = device.signalFault {
            lose(fault)
        }
    }

    /// The signal has come, or is another one than before.
    private func signalChanged() {
        guard let device, let output else { return }
        if let fault = device.signalFault { return lose(fault) }
        if let stream {
            // Some devices tell of each thing that they find out. Should frames have stopped by it, that is noticed.
            if let seen = device.signalTimings, let timings = stream.timings, seen.isLike(timings) { return }
            memory.report.add(.retime)
            output.recovery(.retime, "the signal has changed")
        }
        endStream()
        do throws(CaptureError) { try begin(device, output, isBroken: true) } catch { fail(error) }
    }

    /// There is no signal: the device stays open, and the signal is waited for.
    private func lose(_ reason: String) {
        guard stream != nil else { return output?.waits(reason) ?? () }
        endStream()
        output?.stopped(CaptureError(reason))
    }

    /// A device that does not stream must not be watched: it always reports an error then.
    private func endStream() {
        stream?.watch.cancel()
        stream = nil
        device?.stopStreaming()
    }

    // MARK: Controls

    var controls: [CameraControl] { device?.controls() ?? [] }

    func set(_ control: CameraControl, to value: CameraControl.Value) throws(ControlRefusal) {
        guard let device else { throw ControlRefusal(.moment, "the camera is not there") }
        try device.set(control, to: value)
        if let changed = device.control(control.id) { output?.control(changed) }
    }

    /// Asks a camera that codes itself; many cannot be asked.
    func requestKeyframe() {
        guard canForceKeyframes, let device, stream?.setting.format.codec != .jpeg else { return }
        canForceKeyframes = device.forceKeyframe()
        lastKeyframeRequest = loop.now
    }

    // MARK: Frames

    /// Takes all filled buffers; of uncompressed ones only the newest is used. False if there was none.
    @discardableResult
    private func drain(isFaulty: Bool) -> Bool {
        guard let device, let setting = stream?.setting, let intake = stream?.intake else { return false }
        var isEmpty = true
        do throws(CaptureError) {
            var newest: V4L2Device.Filled?
            while let filled = try device.dequeue() {
                isEmpty = false
                errors = 0
                guard intake.admits(filled, at: loop.now) else {
                    try device.requeue(filled)
                    continue
                }
                if setting.format.codec == nil {
                    if let older = newest {
                        intake.drop(.superseded)
                        try device.requeue(older)
                    }
                    newest = filled
                } else {
                    let captured = intake.instant(filled, at: loop.now)
                    var isGood = false
                    device.withBytes(filled) { isGood = intake.deliver($0, captured: captured) }
                    // The receiver may have stopped us.
                    guard self.device === device, stream != nil else { return true }
                    if isGood { noteFrame() }
                    try device.requeue(filled)
                }
            }
            if let newest { try show(newest, device, setting, intake) }
        } catch {
            fault(error)
            return !isEmpty
        }
        if isEmpty, isFaulty { fault(CaptureError("\(path): the device reports an error", kind: .transient)) }
        if intake.needsKeyframe, loop.now - lastKeyframeRequest > Self.keyframePeriod { requestKeyframe() }
        return !isEmpty
    }

    private func show(
        _ filled: V4L2Device.Filled,
        _ device: V4L2Device,
        _ setting: V4L2Device.Setting,
        _ intake: V4L2Intake
    ) throws(CaptureError) {
        let captured = intake.instant(filled, at: loop.now)
        guard pictures.isWhole(filled, setting) else {
            intake.drop(.short)
            return try device.requeue(filled)
        }
        intake.noteGood()
        var picture: PictureBuffer?
        if wantsPictures {
            do throws(EncodeError) {
                picture = try pictures.convert(filled, device, setting)
            } catch {
                throw CaptureError("\(path): \(error)")
            }
        }
        try device.requeue(filled)
        if let picture { output?.picture(picture, captured) }
    }

    private func noteFrame() {
        stream?.stalls.frame(at: loop.now)
        memory.fruitless = 0
    }
}
