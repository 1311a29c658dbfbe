// SPDX-License-Identifier: Apache-2.0
// A camera's pictures: the JPEG ring, the wire images made from it, and who wants them.

import Bytes
import FanOut
import HTTP
import Loop
import Media
import Ring
import System

/// Who waits for a camera's pictures.
protocol FeedViewer: AnyObject {
    /// True for who stays, false for who takes one picture.
    var isWatching: Bool { get }
    /// There are new pictures.
    func framesPublished()
    /// The pictures are not configured any more. Called once, after the last pictures.
    func feedIsGone()
}

/// The pictures of one camera, shared by all clients that look at it.
///
/// The camera's encoder is asked for pictures only while somebody watches, or wanted a snapshot a moment ago.
final class Feed {
    /// How the clients of one kind get a picture.
    enum Form: CaseIterable {
        /// The picture alone, for snapshots.
        case plain
        /// A part of a multipart response.
        case part
        /// A part whose fields went out in advance, with those of the next one.
        case advancePart
    }

    let name: String
    /// How many clients watch.
    var viewers: Int { waiting.count { $0.isWatching } }

    private let loop: EventLoop
    private let reader: RingReader
    private var caches: [Form: WireCache] = [:]
    private var lingering: LoopTimer?
    private var waiting: [any FeedViewer] = []

    /// A picture is of the moment: nobody keeps it.
    static let uncached = [
        HeaderField("Cache-Control", "no-store, no-cache, must-revalidate, max-age=0"),
        HeaderField("Pragma", "no-cache"), HeaderField("X-Content-Type-Options", "nosniff"),
    ]
    /// After a snapshot the encoder goes on for this long, so that the next one is there at once.
    static let linger = Duration.seconds(5)
    /// A picture of this age is still fresh; slower cameras have two frames' time.
    static let freshness = Duration.seconds(1)

    init(name: String, loop: EventLoop, ring: String) {
        self.name = name
        self.loop = loop
        reader = RingReader(loop: loop, path: ring, demand: false)
        for form in Form.allCases {
            caches[form] = WireCache { [unowned self] info, frame, image in build(form, info, frame, &image) }
        }
        reader.onFrames = { [unowned self] in for viewer in waiting { viewer.framesPublished() } }
        reader.onAttach = { [unowned self] in for viewer in waiting { viewer.framesPublished() } }
    }

    deinit {
        lingering?.cancel()
        reader.close()
    }

    /// The ring's memory, nil while there has never been a producer.
    var view: RingView? { reader.view }
    /// True while the producer is there.
    var isAttached: Bool { reader.isAttached }
    /// Why there is no picture, for people.
    var trouble: String {
        if isAttached { return "the camera gives no pictures" }
        return "the camera's process does not run" + (reader.lastError.map { " (\($0))" } ?? "")
    }

    /// A client begins to wait for pictures; pairs with `leave`.
    func join(_ viewer: any FeedViewer) {
        waiting.append(viewer)
        updateDemand()
    }

    /// A client waits no more. Harmless when repeated.
    func leave(_ viewer: any FeedViewer) {
        guard let index = waiting.firstIndex(where: { $0 === viewer }) else { return }
        waiting.remove(at: index)
        updateDemand()
    }

    /// Sends everybody away: the pictures are not configured any more.
    func end() { for viewer in waiting { viewer.feedIsGone() } }

    /// Asks for pictures for a moment, on behalf of a snapshot.
    func touch() {
        lingering?.cancel()
        lingering = loop.timer(after: Self.linger) { [unowned self] in
            lingering = nil
            updateDemand()
        }
        updateDemand()
    }

    /// The newest picture if it is fresh.
    func freshImage() -> WireImage? {
        guard let view, let newest = freshFrame(in: view) else { return nil }
        return image(newest, .plain, in: view)
    }

    /// The next picture for a client that watches, nil if there is none now.
    func nextImage(_ form: Form, _ cursor: inout FrameCursor) -> WireImage? {
        // A joiner waits for the first fresh picture rather than be shown one from before the encoder's rest.
        guard let view, freshFrame(in: view) != nil else { return nil }
        while let sequence = cursor.nextFrame(in: view, at: loop.now) {
            cursor.sent(sequence)
            if let image = image(sequence, form, in: view) { return image }
        }
        return nil
    }

    /// The time of a picture in microseconds since 1970 UTC.
    func utcMicroseconds(_ instant: Instant) -> Int64 {
        (view?.utc?.utcNanoseconds(instant) ?? Clock.realtimeNanoseconds()) / 1000
    }

    private func freshFrame(in view: RingView) -> UInt64? {
        let newest = view.newest
        guard let info = view.info(newest) else { return nil }
        let rate = view.description()?.description.frameRate.value ?? 0
        let limit = rate > 0 ? max(Self.freshness, .seconds(2 / rate)) : Self.freshness
        return loop.now - info.published <= limit ? newest : nil
    }

    private func image(_ sequence: UInt64, _ form: Form, in view: RingView) -> WireImage? {
        guard let cache = caches[form], case .image(let image) = cache.image(of: sequence, in: view) else { return nil }
        return image
    }

    private func build(_ form: Form, _ info: FrameInfo, _ frame: Span<UInt8>, _ image: inout PacketImage) {
        let room = frame.count + Self.partOverhead
        if image.bytes.capacity < room { image.bytes.reserveCapacity(room) }
        if form == .part {
            let captured = utcMicroseconds(info.captured)
            Multipart.writeFields(length: frame.count, capturedMicroseconds: captured, into: &image.bytes)
        }
        image.bytes.append(frame)
        if form != .plain { image.bytes += Multipart.delimiter }
        if form == .advancePart { image.bytes += Multipart.advanceFields }
    }

    /// More than the fields and delimiters around a picture.
    private static let partOverhead = 256

    private func updateDemand() {
        let demand = !waiting.isEmpty || lingering != nil
        reader.demand = demand
        if !demand { for cache in caches.values { cache.removeAll() } }
    }
}
