// SPDX-License-Identifier: Apache-2.0
// A client session with its connection: what players and publishers share.

import Bytes
import Crypto
import Loop
import RTSP
import SDP
import System

/// Runs a session on a connection: connects, authenticates, follows redirects, keeps time.
final class SessionDriver {
    /// What the session tells; everything is called on the loop's thread, nothing after `stop` or `ended`.
    struct Events {
        var described: (SessionDescription) -> Void
        var transportRefused: () -> Void
        var started: () -> Void
        /// A packet on the connection: track, whether it is RTCP, the bytes.
        var packet: (Int, Bool, Span<UInt8>) -> Void
        var noted: (ClientDeviation) -> Void
        var ended: (PlayerEnd) -> Void
    }

    private(set) var session: ClientSession
    private let loop: EventLoop
    private let settings: PlayerSettings
    private let authenticator: AuthenticatorBox
    private let events: Events
    private var link: Link?
    private var timer: LoopTimer?
    private var timerDue: Instant?
    private var connectTimer: LoopTimer?
    private var isOver = false

    /// The authenticator of the target at hand: a redirect brings another.
    private final class AuthenticatorBox {
        var authenticator: Authenticator
        init(_ authenticator: Authenticator) { self.authenticator = authenticator }
    }

    init(
        loop: EventLoop,
        target: RTSPTarget,
        purpose: ClientSession.Purpose,
        settings: PlayerSettings,
        events: Events
    ) {
        self.loop = loop
        self.settings = settings
        self.events = events
        let box = AuthenticatorBox(Authenticator(target.credentials))
        authenticator = box
        session = ClientSession(target, purpose, agent: settings.agent) { box.authenticator.authorization($0) }
    }

    deinit { close() }

    /// Connects.
    func start() { connect() }

    /// Says farewell and closes; nothing is called any more.
    func stop() {
        guard !isOver else { return }
        isOver = true
        session.tearDown(at: loop.now)
        while let event = session.nextEvent() {
            if case .send(let bytes) = event { link?.send(bytes.span) }
        }
        close()
    }

    /// Asks for tracks; see `ClientSession.setUp`.
    func setUp(_ requests: [ClientSession.Request]) {
        session.setUp(requests, at: loop.now)
        settle()
    }

    /// Sends bytes on the connection: interleaved packets.
    func send(_ bytes: Span<UInt8>) { link?.send(bytes) }

    /// Bytes that the server has not taken yet.
    var pendingBytes: Int { link?.pendingBytes ?? 0 }

    /// The server's address; nil before the connection.
    var peer: SocketAddress? { link?.peer }

    /// The address on this side of the connection.
    var localAddress: SocketAddress? { link?.localAddress }

    private func connect() {
        link?.close()
        authenticator.authenticator = Authenticator(session.target.credentials)
        var tls: TLSContext?
        if session.target.isSecure {
            do throws(TLSError) {
                tls = try TLSContext.client(trust: settings.trust)
            } catch {
                return loop.later { [weak self] in self?.end(.connection("\(error)")) }
            }
        }
        let link = Link(loop: loop, host: session.target.host, port: session.target.port, tls: tls)
        self.link = link
        link.onOpen = { [unowned self] in
            connectTimer?.cancel()
            session.connected(at: loop.now)
            settle()
        }
        link.onInput = { [unowned self] in takeInput() }
        // One call each: the owner may let go of self within it.
        link.onClose = { [unowned self] reason in closed(reason) }
        connectTimer?.cancel()
        connectTimer = loop.timer(after: settings.connectTimeout) { [unowned self] in
            end(.connection("no connection within \(Int(settings.connectTimeout.seconds)) s"))
        }
        link.start()
    }

    private func closed(_ reason: String?) {
        if let reason { return end(.connection(reason)) }
        session.disconnected()
        settle()
        end(.connection("the server closed the connection"))
    }

    private func close() {
        timer?.cancel()
        connectTimer?.cancel()
        link?.close()
    }

    private func end(_ reason: PlayerEnd) {
        guard !isOver else { return }
        isOver = true
        close()
        events.ended(reason)
    }

    private func takeInput() {
        guard let link else { return }
        // Taken out for the turn: a span cannot look into a class's property.
        var input: [UInt8] = []
        swap(&input, &link.input)
        var consumed = 0
        while !isOver, self.link === link, consumed < input.count {
            let rest = input.span.extracting(consumed...)
            let taken = session.take(rest, at: loop.now)
            if taken.consumed == 0 { break }
            if let packet = taken.packet {
                events.packet(packet.track, packet.isControl, rest.extracting(packet.payload))
            }
            consumed += taken.consumed
            handleEvents()
        }
        input.removeFirst(consumed)
        swap(&input, &link.input)
        arm()
    }

    /// Does what the session says after a call to it.
    private func settle() {
        handleEvents()
        arm()
    }

    private func handleEvents() {
        while !isOver, let event = session.nextEvent() {
            switch event {
            case .send(let bytes): link?.send(bytes.span)
            case .described(let description): events.described(description)
            case .transportRefused: events.transportRefused()
            case .started: events.started()
            case .noted(let deviation): events.noted(deviation)
            case .redirected: connect()
            case .ended: end(.goodbye)
            case .failed(let failure): end(.session(failure))
            }
        }
    }

    private func handleTimeout() {
        timerDue = nil
        session.handleTimeout(at: loop.now)
        settle()
    }

    private func arm() {
        guard !isOver, let due = session.deadline, timerDue.map({ due < $0 }) ?? true else { return }
        timer?.cancel()
        timerDue = due
        timer = loop.timer(at: due) { [unowned self] in
            handleTimeout()
        }
    }
}
