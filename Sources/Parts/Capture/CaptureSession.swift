// SPDX-License-Identifier: Apache-2.0
// One camera's source, kept alive: started, watched, started again.

import Bytes
package import Config
package import Devices
import Encode
package import Loop
import Media
import System

/// Runs a source, and starts it again with growing waits whenever it is lost.
///
/// Capture instants rise, whatever the source says; see `Timeline`.
package final class CaptureSession {
    package private(set) var state = CaptureState.starting
    /// Frames that the source could not deliver.
    package private(set) var dropped: UInt64 = 0
    /// How often the source was lost after it had given frames.
    package private(set) var losses: UInt64 = 0
    /// How often it did not come when it was tried.
    package private(set) var failedTries: UInt64 = 0
    /// Of what kind the last failure was; nil if there was none.
    package private(set) var fault: CaptureError.Kind?
    /// A loopback device that nobody feeds is tried so often: nothing tells of who begins to.
    static let unfedPeriod = Duration.milliseconds(500)

    private let loop: EventLoop
    private var address: SourceAddress
    private let devices: DeviceFinder
    private let events: CaptureEvents
    private let maker: SourceMaker
    private var source: (any Source)?
    private var backoff = Backoff()
    private var retry: LoopTimer?
    private var timeline = Timeline()
    private var sound = Timeline()
    private var isDiscontinuous = false
    /// It was live since it was last counted as lost, also if it stands still now.
    private var hasGiven = false
    private let board: ControlBoard
    private var watcher: DeviceWatcher?
    /// The device that the address names, or that `auto` has found; it is the camera's from then on.
    private var device: NamedDevice?
    /// The simulated device that is open.
    private var simulated: DeviceFinder.Found?

    /// Makes a session that has not started; `devices` finds what the address names, `standardInput` is what `stdin:`
    /// reads from, `ring` tells the socket of each of the camera's rings, `agent` is how this program is called in front
    /// of servers, `board` has the values that the camera's controls are to have, and `mayResetUSB` allows to reset a
    /// camera that nothing else brings back.
    package init(
        loop: EventLoop,
        address: SourceAddress,
        target: CaptureTarget,
        events: CaptureEvents,
        devices: DeviceFinder = DeviceFinder(),
        standardInput: Int32 = 0,
        ring: @escaping (String) -> String = { $0 },
        agent: String = "Apus",
        board: ControlBoard = ControlBoard(),
        mayResetUSB: Bool = false
    ) {
        self.loop = loop
        self.address = address
        self.events = events
        self.devices = devices
        self.board = board
        maker = SourceMaker(
            loop: loop,
            target: target,
            standardInput: standardInput,
            ring: ring,
            agent: agent,
            mayResetUSB: mayResetUSB,
            note: events.note
        )
    }

    /// Starts the source; if that fails, it is tried again until `stop()`.
    package func start() {
        watchDevices()
        open()
    }

    /// Goes over to another source on the same timeline; false if it is the same device by another name, whose frames go on.
    package func move(to address: SourceAddress) -> Bool {
        if let other = isNow(address) {
            self.address = address
            device = other
            return false
        }
        stop()
        self.address = address
        device = nil
        backoff = Backoff()
        isDiscontinuous = true
        timeline.breakOff()
        start()
        return true
    }

    /// Stops the source for good.
    package func stop() {
        watcher?.stop()
        watcher = nil
        simulated = nil
        retry?.cancel()
        source?.stop()
        source = nil
    }

    /// True while uncompressed pictures are wanted; sources that make them save the work else.
    package var wantsPictures = true {
        didSet { source?.wantsPictures = wantsPictures }
    }

    /// Asks who codes the source's frames for a keyframe soon, if that can be asked.
    package func requestKeyframe() { source?.requestKeyframe() }

    /// How pulling from a server goes; nil for other sources, and while there is no connection.
    package var pull: PullReport? { (source as? PullSource)?.report }

    /// How capturing from a V4L2 camera goes, over all its openings; nil for other sources.
    package var capture: V4L2Report? { maker.camera.report.mode.isEmpty ? nil : maker.camera.report }

    /// True once after each loss: the next frame does not follow the one before.
    package func takeDiscontinuity() -> Bool {
        defer { isDiscontinuous = false }
        return isDiscontinuous
    }

    // MARK: Controls

    /// The camera's controls with their present values; none if it has none, or is not there.
    package var controls: [CameraControl] { controlled?.controls ?? [] }

    /// Sets a control, and keeps the value over losses of the camera; the control as it is then.
    package func setControl(_ name: String, _ text: String) throws(ControlRefusal) -> CameraControl {
        try board.set(name, text, on: try reachable())
    }

    /// Takes back what was set of one control, or of all.
    package func resetControls(_ name: String?) throws(ControlRefusal) { try board.reset(name, on: try reachable()) }

    /// Another configuration of the controls holds from now on.
    package func configureControls(_ list: ControlList) {
        board.reconfigure(list, on: controlled, note: events.refused)
    }

    private var controlled: (any ControlledSource)? { source as? any ControlledSource }

    private func reachable() throws(ControlRefusal) -> any ControlledSource {
        if let controlled { return controlled }
        if case .lost(let reason) = state { throw ControlRefusal(.moment, "the camera is not there: \(reason)") }
        throw ControlRefusal(.moment, "the source has no controls")
    }

    // MARK: Life

    private func open() {
        let source: any Source
        do throws(CaptureError) {
            source = try makeSource()
        } catch {
            return lost(error)
        }
        self.source = source
        source.wantsPictures = wantsPictures
        let isInOrder = source.isInOrder
        let output = SourceOutput(
            picture: { [unowned self] picture, captured in events.picture(picture, timeline.place(captured)) },
            unit: { [unowned self] info, bytes in
                var info = info
                let mayGoBack = !isInOrder && !info.isKeyframe && !info.codec.isIntraOnly
                info.captured = timeline.place(info.captured, mayGoBack: mayGoBack)
                events.unit(info, bytes)
            },
            audio: { [unowned self] info, bytes in
                var info = info
                info.captured = sound.place(info.captured)
                events.audio(info, bytes)
            },
            live: { [unowned self] format in
                hasGiven = true
                backoff.succeeded(at: loop.now)
                change(.live(format))
            },
            waits: { [unowned self] reason in change(.lost(reason: reason)) },
            stopped: { [unowned self] error in lost(error) },
            dropped: { [unowned self] count in dropped += UInt64(count) },
            controllable: { [unowned self] moment in
                if let controlled { board.apply(to: controlled, at: moment, note: events.refused) }
            },
            control: { [unowned self] control in events.control(control) },
            recovery: { [unowned self] recovery, reason in events.recovery(recovery, reason) }
        )
        do throws(CaptureError) {
            try source.start(output)
        } catch {
            source.stop()
            self.source = nil
            lost(error)
        }
    }

    private func lost(_ error: CaptureError?) {
        isDiscontinuous = true
        timeline.breakOff()
        guard let error else {
            source = nil
            return change(.ended)
        }
        fault = error.kind
        // A device that nobody has begun to feed is not lost, but waited for.
        if hasGiven { losses += 1 } else if error.kind != .unfed { failedTries += 1 }
        hasGiven = false
        change(.lost(reason: error.description))
        if let source, source.comesBack { return }
        source = nil
        let isUnfed = error.kind == .unfed
        let wait = isUnfed ? Self.unfedPeriod : backoff.next(at: loop.now, noise: Random.uint64())
        retry = loop.timer(after: wait) { [unowned self] in open() }
    }

    private func change(_ new: CaptureState) {
        guard state != new else { return }
        state = new
        events.state(new)
    }

    private func makeSource() throws(CaptureError) -> any Source {
        switch address {
        case .auto:
            // Looked for until one was found: a camera may have been plugged in meanwhile.
            if device == nil { device = firstDevice().map { NamedDevice($0) } }
            return try makeDeviceSource(.init())
        case .v4l2(let name, let request):
            if device == nil { device = NamedDevice(name) }
            return try makeDeviceSource(request)
        default: return maker.source(address)
        }
    }

    /// The device as it is plugged in now; the pattern before there was one.
    private func makeDeviceSource(_ request: SourceAddress.V4L2Request) throws(CaptureError) -> any Source {
        guard let place = try find() else { return maker.pattern(nil, nil) }
        let source = try maker.device(at: place, request)
        if case .simulated = place { simulated = place }
        return source
    }
}

