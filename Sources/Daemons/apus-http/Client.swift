// SPDX-License-Identifier: Apache-2.0
// One connection: requests in, answers out, and what is being answered.

import Access
import Bytes
import FanOut
import HTTP
import Log
import Loop
import Media
import System

/// A client of the HTTP server.
final class Client {
    /// What the connection is busy with.
    enum Activity {
        /// Waits for a request, or is in the middle of one.
        case requests
        /// Waits until its credentials are looked at, since attempts from its address failed.
        case held(LoopTimer)
        /// Waits for a picture that is fresh.
        case awaiting(Feed, LoopTimer)
        /// The picture of a snapshot goes out; nil once the connection has it.
        case snapshot(WireImage?)
        /// Watches a camera.
        case watching(Viewing)
        /// What is left to send goes out, then the connection closes.
        case closing
    }

    /// A client's place in a camera's pictures.
    struct Viewing {
        let feed: Feed
        let form: Feed.Form
        let since: Instant
        var cursor: FrameCursor
        var frames: UInt64 = 0
    }

    let id: Int
    let connection: Connection
    private(set) var activity = Activity.requests
    private unowned let server: Server
    private var http: ServerConnection
    /// Who the client is; each request has to show it, as a proxy may send many clients' through one connection.
    private var access: AccessSession

    /// A client that sends this much more while it is being answered has to go, in bytes.
    static let pipelineLimit = 64 << 10
    /// How long a snapshot waits for a fresh picture.
    static let snapshotPatience = Duration.seconds(5)
    /// A client that takes nothing of what waits for it for this long has to go.
    static let stallTimeout = Duration.seconds(30)

    init(_ id: Int, _ connection: Connection, _ server: Server) {
        self.id = id
        self.connection = connection
        self.server = server
        http = ServerConnection(at: server.loop.now)
        access = AccessSession(
            host: connection.peer.host,
            isPrivate: connection.peer.isLoopback || connection.isEncrypted,
            trustsConnection: false
        )
    }

    /// The user of the last request; nil where none are asked for.
    var user: String? { access.user?.name }

    /// Starts to serve.
    func start() throws(SystemError) {
        connection.onInput = { [unowned self] in takeInput() }
        connection.onClose = { [unowned self] reason in
            endActivity(reason.description)
            server.remove(self)
        }
        connection.nextImage = { [unowned self] in nextImage() }
        try connection.start()
    }

    /// Sends what has become ready, after pictures were published into `feed`.
    func framesPublished(in feed: Feed) {
        switch activity {
        case .awaiting(let awaited, _) where awaited === feed: trySnapshot(feed)
        case .watching(let viewing) where viewing.feed === feed: connection.pump()
        default: break
        }
    }

    /// Ends what the client has to do with a camera whose pictures are not configured any more.
    func feedIsGone(_ feed: Feed) {
        switch activity {
        case .awaiting(let awaited, let timer) where awaited === feed:
            timer.cancel()
            respond(Response(.notFound, text: "the camera \(feed.name) has no JPEG stream any more"))
            server.loop.later { [weak self] in self?.goOn() }
        case .watching(let viewing) where viewing.feed === feed: close("the stream is not configured any more")
        default: break
        }
    }

    /// Ends what has taken too long.
    func checkTime(_ now: Instant) {
        if connection.isStalled(for: Self.stallTimeout) {
            return close("the client takes nothing")
        }
        switch http.handleTimeout(at: now) {
        case .wait: break
        case .close: close("idle")
        case .refuse(let error): refuse(error)
        }
    }

    /// Ends what the user may not have any more; called when the users have changed.
    func usersChanged() {
        guard server.access.isRequired, case .watching(let viewing) = activity else { return }
        if access.currentUser(server.access)?.may(.view, viewing.feed.name) != true {
            close("the user may not watch any more")
        }
    }

    /// Closes the connection now.
    func close(_ reason: String) {
        endActivity(reason)
        connection.close()
        server.remove(self)
    }

    // MARK: Requests

