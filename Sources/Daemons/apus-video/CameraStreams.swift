// SPDX-License-Identifier: Apache-2.0
// The streams of one camera: opened, and what happens to all of them together.

import Bytes
import Capture
import Config
import Control
import Daemon
import Devices
import Encode
import Log
import Media
import Ring

/// The streams that a camera's frames go into, each with its ring.
final class CameraStreams {
    /// `main` and `sub`, as far as they are configured.
    let video: [VideoStream]
    let jpeg: JPEGStream?
    let audio: AudioStream?
    /// The first reader of a stream of pictures has come (true), or the last one has gone.
    var onDemandChange: (Bool) -> Void = { _ in }
    /// A reader of a stream that passes through wants a keyframe.
    var onKeyframeRequest: () -> Void = {}

    /// Opens the rings of all streams that are configured; that of the sound waits for its first frame.
    ///
    /// - Throws: `Failure` if a ring cannot be opened.
    init(_ context: DaemonContext, _ camera: CameraConfiguration) throws(Failure) {
        guard let selection = EncoderSelection(parsing: camera.encoder.rawValue) else {
            throw Failure(.usage, "camera \(camera.name): unknown encoder \(camera.encoder.rawValue)")
        }
        let signs = DeviceInquiry.ofSigns()
        selection.objection = { kind in
            // It looks for its own among all video devices, and would wait for ever for one that hangs.
            guard kind == .v4l2m2m, let node = signs.silent().first else { return nil }
            return "\(node) does not answer"
        }
        let log = context.log
        var video: [VideoStream] = []
        for (name, stream) in [("main", camera.main), ("sub", camera.sub)] {
            guard let stream else { continue }
            // What it will probably be; its first keyframe tells.
            let guess = Self.description(stream.codec == .h265 ? .h265 : .h264, stream.size, stream.frameRate)
            let writer = try Self.openRing(context, camera.name, name, guess, stream.ringSize)
            video.append(
                VideoStream(name: name, configuration: stream, writer: writer, selection: selection, log: log)
            )
        }
        self.video = video
        if let stream = camera.jpeg {
            let guess = Self.description(.jpeg, stream.size, stream.frameRate)
            let writer = try Self.openRing(context, camera.name, "jpeg", guess, stream.ringSize)
            jpeg = JPEGStream(configuration: stream, writer: writer, log: log)
        } else {
            jpeg = nil
        }
        audio = camera.audio.map { stream in
            let path = context.runDirectory.ring(camera.name, "audio")
            return AudioStream(configuration: stream, loop: context.loop, path: path, log: log)
        }
        listen(log)
    }

    private func listen(_ log: Logger) {
        for stream in video {
            stream.writer.onDemandChange = { [unowned self, unowned stream] wanted in
                log.debug("demand", ["stream": stream.name, "wanted": wanted])
                stream.demandChanged(wanted)
                onDemandChange(wanted)
            }
            stream.onKeyframeRequest = { [unowned self] in onKeyframeRequest() }
        }
        jpeg?.writer.onDemandChange = { [unowned self] wanted in
            log.debug("demand", ["stream": "jpeg", "wanted": wanted])
            jpeg?.demandChanged(wanted)
            onDemandChange(wanted)
        }
    }

    /// Closes all rings.
    func close() {
        for stream in video { stream.writer.close() }
        jpeg?.writer.close()
        audio?.close()
    }

    // MARK: What all have in common

    /// True if any has a reader.
    var hasDemand: Bool {
        video.contains { $0.writer.hasDemand } || jpeg?.writer.hasDemand == true || audio?.hasDemand == true
    }

    /// True if any is encoded from pictures now.
    var wantsPictures: Bool { video.contains(where: \.wantsPictures) || jpeg?.wantsPictures == true }

    /// Takes note of what the source gives now.
    func sourceChanged(_ format: CaptureFormat) {
        for stream in video { stream.sourceChanged(format) }
        jpeg?.sourceChanged(format)
    }

    /// Pictures are missing from here on.
    func breakContinuity() {
        for stream in video { stream.breakContinuity() }
        jpeg?.breakContinuity()
    }

