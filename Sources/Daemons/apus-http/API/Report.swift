// SPDX-License-Identifier: Apache-2.0
// What the server tells of itself: cameras and health over HTTP, status and clients over the control socket.

import Access
import Bytes
import Config
import Control
import Daemon
import FanOut
import HTTP
import Loop
import Media
import Metrics
import Ring
import System

/// Makes the server's reports.
///
/// The rings of the streams that this server does not serve are attached only while somebody asks: every attached
/// reader is woken for every frame.
final class Report {
    private let context: DaemonContext
    private unowned let server: Server
    private let started: Instant
    private var probes: [String: RingReader] = [:]
    private var probesEnd: LoopTimer?
    /// What the RTSP server took where the configuration left the port to it: the supervisor writes it down.
    private var pickedRTSPPort: UInt16?

    /// Rings stay attached this long after the last question.
    private static let probeTime = Duration.seconds(10)
    /// Rates are means over so many frames.
    private static let rateFrames: UInt64 = 30
    /// A stream without a frame for this long has no rate.
    private static let rateAge = Duration.seconds(2)

    init(_ context: DaemonContext, _ server: Server) {
        self.context = context
        self.server = server
        started = context.loop.now
    }

    /// Answers `/api/v1/cameras`: a page of those that are visible.
    func cameras(_ gathering: Gathering, _ isVisible: (String) -> Bool, after: String?, limit: Int) -> JSON {
        attachProbes()
        var left = context.configuration.cameras.filter { isVisible($0.name) }[...]
        if let after { left = left.drop { $0.name != after }.dropFirst() }
        let page = left.prefix(limit)
        var members = [
            JSON.Member("version", .string(apusVersion)),
            JSON.Member("uptime", JSON(Int((context.loop.now - started).seconds))),
        ]
        if let rtspPort { members.append(JSON.Member("rtsp_port", JSON(rtspPort))) }
        members.append(JSON.Member("cameras", .array(page.map { camera($0, gathering) })))
        members.append(JSON.Member("next", JSON(page.count < left.count ? page.last?.name : nil)))
        return .object(members)
    }

    /// One camera as the API tells of it; nil if there is none of that name.
    func camera(_ name: String, _ gathering: Gathering) -> JSON? {
        guard let camera = context.configuration.camera(name) else { return nil }
        attachProbes()
        return self.camera(camera, gathering)
    }

    /// The names of a camera's streams.
    func streamNames(of name: String) -> [String] {
        guard let camera = context.configuration.camera(name) else { return [] }
        return [("main", camera.main != nil), ("sub", camera.sub != nil), ("jpeg", camera.jpeg != nil)]
            .filter(\.1).map(\.0)
    }

    /// Answers `/healthz`: 200 while the process of at least one camera with pictures runs, whatever its source does.
    func health() -> Response {
        let running = server.feeds.values.count { $0.isAttached }
        let isHealthy = running > 0 || server.feeds.isEmpty
        return Response(
            isHealthy ? .ok : .unavailable,
            json: [
                "ok": .boolean(isHealthy), "cameras": JSON(server.feeds.count), "running": JSON(running),
                "clients": JSON(server.clients.count),
            ]
        )
    }

    /// This daemon's part of `status`.
    func status() -> [JSON.Member] {
        let cameras = server.cameraNames.map { name -> JSON in
            guard let feed = server.feeds[name] else { return ["name": .string(name), "jpeg": false] }
            return [
                "name": .string(name), "jpeg": true, "online": .boolean(feed.isAttached),
                "viewers": JSON(feed.viewers), "stream": stream("jpeg", feed.view, isAttached: feed.isAttached),
            ]
        }
        return [JSON.Member("clients", JSON(server.clients.count)), JSON.Member("cameras", .array(cameras))]
    }

    /// One connection as `clients` tells of it; nil if there is none of that number.
    func client(_ id: Int) -> JSON? { server.clients[id].map(client) }

    /// The port of the RTSP server; nil if there is none, or if it is not known.
    private var rtspPort: UInt16? {
        let rtsp = context.configuration.rtsp
        guard rtsp.isEnabled else { return nil }
        if rtsp.port != 0 { return rtsp.port }
        if pickedRTSPPort == nil, let inForce = try? Configuration.load(context.runDirectory.configuration),
            inForce.rtsp.port != 0
        {
            pickedRTSPPort = inForce.rtsp.port
        }
        return pickedRTSPPort
    }

    private func client(_ client: Client) -> JSON {
        var members = [
            JSON.Member("id", JSON(client.id)), JSON.Member("peer", .string(client.connection.peer.description)),
            JSON.Member("user", JSON(client.exchanges.first?.grant?.name)),
            JSON.Member("sent", JSON(client.connection.bytesSent)),
            JSON.Member("pending", JSON(client.connection.pendingBytes)),
        ]
        if client.connection.negotiatedProtocol == "h2" { members.append(JSON.Member("protocol", "h2")) }
        // More than one only over HTTP/2.
        let busy = client.exchanges.compactMap(\.activity)
        members.append(JSON.Member("busy", .string(busy.first?.kind ?? "requests")))
        if let kind = busy.first(where: { $0.camera != nil })?.kind {
            members.append(JSON.Member("transport", .string(kind)))
        } else if let session = server.movies.sessions.session(of: client) {
            // Between two requests of a player.
            members += [
                JSON.Member("transport", "hls"), JSON.Member("camera", .string(session.camera)),
                JSON.Member("stream", .string(session.stream)),
                JSON.Member("seconds", JSON(Int((context.loop.now - session.since).seconds))),
            ]
        }
        for activity in busy {
            if let camera = activity.camera { members.append(JSON.Member("camera", .string(camera))) }
            members += activity.members
        }
        return .object(members)
    }

