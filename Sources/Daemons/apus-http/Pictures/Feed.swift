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
    /// There has been nothing new for a while; `isFinal` the first time after each picture, soon after it.
    func framesRest(isFinal: Bool)
    /// The pictures are not configured any more. Called once, after the last pictures.
    func feedIsGone()
}

extension FeedViewer {
    func framesRest(isFinal: Bool) {}
}

/// The pictures of one camera, shared by all clients that look at it.
///
/// The camera's encoder is asked for pictures only while somebody watches, or wanted a snapshot a moment ago.
final class Feed {
    /// How the clients of one kind get a picture.
    struct Form: Hashable {
        /// Behind the fields of its part; without, these go in front of it for each client.
        var hasFields = false
        var hasPicture = true
        /// In front of the delimiter of the next part.
        var hasDelimiter = false
        /// In front of the next part's fields, too, as far as they are known then.
        var advancesFields = false

        /// The picture alone, for snapshots.
        static let plain = Form()

        /// A part of a multipart response.
        static func part(_ options: UStreamer.StreamOptions) -> Form {
            Form(
                hasFields: !options.advancesFields && !options.hasExtraFields,
                hasPicture: !options.isEmpty,
                hasDelimiter: true,
                advancesFields: options.advancesFields
            )
        }
    }

    let name: String
    /// How many clients watch.
    var viewers: Int { waiting.count { $0.isWatching } }

    private let loop: EventLoop
    private let reader: RingReader
    private var caches: [Form: WireCache] = [:]
    private var lingering: LoopTimer?
    private var waiting: [any FeedViewer] = []
    /// Looks for pictures that do not come, while somebody watches.
    private var pulse: LoopTimer?
    /// When there was a picture last, or the last one was sent again.
    private var lastNews: Instant
    private var isFinalOut = true

    /// A picture is of the moment: nobody keeps it.
    static let uncached = [
        HeaderField("Cache-Control", "no-store, no-cache, must-revalidate, max-age=0"),
        HeaderField("Pragma", "no-cache"), HeaderField("X-Content-Type-Options", "nosniff"),
    ]
    /// After a snapshot the encoder goes on for this long, so that the next one is there at once.
    static let linger = Duration.seconds(5)
    /// A picture of this age is still fresh; slower cameras have two frames' time.
    static let freshness = Duration.seconds(1)
    /// When there has been nothing new for this long, viewers get the last picture again: nobody in between takes
    /// the connection for dead then.
    static let repetition = Duration.seconds(1)
    /// The last picture of a series is known to be the last after this long, or two frames' time.
    static let finality = Duration.milliseconds(200)
    private static let pulseInterval = Duration.milliseconds(100)

    init(name: String, loop: EventLoop, ring: String) {
        self.name = name
        self.loop = loop
        lastNews = loop.now
        reader = RingReader(loop: loop, path: ring, demand: false)
        reader.onFrames = { [unowned self] in framesPublished() }
        reader.onAttach = { [unowned self] in framesPublished() }
    }

    deinit {
        lingering?.cancel()
        pulse?.cancel()
        reader.close()
    }