    private func takeInput() {
        while case .requests = activity, connection.isOpen, !connection.input.isEmpty {
            let input = connection.input
            let (consumed, action) = http.receive(input.span, at: server.loop.now)
            connection.input.removeFirst(consumed)
            switch action {
            case .wait: return
            case .sendContinue: connection.send(ServerConnection.continueResponse)
            case .route(let request): answer(request)
            case .refuse(let error): refuse(error)
            }
        }
        switch activity {
        // Nobody will ask for anything on these any more.
        case .watching, .closing: connection.input = []
        case .requests, .held, .awaiting, .snapshot:
            if connection.input.count > Self.pipelineLimit { close("the client sends too much ahead") }
        }
    }

    private func answer(_ request: Request) {
        let head = request.head
        server.log.debug("request", ["client": id, "method": head.method.rawValue, "path": head.target.path])
        guard head.method == .get || head.method == .head else {
            let status: Status = head.method == .options ? .noContent : .methodNotAllowed
            respond(Response(status, fields: [HeaderField("Allow", Route.methods)]))
            return
        }
        let route = Route(head.target, cameras: server.cameraNames)
        guard mayProceed(request, route) else { return }
        switch route {
        case .file(let file): respond(file.response(to: head))
        case .cameras:
            let user = access.user
            respond(server.report.cameras { user?.may(.view, $0) ?? true })
        case .health: respond(server.report.health())
        case .nothing: respond(Response(.notFound, text: "there is nothing at this address"))
        case .snapshot(let camera):
            guard let feed = feed(of: camera) else { return }
            awaitSnapshot(feed)
        case .mjpeg(let camera, let advance):
            guard let feed = feed(of: camera) else { return }
            watch(feed, advance ? .advancePart : .part)
        }
    }

    /// True if the request may be carried out; else it is answered, or held until it may be looked at.
    private func mayProceed(_ request: Request, _ route: Route) -> Bool {
        // That the daemon runs may be asked by everybody: who supervises it has no password.
        if case .health = route { return true }
        let decision = access.decide(
            AccessRequest(
                method: request.head.method.rawValue,
                uri: request.head.target.path,
                authorization: request.head.fields["authorization"],
                permission: .view,
                camera: route.camera
            ),
            &server.access,
            at: server.loop.now
        )
        switch decision {
        case .granted: return true
        case .challenge(let values):
            let fields = values.map { HeaderField("WWW-Authenticate", $0) }
            respond(Response(.unauthorized, text: "a user and password are needed", fields: fields))
        case .forbidden(let user): respond(Response(.forbidden, text: "\(user) may not see this"))
        case .slowed(let until):
            let timer = server.loop.timer(after: until - server.loop.now) { [unowned self] in
                activity = .requests
                answer(request)
                takeInput()
            }
            activity = .held(timer)
        case .locked(let until):
            let seconds = max(1, Int((until - server.loop.now).seconds.rounded(.up)))
            server.log.warn("locked out", ["client": id, "peer": connection.peer, "seconds": seconds])
            let fields = [HeaderField("Retry-After", "\(seconds)")]
            respond(
                Response(.tooManyRequests, text: "too many failed attempts; try again in \(seconds) s", fields: fields)
            )
        }
        return false
    }

    private func feed(of camera: String) -> Feed? {
        if let feed = server.feeds[camera] { return feed }
        respond(Response(.notFound, text: "the camera \(camera) has no JPEG stream"))
        return nil
    }

    private func refuse(_ error: RequestError) {
        server.log.debug("refused", ["client": id, "peer": connection.peer, "reason": error.reason])
        respond(Response(refusing: error))
    }

    /// Sends an answer; true if the caller has to send its body.
    @discardableResult
    private func respond(_ response: Response) -> Bool {
        var bytes: [UInt8] = []
        let date = Clock.realtimeNanoseconds() / 1_000_000_000
        let outcome = http.respond(response, at: server.loop.now, date: date, into: &bytes)
        closesAfterAnswer = outcome.closes
        if !outcome.bodyFollows { finishAnswer() }
        connection.send(bytes)
        return outcome.bodyFollows
    }

