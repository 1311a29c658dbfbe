// SPDX-License-Identifier: Apache-2.0
// Motion JPEG: a camera's pictures for as long as the client stays.

import Access
import Bytes
import Control
import FanOut
import HTTP
import Log
import Loop
import Media
import System

extension Server {
    /// The addresses of motion JPEG.
    func motionJPEGEndpoints() -> [Endpoint] {
        [
            Endpoint(
                .get,
                "/{camera}/mjpeg",
                "/mjpeg",
                "/stream",
                "/video.mjpg",
                needs: .view,
                ofCamera: true,
                "The camera's pictures for as long as the client stays (motion JPEG)."
            ) { [unowned self] in watch($0) },
            Endpoint(
                .get,
                "/",
                needs: .view,
                ofCamera: true,
                when: Target.QueryItem(name: "action", value: "stream"),
                "The same, as mjpg-streamer calls it."
            ) { [unowned self] in watch($0) },
            Endpoint(
                .get,
                "/{camera}/state",
                "/state",
                needs: .view,
                ofCamera: true,
                "The state of the camera's pictures and their viewers, as µStreamer tells it (JSON)."
            ) { [unowned self] in tellState($0) },
        ]
    }

    /// Answers with a camera's pictures.
    func watch(_ exchange: Exchange) {
        guard let feed = feed(of: exchange) else { return }
        let target = exchange.request.head.target
        let options = UStreamer.StreamOptions(target)
        let id = String(Random.uint64(), radix: 16)
        var fields = [HeaderField("Content-Type", Multipart.contentType)] + Feed.uncached
        // µStreamer's own address says who one is; elsewhere, who wants to know gives a name.
        if options.key != nil || target.segments == ["stream"] || target["action"] != nil {
            fields.append(HeaderField("Set-Cookie", UStreamer.cookie(key: options.key, id: id)))
        }
        let response = Response(.ok, fields: fields, body: .untilClose)
        if exchange.request.head.method == .head { return exchange.respond(response) }
        exchange.respond(response, from: Viewing(feed, options, id, exchange))
    }

    /// The camera's pictures; nil if it has none, which is answered then.
    func feed(of exchange: Exchange) -> Feed? {
        if let feed = exchange.camera.flatMap({ feeds[$0] }) { return feed }
        exchange.refuse(.notFound, "the camera \(exchange.camera ?? "") has no JPEG stream")
        return nil
    }
}

/// A client's place in a camera's pictures.
final class Viewing: BodySource, FeedViewer {
    let isEndless = true
    let kind = "mjpeg"
    let isWatching = true
    /// What `/state` calls the client.
    let id: String
    let options: UStreamer.StreamOptions
    private let feed: Feed
    private let form: Feed.Form
    /// The images of that form.
    private let images: WireCache
    private unowned let exchange: Exchange
    private let loop: EventLoop
    private let since: Instant
    private var cursor: FrameCursor
    private var frames: UInt64 = 0
    private let meter: ViewerMeter
    private var rate = FrameRateCounter()
    /// The last picture is to go out again, unless there is a newer one.
    private var repeats = false
    /// What goes out now, for those who want to be told of it.
    private var present: (info: FrameInfo, length: Int)?

    init(_ feed: Feed, _ options: UStreamer.StreamOptions, _ id: String, _ exchange: Exchange) {
        self.feed = feed
        self.options = options
        self.id = id
        self.exchange = exchange
        form = .part(options)
        images = feed.cache(form)
        loop = exchange.server.loop
        since = loop.now
        cursor = FrameCursor(.newestFrame, at: since)
        meter = exchange.server.meter(feed.name, "jpeg", kind)
        feed.join(self)
        exchange.server.log.info(
            "viewer joined",
            ["client": exchange.client.id, "peer": exchange.client.connection.peer, "camera": feed.name]
        )
    }

    var camera: String? { feed.name }
    var isFinished: Bool { false }
    /// Pictures sent in the last whole second.
    var framesPerSecond: Int { rate.value(at: loop.now) }

    func nextImage() -> WireImage? {
        let next = feed.nextImage(images, &cursor)
        guard let image = next ?? repetition() else { return nil }
        repeats = false
        frames += 1
        // What goes out again tells nothing of how fast pictures are.
        if next != nil { meter.sent(image.info, bytes: image.count, drops: cursor.drops, at: loop.now) }
        rate.count(at: loop.now)
        if options.hasExtraFields { present = (image.info, options.isEmpty ? 0 : image.info.length) }
        return image
    }

    var hasPrefix: Bool { frames == 1 || options.hasExtraFields }

    func writePrefix(into output: inout [UInt8]) {
        if frames == 1 {
            output += Multipart.opening
            if form.advancesFields { output += Multipart.advanceFields }
        }
        guard options.hasExtraFields, let present else { return }
        Multipart.writeOpenFields(
            length: present.length,
            capturedMicroseconds: feed.utcMicroseconds(present.info.captured),
            into: &output
        )
        UStreamer.writePartFields(
            feed.facts(present.info),
            framesPerSecond: framesPerSecond,
            dropped: cursor.drops[.superseded],
            sent: Clock.monotonic(),
            into: &output
        )
    }

    func framesPublished() { exchange.pump() }

    func framesRest(isFinal: Bool) {
        guard frames > 0, !isFinal || options.doublesFinal else { return }
        repeats = true
        exchange.pump()
    }

    func feedIsGone() { exchange.abort("the stream is not configured any more") }

    var members: [JSON.Member] {
        [
            JSON.Member("seconds", JSON(Int((loop.now - since).seconds))),
            JSON.Member("frames", JSON(frames)),
        ] + cursor.drops.byReason.map { JSON.Member("drops_" + $0.reason.rawValue, JSON($0.frames)) }
    }

    func ended(_ reason: String) {
        feed.leave(self)
        meter.leave()
        exchange.server.log.info(
            "viewer left",
            [
                "client": exchange.client.id, "peer": exchange.client.connection.peer, "camera": feed.name,
                "reason": reason, "frames": frames, "skipped": cursor.drops[.superseded],
                "seconds": Int((loop.now - since).seconds),
            ]
        )
    }

    private func repetition() -> WireImage? { repeats ? feed.newestImage(form) : nil }
}

/// Counts frames by the second.
struct FrameRateCounter {
    private var second: Int64 = 0
    private var frames = 0
    private var last = 0

    init() {}

    /// One frame more.
    mutating func count(at now: Instant) {
        let present = now.nanoseconds / 1_000_000_000
        if present != second {
            last = present == second + 1 ? frames : 0
            frames = 0
            second = present
        }
        frames += 1
    }

    /// The frames of the last whole second.
    func value(at now: Instant) -> Int {
        switch now.nanoseconds / 1_000_000_000 - second {
        case 0: last
        case 1: frames
        default: 0
        }
    }
}
