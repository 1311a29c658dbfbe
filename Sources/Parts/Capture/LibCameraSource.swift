// SPDX-License-Identifier: Apache-2.0
// A camera of libcamera's as a source.

import Bytes
import Config
import Devices
import Encode
import LibCamera
import Loop
import Media
import System

/// Captures from a camera by libcamera, and waits for it while it is not there.
final class LibCameraSource: ControlledSource {
    /// Without a frame for so long, the camera is opened anew.
    static let stall = Duration.seconds(3)

    private let loop: EventLoop
    private let wanted: String?
    private let request: SourceAddress.V4L2Request
    private let target: PictureSize
    private let frameRate: Int
    private var device: LibCameraDevice?
    private var setting: LibCameraDevice.Setting?
    private var camera: LibCamera.Camera?
    /// What it will give, until the first frame is there.
    private var given: CaptureFormat?
    private var watch: Watch?
    private var watchdog: LoopTimer?
    private var output: SourceOutput?
    private var lastFrame = Instant.zero
    private var lastSequence: UInt32?
    private var scaler = Scaler()
    private var pool = PicturePool()
    private var raw: PictureBuffer?
    var wantsPictures = true

    /// `wanted` is an id, a part of one, or a place in the list; nil takes the first camera.
    init(
        loop: EventLoop,
        wanted: String?,
        request: SourceAddress.V4L2Request,
        target: PictureSize,
        frameRate: Int
    ) {
        self.loop = loop
        self.wanted = wanted
        self.request = request
        self.target = target
        self.frameRate = frameRate
    }

    func start(_ output: SourceOutput) throws(CaptureError) {
        let device = try LibCameraDevice()
        self.device = device
        self.output = output
        do throws(SystemError) {
            watch = try loop.watch(device.descriptor, .read) { [unowned self] _ in drain() }
        } catch {
            throw CaptureError("libcamera: \(error)")
        }
        try look()
    }

    func stop() {
        watch?.cancel()
        watchdog?.cancel()
        device = nil
        camera = nil
        output = nil
    }

    var controls: [CameraControl] { camera == nil ? [] : device?.controls ?? [] }

    func set(_ control: CameraControl, to value: CameraControl.Value) throws(ControlRefusal) {
        guard let device, camera != nil else { throw ControlRefusal(.moment, "the camera is not there") }
        try device.set(control, to: value)
        if let changed = device.controls.first(where: { $0.id == control.id }) { output?.control(changed) }
    }

    /// Begins with the camera if it is there; else waits until libcamera tells of another one.
    private func look() throws(CaptureError) {
        guard let device, camera == nil else { return }
        let cameras = device.cameras
        guard let found = Self.choose(wanted, among: cameras) else {
            let what = wanted.map { "no camera \"\($0)\"" } ?? "no camera"
            let others = cameras.isEmpty ? "" : "; there is \(cameras.map(\.id).joined(separator: ", "))"
            output?.waits("libcamera v\(Self.plain(device.version)) has \(what)\(others)")
            return
        }
        try device.acquire(found.id)
        guard let format = Self.best(device.formats, request) else {
            let names = request.format.map { "format \($0.rawValue)" } ?? "format that can be used"
            throw CaptureError("\(found.id) offers no \(names)")
        }
        let setting = try device.configure(format, request.size ?? target)
        try device.start(frameRate: request.frameRate ?? frameRate)
        self.setting = setting
        camera = found
        raw = nil
        lastFrame = loop.now
        lastSequence = nil
        watchdog = loop.timer(every: .milliseconds(500)) { [unowned self] in
            if loop.now - lastFrame > Self.stall { fail(CaptureError("\(found.id): no frame for \(Self.stall)")) }
        }
        // Now its controls are known; libcamera takes them along with the frames.
        output?.controllable(.withFrames)
        given = CaptureFormat(
            codec: setting.format.codec,
            size: setting.size,
            frameRate: Rational(UInt32(request.frameRate ?? frameRate)),
            name: found.model.isEmpty ? found.id : found.model
        )
    }

    /// A frame that can be shown comes next: with the first the camera is live.
    private func showsFrame() {
        guard let format = given else { return }
        given = nil
        output?.live(format)
    }

