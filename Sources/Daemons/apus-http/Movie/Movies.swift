// SPDX-License-Identifier: Apache-2.0
// The streams that are watched as movies, begun when somebody asks and ended when nobody does.

import Config
import HLS
import HTTP
import Loop

/// All movie feeds of the daemon.
final class Movies {
    private unowned let server: Server
    private var feeds: [String: MovieFeed] = [:]
    /// Who watches by HLS.
    let sessions = HLSSessions()
    /// Clips that are being made or sent.
    var clips = 0
    /// Each may hold tens of megabytes.
    static let clipLimit = 4

    init(_ server: Server) { self.server = server }

    /// The feed of a camera's stream, `main` or `sub`; nil if it has none such.
    func feed(_ camera: String, _ stream: String) -> MovieFeed? {
        guard let configuration = server.configuration.camera(camera), Self.has(configuration, stream) else {
            return nil
        }
        let name = "\(camera)/\(stream)"
        if let feed = feeds[name] { return feed }
        let feed = MovieFeed(
            camera: camera,
            stream: stream,
            loop: server.loop,
            rings: (server.ring(camera, stream), configuration.audio == nil ? nil : server.ring(camera, "audio")),
            settings: settings,
            onIdle: { [unowned self] in feeds[name] = nil }
        )
        feeds[name] = feed
        return feed
    }

    /// The feed if it is under way.
    func running(_ camera: String, _ stream: String) -> MovieFeed? { feeds["\(camera)/\(stream)"] }

    /// How streams are cut.
    private var settings: HLSSettings { HLSSettings(server.configuration.hls) }

    /// Ends the feeds of streams that are not configured any more; the others may be cut in another way from now on.
    func take(_ configuration: Configuration) {
        let settings = HLSSettings(configuration.hls)
        for (name, feed) in feeds {
            let camera = configuration.cameras.first { $0.name == feed.camera }
            let isThere = camera.map { Self.has($0, feed.stream) } ?? false
            guard !isThere else {
                feed.take(settings)
                continue
            }
            feeds[name] = nil
            feed.end()
        }
    }

    /// The names of a camera's streams, the best one first.
    func streams(_ camera: String) -> [String] {
        guard let configuration = server.configuration.camera(camera) else { return [] }
        return ["main", "sub"].filter { Self.has(configuration, $0) }
    }

    private static func has(_ camera: CameraConfiguration, _ stream: String) -> Bool {
        switch stream {
        case "main": camera.main != nil
        case "sub": camera.sub != nil
        default: false
        }
    }
}

extension HLSSettings {
    fileprivate init(_ configuration: HLSConfiguration) {
        self.init(part: configuration.part, segment: configuration.segment, window: configuration.window)
    }
}

extension Exchange {
    /// The movie feed that the request is about; nil if there is none, which is answered then.
    func movieFeed(_ stream: String) -> MovieFeed? {
        guard let camera, let feed = server.movies.feed(camera, stream) else {
            refuse(.notFound, "the camera \(camera ?? "") has no stream \(stream)")
            return nil
        }
        return feed
    }
}
