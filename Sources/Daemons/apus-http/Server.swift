// SPDX-License-Identifier: Apache-2.0
// The HTTP server: listener, clients, cameras, time limits.

import Access
import Bytes
import Config
import Control
import Daemon
import FanOut
import HTTP
import Log
import Loop
import System
import Telemetry

/// Serves all cameras to all clients.
final class Server {
    let log: Logger
    let loop: EventLoop
    /// The names of all cameras, in the configuration's order.
    var cameraNames: [String] { context.configuration.cameras.map(\.name) }
    /// Where the cameras' processes make pictures.
    var runDirectory: RunDirectory { context.runDirectory }
    /// Pictures that are not there as they are wanted, by camera.
    var pictures: [String: PictureMaker] = [:]
    /// The cameras that have pictures, by name.
    private(set) var feeds: [String: Feed] = [:]
    /// The coded streams that are being watched, as `CAMERA/STREAM`; `videoFeed` finds or begins one.
    var videoFeeds: [String: VideoFeed] = [:]
    /// The cameras' streams as HLS, MSE and clips have them.
    private(set) lazy var movies = Movies(self)
    private(set) lazy var report = Report(context, self)
    /// Who may do what.
    var access: Access
    /// Sessions, share links, and which pages are let in.
    let gate: Gate
    /// What can be asked for.
    private(set) var endpoints = EndpointTable()
    /// All connections, by number.
    private(set) var clients: [Int: Client] = [:]

    /// The configuration in force.
    var configuration: Configuration { context.configuration }
    /// A client that falls behind by more goes on at the newest keyframe.
    var maximumLatency: Duration { context.configuration.http.maximumLatency }
    /// Where a stream's ring is.
    func ring(_ camera: String, _ stream: String) -> String { context.runDirectory.ring(camera, stream) }

    let context: DaemonContext
    /// The other daemons.
    let neighbours: Neighbours
    /// What has happened.
    let journal: EventJournal
    /// The kernel's figures, where no supervisor tells them.
    let telemetry: Telemetry
    /// What is counted of viewers.
    var traffic = TrafficTable()
    private(set) var watching: Watching?
    private let hub: ConnectionHub
    private let listener: Listener
    /// More of them, where several sockets were opened for this server.
    private var others: [Listener] = []
    /// The port for reCamera's clients; nil for none.
    private let socketListener: Listener?
    /// The Unix socket; nil for none.
    private let unixListener: Listener?
    private var handovers: HandoverPort?
    /// What clients connect to by TLS; nil without a certificate.
    private var secure: Listener?
    private var security: Security?
    private var lastClient = 0
    private var departing: [Int: Departure] = [:]

    /// What the kernel may hold unsent for a client: about a picture, so that a slow client's next one is a new one.
    private static let unsentLimit: Int32 = 128 << 10
    /// So many connections wait for their clients to have read the last answer.
    private static let departingLimit = 64
    /// So many clients of HTTPS beyond the limit are told that there are too many.
    private static let turnedAwayLimit = 8

    /// Starts to listen.
    init(_ context: DaemonContext) throws {
        self.context = context
        telemetry = Telemetry(disks: ["/", context.runDirectory.path])
        log = context.log
        loop = context.loop
        hub = ConnectionHub(loop: context.loop)
        neighbours = Neighbours(context)
        journal = EventJournal(context.loop)
        let configuration = context.configuration
        do throws(ConfigError) {
            access = try Access.load(
                configuration,
                from: { () throws(ConfigError) in try context.files.users(configuration) },
                log
            )
        } catch {
            throw Failure(.usage, error.description)
        }
        gate = try Gate(configuration, context.files, loop, log) { [neighbours] kept in
            neighbours.ask("supervisor", "shares-keep") { answer in
                if case .failure(let error) = answer { kept("\(error)") } else { kept(nil) }
            }
        }
        if let tls = configuration.tls { security = try Self.security(context.files.tls(tls), log) }
        listener = try Self.listen("http", configuration.http.port, key: "port", context)
        if security != nil { secure = try Self.listen("https", configuration.http.tlsPort, key: "tls_port", context) }
        socketListener =
            configuration.http.webSocketPort == 0
            ? nil : try Self.listen("websocket", configuration.http.webSocketPort, key: "websocket_port", context)
        unixListener = try Self.listenUnix(context)
        endpoints.add(motionJPEGEndpoints() + snapshotEndpoints() + apiEndpoints() + pageEndpoints())
        endpoints.add(frameSocketEndpoints() + socketPortEndpoints())
        endpoints.add(liveStreamingEndpoints() + mediaSourceEndpoints() + clipEndpoints())
        serve(configuration)
        handovers = try takeOver()
        try listener.start { [unowned self] socket, peer throws(SystemError) in try admit(socket, peer, nil) }
        try secure?.start { [unowned self] socket, peer throws(SystemError) in try admit(socket, peer, security) }
        context.listening("http", listener.address)
        if let secure { context.listening("https", secure.address) }
        if let socketListener {
            try socketListener.start { [unowned self] socket, peer throws(SystemError) in
                try admit(socket, peer, nil, toSocketPort: true)
            }
            context.listening("websocket", socketListener.address)
        }
        if let unixListener {
            try unixListener.start { [unowned self] socket, peer throws(SystemError) in try admit(socket, peer, nil) }
            let path = unixListener.address.unixPath ?? configuration.http.unixSocket
            context.listening("unix", path: path)
            if context.sockets(for: "http-unix").isEmpty { context.onStop { File.remove(path) } }
        }
        try listenOnOthers()
        loop.timer(every: .seconds(1)) { [unowned self] in checkTime() }
        context.status = { [unowned self] in report.status() }
        context.reload = { [unowned self] in take($0) }
        context.reloadFiles = { [unowned self] in renewSecurity() }
        addVerbs()
        for verb in shareVerbs() { context.control.commands.add(verb) }
        neighbours.take(configuration)
        watching = Watching(self)
        context.onStop { [unowned self] in
            for client in clients.values { client.close("the server stops") }
            handovers?.close()
        }
    }

