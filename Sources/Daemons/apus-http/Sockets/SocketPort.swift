// SPDX-License-Identifier: Apache-2.0
// A reCamera's stream for its clients: the port of its own, the channels, what its page asks for.

import Access
import Bytes
import Config
import Control
import Daemon
import FanOut
import HTTP
import Log
import Loop
import Media
import System

/// A stream by its number, as reCamera's clients ask for it: all cameras in order, `main` before `sub`.
struct SocketChannel: Equatable {
    let camera: String
    let stream: String

    /// A channel is told in one byte.
    static let limit = 256

    /// All channels; the index is the number.
    static func all(_ cameras: [CameraConfiguration]) -> [SocketChannel] {
        let channels = cameras.flatMap { camera in
            (camera.main == nil ? [] : [SocketChannel(camera: camera.name, stream: "main")])
                + (camera.sub == nil ? [] : [SocketChannel(camera: camera.name, stream: "sub")])
        }
        return Array(channels.prefix(limit))
    }

    /// The channels that every reCamera has, and that clients know without asking: large, middle, small.
    static let customary = 3

    /// How many numbers mean a stream: of a single camera those of a reCamera, however many streams it has.
    static func count(_ channels: [SocketChannel]) -> Int {
        guard let first = channels.first, channels.allSatisfy({ $0.camera == first.camera }) else {
            return channels.count
        }
        return max(channels.count, customary)
    }

    /// What a request for `/` asks for.
    enum Choice: Equatable {
        /// Messages as of version 1: the first channel.
        case plain
        /// Messages as of version 1.1, with the channel's number in front.
        case numbered(UInt8)
        /// 400: no channel has that number.
        case none
    }

    /// Reads `?channel=`; `count` channels exist.
    static func choice(_ text: String?, count: Int) -> Choice {
        guard let text else { return .plain }
        // As it is written, and nothing that merely can be read as a number.
        guard let number = UInt8(text), String(number) == text, number < count else { return .none }
        return .numbered(number)
    }
}

extension Server {
    /// What reCamera's page asks for, and the address at which its supervisor has the stream.
    func socketPortEndpoints() -> [Endpoint] {
        [
            Endpoint(
                .get,
                "/api/deviceMgr/getCameraWebsocketUrl",
                needs: .view,
                "Where the first camera's stream is, as reCamera's page asks for it."
            ) { [unowned self] in $0.respond(Self.result(["websocketUrl": .string(socketURL(for: $0))])) },
            Endpoint(.get, "/api/channels", needs: .view, "The channels of the WebSocket port, as reCamera tells them.")
            {
                [unowned self] in $0.respond(channels(for: $0))
            },
        ]
    }

    /// Answers a request on the port for reCamera's clients: `/` and nothing else.
    func answerOnSocketPort(_ exchange: Exchange) {
        let target = exchange.request.head.target
        guard target.segments.isEmpty, !target.isServer else { return exchange.refuse(.notFound, "Not Found") }
        guard exchange.request.head.method == .get else {
            return exchange.respond(Response(.methodNotAllowed, fields: [HeaderField("Allow", "GET")]))
        }
        let channels = SocketChannel.all(configuration.cameras)
        let choice = SocketChannel.choice(target["channel"], count: SocketChannel.count(channels))
        let number: Int
        switch choice {
        case .plain: number = 0
        case .numbered(let chosen): number = Int(chosen)
        case .none:
            return exchange.refuse(
                .badRequest,
                "there is no such channel; there are 0 to \(SocketChannel.count(channels) - 1)"
            )
        }
        guard !channels.isEmpty else { return exchange.refuse(.notFound, "there is no stream") }
        // A number that a single camera has no stream of its own for means the smallest.
        let channel = channels[min(number, channels.count - 1)]
        let endpoint = Endpoint(.get, "/", needs: .view, ofCamera: true, "A stream for reCamera's clients.") {
            [unowned self] exchange in
            guard let feed = videoFeed(channel.camera, channel.stream) else {
                return exchange.refuse(.notFound, "the stream is not configured any more")
            }
            var prefix: UInt8?
            if case .numbered(let chosen) = choice { prefix = chosen }
            openSocket(exchange) { FrameSocket(self, feed, .recamera, exchange.client, prefix: prefix) }
        }
        exchange.route(endpoint, ["camera": channel.camera, "stream": channel.stream])
        if mayProceed(exchange, endpoint) { endpoint.answer(exchange) }
    }

    /// Where the first camera's stream is for a page that came from this server.
    private func socketURL(for exchange: Exchange, channel: Int? = nil) -> String {
        let isEncrypted = exchange.client.connection.isEncrypted
        let host = exchange.request.head.fields["host"] ?? ""
        let port = configuration.http.webSocketPort
        // A page that came encrypted may not open what is not.
        guard port != 0, !isEncrypted else {
            let scheme = isEncrypted ? "wss" : "ws"
            guard let channel else { return "\(scheme)://\(host)/ws" }
            let found = SocketChannel.all(configuration.cameras)[channel]
            return "\(scheme)://\(host)/\(found.camera)/\(found.stream)/ws?channel=\(channel)"
        }
        return "ws://\(Self.name(host)):\(port)" + (channel.map { "/?channel=\($0)" } ?? "")
    }

    private func channels(for exchange: Exchange) -> Response {
        let all = SocketChannel.all(configuration.cameras)
        let visible = all.enumerated().filter { exchange.maySee($1.camera) }
        let list = visible.map { index, channel -> JSON in
            let camera = configuration.camera(channel.camera)
            let stream = channel.stream == "main" ? camera?.main : camera?.sub
            // Not known at once if nobody watches.
            let feed = videoFeed(channel.camera, channel.stream)
            let described = feed?.description?.description
            let width = described.map { Int($0.width) } ?? stream?.size?.width ?? 0
            let height = described.map { Int($0.height) } ?? stream?.size?.height ?? 0
            return [
                "id": JSON(index), "name": .string("\(channel.camera)/\(channel.stream)"),
                "resolution": .string("\(width)x\(height)"),
                "fps": JSON(Int((described?.frameRate ?? stream?.frameRate)?.value.rounded() ?? 0)),
                "bitrate": JSON(stream?.bitrate ?? 0), "codec": .string(described?.codec.name ?? "h264"),
                "use_case": .string(channel.stream), "websocket_url": .string(socketURL(for: exchange, channel: index)),
                "shm_path": "", "active": .boolean(feed?.isAttached ?? false),
            ]
        }
        // reCamera's page begins with the second channel, the smaller one.
        let first = all.firstIndex { $0.camera == all.first?.camera && $0.stream == "sub" } ?? 0
        return Self.result(["channels": .array(list), "default_channel": JSON(first)])
    }

    /// A host without its port.
    private static func name(_ host: String) -> Substring {
        if host.hasPrefix("["), let end = host.firstIndex(of: "]") { return host[...end] }
        return host.prefix { $0 != ":" }
    }

    /// An answer as reCamera's supervisor gives them.
    private static func result(_ data: JSON) -> Response {
        var body: [UInt8] = []
        let answer: JSON = ["code": 0, "msg": "success", "data": data]
        answer.write(to: &body)
        let fields = [
            HeaderField("Content-Type", "application/json"), HeaderField("Cache-Control", "no-store"),
            HeaderField("X-Content-Type-Options", "nosniff"),
        ]
        return Response(.ok, fields: fields, body: .bytes(body))
    }
}
