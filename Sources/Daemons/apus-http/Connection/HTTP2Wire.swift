// SPDX-License-Identifier: Apache-2.0
// HTTP/2 on a connection: many exchanges at the same time, each a stream.

import Bytes
import FanOut
import HTTP
import HTTP2
import Log
import Loop
import System

/// Takes requests from a connection's streams and sends their answers as the client's windows allow.
///
/// Bodies are pulled a frame at a time, so a stream that does not get on holds its place and nothing else.
final class HTTP2Wire: Wire {
    private unowned let client: Client
    private var connection: Connection { client.connection }
    private var loop: EventLoop { client.server.loop }
    private let session: HTTP2Session
    private var open: [Int: Exchange] = [:]
    private var idleSince: Instant
    private var isFilling = false
    private var isEnding = false

    /// A request has to be complete this long after its beginning.
    static let requestTimeout = ServerConnection.bodyTimeout

    init(_ client: Client) throws(HTTP2Error) {
        self.client = client
        idleSince = client.server.loop.now
        session = try HTTP2Session(at: client.server.loop.now)
    }

    var exchanges: [Exchange] { open.sorted { $0.key < $1.key }.map(\.value) }

    func takeInput() {
        let input = connection.input
        connection.input = []
        guard !isEnding, !input.isEmpty else { return }
        do throws(HTTP2Error) {
            handle(try session.receive(input.span, at: loop.now))
        } catch {
            client.server.log.debug("refused", ["client": client.id, "peer": connection.peer, "reason": error.reason])
            isEnding = true
        }
        guard connection.isOpen else { return }
        connection.pump()
        if isEnding || session.isOver { leave("HTTP/2 has ended") }
    }

    func goesOnWithoutInput() -> Bool { open.values.contains { !($0.source?.isEndless ?? false) } }

    func respond(_ response: Response, to exchange: Exchange) {
        let body = exchange.source.map { StreamBody(exchange, $0) }
        session.respond(Int32(exchange.stream), response, date: Self.date, body: body)
        flush()
    }

    func pump(_ exchange: Exchange) {
        session.resume(Int32(exchange.stream))
        flush()
    }

    func abort(_ exchange: Exchange, _ reason: String) {
        open[exchange.stream] = nil
        session.reset(Int32(exchange.stream))
        end(exchange, reason)
        flush()
    }

    func upgrade(_ exchange: Exchange, _ response: Response) -> Connection? { nil }

    func nextImage() -> WireImage? {
        isFilling = true
        defer { isFilling = false }
        do throws(HTTP2Error) {
            let bytes = try session.nextOutput(at: loop.now)
            handle(session.takeEvents())
            if !bytes.isEmpty { connection.sendUnframed(bytes) }
        } catch {
            loop.later { [weak self] in self?.leave(error.reason) }
        }
        return nil
    }

    func checkTime(_ now: Instant) {
        let limit = Client.stallTimeout
        for stream in session.overdue(at: now, request: Self.requestTimeout, body: limit) {
            if let exchange = open[Int(stream)] {
                abort(exchange, "the client takes nothing")
            } else {
                session.reset(stream)
                flush()
            }
        }
        guard session.streamCount == 0 else {
            idleSince = now
            return
        }
        if now - idleSince > ServerConnection.idleTimeout { client.close("idle") }
    }

    func ended(_ reason: String) {
        isEnding = true
        // Reaches the client if this side ends the connection.
        if connection.isOpen {
            session.goAway()
            connection.pump()
        }
        let last = open
        open = [:]
        for exchange in last.values { end(exchange, reason) }
    }

    private func handle(_ events: [HTTP2Event]) {
        for event in events {
            guard connection.isOpen else { return }
            switch event {
            case .request(let stream, let request):
                let exchange = Exchange(request, client, self, stream: Int(stream))
                open[Int(stream)] = exchange
                client.server.answer(exchange)
            case .refuse(let stream, let error):
                client.server.log.debug(
                    "refused",
                    ["client": client.id, "peer": connection.peer, "reason": error.reason]
                )
                session.respond(stream, Response(refusing: error), date: Self.date)
                flush()
            case .closed(let stream, let code):
                idleSince = loop.now
                if let exchange = open.removeValue(forKey: Int(stream)) {
                    end(exchange, code == 0 ? "done" : "closed by the peer")
                }
                if connection.hasInputEnded { loop.later { [weak self] in self?.leaveIfDone() } }
            }
        }
    }

    /// Ends an exchange. One stream's sending may end another's, whose source is about to be told of the same picture:
    /// so all stay until that is over.
    private func end(_ exchange: Exchange, _ reason: String) {
        exchange.end(reason)
        loop.later { extendLifetime(exchange) }
    }

    /// Sends what there is; not from inside of the sending.
    private func flush() {
        guard connection.isOpen else { return }
        guard isFilling else { return connection.pump() }
        loop.later { [weak self] in self?.connection.pump() }
    }

    private func leaveIfDone() {
        guard connection.isOpen, !goesOnWithoutInput() else { return }
        leave("the answer was the last one")
    }

    private func leave(_ reason: String) {
        guard connection.isOpen else { return }
        connection.pump()
        client.hangUp(reason)
    }

    /// Seconds since 1970 UTC.
    private static var date: Int64 { Clock.realtimeNanoseconds() / 1_000_000_000 }
}

/// The images of an exchange's source, cut into frames.
private final class StreamBody: HTTP2Body {
    private unowned let exchange: Exchange
    private let source: any BodySource
    /// What goes in front of the present image, as far as it has not gone.
    private var prefix: [UInt8] = []
    private var image: WireImage?
    private var sent = 0

    init(_ exchange: Exchange, _ source: any BodySource) {
        self.exchange = exchange
        self.source = source
    }

    var isComplete: Bool { source.isFinished }

    func prepare() -> Int {
        while rest == 0, let next = source.nextImage() {
            exchange.bytesSent += UInt64(next.count)
            prefix = []
            if source.hasPrefix { source.writePrefix(into: &prefix) }
            (image, sent) = (next, 0)
        }
        return rest
    }

    func take(_ count: Int, into output: inout [UInt8]) {
        let leading = min(count, prefix.count)
        output += prefix[..<leading]
        prefix.removeFirst(leading)
        let end = sent + count - leading
        image?.withBytes { output.append($0.extracting(sent..<end)) }
        sent = end
        if sent == image?.count { (image, sent) = (nil, 0) }
    }

    private var rest: Int { prefix.count + (image?.count ?? 0) - sent }
}
