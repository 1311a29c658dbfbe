// SPDX-License-Identifier: Apache-2.0
// One camera's source, kept alive: started, watched, started again.

package import Bytes
package import Config
package import Encode
package import Loop
import Media
import System

/// What a session hands over. Everything is called on the loop's thread; spans are lent for the call only.
package struct CaptureEvents {
    /// An uncompressed 4:2:0 picture, which the receiver may keep.
    package var picture: (PictureBuffer, Instant) -> Void
    /// A coded frame in ring form.
    package var unit: (UnitInfo, Span<UInt8>) -> Void
    /// A frame of sound in ring form.
    package var audio: (AudioInfo, Span<UInt8>) -> Void
    /// The state has changed.
    package var state: (CaptureState) -> Void
    /// The source does something unusual, each thing told once: its name and what is made of it.
    package var note: (String, String) -> Void

    package init(
        picture: @escaping (PictureBuffer, Instant) -> Void,
        unit: @escaping (UnitInfo, Span<UInt8>) -> Void,
        audio: @escaping (AudioInfo, Span<UInt8>) -> Void = { _, _ in },
        state: @escaping (CaptureState) -> Void,
        note: @escaping (String, String) -> Void = { _, _ in }
    ) {
        self.picture = picture
        self.unit = unit
        self.audio = audio
        self.state = state
        self.note = note
    }
}

/// What sources that can choose should aim for.
package struct CaptureTarget: Sendable, Equatable {
    package var size: PictureSize
    package var frameRate: Int
    /// Shown in the test pattern.
    package var name: String

    package init(size: PictureSize = PictureSize(width: 1920, height: 1080), frameRate: Int = 30, name: String) {
        self.size = size
        self.frameRate = frameRate
        self.name = name
    }
}

/// Runs a source, and starts it again with growing waits whenever it is lost.
///
/// Capture instants rise, whatever the source says; see `Timeline`.
package final class CaptureSession {
    package private(set) var state = CaptureState.starting
    /// Frames that the source could not deliver.
    package private(set) var dropped: UInt64 = 0
    /// How often the source was lost.
    package private(set) var losses: UInt64 = 0

    private let loop: EventLoop
    private let address: SourceAddress
    private let target: CaptureTarget
    private let events: CaptureEvents
    private let standardInput: Int32
    private let ring: (String) -> String
    private let agent: String
    private var source: (any Source)?
    private var backoff = Backoff()
    private var retry: LoopTimer?
    private var timeline = Timeline()
    private var sound = Timeline()
    private var isDiscontinuous = false
    private let pulled = PullMemory()
    /// What was set by `setControl`, in that order; set again whenever the source comes back.
    private var chosen: [(name: String, value: Int)] = []

    /// Makes a session that has not started; `standardInput` is what `stdin:` reads from, `ring` tells the socket of each
    /// of the camera's rings, and `agent` is how this program is called in front of servers.
    package init(
        loop: EventLoop,
        address: SourceAddress,
        target: CaptureTarget,
        events: CaptureEvents,
        standardInput: Int32 = 0,
        ring: @escaping (String) -> String = { $0 },
        agent: String = "Apus"
    ) {
        self.loop = loop
        self.address = address
        self.target = target
        self.events = events
        self.standardInput = standardInput
        self.ring = ring
        self.agent = agent
    }

    /// Starts the source; if that fails, it is tried again until `stop()`.
    package func start() { open() }

    /// Stops the source for good.
    package func stop() {
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

    /// What can be set of the source, with the values of this moment; empty while it is lost.
    package var controls: [CameraControl] { source?.controls ?? [] }

    /// Sets a control, now and whenever the source comes back.
    package func setControl(_ name: String, _ value: Int) throws(CameraControlError) {
        guard let source else { throw .unavailable("the source is not there") }
        guard let control = source.controls.first(where: { $0.name == name }) else {
            throw .unknown("the source has no control \"\(name)\"")
        }
        if let problem = control.problem(with: value) { throw problem }
        try source.setControl(name, value)
        guard control.kind != .button else { return }
        chosen.removeAll { $0.name == name }
        chosen.append((name, value))
    }

    /// How pulling from a server goes; nil for other sources, and while there is no connection.
    package var pull: PullReport? { (source as? PullSource)?.report }

    /// True once after each loss: the next frame does not follow the one before.
    package func takeDiscontinuity() -> Bool {
        defer { isDiscontinuous = false }
        return isDiscontinuous
    }

    private func open() {
        let source = makeSource()
        self.source = source
        source.wantsPictures = wantsPictures
        let output = SourceOutput(
            picture: { [unowned self] picture, captured in events.picture(picture, timeline.place(captured)) },
            unit: { [unowned self] info, bytes in
                var info = info
                info.captured = timeline.place(info.captured, mayGoBack: !info.isKeyframe && !info.codec.isIntraOnly)
                events.unit(info, bytes)
            },
            audio: { [unowned self] info, bytes in
                var info = info
                info.captured = sound.place(info.captured)
                events.audio(info, bytes)
            },
            live: { [unowned self] format in
                backoff.succeeded(at: loop.now)
                // A control that the source does not have any more is no reason to do without its frames.
                for (name, value) in chosen { try? self.source?.setControl(name, value) }
                change(.live(format))
            },
            waits: { [unowned self] reason in change(.lost(reason: reason)) },
            stopped: { [unowned self] error in lost(error) },
            dropped: { [unowned self] count in dropped += UInt64(count) }
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
        losses += 1
        change(.lost(reason: error.description))
        if let source, source.comesBack { return }
        source = nil
        let wait = backoff.next(at: loop.now, noise: Random.uint64())
        retry = loop.timer(after: wait) { [unowned self] in open() }
    }

    private func change(_ new: CaptureState) {
        guard state != new else { return }
        state = new
        events.state(new)
    }

    private func makeSource() -> any Source {
        switch address {
        case .auto:
            // Looked for at each start: a camera may have been plugged in meanwhile.
            guard let device = V4L2Device.firstCamera() else { return makePattern(nil, nil) }
            return V4L2Source(
                loop: loop,
                path: device,
                request: .init(),
                target: target.size,
                frameRate: target.frameRate
            )
        case .v4l2(let device, let request):
            return V4L2Source(
                loop: loop,
                path: device,
                request: request,
                target: target.size,
                frameRate: target.frameRate
            )
        case .file(let path, let loops): return FileSource(loop: loop, path: path, loops: loops)
        case .stdin(let codec): return PipeSource(loop: loop, descriptor: standardInput, codec: codec)
        case .pattern(let size, let frameRate): return makePattern(size, frameRate)
        case .rtsp(let location):
            return PullSource(loop: loop, location: location, agent: agent, memory: pulled, note: events.note)
        case .publish: return PublishSource(loop: loop, video: ring("publish"), audio: ring("publish-audio"))
        }
    }

    private func makePattern(_ size: PictureSize?, _ frameRate: Int?) -> PatternSource {
        PatternSource(
            loop: loop,
            size: size ?? target.size,
            frameRate: frameRate ?? target.frameRate,
            name: target.name
        )
    }
}
