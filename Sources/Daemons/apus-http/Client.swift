// SPDX-License-Identifier: Apache-2.0
// One connection: who is at the other end, and what it speaks.

import Access
import Bytes
import FanOut
import HTTP
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
    /// What the connection speaks.
    private(set) var wire: (any Wire)?

    /// A client that takes nothing of what waits for it for this long has to go.
    static let stallTimeout = Duration.seconds(30)

    init(_ id: Int, _ connection: Connection, _ server: Server) {
        self.id = id
        self.connection = connection
        self.server = server
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
        wire = HTTP1Wire(self)
        connection.onInput = { [unowned self] in wire?.takeInput() }
        connection.nextImage = { [unowned self] in wire?.nextImage() }
        connection.onClose = { [unowned self] reason in
            wire?.ended(reason.description)
            server.remove(self)
        }
        try connection.start()
    }

    /// Ends what has taken too long.
    func checkTime(_ now: Instant) {
        if connection.isStalled(for: Self.stallTimeout) { return close("the client takes nothing") }
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