    private var closesAfterAnswer = false

    /// Goes on with the next request, or closes once the answer has been sent.
    private func finishAnswer() {
        activity = closesAfterAnswer ? .closing : .requests
    }

    // MARK: Pictures

    private func awaitSnapshot(_ feed: Feed) {
        feed.touch()
        let timer = server.loop.timer(after: Self.snapshotPatience) { [unowned self] in
            respond(Response(.unavailable, text: "\(feed.name): \(feed.trouble)", fields: Self.uncached))
            takeInput()
        }
        activity = .awaiting(feed, timer)
        trySnapshot(feed)
    }

    private func trySnapshot(_ feed: Feed) {
        guard case .awaiting(_, let timer) = activity, let image = feed.freshImage() else { return }
        timer.cancel()
        var timestamp: [UInt8] = []
        Multipart.writeTimestamp(microseconds: feed.utcMicroseconds(image.info.captured), into: &timestamp)
        let fields = [
            HeaderField("Content-Type", "image/jpeg"),
            HeaderField("X-Timestamp", String(decoding: timestamp, as: UTF8.self)),
        ]
        activity = .snapshot(image)
        respond(Response(.ok, fields: fields + Self.uncached, body: .length(image.count)))
    }

    private func watch(_ feed: Feed, _ form: Feed.Form) {
        let fields = [HeaderField("Content-Type", Multipart.contentType)]
        guard respond(Response(.ok, fields: fields + Self.uncached, body: .untilClose)) else { return }
        let now = server.loop.now
        server.log.info("viewer joined", ["client": id, "peer": connection.peer, "camera": feed.name])
        feed.join()
        connection.send(Multipart.opening + (form == .advancePart ? Multipart.advanceFields : []))
        activity = .watching(Viewing(feed: feed, form: form, since: now, cursor: FrameCursor(.newestFrame, at: now)))
        connection.pump()
    }

    /// A picture is of the moment: nobody keeps it.
    private static let uncached = [
        HeaderField("Cache-Control", "no-store, no-cache, must-revalidate, max-age=0"),
        HeaderField("Pragma", "no-cache"), HeaderField("X-Content-Type-Options", "nosniff"),
    ]

    /// What goes out next; called when everything before it has been sent.
    private func nextImage() -> WireImage? {
        switch activity {
        case .requests, .held, .awaiting: return nil
        case .snapshot(let image?):
            activity = .snapshot(nil)
            return image
        case .snapshot(nil):
            finishAnswer()
            // Not from here, inside of the sending: the next answer would not be noticed.
            server.loop.later { [weak self] in self?.goOn() }
            return nil
        case .watching(var viewing):
            guard let image = viewing.feed.nextImage(viewing.form, &viewing.cursor) else { return nil }
            viewing.frames += 1
            activity = .watching(viewing)
            return image
        case .closing:
            server.loop.later { [weak self] in self?.hangUp() }
            return nil
        }
    }

    private func goOn() {
        if case .closing = activity { hangUp() } else { takeInput() }
    }

    /// Closes after the last answer, such that the client can still read it.
    private func hangUp() {
        guard case .closing = activity, connection.pendingBytes == 0, let socket = connection.takeSocket() else {
            return
        }
        server.linger(socket)
        server.remove(self)
    }

    private func endActivity(_ reason: String) {
        switch activity {
        case .held(let timer), .awaiting(_, let timer): timer.cancel()
        case .watching(let viewing):
            viewing.feed.leave()
            server.log.info(
                "viewer left",
                [
                    "client": id, "peer": connection.peer, "camera": viewing.feed.name, "reason": reason,
                    "frames": viewing.frames, "skipped": viewing.cursor.drops[.superseded],
                    "seconds": Int((server.loop.now - viewing.since).seconds),
                ]
            )
        case .requests, .snapshot, .closing: break
        }
        activity = .closing
    }
}
