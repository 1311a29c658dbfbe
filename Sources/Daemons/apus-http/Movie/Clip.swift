// SPDX-License-Identifier: Apache-2.0
// Clips: what a camera has just seen, and what it is about to see, as a file.

import Access
import Bytes
import Control
import FanOut
import HLS
import HTTP
import Loop
import MP4
import Media
import Ring

extension Server {
    /// The address of clips.
    func clipEndpoints() -> [Endpoint] {
        [
            Endpoint(
                .get,
                "/{camera}/clip.mp4",
                "/clip.mp4",
                needs: .view,
                ofCamera: true,
                "What the camera saw from a moment to another, out of the ring (MP4)."
            ) { ClipWait.answer($0) }
        ]
    }
}

/// What a clip holds: from which picture on, until when.
struct ClipSpan {
    /// The present of the request.
    var now: Instant
    var begin: Instant
    var end: Instant

    /// The keyframe at or before the beginning, or the first one that there is; nil for none.
    func firstPicture(_ feed: MovieFeed) -> FrameInfo? {
        guard let view = feed.pictures.view else { return nil }
        var found: FrameInfo?
        for sequence in feed.pictures.frames {
            guard let info = view.info(sequence) else { continue }
            if info.captured > begin, found != nil || info.captured > end { break }
            if info.flags.contains(.keyframe) { found = info }
        }
        return found
    }

    /// The first frame of sound that was heard with that picture or later.
    static func firstSound(_ feed: MovieFeed, from instant: Instant) -> UInt64 {
        guard let sound = feed.sound, let view = sound.view, sound.isFresh(within: .seconds(2)) else { return 0 }
        for sequence in sound.frames where (view.info(sequence)?.captured ?? .zero) >= instant { return sequence }
        return sound.frames.upperBound
    }
}

/// Waits until the stream is there, copies what is in the ring, and answers.
private final class ClipWait: Activity, MovieViewer {
    let kind = "clip"
    private let feed: MovieFeed
    private var span: ClipSpan
    private unowned let exchange: Exchange
    private var timer: LoopTimer?
    private var copy: ClipCopy?

    /// How long a clip waits for a stream that has rested.
    private static let patience = Duration.seconds(5)
    /// What is not said.
    private static let usualFrom = Duration.seconds(-10)

    static func answer(_ exchange: Exchange) {
        let stream = exchange.query("stream") ?? "main"
        guard let feed = exchange.movieFeed(stream) else { return }
        guard let from = exchange.query("from").map(ClipTime.parse) ?? usualFrom,
            let to = exchange.query("to").map(ClipTime.parse) ?? .zero
        else { return exchange.refuse(.badRequest, "from and to are times such as -8s, +5s, -500ms, 1.5m, now") }
        guard from < to else { return exchange.refuse(.badRequest, "from has to be before to") }
        guard exchange.server.movies.clips < Movies.clipLimit else {
            return exchange.refuse(.unavailable, "too many clips at once", [HeaderField("Retry-After", "5")])
        }
        let now = exchange.server.loop.now
        let waiting = ClipWait(feed, ClipSpan(now: now, begin: now + from, end: now + to), exchange)
        waiting.begin()
    }

    private init(_ feed: MovieFeed, _ span: ClipSpan, _ exchange: Exchange) {
        self.feed = feed
        self.span = span
        self.exchange = exchange
    }

    var camera: String? { feed.camera }

    private func begin() {
        exchange.server.movies.clips += 1
        let limit = max(.zero, span.begin - span.now) + Self.patience
        timer = exchange.server.loop.timer(after: limit) { [unowned self] in
            refuse(trouble)
        }
        exchange.wait(self)
        feed.join(self)
        feed.follow()
        tryBegin()
    }

    /// Why there is no clip, for people.
    private var trouble: String {
        guard feed.pictures.isAttached, feed.pictures.track != nil || (feed.pictures.view?.newest ?? 0) == 0 else {
            return feed.trouble
        }
        let frames = feed.pictures.frames
        guard let view = feed.pictures.view, let oldest = frames.first.flatMap({ view.info($0) }) else {
            return "\(feed.name) has no frames: nobody watched it, and what nobody watches is not encoded"
        }
        let age = String(Int((span.now - oldest.captured).seconds.rounded(.up)))
        guard oldest.captured > span.end else { return "\(feed.name) has no keyframe in that time" }
        // It has begun because this clip was asked for.
        guard oldest.captured < span.now else {
            return "\(feed.name) has no frames of that time: nobody watched it, and what nobody watches is not encoded"
        }
        return
            "the oldest frame of \(feed.name) is \(age) s old: nobody watched it before, or its ring_size is too small"
    }

    func movieAdvanced() {
        guard copy == nil else { return }
        exchange.server.loop.later { [weak self] in self?.tryBegin() }
    }

    func movieIsGone() {
        exchange.server.loop.later { [weak self] in self?.refuse("the stream is not configured any more") }
    }

    func ended(_ reason: String) { leave() }

    private func leave() {
        guard timer != nil else { return }
        timer?.cancel()
        timer = nil
        copy = nil
        exchange.server.movies.clips -= 1
        feed.leave(self)
    }

    private func refuse(_ reason: String) {
        guard timer != nil else { return }
        leave()
        exchange.refuse(.unavailable, reason, Feed.uncached)
    }

    private func tryBegin() {
        guard timer != nil, copy == nil, feed.loop.now >= span.begin else { return }
        guard feed.pictures.isAttached, feed.pictures.track != nil, feed.sound?.isSettled ?? true else { return }
        guard let first = span.firstPicture(feed) else {
            if span.end > span.now { feed.requestKeyframe() }
            return
        }
        if span.end > span.now { return stream(from: first) }
        let copy = ClipCopy(feed, span, first)
        self.copy = copy
        copyNext()
    }

    /// Copies a piece at a time, so that nobody else waits.
    private func copyNext() {
        guard timer != nil, let copy else { return }
        switch copy.copyPiece() {
        case .more: exchange.server.loop.later { [weak self] in self?.copyNext() }
        case .failed(let reason): refuse(reason)
        case .done:
            let images = copy.images()
            let fields = Self.fields(feed, copy.first.captured, copy.last)
            leave()
            let length = images.reduce(0) { $0 + $1.count }
            let body = ImageBody("clip", camera: feed.camera, images)
            exchange.respond(Response(.ok, fields: fields, body: .length(length)), from: body)
        }
    }

    private func stream(from first: FrameInfo) {
        let fields = Self.fields(feed, first.captured, span.end)
        leave()
        guard let body = ClipStream(feed, span, first, exchange) else {
            return exchange.refuse(.unavailable, feed.trouble, Feed.uncached)
        }
        exchange.respond(Response(.ok, fields: fields, body: .untilClose), from: body)
    }

    private static func fields(_ feed: MovieFeed, _ from: Instant, _ to: Instant) -> [HeaderField] {
        let began = HLSWindow.date(feed.utc(from))
        let stamp = began.prefix(19).filter { $0 != "-" && $0 != ":" }
        return [
            HeaderField("Content-Type", "video/mp4"),
            HeaderField("Content-Disposition", "attachment; filename=\"\(feed.camera)-\(stamp)Z.mp4\""),
            HeaderField("X-Clip-From", began), HeaderField("X-Clip-To", HLSWindow.date(feed.utc(to))),
        ] + Feed.uncached
    }
}
