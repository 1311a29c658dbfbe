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
    private(set) var video: [VideoStream] = []
    private(set) var jpeg: JPEGStream?
    private(set) var audio: AudioStream?
    private var pictures: PictureService?
    private let slate: Slate
    /// Ends the source of a camera on demand that nobody watches any more.
    private var lingering: LoopTimer?
    private(set) var decoder = UnitDecoder()
    /// The newest picture of this turn of the loop: if several come at once, only it is encoded.
    private var waiting: (picture: PictureBuffer, captured: Instant)?
    private var waitingImage = WaitingImage()
    private(set) var superseded: UInt64 = 0
    private var loggedFailures: UInt64 = 0

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
        guard let selection = EncoderSelection(parsing: camera.encoder.rawValue) else {
            throw Failure(.usage, "camera \(camera.name): unknown encoder \(camera.encoder.rawValue)")
        }
        slate = Slate(loop: context.loop, name: camera.name, delay: camera.slateDelay)
        LibraryLog.install()
        for (name, stream) in [("main", camera.main), ("sub", camera.sub)] {
            guard let stream else { continue }
            let writer = try openRing(name, guess(stream), stream.ringSize)
            let made = VideoStream(name: name, configuration: stream, writer: writer, selection: selection, log: log)
            writer.onDemandChange = { [unowned self, unowned made] wanted in
                log.debug("demand", ["stream": name, "wanted": wanted])
                made.demandChanged(wanted)
                demandChanged(wanted)
            }
            made.onKeyframeRequest = { [unowned self] in session?.requestKeyframe() }
            video.append(made)
        }
        if let stream = camera.jpeg {
            let description = StreamDescription(
                video: .jpeg,
                width: stream.size.map { UInt32($0.width) } ?? 0,
                height: stream.size.map { UInt32($0.height) } ?? 0,
                frameRate: stream.frameRate ?? Rational(0)
            )
            let writer = try openRing("jpeg", description, stream.ringSize)
            let made = JPEGStream(configuration: stream, writer: writer, log: log)
            writer.onDemandChange = { [unowned self, unowned made] wanted in
                log.debug("demand", ["stream": "jpeg", "wanted": wanted])
                made.demandChanged(wanted)
                demandChanged(wanted)
            }
            jpeg = made
        }
        if let stream = camera.audio {
            let path = context.runDirectory.ring(camera.name, "audio")
            audio = AudioStream(configuration: stream, loop: context.loop, path: path, log: log)
            audio?.onDemandChange = { [unowned self] in updateActivity() }
        }
        do throws(SystemError) {
            pictures = try PictureService(context.loop, log, context.runDirectory, camera: camera.name)
        } catch {
            throw Failure(.failure, "cannot serve pictures: \(error)")
        }
        addVerbs()
        context.status = { [unowned self] in status }
        context.reload = { [unowned self] new in reload(new) }
        context.onStop { [unowned self] in
            pictures?.close()
            close()
        }
        context.loop.timer(every: .seconds(1)) { [unowned self] in logTroubles() }
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
    /// A device that is not there may be plugged in; a file that is not there, or a device that must not be opened, is a
    /// mistake that its user wants to hear of at once.
    ///
    /// When the daemon is started again, viewers are connected and the source worked before: then it is waited for.
    private var hopelessness: String? {
        guard !context.isRestart, let session, case .lost(let reason) = session.state else { return nil }
        switch address {
        case .file: return reason
        // A source that waits, as for a signal, is not lost.
        case .v4l2(let device, _): return session.failedTries > 0 && File.exists(device) ? reason : nil
        case .libcamera: return LibCamera.absence
        case .auto, .stdin, .pattern, .publish, .rtsp: return nil
        }
    }

    private func openRing(
        _ stream: String,
        _ description: StreamDescription,
        _ capacity: Int
    ) throws(Failure) -> RingWriter {
        let path = context.runDirectory.ring(camera.name, stream)
        do throws(RingError) {
            return try RingWriter(loop: context.loop, path: path, description: description, capacity: capacity)
        } catch {
            throw Failure(.failure, "cannot open the ring \(path): \(error)")
        }
    }

    /// What a stream will probably be; its first keyframe tells.
    private func guess(_ stream: VideoStreamConfiguration) -> StreamDescription {
        StreamDescription(
            video: stream.codec == .h265 ? .h265 : .h264,
            width: stream.size.map { UInt32($0.width) } ?? 0,
            height: stream.size.map { UInt32($0.height) } ?? 0,
            frameRate: stream.frameRate ?? Rational(0)
        )
    }

    // MARK: The source

    private func startSource() {
        var target = CaptureTarget(name: camera.name)
        if let size = camera.main?.size { target.size = size }
        if let rate = camera.main?.frameRate { target.frameRate = max(1, Int(rate.value.rounded())) }
        let events = CaptureEvents(
            picture: { [unowned self] picture, captured in took(picture, captured) },
            unit: { [unowned self] info, unit in took(info, unit) },
            audio: { [unowned self] info, frame in audio?.pass(info, frame) },
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
            for stream in video { stream.sourceChanged(format) }
            jpeg?.sourceChanged(format)
            updateDemand()
        case .lost(let reason):
            if session?.losses == 0, session?.failedTries == 0 {
                log.info("source awaited", ["source": address, "reason": reason])
            } else {
                log.warn("source lost", ["source": address, "reason": reason])
            }
            audio?.breakContinuity()
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
        let isWanted =
            video.contains { $0.writer.hasDemand } || jpeg?.writer.hasDemand == true || audio?.hasDemand == true
        if isWanted {
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
        for stream in video { stream.breakContinuity() }
        jpeg?.breakContinuity()
        audio?.breakContinuity()
        log.info("source idle", ["source": address])
    }

    // MARK: The slate

    private func beginSlate() {
        log.info("slate shown", ["source": address])
        for stream in video { stream.beginSlate() }
        jpeg?.beginSlate()
        showSlate()
    }

    private func endSlate() {
        for stream in video { stream.endSlate() }
        jpeg?.endSlate()
        slate.end()
    }

    /// Puts the slate into each stream that somebody wants, until its source's own frames are there.
    private func showSlate() {
        let now = Clock.monotonic()
        var isLive = false
        if case .live? = session?.state { isLive = true }
        do throws(EncodeError) {
            for stream in video where stream.isSlating {
                if stream.writer.hasDemand {
                    stream.encodeSlate(try slate.picture(stream.slateSize), captured: now)
                } else if isLive, !stream.isPassing {
                    stream.endSlate()
                }
            }
            if let jpeg, jpeg.isSlating {
                if jpeg.writer.hasDemand {
                    jpeg.encodeSlate(try slate.picture(jpeg.slateSize), captured: now)
                } else if isLive, !jpeg.isPassing {
                    jpeg.endSlate()
                }
            }
        } catch {
            log.error("slate not painted", ["error": error])
        }
        guard isLive, !video.contains(where: \.isSlating), jpeg?.isSlating != true else { return }
        log.info("slate ended", ["source": address])
        slate.end()
        updateDemand()
    }

    private var wantsPictures: Bool {
        video.contains(where: \.wantsPictures) || jpeg?.wantsPictures == true
    }

    private func updateDemand() { session?.wantsPictures = wantsPictures }

    // MARK: Frames

    private func took(_ picture: PictureBuffer, _ captured: Instant) {
        noteDiscontinuity()
        wait(picture, captured)
    }

    private func took(_ info: UnitInfo, _ unit: Span<UInt8>) {
        noteDiscontinuity()
        for stream in video where stream.isPassing { stream.pass(info, unit) }
        if info.codec == .jpeg {
            if jpeg?.isPassing == true { jpeg?.pass(info, unit) }
            guard wantsPictures else { return }
            if waitingImage.keep(info, unit) {
                context.loop.later { [weak self] in self?.decodeWaitingImage() }
            } else {
                superseded += 1
            }
            return
        }
        if let (picture, captured) = decoder.take(info, unit, wanted: wantsPictures) { wait(picture, captured) }
    }

    private func decodeWaitingImage() {
        if let (picture, captured) = waitingImage.decode(by: &decoder) { distribute(picture, captured) }
    }

    private func wait(_ picture: PictureBuffer, _ captured: Instant) {
        if waiting == nil {
            context.loop.later { [weak self] in
                guard let self, let (picture, captured) = waiting else { return }
                waiting = nil
                distribute(picture, captured)
            }
        } else {
            superseded += 1
        }
        waiting = (picture, captured)
    }

    private func distribute(_ picture: PictureBuffer, _ captured: Instant) {
        for stream in video { stream.encode(picture, captured: captured) }
        jpeg?.encode(picture, captured: captured)
        // The first picture only tells the parameter sets: then there may be nothing more to do.
        updateDemand()
    }

    private func noteDiscontinuity() {
        guard session?.takeDiscontinuity() == true else { return }
        for stream in video { stream.breakContinuity() }
        jpeg?.breakContinuity()
    }

    // MARK: Control

    /// Takes over what may change while running; false if something else changed.
    private func reload(_ new: Configuration) -> Bool {
        guard let changed = new.camera(camera.name), let source = newSource(changed.source),
            changed.encoder == camera.encoder, changed.mayResetUSB == camera.mayResetUSB,
            changed.isOnDemand == camera.isOnDemand, changed.slateDelay == camera.slateDelay,
            (changed.main == nil) == (camera.main == nil), (changed.sub == nil) == (camera.sub == nil),
            (changed.jpeg == nil) == (camera.jpeg == nil), changed.audio == camera.audio
        else { return false }
        for stream in video {
            guard let next = stream.name == "main" ? changed.main : changed.sub else { return false }
            let old = stream.configuration
            guard next.codec == old.codec, next.size == old.size, next.ringSize == old.ringSize else { return false }
            if stream.isPassing, next.frameRate != old.frameRate { return false }
        }
        if let old = jpeg?.configuration, let next = changed.jpeg {
            guard next.size == old.size, next.ringSize == old.ringSize, next.frameRate == old.frameRate else {
                return false
            }
        }
        for stream in video {
            if let next = stream.name == "main" ? changed.main : changed.sub { stream.reconfigure(next) }
        }
        if let next = changed.jpeg { jpeg?.reconfigure(next) }
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
        guard session?.move(to: source) == true else { return }
        for stream in video { stream.breakContinuity() }
        jpeg?.breakContinuity()
    }

    private func logTroubles() {
        let (messages, dropped) = LibraryLog.take()
        if decoder.failures > loggedFailures, let failure = decoder.lastFailure {
            log.warn("frames not decoded", ["count": decoder.failures - loggedFailures, "error": failure])
            loggedFailures = decoder.failures
        }
        for message in messages { log.debug("codec library", ["message": message]) }
        if dropped > 0 { log.debug("codec library messages left out", ["count": dropped]) }
    }

    private func close() {
        session?.stop()
        slate.end()
        for stream in video { stream.writer.close() }
        jpeg?.writer.close()
        audio?.close()
    }
}
