// SPDX-License-Identifier: Apache-2.0
// One camera: its source, its streams, and the frames between them.

import Bytes
import Capture
import Config
import Control
import Daemon
import Devices
import Encode
import LibCamera
import Log
import Loop
import Media
import Ring
import System

/// Brings a camera's frames from its source into its rings.
final class VideoService {
    let context: DaemonContext
    let camera: CameraConfiguration
    private(set) var address: SourceAddress
    /// The address as the configuration has it.
    private var sourceText: String
    private let log: Logger
    private(set) var session: CaptureSession?
    let board: ControlBoard
    let streams: CameraStreams
    /// What is encoded: the source's pictures, or pictures of its frames.
    let newest: NewestPicture
    private var pictures: PictureService?
    private let slate: Slate
    /// Ends the source of a camera on demand that nobody watches any more.
    private var lingering: LoopTimer?

    /// A camera on demand stays connected for so long after its last viewer.
    private static let linger = Duration.seconds(10)

    /// Opens the rings and starts the source.
    ///
    /// - Throws: `Failure` if the configuration, the run directory or the source is no good; a source that fails later
    ///   is tried again.
    init(_ context: DaemonContext) throws(Failure) {
        self.context = context
        log = context.log
        guard let camera = context.camera else { throw Failure(.usage, "no camera is configured") }
        self.camera = camera
        sourceText = camera.source
        board = ControlBoard(configured: camera.controls)
        do throws(SourceAddressError) {
            address = try SourceAddress(parsing: camera.source)
        } catch {
            throw Failure(.source, "camera \(camera.name): \(error)")
        }
        slate = Slate(loop: context.loop, name: camera.name, delay: camera.slateDelay)
        LibraryLog.install()
        streams = try CameraStreams(context, camera)
        newest = NewestPicture(loop: context.loop)
        do throws(SystemError) {
            pictures = try PictureService(context.loop, log, context.runDirectory, camera: camera.name)
        } catch {
            throw Failure(.failure, "cannot serve pictures: \(error)")
        }
        addVerbs()
        context.status = { [unowned self] in status }
        context.mayBeginAnew = { [unowned self] in if case .lost = session?.state { true } else { false } }
        context.reload = { [unowned self] new in reload(new) }
        context.onStop { [unowned self] in
            pictures?.close()
            close()
        }
        context.loop.timer(every: .seconds(1)) { [unowned self] in logTroubles() }
        streams.onDemandChange = { [unowned self] wanted in demandChanged(wanted) }
        streams.audio?.onDemandChange = { [unowned self] in updateActivity() }
        streams.onKeyframeRequest = { [unowned self] in session?.requestKeyframe() }
        newest.onPicture = { [unowned self] picture, captured in encode(picture, captured) }
        slate.onBegin = { [unowned self] in beginSlate() }
        slate.onFrame = { [unowned self] in showSlate() }
        if !camera.isOnDemand { startSource() }
        if let reason = hopelessness {
            pictures?.close()
            throw Failure(.source, "camera \(camera.name): \(reason)")
        }
    }

    /// Why the source cannot start before somebody mends something; nil if it started, or may still come.
    ///
    /// A file that is not there, or a device that can never do what is asked for, is a mistake that its user wants to hear
    /// of at once. What else a device answers may be otherwise the next time, and is tried again. So is one that must not be
    /// opened, as the system gives the right to only after it has made the node; but where it is the only camera, nothing
    /// is gained by waiting, and a person who has yet to join a group sees why there is no picture.
    ///
    /// When the daemon is started again, viewers are connected and the source worked before: then it is waited for.
    private var hopelessness: String? {
        guard !context.isRestart, let session, case .lost(let reason) = session.state else { return nil }
        switch address {
        case .file: return reason
        // A source that waits, as for a signal, is not lost.
        case .v4l2:
            guard session.failedTries > 0 else { return nil }
            switch session.fault {
            case .wrong: return reason
            case .forbidden: return context.configuration.cameras.count == 1 ? reason : nil
            default: return nil
            }
        case .libcamera: return LibCamera.absence
        case .auto, .stdin, .pattern, .publish, .rtsp: return nil
        }
    }

    // MARK: The source

    private func startSource() {
        var target = CaptureTarget(name: camera.name)
        if let size = camera.main?.size { target.size = size }
        if let rate = camera.main?.frameRate { target.frameRate = max(1, Int(rate.value.rounded())) }
        let events = CaptureEvents(
            picture: { [unowned self] picture, captured in
                noteDiscontinuity()
                newest.take(picture, captured)
            },
            unit: { [unowned self] info, unit in took(info, unit) },
            audio: { [unowned self] info, frame in streams.audio?.pass(info, frame) },
            state: { [unowned self] state in changed(state) },
            note: { [unowned self] name, text in
                log.info("source deviates", ["source": address, "deviation": name, "meaning": text])
            },
            control: { [unowned self] control in tell(control) },
            refused: { [unowned self] name, reason in
                log.warn("control not set", ["control": name, "reason": reason])
            },
            recovery: { [unowned self] recovery, reason in
                log.warn("source recovers", ["source": address, "step": recovery.rawValue, "reason": reason])
            }
        )
        let session = CaptureSession(
            loop: context.loop,
            address: address,
            target: target,
            events: events,
            devices: DeviceFinder(
                simulation: Simulation(directory: context.runDirectory.simulated, isStandIn: false)
            ),
            ring: { [context, camera] stream in context.runDirectory.ring(camera.name, stream) },
            agent: "Apus/\(apusVersion)",
            board: board,
            mayResetUSB: camera.mayResetUSB
        )
        self.session = session
        session.start()
        updateDemand()
    }