    /// The ring's memory, nil while there has never been a producer.
    var view: RingView? { reader.view }
    /// True while the producer is there.
    var isAttached: Bool { reader.isAttached }
    /// True while the slate stands in for the camera.
    var isSlate: Bool { view?.isSlate ?? false }
    /// Why there is no picture, for people.
    var trouble: String {
        if isAttached { return isSlate ? "the camera's source is lost" : "the camera gives no pictures" }
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

    /// What is known of the newest picture, if it is fresh.
    var freshest: FrameInfo? { view.flatMap { view in freshFrame(in: view).flatMap { view.info($0) } } }

    /// A picture, alone; nil if it has left the ring.
    func image(_ sequence: UInt64) -> WireImage? { view.flatMap { image(sequence, .plain, in: $0) } }

    /// The newest picture in a client's form, however old; nil if there is none.
    func newestImage(_ form: Form) -> WireImage? { view.flatMap { image($0.newest, form, in: $0) } }

    /// What µStreamer's clients want to know of a picture.
    func facts(_ info: FrameInfo) -> UStreamer.PictureFacts {
        let description = view?.description()?.description
        return UStreamer.PictureFacts(
            isOnline: isAttached && !info.flags.contains(.slate),
            width: Int(description?.width ?? 0),
            height: Int(description?.height ?? 0),
            captured: info.captured,
            published: info.published
        )
    }

    /// Those who stay.
    var watchers: [any FeedViewer] { waiting.filter(\.isWatching) }

    /// The next picture for a client that watches, nil if there is none now.
    func nextImage(_ images: WireCache, _ cursor: inout FrameCursor) -> WireImage? {
        // A joiner waits for the first fresh picture rather than be shown one from before the encoder's rest.
        guard let view, freshFrame(in: view) != nil else { return nil }
        while let sequence = cursor.nextFrame(in: view, at: loop.now) {
            cursor.sent(sequence)
            if case .image(let image) = images.image(of: sequence, in: view) { return image }
        }
        return nil
    }

    /// The time of a picture in microseconds since 1970 UTC.
    func utcMicroseconds(_ instant: Instant) -> Int64 {
        view?.utc.map { $0.utcNanoseconds(instant) / 1000 } ?? Self.utcMicroseconds(instant)
    }

    /// The same without a ring's own map.
    static func utcMicroseconds(_ instant: Instant) -> Int64 {
        (Clock.realtimeNanoseconds() - (Clock.monotonic() - instant).nanoseconds) / 1000
    }

    /// So much older than asked for, a picture still is the one that was meant.
    var patience: Duration { rate > 0 ? max(Self.freshness, .seconds(2 / rate)) : Self.freshness }

    private func freshFrame(in view: RingView) -> UInt64? {
        let newest = view.newest
        guard let info = view.info(newest) else { return nil }
        return loop.now - info.published <= patience ? newest : nil
    }

    private func image(_ sequence: UInt64, _ form: Form, in view: RingView) -> WireImage? {
        guard case .image(let image) = cache(form).image(of: sequence, in: view) else { return nil }
        return image
    }

    /// The images of a form, for as long as the feed lives.
    func cache(_ form: Form) -> WireCache {
        if let cache = caches[form] { return cache }
        let cache = WireCache { [unowned self] info, frame, image in build(form, info, frame, &image) }
        caches[form] = cache
        return cache
    }

    private func build(_ form: Form, _ info: FrameInfo, _ frame: Span<UInt8>, _ image: inout PacketImage) {
        let room = frame.count + Self.partOverhead
        if image.bytes.capacity < room { image.bytes.reserveCapacity(room) }
        if form.hasFields {
            let captured = utcMicroseconds(info.captured)
            let length = form.hasPicture ? frame.count : 0
            Multipart.writeFields(length: length, capturedMicroseconds: captured, into: &image.bytes)
        }
        if form.hasPicture { image.bytes.append(frame) }
        if form.hasDelimiter { image.bytes += Multipart.delimiter }
        if form.advancesFields { image.bytes += Multipart.advanceFields }
    }

    private func framesPublished() {
        lastNews = loop.now
        isFinalOut = false
        for viewer in waiting { viewer.framesPublished() }
    }

    private func beat() {
        let silence = loop.now - lastNews
        if !isFinalOut, silence >= finality {
            isFinalOut = true
            for viewer in waiting { viewer.framesRest(isFinal: true) }
        }
        guard silence >= Self.repetition else { return }
        lastNews = loop.now
        for viewer in waiting { viewer.framesRest(isFinal: false) }
    }

    /// When the last picture of a series is known to be the last.
    private var finality: Duration { rate > 0 ? max(Self.finality, .seconds(2 / rate)) : Self.finality }

    /// Frames per second as described; 0 for not known. Read anew when the ring or its description is another one.
    private var rate: Double {
        guard let view else { return 0 }
        if let known, known.generation == view.descriptionGeneration, known.incarnation == view.incarnation {
            return known.rate
        }
        guard let (description, generation) = view.description() else { return 0 }
        known = (description.frameRate.value, generation, view.incarnation)
        return description.frameRate.value
    }
    private var known: (rate: Double, generation: UInt32, incarnation: UInt64)?

    /// More than the fields and delimiters around a picture.
    private static let partOverhead = 256

    private func updateDemand() {
        let demand = !waiting.isEmpty || lingering != nil
        reader.demand = demand
        if waiting.contains(where: { $0.isWatching }) {
            pulse = pulse ?? loop.timer(every: Self.pulseInterval) { [unowned self] in beat() }
        } else {
            pulse?.cancel()
            pulse = nil
        }
        if !demand { for cache in caches.values { cache.removeAll() } }
    }
}
