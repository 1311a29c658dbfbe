// SPDX-License-Identifier: Apache-2.0
// The RTSP server: listener, clients, streams, time limits.

import Access
import Bytes
import Config
import Control
import Crypto
import Daemon
import FanOut
import Log
import Loop
import RTSP
import System

/// Serves all streams of all cameras to all clients.
final class Server {
    let log: Logger
    let loop: EventLoop
    /// What the `Server` header says.
    let product = "Apus/\(apusVersion)"
    /// The name in RTCP, different in every life of the daemon (RFC 7022 §4.2).
    let canonicalName = "apus-" + String(Random.uint64(), radix: 16)
    /// The UDP ports; nil if none could be bound.
    private(set) var ports: DatagramPorts?
    /// All connections, by number.
    private(set) var clients: [Int: Client] = [:]
    /// All streams, in the configuration's order.
    private(set) var streams: [Stream] = []
    private(set) lazy var report = Report(self)
    /// Which connections are the halves of HTTP tunnels.
    var tunnels: TunnelTable
    /// Who may do what.
    var access: Access
    /// Where passwords are looked at.
    let passwords: BackgroundQueue
    /// What is counted of viewers.
    var traffic = TrafficTable()

    let context: DaemonContext
    private let hub: ConnectionHub
    /// What clients connect to; nil if nothing unencrypted is served.
    private var plain: Listener?
    /// What clients connect to by TLS; nil without a certificate.
    private var secure: Listener?
    /// More of them, where several sockets were opened for this server.
    private var others: [Listener] = []
    private var security: Security?
    /// Takes over connections from the other workers; nil if there are none.
    private var handovers: HandoverPort?
    /// The number of the next client: workers count in steps, so that none has another's number.
    private var nextClient: Int
    private let clientStep: Int
    /// The cameras' sound, by camera.
    private var sounds: [String: Feed] = [:]

    /// What the kernel may hold unsent for a client, in bytes: a slow client's frames wait in the ring, not there.
    private static let unsentLimit: Int32 = 128 << 10

    /// Starts to listen.
    init(_ context: DaemonContext) throws {
        self.context = context
        log = context.log
        loop = context.loop
        hub = ConnectionHub(loop: context.loop)
        passwords = try BackgroundQueue(context.loop)
        let configuration = context.configuration
        nextClient = context.worker
        clientStep = configuration.rtsp.workers > 1 ? RTSPConfiguration.maximumWorkers : 1
        guard let address = SocketAddress(host: configuration.rtsp.listen, port: configuration.rtsp.port) else {
            throw Failure(.usage, "[rtsp] listen = \(configuration.rtsp.listen) is no address")
        }
        do throws(ConfigError) {
            access = try Access.load(
                configuration,
                from: { () throws(ConfigError) in try context.files.users(configuration) },
                log
            )
        } catch {
            throw Failure(.usage, error.description)
        }
        tunnels = TunnelTable(halfOpenLimit: configuration.rtsp.maximumHalfOpenTunnels)
        if let tls = configuration.tls { security = try Self.security(context.files.tls(tls), log) }
        if !configuration.rtsp.requiresEncryption { plain = try listen("rtsp", address) }
        if security != nil {
            var address = address
            address.port = configuration.rtsp.tlsPort
            secure = try listen("rtsps", address)
        }
        openPorts(address)
        serve(configuration.cameras)
        if workers > 1 {
            handovers = try HandoverPort(context.runDirectory.handover(worker), loop) {
                [unowned self] socket, message throws(SystemError) in
                guard let handover = Handover(message) else { return }
                let peer = try Socket.peerAddress(socket.raw)
                try admit(socket, peer, nil)?.arrive(handover)
            }
        }
        try plain?.start { [unowned self] socket, peer throws(SystemError) in _ = try admit(socket, peer, nil) }
        try secure?.start { [unowned self] socket, peer throws(SystemError) in _ = try admit(socket, peer, security) }
        for name in ["rtsp", "rtsps"] {
            for socket in context.sockets(for: name).dropFirst() {
                let other = try Listener(socket, loop, log)
                try other.start { [unowned self] socket, peer throws(SystemError) in
                    _ = try admit(socket, peer, name == "rtsps" ? security : nil)
                }
                others.append(other)
                context.listening(name, other.address)
            }
        }
        loop.timer(every: .seconds(1)) { [unowned self] in checkTime() }
        context.status = { [unowned self] in report.status() }
        context.reload = { [unowned self] in take($0) }
        context.reloadFiles = { [unowned self] in renewSecurity() }
        addVerbs()
        context.onStop { [unowned self] in
            for client in clients.values { client.close("the server stops") }
            ports?.close()
            handovers?.close()
        }
    }

