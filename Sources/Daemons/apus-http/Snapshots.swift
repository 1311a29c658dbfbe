// SPDX-License-Identifier: Apache-2.0
// Snapshots: a camera's newest picture.

import Access
import Bytes
import FanOut
import HTTP
import Loop
import Media

extension Server {
    /// The addresses of snapshots.
    func snapshotEndpoints() -> [Endpoint] {
        [
            Endpoint(
                .get,
                "/{camera}/snapshot.jpg",
                "/snapshot.jpg",
                "/snapshot",
                "/snap.jpg",
                needs: .view,
                ofCamera: true,
                "The camera's newest picture (JPEG)."
            ) { [unowned self] in takeSnapshot($0) },
            Endpoint(
                .get,
                "/",
                needs: .view,
                ofCamera: true,
                when: Target.QueryItem(name: "action", value: "snapshot"),
                "The same, as mjpg-streamer calls it."
            ) { [unowned self] in takeSnapshot($0) },
        ]
    }

    /// Answers with a camera's newest picture.
    func takeSnapshot(_ exchange: Exchange) {
        guard let feed = feed(of: exchange) else { return }
        feed.touch()
        if let image = feed.freshImage() { return exchange.respondPicture(image, of: feed) }
        exchange.wait(SnapshotWait(feed, exchange))
    }
}

extension Exchange {
    /// Answers with one picture.
    func respondPicture(_ image: WireImage, of feed: Feed) {
        var timestamp: [UInt8] = []
        Multipart.writeTimestamp(microseconds: feed.utcMicroseconds(image.info.captured), into: &timestamp)
        let fields = [
            HeaderField("Content-Type", "image/jpeg"),
            HeaderField("X-Timestamp", String(decoding: timestamp, as: UTF8.self)),
        ]
        respond(
            Response(.ok, fields: fields + Feed.uncached, body: .length(image.count)),
            from: ImageBody("snapshot", camera: feed.name, [image])
        )
    }
}

/// Waits for a picture that is fresh.
private final class SnapshotWait: Activity, FeedViewer {
    let kind = "snapshot"
    let isWatching = false
    private let feed: Feed
    private unowned let exchange: Exchange
    private var timer: LoopTimer?

    /// How long a snapshot waits for a fresh picture.
    private static let patience = Duration.seconds(5)

    init(_ feed: Feed, _ exchange: Exchange) {
        self.feed = feed
        self.exchange = exchange
        timer = exchange.server.loop.timer(after: Self.patience) { [unowned self] in
            leave()
            exchange.refuse(.unavailable, "\(feed.name): \(feed.trouble)", Feed.uncached)
        }
        feed.join(self)
    }

    var camera: String? { feed.name }

    func framesPublished() {
        guard let image = feed.freshImage() else { return }
        leave()
        exchange.respondPicture(image, of: feed)
    }

    func feedIsGone() {
        leave()
        exchange.refuse(.notFound, "the camera \(feed.name) has no JPEG stream any more")
    }

    func ended(_ reason: String) { leave() }

    private func leave() {
        timer?.cancel()
        feed.leave(self)
    }
}

/// A body of images that are there already.
final class ImageBody: BodySource {
    let kind: String
    let camera: String?
    private var images: [WireImage]

    /// The images go out in order.
    init(_ kind: String, camera: String? = nil, _ images: [WireImage]) {
        self.kind = kind
        self.camera = camera
        self.images = images.reversed()
    }

    var isFinished: Bool { images.isEmpty }

    func nextImage() -> WireImage? { images.popLast() }
}
