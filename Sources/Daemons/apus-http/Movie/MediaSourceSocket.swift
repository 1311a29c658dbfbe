// SPDX-License-Identifier: Apache-2.0
// A camera's stream for a browser's Media Source Extensions, over WebSocket.

import Access
import Bytes
import Control
import FanOut
import HTTP
import Log
import Loop
import MP4
import Media
import WebSocket

extension Server {
    /// The addresses of MSE.
    func mediaSourceEndpoints() -> [Endpoint] {
        [
            Endpoint(
                .get,
                "/{camera}/mse",
                "/{camera}/{stream}/mse",
                "/mse",
                needs: .view,
                ofCamera: true,
                "The camera's stream as fragmented MP4 for a browser's MediaSource (WebSocket)."
            ) { [unowned self] exchange in
                guard let feed = exchange.movieFeed(exchange.parameters["stream"] ?? "main") else { return }
                openSocket(exchange) { MediaSourceSocket(feed, exchange.client) }
            }
        ]
    }
}

/// A client's place in a stream: a text that says what comes, the initialisation segment, then a fragment for each
/// picture, with the sound that came with it.
///
/// All clients share all of it but the frames' headers; who does not keep up goes on at the newest keyframe.
final class MediaSourceSocket: SocketContent, MovieViewer {
    let kind = "mse"
    private let feed: MovieFeed
    private unowned let client: Client
    private weak var session: WebSocketSession?
    private var cursor: FrameCursor
    private let since: Instant
    private var frames: UInt64 = 0
    private let meter: ViewerMeter
    private var step = Step.description

    private enum Step {
        /// The text comes next.
        case description
        /// The initialisation segment comes next.
        case initialization(UInt64)
        /// Fragments that belong to that segment.
        case fragments(UInt64)
    }

    init(_ feed: MovieFeed, _ client: Client) {
        self.feed = feed
        self.client = client
        since = feed.loop.now
        cursor = FrameCursor(.everyFrame(maxLatency: client.server.maximumLatency), at: since)
        meter = client.server.meter(feed.camera, feed.stream, kind)
    }

    var camera: String? { feed.camera }

    var members: [JSON.Member] {
        [
            JSON.Member("stream", .string(feed.stream)),
            JSON.Member("seconds", JSON(Int((feed.loop.now - since).seconds))), JSON.Member("frames", JSON(frames)),
        ] + cursor.drops.byReason.map { JSON.Member("drops_" + $0.reason.rawValue, JSON($0.frames)) }
    }

    func began(_ session: WebSocketSession) {
        self.session = session
        feed.join(self)
        feed.follow()
        client.server.log.info(
            "viewer joined",
            ["client": client.id, "peer": client.connection.peer, "camera": feed.camera, "stream": feed.stream]
        )
    }

    func nextMessage() -> SocketMessage? {
        switch step {
        case .description:
            guard let description = feed.mediaSourceDescription() else { return nil }
            step = .initialization(feed.map)
            return SocketMessage(image: description, kind: .text)
        case .initialization(let map):
            // Another description may have come meanwhile.
            guard map == feed.map, let image = feed.initialization(map) else { return restart() }
            step = .fragments(map)
            return SocketMessage(image: image)
        case .fragments(let map):
            guard map == feed.map else { return restart() }
            guard let image = feed.nextFragment(&cursor) else { return nil }
            frames += 1
            meter.sent(image.info, bytes: image.count, drops: cursor.drops, at: feed.loop.now)
            return SocketMessage(image: image)
        }
    }

    private func restart() -> SocketMessage? {
        step = .description
        cursor.rejoin(at: feed.loop.now)
        return nextMessage()
    }

    func movieAdvanced() { session?.pump() }

    func movieIsGone() { session?.close(.goingAway, "the stream is not configured any more") }

    func ended(_ reason: String) {
        session = nil
        feed.leave(self)
        meter.leave()
        client.server.log.info(
            "viewer left",
            [
                "client": client.id, "peer": client.connection.peer, "camera": feed.camera, "stream": feed.stream,
                "reason": reason, "frames": frames, "skipped": cursor.drops.total,
                "seconds": Int((feed.loop.now - since).seconds),
            ]
        )
    }
}

extension MovieFeed {
    /// What a page has to know before the initialisation segment, as JSON; nil while it is not known.
    fileprivate func mediaSourceDescription() -> WireImage? {
        guard let movie, let description = pictures.track?.description else { return nil }
        // Media time 0 is the monotonic clock's; so a page knows when a picture was taken.
        let text: JSON = [
            "type": "stream", "camera": .string(camera), "stream": .string(stream), "mime": .string(movie.mimeType),
            "codecs": .string(movie.codecs), "width": JSON(description.width), "height": JSON(description.height),
            "fps": JSON(description.frameRate.value), "audio": .boolean(movie.tracks.count > 1),
            "epoch_ms": JSON(Double(utc(.zero) / 1000) / 1000),
        ]
        var image = PacketImage()
        text.write(to: &image.bytes)
        return WireImage(image, info: Self.noFrame)
    }
}
