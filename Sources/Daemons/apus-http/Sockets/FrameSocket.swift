// SPDX-License-Identifier: Apache-2.0
// A camera's coded frames over WebSocket, one message each.

import Access
import Bytes
import Config
import Control
import FanOut
import HTTP
import Log
import Loop
import MP4
import Media
import WebSocket

extension Server {
    /// The addresses of frames over WebSocket.
    func frameSocketEndpoints() -> [Endpoint] {
        [
            Endpoint(
                .get,
                "/{camera}/ws",
                "/{camera}/{stream}/ws",
                "/ws",
                needs: .view,
                ofCamera: true,
                "The camera's coded frames (WebSocket), one message each."
            ) { [unowned self] in openFrames($0) }
        ]
    }

    private func openFrames(_ exchange: Exchange) {
        let stream = exchange.parameters["stream"] ?? "main"
        guard let form = FrameMessage.Form(rawValue: exchange.query("format") ?? FrameMessage.Form.recamera.rawValue)
        else {
            let forms = FrameMessage.Form.allCases.map(\.rawValue).joined(separator: ", ")
            return exchange.refuse(.badRequest, "there is no such format; there are: \(forms)")
        }
        guard let camera = exchange.camera, let feed = videoFeed(camera, stream) else {
            return exchange.refuse(.notFound, "the camera \(exchange.camera ?? "") has no stream \(stream)")
        }
        var prefix: UInt8?
        if form == .recamera, let channel = exchange.query("channel") {
            prefix = UInt8(channel)
            guard prefix != nil else { return exchange.refuse(.badRequest, "a channel is a number up to 255") }
        }
        openSocket(exchange) { [unowned self] in FrameSocket(self, feed, form, exchange.client, prefix: prefix) }
    }
}

/// A client's place in a stream's frames.
final class FrameSocket: SocketContent, FeedViewer {
    let kind = "ws"
    let isWatching = true
    private unowned let server: Server
    private unowned let client: Client
    private weak var session: WebSocketSession?
    private let feed: VideoFeed
    private let form: FrameMessage.Form
    /// The messages of that form.
    private let images: WireCache
    private let prefix: UInt8?
    private let since: Instant
    private var cursor: FrameCursor
    private var frames: UInt64 = 0
    private let meter: ViewerMeter
    /// The description that the client was told last.
    private var told: (generation: UInt32, incarnation: UInt64)?

    /// - Parameter prefix: a byte in front of each message.
    init(_ server: Server, _ feed: VideoFeed, _ form: FrameMessage.Form, _ client: Client, prefix: UInt8? = nil) {
        self.server = server
        self.client = client
        self.feed = feed
        self.form = form
        images = feed.cache(form)
        self.prefix = prefix
        since = server.loop.now
        cursor = feed.cursor(maximumLatency: server.maximumLatency)
        meter = server.meter(feed.camera, feed.stream, kind)
    }

    var camera: String? { feed.camera }

    var members: [JSON.Member] {
        [
            JSON.Member("stream", .string(feed.stream)),
            JSON.Member("seconds", JSON(Int((server.loop.now - since).seconds))), JSON.Member("frames", JSON(frames)),
        ] + cursor.drops.byReason.map { JSON.Member("drops_" + $0.reason.rawValue, JSON($0.frames)) }
    }

    func began(_ session: WebSocketSession) {
        self.session = session
        feed.join(self)
        server.log.info(
            "viewer joined",
            ["client": client.id, "peer": client.connection.peer, "camera": feed.camera, "stream": feed.stream]
        )
    }

    func nextMessage() -> SocketMessage? {
        if form == .chunks, let text = newDescription() { return SocketMessage(image: text, kind: .text) }
        cursor.policy = feed.policy(maximumLatency: server.maximumLatency)
        guard let image = feed.nextImage(&cursor, images) else { return nil }
        frames += 1
        meter.sent(image.info, bytes: image.count, drops: cursor.drops, at: server.loop.now)
        return SocketMessage(image: image, prefix: prefix)
    }

    func framesPublished() { session?.pump() }

    func feedIsGone() { session?.close(.goingAway, "the stream is not configured any more") }

    func ended(_ reason: String) {
        session = nil
        feed.leave(self)
        meter.leave()
        server.log.info(
            "viewer left",
            [
                "client": client.id, "peer": client.connection.peer, "camera": feed.camera, "stream": feed.stream,
                "reason": reason, "frames": frames, "skipped": cursor.drops.total,
                "seconds": Int((server.loop.now - since).seconds),
            ]
        )
    }

    /// What the client has to know of the stream and was not told yet, as JSON.
    private func newDescription() -> WireImage? {
        guard let (stream, generation, incarnation) = feed.description else { return nil }
        if let told, told == (generation, incarnation) { return nil }
        // Not complete before the first keyframe; then it is described anew.
        guard let track = try? MP4Track(stream, id: 1, place: stream.codec == .h264 ? .description : .inBand) else {
            return nil
        }
        told = (generation, incarnation)
        let isJPEG = stream.codec == .jpeg
        let text: JSON = [
            "type": "stream", "camera": .string(feed.camera), "stream": .string(feed.stream),
            "codec": .string(isJPEG ? "image/jpeg" : track.codecs), "width": JSON(stream.width),
            "height": JSON(stream.height), "fps": JSON(stream.frameRate.value),
        ]
        var image = PacketImage()
        text.write(to: &image.bytes)
        let now = server.loop.now
        return WireImage(
            image,
            info: FrameInfo(sequence: 0, captured: now, published: now, flags: [], length: image.bytes.count)
        )
    }
}

extension Server {
    /// A stream of a camera, `main`, `sub` or `jpeg`; nil if it is not configured.
    func videoFeed(_ camera: String, _ stream: String) -> VideoFeed? {
        guard let configuration = configuration.camera(camera), configuration.has(stream) else { return nil }
        let key = "\(camera)/\(stream)"
        if let feed = videoFeeds[key] { return feed }
        let feed = VideoFeed(camera, stream, loop, ring: ring(camera, stream)) { [unowned self] in
            if $0.viewers.isEmpty { videoFeeds[key] = nil }
        }
        videoFeeds[key] = feed
        return feed
    }

    /// Ends the streams that are not configured any more.
    func endOldVideoFeeds(_ cameras: [CameraConfiguration]) {
        for (key, feed) in videoFeeds
        where cameras.first(where: { $0.name == feed.camera })?.has(feed.stream) != true {
            videoFeeds[key] = nil
            feed.end()
        }
    }
}

extension CameraConfiguration {
    /// True if the camera has that stream of pictures.
    fileprivate func has(_ stream: String) -> Bool {
        switch stream {
        case "main": main != nil
        case "sub": sub != nil
        case "jpeg": jpeg != nil
        default: false
        }
    }
}
