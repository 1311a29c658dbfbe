// SPDX-License-Identifier: Apache-2.0
// The slate that stands in for a lost source: when it is shown, and what it looks like.

import Bytes
import Capture
import Config
import Encode
import Loop
import Media
import System

/// Decides when the slate comes and goes, and paints it in the sizes that the streams have.
final class Slate {
    /// Frames per second: enough to show that the stream is alive.
    static let rate = Rational(5)
    /// The size of a stream whose source has never told one.
    static let usualSize = PictureSize(width: 1280, height: 720)
    private static let interval = Duration.milliseconds(200)
    /// Sizes that painters are kept for; a camera has three streams.
    private static let painterLimit = 3

    /// True from the slate's coming until `end()`.
    private(set) var isOn = false
    /// Called when the slate comes.
    var onBegin: (() -> Void)?
    /// Called when it is time for the slate's next frame.
    var onFrame: (() -> Void)?

    private let loop: EventLoop
    private let name: String
    private let delay: Duration?
    private var reason = ""
    private var isLost = false
    /// When the source was lost, also in nanoseconds since 1970 UTC.
    private var since: (at: Instant, utc: Int64) = (.zero, 0)
    private var start: LoopTimer?
    private var frames: LoopTimer?
    private var painters: [SlatePainter] = []

    /// `delay` is for how long a source must be lost; nil for no slate at all.
    init(loop: EventLoop, name: String, delay: Duration?) {
        self.loop = loop
        self.name = name
        self.delay = delay
    }

    /// The source is lost, or still is for another reason.
    func sourceLost(_ reason: String) {
        self.reason = reason
        guard let delay, !isLost else { return }
        isLost = true
        since = (loop.now, Clock.realtimeNanoseconds())
        if isOn { onBegin?() } else { start = loop.timer(after: delay) { [unowned self] in begin() } }
    }

    /// The source gives frames again; the slate goes on until each stream has one that it can begin with.
    func sourceLive() {
        start?.cancel()
        isLost = false
    }

    /// No stream shows the slate any more.
    func end() {
        sourceLive()
        frames?.cancel()
        frames = nil
        painters = []
        isOn = false
    }

    /// The slate as it looks now.
    func picture(_ size: PictureSize) throws(EncodeError) -> PictureBuffer {
        let painter: SlatePainter
        if let known = painters.first(where: { $0.width == size.width && $0.height == size.height }) {
            painter = known
        } else {
            painter = SlatePainter(width: size.width, height: size.height)
            if painters.count == Self.painterLimit { painters.removeFirst() }
            painters.append(painter)
        }
        let seconds = Int((loop.now - since.at).seconds)
        return try painter.paint(.init(name: name, reason: reason, since: since.utc, seconds: seconds))
    }

    private func begin() {
        isOn = true
        frames = loop.timer(every: Self.interval) { [unowned self] in onFrame?() }
        onBegin?()
    }
}

/// Encodes slates for a stream, plainly and small, by software: hardware is for the source.
final class SlateEncoder {
    private var encoder: VideoEncoder?

    /// Encodes one; `emit` gets the access unit for the length of the call.
    func encode(
        _ picture: PictureBuffer,
        as codec: Codec,
        captured: Instant,
        emit: (UnitInfo, Span<UInt8>) -> Void
    ) throws(EncodeError) {
        let settings = EncoderSettings(
            codec: codec,
            width: picture.width,
            height: picture.height,
            frameRate: Slate.rate,
            bitrate: max(64_000, picture.width * picture.height / 8),
            // A keyframe each second.
            gop: Int(Slate.rate.numerator)
        )
        if encoder?.settings != settings { encoder = nil }
        let ready: VideoEncoder
        if let encoder { ready = encoder } else { ready = try VideoEncoder(settings, kind: .software) }
        encoder = ready
        do throws(EncodeError) {
            try ready.encode(picture, captured: captured, emit: emit)
        } catch {
            encoder = nil
            throw error
        }
    }

    /// Makes the next slate a keyframe.
    func requestKeyframe() { encoder?.requestKeyframe() }

    /// Gives the encoder's memory back.
    func close() { encoder = nil }
}
