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
        ]
    }

    /// Answers with a camera's pictures.
    func watch(_ exchange: Exchange) {
        guard let feed = feed(of: exchange) else { return }
        let form: Feed.Form = exchange.query("advance_headers") == "1" ? .advancePart : .part
        let fields = [HeaderField("Content-Type", Multipart.contentType)] + Feed.uncached
        let response = Response(.ok, fields: fields, body: .untilClose)
        if exchange.request.head.method == .head { return exchange.respond(response) }
        exchange.respond(response, from: Viewing(feed, form, exchange))
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
    let kind = "mjpeg"
    let isWatching = true
    private let feed: Feed
    private let form: Feed.Form
    private unowned let exchange: Exchange
    private let since: Instant
    private var cursor: FrameCursor
    private var frames: UInt64 = 0
    private let meter: ViewerMeter

    init(_ feed: Feed, _ form: Feed.Form, _ exchange: Exchange) {
        self.feed = feed
        self.form = form
        self.exchange = exchange
        since = exchange.server.loop.now
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

    func nextImage() -> WireImage? {
        guard let image = feed.nextImage(form, &cursor) else { return nil }
        frames += 1
        meter.sent(image.info, bytes: image.count, drops: cursor.drops, at: exchange.server.loop.now)
        return image
    }

    func writePrefix(into output: inout [UInt8]) {
        guard frames == 1 else { return }
        output += Multipart.opening
        if form == .advancePart { output += Multipart.advanceFields }
    }

    func framesPublished() { exchange.pump() }

    func feedIsGone() { exchange.abort("the stream is not configured any more") }

    var members: [JSON.Member] {
        [
            JSON.Member("seconds", JSON(Int((exchange.server.loop.now - since).seconds))),
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
                "seconds": Int((exchange.server.loop.now - since).seconds),
            ]
        )
    }
}