    /// Forgets a client whose connection has ended.
    func remove(_ client: Client) {
        guard clients[client.id] === client else { return }
        clients[client.id] = nil
        movies.sessions.closed(client)
        // It may be in the middle of its own work.
        loop.later { extendLifetime(client) }
    }

    /// Closes a socket after its client has, or after a while: closing at once could destroy an answer under way.
    func linger(_ socket: consuming FileDescriptor) {
        guard departing.count < Self.departingLimit else { return }
        let raw = socket.raw
        let departure = Departure(socket)
        do throws(SystemError) {
            try departure.begin(loop) { [unowned self] in departing[Int(raw)] = nil }
            departing[Int(raw)] = departure
        } catch {
            log.debug("cannot wait for a client to close", ["error": error])
        }
    }

    /// Follows the list of cameras: what is new begins, what is gone ends with its clients, the rest goes on.
    private func serve(_ configuration: Configuration) {
        let (old, cameras) = (feeds, configuration.cameras)
        feeds = [:]
        for camera in cameras where camera.jpeg != nil { feeds[camera.name] = old[camera.name] ?? begin(camera) }
        for (name, feed) in old where feeds[name] == nil { feed.end() }
        endOldVideoFeeds(cameras)
        movies.take(configuration)
    }

    private func begin(_ camera: CameraConfiguration) -> Feed {
        Feed(name: camera.name, loop: loop, ring: context.runDirectory.ring(camera.name, "jpeg"))
    }

    private static func listen(
        _ name: String,
        _ port: UInt16,
        key: String,
        _ context: DaemonContext
    ) throws -> Listener {
        let (loop, log, configuration) = (context.loop, context.log, context.configuration.http)
        if let socket = context.sockets(for: name).first { return try Listener(socket, loop, log) }
        guard let address = SocketAddress(host: configuration.listen, port: port) else {
            throw Failure(.usage, "[http] listen = \(configuration.listen) is no address")
        }
        do throws(SystemError) {
            return try Listener(address, loop, log)
        } catch {
            throw Failure.cannotListen("http", key: key, address, error)
        }
    }

    /// Where several sockets were opened for one protocol, as for IPv4 and IPv6: those behind the first.
    private func listenOnOthers() throws {
        for name in ["http", "https", "websocket", "http-unix"] {
            for socket in context.sockets(for: name).dropFirst() {
                let other = try Listener(socket, loop, log)
                try other.start { [unowned self] socket, peer throws(SystemError) in
                    try admit(socket, peer, name == "https" ? security : nil, toSocketPort: name == "websocket")
                }
                others.append(other)
                if let path = other.address.unixPath {
                    context.listening("unix", path: path)
                } else {
                    context.listening(name, other.address)
                }
            }
        }
    }

    private static func listenUnix(_ context: DaemonContext) throws -> Listener? {
        let (loop, log, configuration) = (context.loop, context.log, context.configuration.http)
        if let socket = context.sockets(for: "http-unix").first { return try Listener(socket, loop, log) }
        let path = configuration.unixSocket
        guard !path.isEmpty else { return nil }
        do throws(SystemError) {
            return try Listener(unix: path, mode: configuration.unixSocketMode, loop, log)
        } catch {
            throw Failure(
                .cannotListen,
                "cannot listen on \(path): \(error.reason); set another unix_socket in [http]"
            )
        }
    }