    /// Publishes a coded frame of the source in each stream that it can go into untouched.
    func pass(_ info: UnitInfo, _ unit: Span<UInt8>) {
        for stream in video where stream.isPassing { stream.pass(info, unit) }
        if info.codec == .jpeg, jpeg?.isPassing == true { jpeg?.pass(info, unit) }
    }

    /// Encodes a picture for each stream that wants it.
    func encode(_ picture: PictureBuffer, captured: Instant) {
        for stream in video { stream.encode(picture, captured: captured) }
        jpeg?.encode(picture, captured: captured)
    }

    var status: [JSON] { video.map(\.status) + [jpeg?.status, audio?.status].compactMap(\.self) }

    // MARK: The slate

    /// True while the slate stands in for the source in any of them.
    var isSlating: Bool { video.contains(where: \.isSlating) || jpeg?.isSlating == true }

    /// From now on the slate stands in for the source in all of them.
    func beginSlate() {
        for stream in video { stream.beginSlate() }
        jpeg?.beginSlate()
    }

    /// What comes next in each is the source's own.
    func endSlate() {
        for stream in video { stream.endSlate() }
        jpeg?.endSlate()
    }

    /// Puts the slate into each stream that somebody wants, until its source's own frames are there.
    ///
    /// Of a source that is `live`, a stream that nobody watches needs no frame of its own to be rid of the slate.
    func show(_ slate: Slate, isLive: Bool, at now: Instant) throws(EncodeError) {
        for stream in video where stream.isSlating {
            if stream.writer.hasDemand {
                stream.encodeSlate(try slate.picture(stream.slateSize), captured: now)
            } else if isLive, !stream.isPassing {
                stream.endSlate()
            }
        }
        guard let jpeg, jpeg.isSlating else { return }
        if jpeg.writer.hasDemand {
            jpeg.encodeSlate(try slate.picture(jpeg.slateSize), captured: now)
        } else if isLive, !jpeg.isPassing {
            jpeg.endSlate()
        }
    }

    // MARK: Another configuration

    /// True if what has changed can be taken over while frames flow.
    func canTake(_ new: CameraConfiguration) -> Bool {
        guard (new.main == nil) == (self["main"] == nil), (new.sub == nil) == (self["sub"] == nil),
            (new.jpeg == nil) == (jpeg == nil)
        else { return false }
        for stream in video {
            guard let next = Self.configuration(of: stream, new) else { return false }
            let old = stream.configuration
            guard next.codec == old.codec, next.size == old.size, next.ringSize == old.ringSize else { return false }
            if stream.isPassing, next.frameRate != old.frameRate { return false }
        }
        guard let old = jpeg?.configuration, let next = new.jpeg else { return true }
        return next.size == old.size && next.ringSize == old.ringSize && next.frameRate == old.frameRate
    }

    /// Goes on with another configuration, which `canTake` has allowed.
    func take(_ new: CameraConfiguration) {
        for stream in video {
            if let next = Self.configuration(of: stream, new) { stream.reconfigure(next) }
        }
        if let next = new.jpeg { jpeg?.reconfigure(next) }
    }

    private subscript(name: String) -> VideoStream? { video.first { $0.name == name } }

    private static func configuration(of stream: VideoStream, _ new: CameraConfiguration) -> VideoStreamConfiguration? {
        stream.name == "main" ? new.main : new.sub
    }

    // MARK: Rings

    private static func description(_ codec: Codec, _ size: PictureSize?, _ rate: Rational?) -> StreamDescription {
        StreamDescription(
            video: codec,
            width: size.map { UInt32($0.width) } ?? 0,
            height: size.map { UInt32($0.height) } ?? 0,
            frameRate: rate ?? Rational(0)
        )
    }

    private static func openRing(
        _ context: DaemonContext,
        _ camera: String,
        _ stream: String,
        _ description: StreamDescription,
        _ capacity: Int
    ) throws(Failure) -> RingWriter {
        let path = context.runDirectory.ring(camera, stream)
        do throws(RingError) {
            return try RingWriter(loop: context.loop, path: path, description: description, capacity: capacity)
        } catch {
            throw Failure(.failure, "cannot open the ring \(path): \(error)")
        }
    }
}