    /// Which of the workers this is, from 1. The first one has what there must be only one of.
    var worker: Int { context.worker }

    /// How many processes serve.
    var workers: Int { configuration.workers }

    /// The worker after this one.
    var nextWorker: Int { worker % workers + 1 }

    /// Where another worker takes over connections.
    func handoverPath(_ worker: Int) -> String { context.runDirectory.handover(worker) }

    /// Where apus-http takes over connections that came to the wrong port.
    var httpHandoverPath: String { context.runDirectory.httpHandover }

    /// `[rtsp]` as it is in force.
    var configuration: RTSPConfiguration { context.configuration.rtsp }

    /// How fast packets leave over UDP.
    var pace: Pace { Pace(bitsPerSecond: configuration.udpPace) }

    /// Where browsers are sent: who came by TLS stays with it. Nil if there is nothing, or nothing that is known.
    func page(isEncrypted: Bool) -> (scheme: String, port: UInt16)? {
        let http = context.configuration.http
        guard http.isEnabled else { return nil }
        if isEncrypted { return http.tlsPort != 0 ? ("https", http.tlsPort) : nil }
        return http.port != 0 ? ("http", http.port) : nil
    }

    /// The camera that an address is about; nil for one that there is not.
    func camera(_ address: RTSPAddress) -> String? { find(address)?.camera }

    /// The stream at an address: `/cam`, `/cam/sub`, and short names for the first camera.
    func stream(_ address: RTSPAddress) -> Stream? {
        guard let (camera, kind) = find(address) else { return nil }
        return streams.first { $0.camera == camera && $0.kind == kind }
    }

    private func find(_ address: RTSPAddress) -> (camera: String, kind: Stream.Kind)? {
        let cameras = context.configuration.cameras.map(\.name)
        var rest = address.segments[...]
        let camera: String
        if let first = rest.first, cameras.contains(first) {
            camera = first
            rest = rest.dropFirst()
        } else {
            camera = cameras[0]
        }
        guard rest.count <= 1, let kind = Self.kind(rest.first) else { return nil }
        return (camera, kind)
    }

    /// The camera that somebody may publish at an address.
    func publishedCamera(_ address: RTSPAddress) throws(ServerSession.Refusal) -> String {
        guard let stream = stream(address), stream.kind == .main,
            let camera = context.configuration.camera(stream.camera)
        else { throw ServerSession.Refusal(.notFound, "there is no such camera") }
        guard Self.isPublished(camera) else {
            throw ServerSession.Refusal(
                .forbidden,
                "camera \(camera.name) has a source of its own; with source = publish: it takes what is published"
            )
        }
        return camera.name
    }

    /// True if a camera's frames come from a client.
    static func isPublished(_ camera: CameraConfiguration) -> Bool {
        (try? SourceAddress(parsing: camera.source)) == .publish
    }

    /// The multicast group that a stream is sent to; nil if it has none.
    func multicastGroup(of stream: Stream) -> MulticastGroup? {
        context.configuration.camera(stream.camera).flatMap { Self.multicastGroup(of: stream, $0) }
    }

    private static func multicastGroup(of stream: Stream, _ camera: CameraConfiguration) -> MulticastGroup? {
        switch stream.kind {
        case .main: camera.main?.multicast
        case .sub: camera.sub?.multicast
        case .jpeg: camera.jpeg?.multicast
        }
    }

    /// What sends a stream to its multicast group; nil if it has none, none that can be sent to, or another worker
    /// sends.
    func multicastSender(of stream: Stream) -> MulticastSender? {
        guard worker == 1, let group = multicastGroup(of: stream) else { return nil }
        if let sender = stream.multicast, sender.group == group { return sender }
        do throws(SystemError) {
            stream.multicast = try MulticastSender(group, self) { [unowned stream] sender in
                for client in stream.viewers.values { client.noteListener(sender) }
            }
        } catch {
            log.warn("no multicast", ["stream": stream.name, "error": error])
        }
        return stream.multicast
    }

    /// True if sound may be sent to a camera.
    func hasTalkback(_ camera: String) -> Bool { context.configuration.camera(camera)?.hasTalkback ?? false }