    /// Takes connections over that came to the RTSP port: what was received of them, and what comes.
    private func takeOver() throws -> HandoverPort {
        try HandoverPort(context.runDirectory.httpHandover, loop) {
            [unowned self] socket, message throws(SystemError) in
            let peer = try Socket.peerAddress(socket.raw)
            let number = lastClient
            try admit(socket, peer, nil)
            guard lastClient != number, let client = clients[lastClient] else { return }
            client.connection.input = Array(message)
            client.takeInput()
        }
    }

    private func admit(
        _ socket: consuming FileDescriptor,
        _ peer: SocketAddress,
        _ security: Security?,
        toSocketPort: Bool = false
    ) throws(SystemError) {
        let limit = context.configuration.http.maximumClients
        if clients.count >= limit { makeRoom() }
        // A client of HTTPS can be told only after the handshake.
        let isTurnedAway = clients.count >= limit && security != nil && clients.count < limit + Self.turnedAwayLimit
        if clients.count >= limit { log.warn("too many clients", ["peer": peer, "limit": limit]) }
        guard clients.count < limit || isTurnedAway else {
            guard security == nil else { return }
            _ = try Socket.send(socket.raw, Self.full.span)
            return linger(socket)
        }
        Socket.setOption(socket.raw, .unsentLowWater, Self.unsentLimit)
        Socket.setOption(socket.raw, .keepAlive, 1)
        let engine = security?.engine()
        guard security == nil || engine != nil else { return }
        lastClient += 1
        let connection = Connection(hub, socket: socket, peer: peer, tls: engine)
        if engine != nil { connection.answerInTheClear = Self.notEncrypted }
        let client = Client(lastClient, connection, self)
        client.isOnSocketPort = toSocketPort
        client.isTurnedAway = isTurnedAway
        try client.start()
        clients[client.id] = client
    }

    /// Closes a connection that waits for nothing: who opens many and asks nothing must not keep others out.
    private func makeRoom() {
        let idle = clients.values.filter { $0.exchanges.isEmpty && !$0.isTurnedAway }
        // Who has never asked for anything goes first, then who came first.
        idle.min { ($0.hasAsked ? 1 : 0, $0.id) < ($1.hasAsked ? 1 : 0, $1.id) }?.close("makes room for another")
    }

    private static let full = Array(
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".utf8
    )

    private static let notEncrypted: [UInt8] = {
        let text = "this port speaks HTTPS: the address begins with https://\n"
        let head =
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
            + "Content-Length: \(text.utf8.count)\r\nConnection: close\r\n\r\n"
        return Array((head + text).utf8)
    }()

    private func checkTime() {
        for client in clients.values { client.checkTime(loop.now) }
        movies.sessions.expire(at: loop.now)
    }

    /// The port of HTTPS; nil without a certificate.
    var securePort: UInt16? { secure?.address.port }

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
        let isSamePort = new.http.port == old.http.port || new.http.port == listener.address.port
        let isSameTLSPort = new.http.tlsPort == old.http.tlsPort || new.http.tlsPort == secure?.address.port
        guard isSamePort, isSameTLSPort, (new.tls != nil) == (security != nil), new.http.listen == old.http.listen,
            new.http.isEnabled == old.http.isEnabled, new.http.webSocketPort == old.http.webSocketPort,
            new.http.unixSocket == old.http.unixSocket, new.http.unixSocketMode == old.http.unixSocketMode
        else {
            return false
        }
        access.take(new, from: { [context] () throws(ConfigError) in try context.files.users(new) }, log)
        gate.take(new, access)
        serve(new)
        neighbours.take(new)
        for client in clients.values { client.recheck() }
        return true
    }
}

/// A socket on which everything has been said: waits for its client to close, so that nothing is cut off.
private final class Departure {
    private let socket: FileDescriptor
    private var watch: Watch?
    private var timer: LoopTimer?

    static let patience = Duration.seconds(2)

    init(_ socket: consuming FileDescriptor) { self.socket = socket }

    /// Tells the client that nothing more comes and throws away what it still sends; then calls `done`.
    func begin(_ loop: EventLoop, _ done: @escaping () -> Void) throws(SystemError) {
        Socket.finishSending(socket.raw)
        let finish = { [unowned self] in
            watch?.cancel()
            timer?.cancel()
            done()
        }
        timer = loop.timer(after: Self.patience, finish)
        watch = try loop.watch(socket.raw, .read) { [unowned self] _ in
            var sink: [UInt8] = []
            guard case .bytes? = try? read(socket.raw, appendingTo: &sink, atMost: 4096) else { return finish() }
        }
    }
}
