// SPDX-License-Identifier: Apache-2.0
// HLS: playlists, initialisation segments, segments and parts.

import Access
import Bytes
import Config
import Control
import FanOut
import HLS
import HTTP
import Loop
import MP4
import Media
import Ring

extension Server {
    /// The addresses of HLS.
    func liveStreamingEndpoints() -> [Endpoint] {
        [
            Endpoint(
                .get,
                "/{camera}/index.m3u8",
                "/index.m3u8",
                needs: .view,
                ofCamera: true,
                "The camera's streams as HLS: the multivariant playlist."
            ) { MultivariantWait.answer($0) },
            Endpoint(
                .get,
                "/{camera}/{stream}/index.m3u8",
                needs: .view,
                "One stream of the camera, main or sub, as HLS: its playlist."
            ) { HLSWait.answer($0) },
            Endpoint(
                .get,
                "/{camera}/{stream}/\(HLSWait.folder){file}",
                needs: .view,
                "What that playlist lists: segments, their parts, initialisation segments."
            ) { HLSWait.answer($0) },
        ]
    }
}

/// Waits until an HLS request can be answered.
private final class HLSWait: Activity, MovieViewer {
    /// What is asked for.
    enum Wanted {
        case playlist(HLSReload, isPlain: Bool)
        case file(HLSName)
    }

    let kind = "hls"
    private let feed: MovieFeed
    private let wanted: Wanted
    /// Who watches; nil if he is not counted.
    private let session: HLSSession?
    private unowned let exchange: Exchange
    private var timer: LoopTimer?

    /// How long the first playlist waits for its first segment.
    private static let patience = Duration.seconds(8)

    /// Where the files of a playlist are, seen from it.
    static let folder = "hls/"

    static func answer(_ exchange: Exchange) {
        guard let feed = exchange.movieFeed(exchange.parameters["stream"] ?? "main") else { return }
        guard let wanted = wanted(exchange) else { return }
        let session: HLSSession?
        switch exchange.server.movies.sessions.visit(exchange, feed) {
        case .viewer(let viewer): session = viewer
        case .banished(let rest):
            let fields = [HeaderField("Retry-After", "\(max(1, Int(rest.seconds.rounded(.up))))")]
            return exchange.refuse(.forbidden, "this viewer was sent away", fields)
        }
        feed.touch(demand: true)
        feed.follow()
        let waiting = HLSWait(feed, wanted, session, exchange)
        if !waiting.tryAnswer() { waiting.begin() }
    }

    private static func wanted(_ exchange: Exchange) -> Wanted? {
        guard let file = exchange.parameters["file"] else {
            do throws(HLSReload.Refusal) {
                let query = exchange.request.head.target.query.map { (name: $0.name, value: $0.value) }
                return .playlist(try HLSReload(query), isPlain: exchange.query("plain") == "1")
            } catch {
                exchange.refuse(.badRequest, error.reason)
                return nil
            }
        }
        guard let name = HLSName(file) else {
            exchange.refuse(.notFound, "there is nothing at this address")
            return nil
        }
        return .file(name)
    }

    private init(_ feed: MovieFeed, _ wanted: Wanted, _ session: HLSSession?, _ exchange: Exchange) {
        self.feed = feed
        self.session = session
        self.wanted = wanted
        self.exchange = exchange
    }

    var camera: String? { feed.camera }
    var members: [JSON.Member] { [JSON.Member("stream", .string(feed.stream))] }

    private func begin() {
        // Longer than three target durations nothing is worth waiting for (§6.2.5.2).
        let limit = max(Self.patience, .seconds(3 * feed.window.targetDuration))
        timer = exchange.server.loop.timer(after: limit) { [unowned self] in
            leave()
            exchange.refuse(.unavailable, feed.trouble, Feed.uncached + [HeaderField("Retry-After", "1")])
        }
        exchange.wait(self)
        feed.join(self)
        exchange.server.neighbours.askWhyLost(feed.camera) { [weak self] reason in
            // With a slate, there will be pictures nevertheless.
            guard let self, timer != nil, feed.window.segments.isEmpty, !slates(feed.camera) else { return }
            leave()
            exchange.refuse(
                .unavailable,
                "\(feed.camera): \(reason)",
                Feed.uncached + [HeaderField("Retry-After", "1")]
            )
        }
    }