    /// Who has the way back to a camera.
    func talker(to camera: String) -> Client? { clients.values.first { $0.talkback?.camera == camera } }

    /// Who sends the frames of a camera.
    func publisher(of camera: String) -> Client? {
        clients.values.first { $0.publication?.camera == camera && $0.publication?.began != nil }
    }

    /// The socket of a camera's ring.
    func ringPath(_ camera: String, _ ring: String) -> String { context.runDirectory.ring(camera, ring) }

    private static func kind(_ name: String?) -> Stream.Kind? {
        switch name {
        case nil, "main", "stream0": .main
        case "sub", "stream1": .sub
        case "jpeg": .jpeg
        default: nil
        }
    }

    /// Forgets a client whose connection has ended.
    func remove(_ client: Client) {
        guard clients[client.id] === client else { return }
        clients[client.id] = nil
        // It may be in the middle of its own work.
        loop.later { extendLifetime(client) }
    }

    private static func kinds(_ camera: CameraConfiguration) -> [Stream.Kind] {
        Stream.Kind.allCases.filter { kind in
            switch kind {
            case .main: camera.main != nil
            case .sub: camera.sub != nil
            case .jpeg: camera.jpeg != nil
            }
        }
    }

    /// Follows the list of cameras: what is new begins, what is gone ends with its clients, the rest goes on.
    private func serve(_ cameras: [CameraConfiguration]) {
        let old = streams
        sounds = sounds.filter { name, _ in cameras.contains { $0.name == name } }
        streams = cameras.flatMap { camera in
            Self.kinds(camera)
                .map { kind in old.first { $0.camera == camera.name && $0.kind == kind } ?? begin(camera, kind) }
        }
        for stream in old where !streams.contains(where: { $0 === stream }) {
            for client in clients.values { client.streamIsGone(stream) }
        }
    }

    private func begin(_ camera: CameraConfiguration, _ kind: Stream.Kind) -> Stream {
        let video = feed(camera.name, kind.rawValue, kind == .jpeg ? .images : .video)
        let stream = Stream(camera, kind, video: video, audio: sound(camera.name))
        video.onFrames = { [unowned stream] in
            for client in stream.describing.values { client.answerDescribe(isLate: false) }
        }
        video.onOtherCodec = { [unowned stream] in
            for client in stream.viewers.values { client.close("the stream has another codec") }
        }
        return stream
    }

    private func sound(_ camera: String) -> Feed {
        if let sound = sounds[camera] { return sound }
        let sound = feed(camera, "audio", .audio)
        sound.onOtherCodec = { [unowned self, unowned sound] in
            for client in clients.values where client.plays(sound) { client.close("the sound has another codec") }
        }
        sounds[camera] = sound
        return sound
    }

    private func feed(_ camera: String, _ ring: String, _ kind: Feed.Kind) -> Feed {
        Feed("\(camera)/\(ring)", kind, loop: loop, ring: ringPath(camera, ring))
    }

    private func listen(_ name: String, _ address: SocketAddress) throws -> Listener {
        let listener: Listener
        do throws(SystemError) {
            if let socket = context.sockets(for: name).first {
                listener = try Listener(socket, loop, log)
            } else {
                listener = try Listener(address, workers: workers, loop, log)
            }
        } catch {
            throw Failure.cannotListen("rtsp", key: name == "rtsps" ? "tls_port" : "port", address, error)
        }
        context.listening(name, listener.address)
        return listener
    }

    private func openPorts(_ address: SocketAddress) {
        do throws(SystemError) {
            ports = try DatagramPorts(host: address, loop: loop, log: log)
        } catch {
            log.warn("no UDP ports, clients have to use TCP", ["error": error])
        }
    }