    private func camera(_ camera: CameraConfiguration, _ gathering: Gathering) -> JSON {
        let status = gathering.statuses["video.\(camera.name)"]
        var samples = gathering.samples.values.flatMap(\.all) + server.samples().all
        samples.removeAll { $0.metric != .viewers || $0.labels[0] != camera.name }
        var viewers = 0
        let streams = streamNames(of: camera.name)
            .map { name -> JSON in
                let feed = name == "jpeg" ? server.feeds[camera.name] : nil
                let probe = probes["\(camera.name)/\(name)"]
                let isAttached = feed?.isAttached ?? probe?.isAttached ?? false
                let known = status?["streams"]?.elements.first { $0["name"]?.string == name }
                var members = stream(name, feed?.view ?? probe?.view, isAttached: isAttached).members
                if probe?.view == nil, feed == nil, let known { members = Self.stream(name, known) }
                if let mode = known?["mode"] { members.append(JSON.Member("state", mode)) }
                var counts: [JSON.Member] = []
                for sample in samples where sample.labels[1] == name {
                    guard case .number(let number) = sample.value, number > 0 else { continue }
                    viewers += Int(number)
                    let before = counts.first { $0.name == sample.labels[2] }?.value.integer ?? 0
                    counts.removeAll { $0.name == sample.labels[2] }
                    counts.append(JSON.Member(sample.labels[2], JSON(before + Int(number))))
                }
                return .object(members + [JSON.Member("viewers", .object(counts))])
            }
        let state = status?["source"]?["state"]?.string ?? "down"
        let isOnline = streams.contains { $0["online"]?.boolean == true } && !["lost", "down"].contains(state)
        var members = [
            JSON.Member("name", .string(camera.name)), JSON.Member("online", .boolean(isOnline)),
            JSON.Member("state", .string(state)),
        ]
        if let reason = status?["source"]?["reason"] { members.append(JSON.Member("reason", reason)) }
        members += [JSON.Member("viewers", JSON(viewers)), JSON.Member("streams", .array(streams))]
        return .object(members)
    }

    /// A stream as the camera's daemon tells of it, while its ring is not attached yet.
    private static func stream(_ name: String, _ status: JSON) -> [JSON.Member] {
        let names = [("codec", "codec"), ("width", "width"), ("height", "height"), ("fps", "fps_measured")]
        let isOnline = status["mode"] != "slate"
        return [JSON.Member("name", .string(name)), JSON.Member("online", .boolean(isOnline))]
            + names.compactMap { name, source in status[source].map { JSON.Member(name, $0) } }
            + [JSON.Member("bitrate", status["bitrate_measured"] ?? 0)]
    }

    private func stream(_ name: String, _ view: RingView?, isAttached: Bool) -> JSON {
        let newest = view.flatMap { $0.info($0.newest) }
        let isOnline = isAttached && newest?.flags.contains(.slate) != true
        var members = [JSON.Member("name", .string(name)), JSON.Member("online", .boolean(isOnline))]
        guard let view else { return .object(members) }
        if let description = view.description()?.description {
            members += [
                JSON.Member("codec", .string(description.codec.name)), JSON.Member("width", JSON(description.width)),
                JSON.Member("height", JSON(description.height)),
            ]
        }
        if let newest {
            let (fps, bitrate) = rates(view, newest)
            let age = (context.loop.now - newest.captured).milliseconds
            members += [
                JSON.Member("fps", JSON((fps * 10).rounded() / 10)), JSON.Member("bitrate", JSON(Int(bitrate))),
                JSON.Member("age_ms", JSON(Int(age))),
            ]
        }
        return .object(members)
    }

    /// Frames and bits per second over the newest frames; zero for a stream that rests.
    private func rates(_ view: RingView, _ newest: FrameInfo) -> (fps: Double, bitrate: Double) {
        guard context.loop.now - newest.published < Self.rateAge else { return (0, 0) }
        var first = newest
        var bytes = 0
        var frames = 0
        while frames < Self.rateFrames, first.sequence > 1, let earlier = view.info(first.sequence - 1),
            first.published - earlier.published < Self.rateAge
        {
            bytes += first.length
            frames += 1
            first = earlier
        }
        let seconds = (newest.published - first.published).seconds
        return seconds > 0 ? (Double(frames) / seconds, Double(bytes) * 8 / seconds) : (0, 0)
    }

    private func attachProbes() {
        probesEnd?.cancel()
        probesEnd = context.loop.timer(after: Self.probeTime) { [unowned self] in
            for probe in probes.values { probe.close() }
            probes.removeAll()
        }
        // What is left in it in the end is not configured any more.
        var old = probes
        for camera in context.configuration.cameras {
            for (stream, isConfigured) in [("main", camera.main != nil), ("sub", camera.sub != nil)] {
                let key = "\(camera.name)/\(stream)"
                guard isConfigured, old.removeValue(forKey: key) == nil else { continue }
                let path = context.runDirectory.ring(camera.name, stream)
                probes[key] = RingReader(loop: context.loop, path: path, demand: false)
            }
        }
        for (key, probe) in old {
            probe.close()
            probes[key] = nil
        }
    }
}