    private func slates(_ camera: String) -> Bool {
        exchange.server.configuration.camera(camera)?.slateDelay != nil
    }

    func movieAdvanced() {
        // Not from here: answering ends this viewer, and the feed is going through all of them.
        guard isAnswerable else { return }
        exchange.server.loop.later { [weak self] in
            guard let self, timer != nil else { return }
            if tryAnswer() { leave() }
        }
    }

    func movieIsGone() {
        exchange.server.loop.later { [weak self] in
            guard let self, timer != nil else { return }
            leave()
            exchange.refuse(.notFound, "the stream \(feed.name) is not configured any more")
        }
    }

    func ended(_ reason: String) { leave() }

    private func leave() {
        timer?.cancel()
        timer = nil
        feed.leave(self)
    }

    private var isAnswerable: Bool {
        switch wanted {
        case .playlist(let reload, let isPlain):
            // Who waits for a part knows what parts are: behind a new beginning these are enough to go on with.
            let takesParts = reload.segment != nil && !isPlain
            let segments = feed.window.segments
            guard segments.contains(where: { $0.isComplete || takesParts && !$0.parts.isEmpty }) else { return false }
            return feed.window.availability(reload) != .wait
        case .file(.part(let segment, let index)): return !isNext(segment, index)
        case .file: return true
        }
    }

    /// True for the part that a playlist hints at.
    private func isNext(_ segment: UInt64, _ index: Int) -> Bool {
        let window = feed.window
        guard segment == window.currentNumber else { return segment == window.currentNumber + 1 && index == 0 }
        return index == window[segment]?.parts.count ?? 0
    }

    /// Answers if that can be done now; true if it was.
    private func tryAnswer() -> Bool {
        guard isAnswerable else { return false }
        switch wanted {
        case .playlist(let reload, let isPlain): respondPlaylist(reload, isPlain)
        case .file(let name): respondFile(name)
        }
        return true
    }

    private func respondPlaylist(_ reload: HLSReload, _ isPlain: Bool) {
        if case .refused(let reason) = feed.window.availability(reload) {
            return exchange.refuse(.badRequest, reason)
        }
        let others = exchange.server.movies.streams(feed.camera).filter { $0 != feed.stream }
        let reports = others.compactMap { other in
            exchange.server.movies.running(feed.camera, other)?.window.report(uri: "../\(other)/index.m3u8")
        }
        let form: HLSWindow.Form = isPlain ? .plain : reload.skips ? .delta : .full
        exchange.respondPlaylist(feed.playlist(form, reports, folder: Self.folder))
    }

    private func respondFile(_ name: HLSName) {
        let gone = "\(name.text) is not listed any more"
        switch name {
        case .initialization(let map):
            guard let image = feed.initialization(map) else { return exchange.refuse(.notFound, gone) }
            exchange.respondMedia([], length: image.count, ImageBody("hls", camera: feed.camera, [image]))
        case .segment(let number):
            guard let segment = feed.window[number], segment.isComplete else {
                return exchange.refuse(.notFound, gone)
            }
            respondParts(number, 0..<segment.parts.count, gone)
        case .part(let number, let index):
            guard feed.window.part(number, index) != nil else { return exchange.refuse(.notFound, gone) }
            respondParts(number, index..<(index + 1), gone)
        }
    }

    private func respondParts(_ number: UInt64, _ indices: Range<Int>, _ gone: String) {
        var length = 0
        for index in indices {
            guard let part = feed.parts.length(number, index, in: feed) else {
                return exchange.refuse(.notFound, gone)
            }
            length += part
        }
        session?.meter.sent(bytes: length, at: feed.loop.now)
        exchange.respondMedia([], length: length, PartBody(feed, number, indices, exchange))
    }
}

/// The parts of a segment, taken from the cache or the ring as the client takes them.
private final class PartBody: BodySource {
    let kind = "hls"
    private let feed: MovieFeed
    private let segment: UInt64
    private var indices: Range<Int>
    private unowned let exchange: Exchange

    init(_ feed: MovieFeed, _ segment: UInt64, _ indices: Range<Int>, _ exchange: Exchange) {
        self.feed = feed
        self.segment = segment
        self.indices = indices
        self.exchange = exchange
    }

    var camera: String? { feed.camera }
    var members: [JSON.Member] { [JSON.Member("stream", .string(feed.stream))] }
    var isFinished: Bool { indices.isEmpty }

