// SPDX-License-Identifier: Apache-2.0
// A V4L2 camera as a source.

import Bytes
import Config
import Devices
import Encode
import Loop
import Media
import System

/// Captures from a V4L2 device with mapped buffers.
final class V4L2Source: ControlledSource {
    /// Without a frame for so long, the device is opened anew.
    static let stall = Duration.seconds(2)
    /// So many damaged frames in a row mean that the stream is broken.
    static let damageLimit = 30

    private let loop: EventLoop
    private let path: String
    private let request: SourceAddress.V4L2Request
    private let target: PictureSize
    private let frameRate: Int
    private var device: V4L2Device?
    private var setting: V4L2Device.Setting?
    private var watch: Watch?
    private var watchdog: LoopTimer?
    private var output: SourceOutput?
    private var lastFrame = Instant.zero
    private var lastSequence: UInt32?
    private var damaged = 0
    private var splitter = AccessUnitSplitter(.h264)
    private var scaler = Scaler()
    private var pool = PicturePool()
    private var raw: PictureBuffer?
    private var repaired: [UInt8] = []
    var wantsPictures = true

    init(loop: EventLoop, path: String, request: SourceAddress.V4L2Request, target: PictureSize, frameRate: Int) {
        self.loop = loop
        self.path = path
        self.request = request
        self.target = target
        self.frameRate = frameRate
    }

    func start(_ output: SourceOutput) throws(CaptureError) {
        let device = try V4L2Device(path: path)
        let modes = device.modes()
        guard let mode = V4L2Mode.best(among: modes, for: request, preferring: target, rate: frameRate) else {
            let wanted = request.format.map { "format \($0.rawValue)" } ?? "format that can be used"
            throw CaptureError("\(path): \(device.card) offers no \(wanted)")
        }
        let setting = try device.configure(mode, frameRate: request.frameRate ?? frameRate)
        if setting.format == .hevc { splitter = AccessUnitSplitter(.h265) }
        try device.startStreaming()
        self.device = device
        self.setting = setting
        self.output = output
        do throws(SystemError) {
            watch = try loop.watch(device.descriptor, [.read, .priority]) { [unowned self] readiness in
                if readiness.contains(.priority) { takeEvents() }
                if readiness.isWorthReading { drain() }
            }
        } catch {
            throw CaptureError("\(path): \(error)")
        }
        device.watchControls()
        lastFrame = loop.now
        watchdog = loop.timer(every: .milliseconds(500)) { [unowned self] in
            if loop.now - lastFrame > Self.stall { fail(CaptureError("\(path): no frame for \(Self.stall)")) }
        }
        output.live(
            CaptureFormat(
                codec: setting.format.codec,
                size: setting.size,
                frameRate: setting.frameRate,
                name: device.card
            )
        )
    }

    func stop() {
        watch?.cancel()
        watchdog?.cancel()
        device = nil
        output = nil
    }

    var controls: [CameraControl] { device?.controls() ?? [] }

    func set(_ control: CameraControl, to value: CameraControl.Value) throws(ControlRefusal) {
        guard let device else { throw ControlRefusal(.moment, "the camera is not there") }
        try device.set(control, to: value)
        if let changed = device.control(control.id) { output?.control(changed) }
    }

    private func takeEvents() {
        while let event = device?.nextEvent() {
            switch event {
            case .control(let id): if let control = device?.control(id) { output?.control(control) }
            case .sourceChange: return fail(CaptureError("\(path): the signal has changed"))
            }
        }
    }

    private func fail(_ error: CaptureError) {
        let output = output
        stop()
        output?.stopped(error)
    }

    /// Takes all filled buffers; of uncompressed ones only the newest is used.
    private func drain() {
        guard let device, let setting else { return }
        do throws(CaptureError) {
            var newest: V4L2Device.Filled?
            while let filled = try device.dequeue() {
                lastFrame = loop.now
                guard isGood(filled) else {
                    try device.requeue(filled)
                    continue
                }
                if setting.format.codec == nil {
                    if let older = newest {
                        output?.dropped(1)
                        try device.requeue(older)
                    }
                    newest = filled
                } else {
                    deliver(filled, device, setting)
                    // The receiver may have stopped us.
                    guard self.device != nil else { return }
                    try device.requeue(filled)
                }
            }
            guard let newest else { return }
            let picture = wantsPictures ? try convert(newest, device, setting) : nil
            try device.requeue(newest)
            if let picture { output?.picture(picture, newest.captured ?? loop.now) }
        } catch {
            fail(error)
        }
    }

    private func isGood(_ filled: V4L2Device.Filled) -> Bool {
        if let lastSequence, filled.sequence > lastSequence + 1 {
            output?.dropped(Int(filled.sequence - lastSequence - 1))
        }
        lastSequence = filled.sequence
        guard !filled.isDamaged, !filled.ranges[0].isEmpty else {
            damaged += 1
            output?.dropped(1)
            if damaged == Self.damageLimit {
                loop.later { [weak self] in
                    guard let self else { return }
                    fail(CaptureError("\(path): \(Self.damageLimit) damaged frames in a row"))
                }
            }
            return false
        }
        damaged = 0
        return true
    }

    private func deliver(_ filled: V4L2Device.Filled, _ device: V4L2Device, _ setting: V4L2Device.Setting) {
        let captured = filled.captured ?? loop.now
        device.withBytes(filled) { bytes in
            if let codec = setting.format.codec, codec != .jpeg {
                // Each buffer is one access unit: nothing is kept back for the next.
                let emit: (FrameFlags, Span<UInt8>) -> Void = { [output] flags, unit in
                    let info = UnitInfo(codec: codec, captured: captured, isKeyframe: flags.contains(.keyframe))
                    output?.unit(info, unit)
                }
                splitter.push(bytes, emit: emit)
                splitter.finish(emit: emit)
                return
            }
            guard JPEGRepair.repair(bytes, into: &repaired) else {
                output?.dropped(1)
                return
            }
            let image = repaired
            output?.unit(UnitInfo(codec: .jpeg, captured: captured, isKeyframe: true), image.span)
        }
    }

    /// Copies an uncompressed frame out of the driver's buffer, as 4:2:0.
    private func convert(
        _ filled: V4L2Device.Filled,
        _ device: V4L2Device,
        _ setting: V4L2Device.Setting
    ) throws(CaptureError) -> PictureBuffer? {
        guard let format = setting.format.pixels else { return nil }
        let size = setting.size
        do throws(EncodeError) {
            let source: PictureBuffer
            if let raw {
                source = raw
            } else {
                source = try PictureBuffer(width: size.width, height: size.height, format: format)
                raw = source
            }
            let isWhole =
                setting.strides.count > 1
                || filled.ranges[0].count >= source.packedLength(stride: setting.strides[0])
            guard isWhole else {
                output?.dropped(1)
                return nil
            }
            source.range = setting.isFullRange ? .full : .limited
            if setting.strides.count == 1 {
                device.withBytes(filled) { bytes in source.load(bytes, stride: setting.strides[0]) }
            } else {
                for (plane, stride) in setting.strides.enumerated() {
                    device.withBytes(filled, plane: plane) { bytes in source.load(plane, bytes, stride: stride) }
                }
            }
            let picture = try pool.take(width: size.width, height: size.height)
            try scaler.scale(source, into: picture)
            return picture
        } catch {
            throw CaptureError("\(path): \(error)")
        }
    }
}
