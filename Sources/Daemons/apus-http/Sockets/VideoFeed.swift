// SPDX-License-Identifier: Apache-2.0
// The coded frames of one stream for viewers who need them all, from a keyframe on.

import Bytes
import FanOut
import HTTP
import Loop
import Media
import Ring
import System

/// One stream of a camera: its ring, and who is told of its frames.
///
/// There is one only while somebody watches, and a moment longer: each attached reader is woken for every frame. The
/// camera's encoder is asked for frames just as long.
final class VideoFeed {
    let camera: String
    /// `main`, `sub` or `jpeg`.
    let stream: String
    private(set) var viewers: [any FeedViewer] = []

    private let loop: EventLoop
    private let reader: RingReader
    private var lingering: LoopTimer?
    private var keyframeRequested: Instant?
    /// Called when nobody has watched for a while.
    private let onRest: (VideoFeed) -> Void
    private var caches: [FrameMessage.Form: WireCache] = [:]
    /// What the ring holds, as it was described last.
    private var known: (description: StreamDescription, generation: UInt32, incarnation: UInt64)?

    /// After the last viewer the encoder goes on for this long, for one that comes back.
    static let linger = Duration.seconds(5)
    /// A stream whose newest frame is older rests; who joins waits for its next frame.
    private static let freshness = Duration.seconds(1)
    /// How often a keyframe is asked for while viewers wait for one.
    private static let keyframeInterval = Duration.seconds(1)

    init(_ camera: String, _ stream: String, _ loop: EventLoop, ring: String, onRest: @escaping (VideoFeed) -> Void) {
        self.camera = camera
        self.stream = stream
        self.loop = loop
        self.onRest = onRest
        reader = RingReader(loop: loop, path: ring, demand: false)
        reader.onFrames = { [unowned self] in tellViewers() }
        reader.onAttach = { [unowned self] in tellViewers() }
        rest()
    }

    deinit {
        lingering?.cancel()
        reader.close()
    }

    /// The ring's memory, nil while there has never been a producer.
    var view: RingView? { reader.view }
    /// True while the producer is there.
    var isAttached: Bool { reader.isAttached }

    /// What the ring holds; `generation` changes with it. Nil while it is not known.
    var description: (description: StreamDescription, generation: UInt32, incarnation: UInt64)? {
        guard let view else { return nil }
        if let known, known.generation == view.descriptionGeneration, known.incarnation == view.incarnation {
            return known
        }
        if let (description, generation) = view.description() { known = (description, generation, view.incarnation) }
        return known
    }

    /// A viewer begins to watch; pairs with `leave`.
    func join(_ viewer: any FeedViewer) {
        viewers.append(viewer)
        lingering?.cancel()
        lingering = nil
        reader.demand = true
    }

    /// A viewer watches no more. Harmless when repeated.
    func leave(_ viewer: any FeedViewer) {
        guard let index = viewers.firstIndex(where: { $0 === viewer }) else { return }
        viewers.swapAt(index, viewers.count - 1)
        viewers.removeLast()
        if viewers.isEmpty { rest() }
    }

    /// Sends everybody away: the stream is not configured any more.
    func end() { for viewer in viewers { viewer.feedIsGone() } }

    /// How a new viewer goes through the frames.
    func cursor(maximumLatency: Duration) -> FrameCursor {
        FrameCursor(policy(maximumLatency: maximumLatency), at: loop.now)
    }

    /// What a viewer that falls behind is given.
    func policy(maximumLatency: Duration) -> FrameCursor.Policy {
        stream == "jpeg" ? .newestFrame : .everyFrame(maxLatency: maximumLatency)
    }

    /// The next frame's image for a viewer, nil if there is none now. The cache is the transport's, for this feed.
    func nextImage(_ cursor: inout FrameCursor, _ cache: WireCache) -> WireImage? {
        guard let view else { return nil }
        if cursor.needsKeyframe, !canJoin(view) { return nil }
        while let frame = cursor.nextFrame(in: view, at: loop.now) {
            cursor.sent(frame)
            if case .image(let image) = cache.image(of: frame, in: view), image.count > 0 { return image }
        }
        if cursor.needsKeyframe { requestKeyframe() }
        return nil
    }

    /// The images of a message form.
    func cache(_ form: FrameMessage.Form) -> WireCache {
        if let cache = caches[form] { return cache }
        let cache = WireCache { [unowned self] info, frame, image in build(form, info, frame, &image) }
        caches[form] = cache
        return cache
    }

    /// The time of a picture in microseconds since 1970 UTC.
    func unixMicroseconds(_ instant: Instant) -> Int64 {
        (view?.utc?.utcNanoseconds(instant) ?? Clock.realtimeNanoseconds()) / 1000
    }

    private func build(
        _ form: FrameMessage.Form,
        _ info: FrameInfo,
        _ frame: Span<UInt8>,
        _ image: inout PacketImage
    ) {
        guard let description = description?.description else { return }
        let unit = FrameMessage.Unit(
            codec: description.codec,
            flags: info.flags,
            sequence: info.sequence,
            unixMicroseconds: unixMicroseconds(info.captured),
            configuration: info.flags.contains(.keyframe) ? description.configuration : []
        )
        let room = frame.count + unit.configuration.count + FrameMessage.headerLength
        if image.bytes.capacity < room { image.bytes.reserveCapacity(room) }
        FrameMessage.write(frame, unit, form, into: &image.bytes)
    }

    private func tellViewers() { for viewer in viewers { viewer.framesPublished() } }

    private func rest() {
        lingering?.cancel()
        lingering = loop.timer(after: Self.linger) { [unowned self] in
            lingering = nil
            reader.demand = false
            onRest(self)
        }
    }

    private func requestKeyframe() {
        if let keyframeRequested, loop.now - keyframeRequested < Self.keyframeInterval { return }
        keyframeRequested = loop.now
        reader.requestKeyframe()
    }

    /// False while the ring holds only what was made before the encoder rested.
    private func canJoin(_ view: RingView) -> Bool {
        guard let newest = view.info(view.newest) else { return false }
        let rate = description?.description.frameRate.value ?? 0
        let interval = Duration.seconds(rate > 0 ? 1 / rate : 0)
        guard loop.now - newest.published <= max(Self.freshness, interval * 2) else { return false }
        guard rate > 0, let keyframe = view.info(view.newestKeyframe), keyframe.sequence < newest.sequence else {
            return true
        }
        // A rest between the keyframe and the newest frame would be played as a picture that stands still.
        let frames = Int(newest.sequence - keyframe.sequence)
        if newest.captured - keyframe.captured <= interval * (2 * frames) + Self.freshness { return true }
        requestKeyframe()
        return false
    }
}