    func nextImage() -> WireImage? {
        guard let index = indices.popFirst() else { return nil }
        if let image = feed.parts.image(segment, index, in: feed) { return image }
        exchange.server.loop.later { [weak exchange] in exchange?.abort("the segment has left the ring") }
        indices = (index..<(index + 1))
        return nil
    }
}

/// Waits until it is known what the camera's streams are.
private final class MultivariantWait: Activity, MovieViewer {
    let kind = "hls"
    private let main: MovieFeed
    private unowned let exchange: Exchange
    private var timer: LoopTimer?

    private static let patience = Duration.seconds(5)

    static func answer(_ exchange: Exchange) {
        let streams = exchange.camera.map { exchange.server.movies.streams($0) } ?? []
        guard let first = streams.first, let feed = exchange.movieFeed(first) else {
            return exchange.refuse(.notFound, "the camera \(exchange.camera ?? "") has no stream for HLS")
        }
        feed.touch(demand: true)
        for other in streams.dropFirst() { exchange.server.movies.feed(feed.camera, other)?.touch(demand: false) }
        feed.follow()
        let waiting = MultivariantWait(feed, exchange)
        if !waiting.tryAnswer() { waiting.begin() }
    }

    private init(_ main: MovieFeed, _ exchange: Exchange) {
        self.main = main
        self.exchange = exchange
    }

    var camera: String? { main.camera }

    private func begin() {
        timer = exchange.server.loop.timer(after: Self.patience) { [unowned self] in
            leave()
            exchange.refuse(.unavailable, main.trouble, Feed.uncached + [HeaderField("Retry-After", "1")])
        }
        exchange.wait(self)
        main.join(self)
    }

    func movieAdvanced() {
        guard main.movie != nil else { return }
        exchange.server.loop.later { [weak self] in
            guard let self, timer != nil else { return }
            if tryAnswer() { leave() }
        }
    }

    func movieIsGone() {}

    func ended(_ reason: String) { leave() }

    private func leave() {
        timer?.cancel()
        timer = nil
        main.leave(self)
    }

    private func tryAnswer() -> Bool {
        guard main.movie != nil else { return false }
        let movies = exchange.server.movies
        let variants = movies.streams(main.camera).compactMap { movies.running(main.camera, $0)?.variant }
        exchange.respondPlaylist(Array(HLSVariant.playlist(variants).utf8))
        return true
    }
}

extension MovieFeed {
    /// What a multivariant playlist says of the stream; nil while nothing is known of it.
    fileprivate var variant: HLSVariant? {
        guard let movie, let description = pictures.track?.description else { return nil }
        return HLSVariant(
            uri: "\(stream)/index.m3u8",
            bandwidth: bandwidth,
            codecs: movie.codecs,
            width: description.width,
            height: description.height,
            frameRate: description.frameRate.value
        )
    }

    /// Bits a second of the last two seconds, with a third on top, as a maximum is asked for.
    private var bandwidth: Int {
        guard let view = pictures.view, let newest = view.info(view.newest) else { return 1_000_000 }
        var bytes = 0
        var begin = newest.captured
        var sequence = newest.sequence
        while sequence > 0, let info = view.info(sequence), newest.captured - info.captured < .seconds(2) {
            bytes += info.length
            begin = info.captured
            sequence -= 1
        }
        let seconds = max(0.1, (newest.captured - begin).seconds)
        return max(100_000, Int(Double(bytes) * 8 / seconds * 1.33) + (movie?.tracks.count == 2 ? 128_000 : 0))
    }
}

extension Exchange {
    /// Answers with a playlist, which is of the moment.
    fileprivate func respondPlaylist(_ text: [UInt8]) {
        respond(
            Response(
                .ok,
                fields: [HeaderField("Content-Type", "application/vnd.apple.mpegurl")] + Feed.uncached,
                body: .bytes(text)
            )
        )
    }

    /// Answers with something that will never be another under its name.
    fileprivate func respondMedia(_ fields: [HeaderField], length: Int, _ source: any BodySource) {
        let common = [
            HeaderField("Content-Type", "video/mp4"), HeaderField("Cache-Control", "private, max-age=60"),
            HeaderField("X-Content-Type-Options", "nosniff"),
        ]
        respond(Response(.ok, fields: common + fields, body: .length(length)), from: source)
    }
}