    private func changed(_ state: CaptureState) {
        tellSource(state)
        switch state {
        case .starting: break
        case .live(let format):
            let size = format.size.map { "\($0)" } ?? "unknown"
            log.info(
                "source live",
                [
                    "source": address, "device": format.name, "codec": format.codec?.name ?? "raw", "size": size,
                    "fps": (format.frameRate.value * 100).rounded() / 100,
                ]
            )
            if let compromise = format.compromise {
                log.warn("source gives less than asked", ["source": address, "reason": compromise])
            }
            slate.sourceLive()
            streams.sourceChanged(format)
            updateDemand()
        case .lost(let reason):
            if session?.losses == 0, session?.failedTries == 0 {
                log.info("source awaited", ["source": address, "reason": reason])
            } else {
                log.warn("source lost", ["source": address, "reason": reason])
            }
            streams.audio?.breakContinuity()
            slate.sourceLost(reason)
        case .ended:
            endSlate()
            log.info("source ended", ["source": address])
        }
    }

    // MARK: Demand

    private func demandChanged(_ wanted: Bool) {
        updateDemand()
        updateActivity()
        // Who comes while the slate is shown need not wait for its next frame.
        if wanted, slate.isOn { showSlate() }
    }

    /// Starts the source of a camera on demand with the first viewer, and stops it some time after the last.
    private func updateActivity() {
        guard camera.isOnDemand else { return }
        if streams.hasDemand {
            lingering?.cancel()
            lingering = nil
            if session == nil { startSource() }
        } else if session != nil, lingering == nil {
            lingering = context.loop.timer(after: Self.linger) { [unowned self] in stopSource() }
        }
    }

    private func stopSource() {
        lingering = nil
        session?.stop()
        session = nil
        endSlate()
        streams.breakContinuity()
        streams.audio?.breakContinuity()
        log.info("source idle", ["source": address])
    }

    // MARK: The slate

    private func beginSlate() {
        log.info("slate shown", ["source": address])
        streams.beginSlate()
        showSlate()
    }

    private func endSlate() {
        streams.endSlate()
        slate.end()
    }

    /// Shows the slate's next frame, and ends it once each stream has its source's own.
    private func showSlate() {
        var isLive = false
        if case .live? = session?.state { isLive = true }
        do throws(EncodeError) {
            try streams.show(slate, isLive: isLive, at: Clock.monotonic())
        } catch {
            log.error("slate not painted", ["error": error])
        }
        guard isLive, !streams.isSlating else { return }
        log.info("slate ended", ["source": address])
        slate.end()
        updateDemand()
    }

    // MARK: Frames

    private func updateDemand() { session?.wantsPictures = streams.wantsPictures }

    private func took(_ info: UnitInfo, _ unit: Span<UInt8>) {
        noteDiscontinuity()
        streams.pass(info, unit)
        newest.take(info, unit, wanted: streams.wantsPictures)
    }

    private func encode(_ picture: PictureBuffer, _ captured: Instant) {
        streams.encode(picture, captured: captured)
        // The first picture only tells the parameter sets: then there may be nothing more to do.
        updateDemand()
    }

    private func noteDiscontinuity() {
        if session?.takeDiscontinuity() == true { streams.breakContinuity() }
    }

    // MARK: Control

    /// Takes over what may change while running; false if something else changed.
    private func reload(_ new: Configuration) -> Bool {
        guard let changed = new.camera(camera.name), let source = newSource(changed.source),
            changed.encoder == camera.encoder, changed.mayResetUSB == camera.mayResetUSB,
            changed.isOnDemand == camera.isOnDemand, changed.slateDelay == camera.slateDelay,
            changed.audio == camera.audio, streams.canTake(changed)
        else { return false }
        streams.take(changed)
        reconfigureControls(changed.controls)
        if source != address { move(to: source) }
        sourceText = changed.source
        return true
    }

    /// The source to go over to while the streams go on; nil if it takes a new process.
    private func newSource(_ text: String) -> SourceAddress? {
        if text == sourceText { return address }
        guard let new = try? SourceAddress(parsing: text), address.isOfDevices, new.isOfDevices else { return nil }
        return new
    }

    private func move(to source: SourceAddress) {
        log.info("source changed", ["from": address, "to": source])
        address = source
        if session?.move(to: source) == true { streams.breakContinuity() }
    }

    private func logTroubles() {
        let (messages, dropped) = LibraryLog.take()
        if let (count, error) = newest.newFailures() {
            log.warn("frames not decoded", ["count": count, "error": error])
        }
        for message in messages { log.debug("codec library", ["message": message]) }
        if dropped > 0 { log.debug("codec library messages left out", ["count": dropped]) }
    }

    private func close() {
        session?.stop()
        slate.end()
        streams.close()
    }
}