    /// The camera that is meant: by its id, by its place, or by a part of its id that no other has.
    static func choose(_ wanted: String?, among cameras: [LibCamera.Camera]) -> LibCamera.Camera? {
        guard let wanted else { return cameras.first }
        if let camera = cameras.first(where: { $0.id == wanted }) { return camera }
        if let place = Int(wanted) { return cameras.indices.contains(place) ? cameras[place] : nil }
        let alike = cameras.filter { $0.id.contains(wanted) || $0.model == wanted }
        return alike.count == 1 ? alike[0] : nil
    }

    /// What costs least here of what is offered: 4:2:0 as encoders take it, then JPEG, then the rest.
    static func best(_ formats: [V4L2Format], _ request: SourceAddress.V4L2Request) -> V4L2Format? {
        if let format = request.format { return formats.contains(format) ? format : nil }
        let order: [V4L2Format] = [.yu12, .nv12, .mjpeg, .nv21, .yuyv, .uyvy, .rgb24, .bgr24, .grey]
        return order.first(where: formats.contains)
    }

    private static func plain(_ version: String) -> String {
        String(version.drop { $0 == "v" }.prefix { $0 != "+" })
    }

    private func fail(_ error: CaptureError) {
        let output = output
        stop()
        output?.stopped(error)
    }

    /// Takes all that has happened; of uncompressed frames only the newest is used.
    private func drain() {
        do throws(CaptureError) {
            var newest: LibCameraDevice.Filled?
            while let device, let event = try device.next() {
                switch event {
                case .gone: return fail(CaptureError("\(camera?.id ?? "the camera") is gone"))
                case .changed: try look()
                case .frame(let filled):
                    lastFrame = loop.now
                    guard let setting, isGood(filled) else {
                        try device.giveBack(filled)
                        continue
                    }
                    if setting.format.codec == nil {
                        if let older = newest {
                            output?.dropped(1)
                            try device.giveBack(older)
                        }
                        newest = filled
                    } else {
                        deliver(filled, device)
                        // The receiver may have stopped us.
                        guard self.device != nil else { return }
                        try device.giveBack(filled)
                    }
                }
            }
            guard let newest, let device, let setting else { return }
            showsFrame()
            let picture = wantsPictures ? try convert(newest, device, setting) : nil
            try device.giveBack(newest)
            if let picture { output?.picture(picture, newest.captured ?? loop.now) }
        } catch {
            fail(error)
        }
    }

    private func isGood(_ filled: LibCameraDevice.Filled) -> Bool {
        if let lastSequence, filled.sequence > lastSequence &+ 1 {
            output?.dropped(Int(filled.sequence - lastSequence - 1))
        }
        lastSequence = filled.sequence
        if filled.isDamaged { output?.dropped(1) }
        return !filled.isDamaged
    }

    private func deliver(_ filled: LibCameraDevice.Filled, _ device: LibCameraDevice) {
        device.withBytes(filled) { bytes in
            guard let repair = try? JPEGRepair(bytes) else {
                output?.dropped(1)
                return
            }
            showsFrame()
            let info = UnitInfo(
                codec: .jpeg,
                captured: filled.captured ?? loop.now,
                isKeyframe: true,
                repair: repair.isWhole ? nil : repair
            )
            output?.unit(info, bytes.extracting(0..<repair.length))
        }
    }

    /// Copies an uncompressed frame out of the camera's buffer, as 4:2:0.
    private func convert(
        _ filled: LibCameraDevice.Filled,
        _ device: LibCameraDevice,
        _ setting: LibCameraDevice.Setting
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
            source.range = setting.isFullRange ? .full : .limited
            if device.planes(filled) == 1 {
                device.withBytes(filled) { bytes in source.load(bytes, stride: setting.stride) }
            } else {
                for plane in 0..<device.planes(filled) {
                    let isHalved = plane > 0 && setting.format == .yu12
                    let stride = isHalved ? setting.stride / 2 : setting.stride
                    device.withBytes(filled, plane: plane) { bytes in source.load(plane, bytes, stride: stride) }
                }
            }
            let picture = try pool.take(width: size.width, height: size.height)
            try scaler.scale(source, into: picture)
            return picture
        } catch {
            throw CaptureError("libcamera: \(error)")
        }
    }
}