    private func admit(
        _ socket: consuming FileDescriptor,
        _ peer: SocketAddress,
        _ security: Security?
    ) throws(SystemError) -> Client? {
        if !peer.isLoopback {
            // As failed attempts count: of IPv6, a customer has a /64.
            let network = AccessSession.network(of: peer.host)
            let count = clients.values.count { $0.access.network == network }
            let limit = configuration.maximumClientsPerAddress
            guard count < limit else {
                try refuse(socket, peer, security, "too many clients of one address", limit)
                return nil
            }
        }
        if clients.count >= configuration.maximumClients {
            // A flood of connections that say nothing must not keep others out.
            let idle = clients.values.filter { !$0.isEstablished && !$0.isTunnelInput }.min { $0.id < $1.id }
            guard let idle else {
                try refuse(socket, peer, security, "too many clients", configuration.maximumClients)
                return nil
            }
            idle.close("makes room for another")
        }
        Socket.setOption(socket.raw, .unsentLowWater, Self.unsentLimit)
        Socket.setOption(socket.raw, .keepAlive, 1)
        let engine = security?.engine()
        guard security == nil || engine != nil else { return nil }
        let client = Client(nextClient, Connection(hub, socket: socket, peer: peer, tls: engine), self)
        try client.start()
        nextClient += clientStep
        clients[client.id] = client
        return client
    }

    private func refuse(
        _ socket: consuming FileDescriptor,
        _ peer: SocketAddress,
        _ security: Security?,
        _ reason: String,
        _ limit: Int
    ) throws(SystemError) {
        log.warn(reason, ["peer": peer, "limit": limit])
        var bytes: [UInt8] = []
        RTSPResponse(.notEnoughBandwidth).serialize(into: &bytes)
        // Without a handshake there is no telling a client of RTSPS why.
        if security == nil { _ = try Socket.send(socket.raw, bytes.span) }
    }

    private func checkTime() {
        for client in clients.values { client.checkTime(loop.now) }
        for output in tunnels.expired(at: loop.now) { clients[output]?.close("no POST for the tunnel") }
    }

    private static func security(_ files: (certificate: String, key: String), _ log: Logger) throws -> Security {
        do throws(TLSError) {
            return try Security(certificate: files.certificate, key: files.key, log)
        } catch {
            throw Failure(.usage, "[tls] \(error)")
        }
    }

    /// Shows new clients the certificate that the files have now; if they are no good, the old one stays.
    private func renewSecurity() {
        guard let configuration = context.configuration.tls else { return }
        do {
            security = try Self.security(context.files.tls(configuration), log)
        } catch {
            log.error("the old certificate stays in use", ["error": "\(error)"])
        }
    }

    /// Takes over a changed configuration; false if it needs a restart.
    ///
    /// What is not taken over here is read where it is used.
    private func take(_ new: Configuration) -> Bool {
        let old = context.configuration
        // A port that was left to this server may be written down since.
        let isSamePort = new.rtsp.port == old.rtsp.port || new.rtsp.port == plain?.address.port
        let isSameTLSPort = new.rtsp.tlsPort == old.rtsp.tlsPort || new.rtsp.tlsPort == secure?.address.port
        guard isSamePort, isSameTLSPort, (new.tls != nil) == (security != nil),
            new.rtsp.requiresEncryption == old.rtsp.requiresEncryption
        else { return false }
        guard new.rtsp.listen == old.rtsp.listen, new.rtsp.isEnabled == old.rtsp.isEnabled else {
            return false
        }
        // One alone has its port to itself.
        guard (new.rtsp.workers > 1) == (old.rtsp.workers > 1) else { return false }
        if new.rtsp.workers != old.rtsp.workers {
            plain?.share(among: new.rtsp.workers)
            secure?.share(among: new.rtsp.workers)
        }
        guard new.rtsp.maximumHalfOpenTunnels == old.rtsp.maximumHalfOpenTunnels else { return false }
        access.take(new, from: { [context] () throws(ConfigError) in try context.files.users(new) }, log)
        serve(new.cameras)
        for stream in streams { take(new, for: stream) }
        let pace = Pace(bitsPerSecond: new.rtsp.udpPace)
        for client in clients.values {
            client.usersChanged()
            client.camerasChanged(new)
            for track in client.playback?.tracks ?? [] { track.take(pace, maximumLatency: new.rtsp.maximumLatency) }
        }
        return true
    }

    /// Takes over what has changed about a stream; who listens to a group that it is not sent to any more has to go.
    private func take(_ new: Configuration, for stream: Stream) {
        guard let camera = new.camera(stream.camera) else { return }
        stream.take(camera)
        guard let sender = stream.multicast else { return }
        guard sender.group != Self.multicastGroup(of: stream, camera) else {
            return sender.take(Pace(bitsPerSecond: new.rtsp.udpPace), maximumLatency: new.rtsp.maximumLatency)
        }
        stream.multicast = nil
        for client in clients.values where client.listens(to: sender) {
            client.close("the stream is not sent to group \(sender.group.address) any more")
        }
    }
}