// MARK: Devices that come and go

extension CaptureSession {
    /// The id of the first device that can be used; nil if there is none.
    private func firstDevice() -> String? {
        var scanner = DeviceScanner(devices.tree, simulation: devices.simulation)
        return scanner.scan().first(where: \.isUsable)?.id
    }

    /// Where the camera's device is now; nil if it has none.
    private func find() throws(CaptureError) -> DeviceFinder.Found? {
        guard var device else { return nil }
        defer { self.device = device }
        return try devices.find(&device)
    }

    /// The address's device, if it is the one that is open.
    private func isNow(_ new: SourceAddress) -> NamedDevice? {
        guard case .v4l2(let name, let wanted) = new, case .v4l2(_, let present) = address, wanted == present,
            source != nil, let identity = device?.identity
        else { return nil }
        var other = NamedDevice(name)
        guard (try? devices.find(&other)) != nil, other.identity == identity else { return nil }
        return other
    }

    private func watchDevices() {
        switch address {
        case .auto, .v4l2: break
        default: return
        }
        let directories = devices.simulation.map { [$0.directory] } ?? []
        watcher = DeviceWatcher(loop, devices.tree, directories: directories) { [unowned self] in lookAtDevices() }
    }

    /// Something has come or gone: a source that is lost need not wait any longer for its next try.
    private func lookAtDevices() {
        if var device {
            devices.look(for: &device)
            self.device = device
        }
        if let simulated {
            guard case .simulated(let id, _) = simulated, (try? find()) != simulated else { return }
            self.simulated = nil
            source?.stop()
            lost(CaptureError("\(id) was unplugged"))
        } else if address == .auto, device == nil {
            // The pattern, until there is a device.
            guard let found = firstDevice() else { return }
            source?.stop()
            source = nil
            isDiscontinuous = true
            timeline.breakOff()
            device = NamedDevice(found)
            open()
        } else if case .lost = state, source == nil, isThere {
            retry?.cancel()
            open()
        }
    }

    /// True if what the address names can be tried.
    private var isThere: Bool {
        guard let place = try? find() else { return false }
        guard case .node(let path) = place else { return true }
        return File.exists(path)
    }
}
