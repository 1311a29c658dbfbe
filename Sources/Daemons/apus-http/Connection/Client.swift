// SPDX-License-Identifier: Apache-2.0
// One connection: who is at the other end, and what it speaks.

import Access
import Bytes
import FanOut
import HTTP
import HTTP2
import Log
import Loop
import System

/// A client of the HTTP server.
final class Client {
    let id: Int
    let connection: Connection
    unowned let server: Server
    /// Who the client is; each request has to show it, as a proxy may send many clients' through one connection.
    var access: AccessSession
    /// True for who came to the port for reCamera's clients.
    var isOnSocketPort = false
    /// True for who came to the Unix socket.
    var isOnUnixSocket: Bool { connection.peer.isUnix }
    /// True for who is only told that there are too many.
    var isTurnedAway = false
    /// True once there was a whole request.
    var hasAsked = false
    /// What the connection speaks; nil until that is known.
    private var wire: (any Wire)?
    private let began: Instant

    /// A client that takes nothing of what waits for it for this long has to go.
    static let stallTimeout = Duration.seconds(30)
    /// TLS has to be agreed on after this long; who is turned away has to be gone.
    static let handshakeTimeout = Duration.seconds(10)

    init(_ id: Int, _ connection: Connection, _ server: Server) {
        self.id = id
        self.connection = connection
        self.server = server
        began = server.loop.now
        access = AccessSession(
            host: connection.peer.host,
            isPrivate: connection.peer.isLoopback || connection.isEncrypted,
            trustsConnection: false
        )
    }

    /// The exchanges under way.
    var exchanges: [Exchange] { wire?.exchanges ?? [] }

    /// Starts to serve.
    func start() throws(SystemError) {
        if !connection.isEncrypted { speak() }
        connection.onInput = { [unowned self] in takeInput() }
        connection.onInputEnd = { [unowned self] in wire?.goesOnWithoutInput() ?? false }
        pullFromWire()
        connection.onClose = { [unowned self] reason in
            wire?.ended(reason.description)
            server.remove(self)
        }
        try connection.start()
    }

    /// Takes what has been received.
    func takeInput() {
        // Whoever says something has been through the handshake.
        if wire == nil { speak() }
        wire?.takeInput()
    }

    /// What goes out, the wire says; in the middle of a body it may say otherwise.
    func pullFromWire() {
        connection.framing = nil
        connection.nextImage = { [unowned self] in wire?.nextImage() }
    }

    /// Begins with what was agreed on in the handshake.
    private func speak() {
        guard connection.negotiatedProtocol == "h2" else {
            wire = HTTP1Wire(self)
            return
        }
        do throws(HTTP2Error) {
            wire = try HTTP2Wire(self)
        } catch {
            server.log.warn("a connection cannot be served", ["client": id, "error": error])
            close(error.reason)
        }
    }

    /// Ends what has taken too long.
    func checkTime(_ now: Instant) {
        if now - began > Self.handshakeTimeout {
            if isTurnedAway { return close("there are too many clients") }
            if connection.isShakingHands { return close("the TLS handshake takes too long") }
        }
        if connection.isStalled(for: Self.stallTimeout) { return close("the client takes nothing") }
        if wire == nil, now - began > ServerConnection.idleTimeout { return close("idle") }
        wire?.checkTime(now)
        recheck()
    }

    /// Ends what the client may not have any more: users or share links have changed, or time has passed.
    func recheck() {
        for exchange in exchanges { server.recheck(exchange) }
    }

    /// Closes the connection now.
    func close(_ reason: String) {
        wire?.ended(reason)
        connection.close()
        server.remove(self)
    }

    /// Closes the connection after the last answer, such that the client can still read it.
    func hangUp(_ reason: String) {
        guard let socket = connection.takeSocket() else { return }
        wire?.ended(reason)
        server.linger(socket)
        server.remove(self)
    }
}
