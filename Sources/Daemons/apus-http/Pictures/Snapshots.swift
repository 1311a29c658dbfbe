// SPDX-License-Identifier: Apache-2.0
// Snapshots: a camera's newest picture, the next one, or one that has been.

import Access
import Bytes
import Config
import Control
import Daemon
import FanOut
import HTTP
import Loop
import Media
import Pictures
import Ring

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

    /// Answers with a picture of a camera.
    func takeSnapshot(_ exchange: Exchange) {
        do throws(RequestError) {
            takeSnapshot(exchange, try SnapshotOptions(exchange.request.head.target))
        } catch {
            exchange.refuse(error.status, error.reason)
        }
    }

    private func takeSnapshot(_ exchange: Exchange, _ options: SnapshotOptions) {
        if let age = options.age { return takePast(exchange, options, loop.now - age) }
        guard let feed = feed(of: exchange) else { return }
        feed.touch()
        if !options.isFresh, let newest = feed.freshest {
            return deliver(newest, of: feed, options, to: exchange)
        }
        exchange.wait(SnapshotWait(feed, options, exchange))
    }

    /// Answers with a picture from the ring.
    fileprivate func deliver(_ info: FrameInfo, of feed: Feed, _ options: SnapshotOptions, to exchange: Exchange) {
        if info.flags.contains(.slate), !options.takesSlate {
            return exchange.refusePicture(.unavailable, "\(feed.name): the camera's source is lost")
        }
        guard let view = feed.view else { return exchange.refusePicture(.unavailable, "\(feed.name): \(feed.trouble)") }
        let tag = "\(String(view.incarnation, radix: 16))-\(info.sequence)"
        if options.isAsItIs {
            guard let image = feed.image(info.sequence) else {
                return exchange.refusePicture(.unavailable, "\(feed.name): the picture has left the ring")
            }
            return exchange.respondPicture(image, feed.facts(info), tag: tag, of: feed.name, utc: feed.utcMicroseconds)
        }
        make(options.job(feed.name, "jpeg", .number(info.sequence, incarnation: view.incarnation)), options, exchange)
    }

    /// Answers with a picture that has been: of the JPEG ring where it reaches back, else decoded.
    private func takePast(_ exchange: Exchange, _ options: SnapshotOptions, _ instant: Instant) {
        guard let name = exchange.camera, let camera = configuration.camera(name) else {
            return exchange.refuse(.notFound, "there is no camera")
        }
        if let feed = feeds[name], let view = feed.view, let number = view.newestFrame(takenBy: instant),
            let info = view.info(number), instant - info.captured <= feed.patience
        {
            return deliver(info, of: feed, options, to: exchange)
        }
        guard camera.main != nil else {
            return exchange.refusePicture(.notFound, "\(name): there is no picture of that time")
        }
        make(options.job(name, "main", .takenBy(instant)), options, exchange)
    }

    private func pictureMaker(_ camera: String) -> PictureMaker {
        if let maker = pictures[camera] { return maker }
        let maker = PictureMaker(loop, log, runDirectory.pictures(camera))
        pictures[camera] = maker
        return maker
    }

    private func make(_ job: PictureJob, _ options: SnapshotOptions, _ exchange: Exchange) {
        let wait = PictureWait(job, options, exchange)
        guard pictureMaker(job.camera).make(job, then: { wait.take($0) }) else {
            let fields = [HeaderField("Retry-After", "1")]
            return exchange.refusePicture(.unavailable, "too many pictures are being made", fields)
        }
        exchange.wait(wait)
    }
}

extension SnapshotOptions {
    /// What has to be made for it.
    fileprivate func job(_ camera: String, _ stream: String, _ frame: PictureJob.Frame) -> PictureJob {
        PictureJob(camera: camera, stream: stream, frame: frame, width: width, height: height, quality: quality)
    }
}

extension Exchange {
    /// Answers with one picture, or with 304 to a client that has it already.
    ///
    /// - Parameters:
    ///   - tag: tells pictures apart.
    ///   - utc: gives microseconds since 1970.
    func respondPicture(
        _ image: WireImage,
        _ facts: UStreamer.PictureFacts,
        tag: String,
        of camera: String,
        utc: (Instant) -> Int64
    ) {
        let captured = utc(facts.captured)
        var timestamp: [UInt8] = []
        Multipart.writeTimestamp(microseconds: captured, into: &timestamp)
        let fields =
            [
                HeaderField("ETag", "\"\(tag)\""),
                HeaderField("Last-Modified", HTTPDate.format(epochSeconds: captured / 1_000_000)),
                HeaderField("X-Timestamp", String(decoding: timestamp, as: UTF8.self)),
            ] + UStreamer.snapshotFields(facts, sent: server.loop.now) + Feed.uncached
        if request.head.fields.list("if-none-match").contains("\"\(tag)\"") {
            return respond(Response(.notModified, fields: fields))
        }
        respond(
            Response(
                .ok,
                fields: [HeaderField("Content-Type", "image/jpeg")] + fields,
                body: .length(image.count)
            ),
            from: ImageBody("snapshot", camera: camera, [image])
        )
    }

