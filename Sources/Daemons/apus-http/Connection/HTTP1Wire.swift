// SPDX-License-Identifier: Apache-2.0
// HTTP/1 on a connection: one exchange after the other.

import Bytes
import FanOut
import HTTP
import Log
import Loop
import System

/// Takes requests from a connection and sends their answers, in order.
final class HTTP1Wire: Wire {
    private unowned let client: Client
    private let connection: Connection
    private var http: ServerConnection
    private var exchange: Exchange?
    /// What has the connection after an upgrade.
    private var upgraded: (any UpgradedSession)? { exchange?.session }
    /// The body of the present answer is going out.
    private var isSendingBody = false
    /// The first bytes of the request that is being received.
    private var opening: [UInt8] = []
    /// Nothing follows the present answer.
    private var isClosing = false

    /// A client that sends this much more while it is being answered has to go, in bytes.
    static let pipelineLimit = 64 << 10

    init(_ client: Client) {
        self.client = client
        connection = client.connection
        http = ServerConnection(at: client.server.loop.now)
    }

    var exchanges: [Exchange] { exchange.map { [$0] } ?? [] }

    func takeInput() {
        if let upgraded { return upgraded.takeInput() }
        while exchange == nil, !isClosing, connection.isOpen, !connection.input.isEmpty {
            let input = connection.input
            let (consumed, action) = http.receive(input.span, at: client.server.loop.now)
            connection.input.removeFirst(consumed)
            if opening.count < Response.openingLength {
                opening += input.prefix(Response.openingLength - opening.count)
            }
            switch action {
            case .wait: return
            case .sendContinue: connection.sendUnframed(ServerConnection.continueResponse)
            case .route(let request):
                opening.removeAll(keepingCapacity: true)
                let exchange = Exchange(request, client, self)
                self.exchange = exchange
                client.server.answer(exchange)
            case .refuse(let error): refuse(error)
            }
        }
        guard connection.isOpen else { return }
        // Nobody will ask for anything behind an answer that ends the connection.
        if isClosing {
            connection.input = []
            return
        }
        if connection.input.count > Self.pipelineLimit { client.close("the client sends too much ahead") }
    }

    func goesOnWithoutInput() -> Bool {
        if upgraded != nil { return false }
        if let exchange { return !(exchange.source?.isEndless ?? false) }
        guard isClosing || connection.pendingBytes > 0 || !connection.input.isEmpty else { return false }
        // There may be whole requests left; not from inside of the receiving.
        client.server.loop.later { [weak self] in self?.goOn() }
        return true
    }

    func respond(_ response: Response, to exchange: Exchange) {
        var bytes: [UInt8] = []
        let outcome = http.respond(response, at: client.server.loop.now, date: Self.date, into: &bytes)
        isClosing = outcome.closes
        isSendingBody = outcome.bodyFollows && exchange.source != nil
        if isSendingBody, connection.hasInputEnded, exchange.source?.isEndless ?? false {
            return client.close("the client has gone")
        }
        connection.sendUnframed(bytes)
        guard connection.isOpen else { return }
        guard isSendingBody, let source = exchange.source else { return finish() }
        // Most of a fan-out's own time goes into coming from object to object, so no other one is asked on the way. These
        // hold each other until the answer or the connection ends.
        let connection = connection
        exchange.connection = connection
        connection.nextImage = { [unowned self] in
            guard let image = source.nextImage() else {
                if source.isFinished { finish() }
                return nil
            }
            exchange.bytesSent += UInt64(image.count)
            if source.hasPrefix != (connection.framing != nil) {
                let prefix = { [unowned source] (_: Int, output: inout [UInt8]) in source.writePrefix(into: &output) }
                connection.framing = source.hasPrefix ? prefix : nil
            }
            return image
        }
        connection.pump()
    }

    func pump(_ exchange: Exchange) { connection.pump() }

    func abort(_ exchange: Exchange, _ reason: String) { client.close(reason) }

    func upgrade(_ exchange: Exchange, _ response: Response) -> Connection? {
        var bytes: [UInt8] = []
        _ = http.respond(response, at: client.server.loop.now, date: Self.date, into: &bytes)
        connection.sendUnframed(bytes)
        // What came behind the request is the new protocol's; not from inside of the handler.
        client.server.loop.later { [weak self] in
            guard let self, connection.isOpen else { return }
            if !connection.input.isEmpty { takeInput() }
            connection.pump()
        }
        return connection
    }

    func nextImage() -> WireImage? {
        if let upgraded { return upgraded.nextImage() }
        // Not from here, inside of the sending.
        if isClosing, !isSendingBody { client.server.loop.later { [weak self] in self?.hangUp() } }
        return nil
    }

    func checkTime(_ now: Instant) {
        if let upgraded { return upgraded.checkTime(now) }
        switch http.handleTimeout(at: now) {
        case .wait: break
        case .close: client.close("idle")
        case .refuse(let error): refuse(error)
        }
    }

    func ended(_ reason: String) {
        // Reaches the client if this side ends the connection.
        upgraded?.sayGoodbye(reason)
        isClosing = true
        isSendingBody = false
        connection.nextImage = nil
        connection.framing = nil
        let last = exchange
        exchange = nil
        last?.end(reason)
    }

    /// The answer is complete: the next request, or the end.
    private func finish() {
        if isSendingBody { client.pullFromWire() }
        isSendingBody = false
        let last = exchange
        exchange = nil
        last?.end("done")
        client.server.loop.later { [weak self] in self?.goOn() }
    }

    private func goOn() {
        guard connection.isOpen else { return }
        if isClosing { return hangUp() }
        takeInput()
        // Behind the last answer nothing can follow.
        guard connection.hasInputEnded, exchange == nil else { return }
        isClosing = true
        connection.input = []
        hangUp()
    }

    private func refuse(_ error: RequestError) {
        client.server.log.debug(
            "refused",
            ["client": client.id, "peer": connection.peer, "reason": error.reason]
        )
        var bytes: [UInt8] = []
        // Programs are told in JSON, also of what is wrong with the request itself.
        let response = Response(refusing: error).forPrograms(opening: opening)
        _ = http.respond(response, at: client.server.loop.now, date: Self.date, into: &bytes)
        isClosing = true
        connection.sendUnframed(bytes)
        client.server.loop.later { [weak self] in self?.hangUp() }
    }

    private func hangUp() {
        guard isClosing, exchange == nil, connection.pendingBytes == 0 else { return }
        client.hangUp("the answer was the last one")
    }

    /// Seconds since 1970 UTC.
    private static var date: Int64 { Clock.realtimeNanoseconds() / 1_000_000_000 }
}