    /// Answers that there is no picture: in text, or in JSON to who asks for that.
    func refusePicture(_ status: Status, _ reason: String, _ more: [HeaderField] = []) {
        let fields = more + Feed.uncached
        guard request.head.fields["accept"]?.contains("application/json") == true else {
            return refuse(status, reason, fields)
        }
        let value: JSON = [
            "error": ["code": .string(status == .notFound ? "not-found" : "unavailable"), "message": .string(reason)]
        ]
        var body: [UInt8] = []
        value.write(to: &body)
        let type = HeaderField("Content-Type", "application/json")
        respond(Response(status, fields: [type] + fields, body: .bytes(body)))
    }
}

/// Waits for a picture that is fresh.
private final class SnapshotWait: Activity, FeedViewer {
    let kind = "snapshot"
    let isWatching = false
    private let feed: Feed
    private let options: SnapshotOptions
    private unowned let exchange: Exchange
    private var timer: LoopTimer?

    /// How long a snapshot waits for a fresh picture.
    private static let patience = Duration.seconds(5)

    init(_ feed: Feed, _ options: SnapshotOptions, _ exchange: Exchange) {
        self.feed = feed
        self.options = options
        self.exchange = exchange
        timer = exchange.server.loop.timer(after: Self.patience) { [unowned self] in
            leave()
            exchange.refusePicture(.unavailable, "\(feed.name): \(feed.trouble)")
        }
        feed.join(self)
        guard !options.takesSlate else { return }
        // A camera that is known to be lost is not waited for.
        exchange.server.neighbours.askWhyLost(feed.name) { [weak self] reason in
            guard let self, timer != nil else { return }
            leave()
            exchange.refusePicture(.unavailable, "\(feed.name): \(reason)", [HeaderField("Retry-After", "1")])
        }
    }

    var camera: String? { feed.name }

    func framesPublished() {
        guard let newest = feed.freshest, !options.isFresh || newest.captured > exchange.began else { return }
        leave()
        exchange.server.deliver(newest, of: feed, options, to: exchange)
    }

    func feedIsGone() {
        leave()
        exchange.refuse(.notFound, "the camera \(feed.name) has no JPEG stream any more")
    }

    func ended(_ reason: String) { leave() }

    private func leave() {
        timer?.cancel()
        timer = nil
        feed.leave(self)
    }
}

/// Waits for a picture that is being made.
private final class PictureWait: Activity {
    let kind = "snapshot"
    private let job: PictureJob
    private let options: SnapshotOptions
    /// nil when the client has gone.
    private var exchange: Exchange?

    init(_ job: PictureJob, _ options: SnapshotOptions, _ exchange: Exchange) {
        self.job = job
        self.options = options
        self.exchange = exchange
    }

    var camera: String? { job.camera }

    func ended(_ reason: String) { exchange = nil }

    func take(_ outcome: PictureMaker.Outcome) {
        guard let exchange else { return }
        self.exchange = nil
        switch outcome {
        case .gone(let reason): exchange.refusePicture(.notFound, "\(job.camera): \(reason)")
        case .failed(let reason): exchange.refusePicture(.unavailable, "\(job.camera): \(reason)")
        case .picture(_, let facts) where facts.isSlate && !options.takesSlate:
            exchange.refusePicture(.unavailable, "\(job.camera): the camera's source is lost")
        case .picture(let image, let facts):
            let streamer = UStreamer.PictureFacts(
                isOnline: !facts.isSlate,
                width: facts.width,
                height: facts.height,
                captured: facts.captured,
                published: facts.published
            )
            let tag = "\(job.stream)-\(facts.captured.nanoseconds)-\(facts.width)x\(facts.height)-\(job.quality ?? 0)"
            let feed = exchange.server.feeds[job.camera]
            exchange.respondPicture(image, streamer, tag: tag, of: job.camera) { instant in
                feed?.utcMicroseconds(instant) ?? Feed.utcMicroseconds(instant)
            }
        }
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
