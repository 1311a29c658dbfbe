// SPDX-License-Identifier: Apache-2.0
// One WebSocket connection: shared messages out, the client's texts in, pings, closing.

import Bytes
import Control
import Crypto
import FanOut
import HTTP
import Loop
import System
import WebSocket

/// What a WebSocket carries: which messages go out, and what comes of the client's.
protocol SocketContent: AnyObject {
    /// One word, as in `clients`: `ws`, `mse`.
    var kind: String { get }
    /// The camera that it is about; nil for none.
    var camera: String? { get }
    /// What else `clients` tells of it.
    var members: [JSON.Member] { get }
    /// The connection is open. Called once, before anything else; `session` lives until `ended` at least.
    func began(_ session: WebSocketSession)
    /// What goes out next; nil if there is nothing now, and then `session.pump` has to be called when there is.
    func nextMessage() -> SocketMessage?
    /// The client has sent a text.
    func take(_ text: String)
    /// The connection has ended. Called once.
    func ended(_ reason: String)
}

extension SocketContent {
    var members: [JSON.Member] { [] }
    func take(_ text: String) {}
}

/// A message on its way out: an image that all clients share.
struct SocketMessage {
    let image: WireImage
    var kind = WebSocket.Kind.binary
    /// A byte that this client gets in front of the image.
    var prefix: UInt8?
}

/// Serves one connection behind its handshake (RFC 6455).
///
/// Each message is one frame. The images are shared; of its own a client has the header in front of them only.
final class WebSocketSession: UpgradedSession {
    private unowned let exchange: Exchange
    private let connection: Connection
    private let content: any SocketContent
    private var webSocket = WebSocket(.server, limit: WebSocketSession.messageLimit)
    private var state = State.open
    private var payload: [UInt8] = []
    /// Messages of the client since the last look at the time.
    private var messagesTaken = 0
    /// The client's frames up to the last look at the time.
    private var framesBefore: UInt64 = 0
    /// What had been received when something had been for the last time, and when that was.
    private var heard: (bytes: UInt64, at: Instant)
    private var pinged: Instant
    /// How the present image is to be announced.
    private var outgoing: (kind: WebSocket.Kind, prefix: UInt8?) = (.binary, nil)

    private enum State {
        case open
        /// The close frame has been sent; the client has to answer it.
        case closing(since: Instant, reason: String)
        /// Nothing is expected any more: the connection ends when everything has been sent.
        case finished(since: Instant, reason: String)
    }

    /// A longer message of a client's is refused with 1009, in bytes.
    static let messageLimit = 16 << 10
    /// More messages of a client's in a second are refused with 1008.
    static let messageRate = 100
    /// More frames of any kind in a second, pings and empty ones among them, are refused with 1008.
    static let frameRate: UInt64 = 1000
    /// The time between two pings.
    static let pingInterval = Duration.seconds(20)
    /// A client from which nothing has come for this long, not even an answer to a ping, is gone.
    static let silenceLimit = Duration.seconds(45)
    /// How long a closing handshake may take.
    static let closingTime = Duration.seconds(2)

    init(_ exchange: Exchange, _ connection: Connection, _ content: any SocketContent) {
        self.exchange = exchange
        self.connection = connection
        self.content = content
        heard = (connection.bytesReceived, exchange.server.loop.now)
        pinged = heard.at
        connection.framing = { [unowned self] count, output in writeHeader(count, &output) }
        content.began(self)
    }

    var kind: String { content.kind }
    var camera: String? { content.camera }
    var members: [JSON.Member] { content.members }

    /// Sends what the content has by now.
    func pump() { connection.pump() }

    /// Begins to close: no message follows; the client answers, and the connection ends.
    func close(_ code: WebSocketCloseCode, _ reason: String) {
        guard case .open = state else { return }
        state = .closing(since: exchange.server.loop.now, reason: reason)
        var output: [UInt8] = []
        webSocket.close(code, reason: reason, into: &output)
        connection.sendUnframed(output)
    }

    func nextImage() -> WireImage? {
        switch state {
        case .open:
            guard let message = content.nextMessage() else { return nil }
            outgoing = (message.kind, message.prefix)
            return message.image
        case .closing: return nil
        case .finished(_, let reason):
            // Not from here, inside of the sending.
            let client = exchange.client
            exchange.server.loop.later { client.hangUp(reason) }
            return nil
        }
    }

    func takeInput() {
        var input: [UInt8] = []
        swap(&input, &connection.input)
        var output: [UInt8] = []
        var consumed = 0
        while consumed < input.count, !isOver {
            let (count, event) = webSocket.receive(input.span.extracting(consumed...), into: &payload, output: &output)
            consumed += count
            if case .closed(let code, let reason) = event {
                finish(Self.describe(code, reason))
            } else if case .message(let kind) = event {
                takeMessage(kind)
            }
        }
        if webSocket.framesReceived - framesBefore > Self.frameRate { close(.policyViolation, "too many frames") }
        if isOver { payload = [] }
        if !output.isEmpty { connection.sendUnframed(output) }
        if isOver { pump() }
    }

    func checkTime(_ now: Instant) {
        messagesTaken = 0
        framesBefore = webSocket.framesReceived
        switch state {
        case .open: checkLife(now)
        case .closing(let since, let reason), .finished(let since, let reason):
            if now - since > Self.closingTime { exchange.client.close(reason) }
        }
    }

    func sayGoodbye(_ reason: String) { close(.goingAway, reason) }

    func ended(_ reason: String) {
        let reason =
            switch state {
            case .open: reason
            case .closing(_, let why), .finished(_, let why): why
            }
        state = .finished(since: exchange.server.loop.now, reason: reason)
        content.ended(reason)
    }

    private var isOver: Bool { if case .finished = state { true } else { false } }

    private func finish(_ reason: String) {
        // Who began to close has said why.
        if case .closing(let since, let why) = state {
            state = .finished(since: since, reason: why)
        } else {
            state = .finished(since: exchange.server.loop.now, reason: reason)
        }
    }

    private func takeMessage(_ kind: WebSocket.Kind) {
        var message: [UInt8] = []
        swap(&message, &payload)
        guard case .open = state else { return }
        messagesTaken += 1
        guard messagesTaken <= Self.messageRate else { return close(.policyViolation, "too many messages") }
        // Nothing that is spoken here has binary messages of the client's; they do no harm.
        if kind == .text { content.take(String(decoding: message, as: UTF8.self)) }
    }

    private func checkLife(_ now: Instant) {
        if connection.bytesReceived != heard.bytes { heard = (connection.bytesReceived, now) }
        if now - heard.at > Self.silenceLimit { return close(.internalError, "no answer to pings") }
        guard now - pinged >= Self.pingInterval else { return }
        pinged = now
        var output: [UInt8] = []
        let nothing: [UInt8] = []
        webSocket.ping(nothing.span, into: &output)
        connection.sendUnframed(output)
    }

    private func writeHeader(_ count: Int, _ output: inout [UInt8]) {
        WebSocket.header(outgoing.kind, payloadLength: count + (outgoing.prefix == nil ? 0 : 1), into: &output)
        if let prefix = outgoing.prefix { output.append(prefix) }
    }

    private static func describe(_ code: WebSocketCloseCode, _ reason: String) -> String {
        switch code {
        case .normal, .goingAway, .noStatus: "closed by the client"
        default: "websocket \(code.rawValue)" + (reason.isEmpty ? "" : ": " + reason)
        }
    }
}

extension Server {
    /// Goes over to WebSocket if the request asks for it well, else refuses it.
    ///
    /// Browsers let any page open a WebSocket anywhere, with the user's credentials (RFC 6455 §10.2): whether this page
    /// may was decided before, by `mayProceed`.
    func openSocket(_ exchange: Exchange, _ content: () -> any SocketContent) {
        let head = exchange.request.head
        let handshake: WebSocketHandshake
        do throws(RequestError) {
            handshake = try WebSocketHandshake(
                isGet: head.method == .get && head.version == .http11,
                fields: head.fields
            )
        } catch {
            return exchange.respond(WebSocketHandshake.refusal(error))
        }
        exchange.upgrade(handshake.response { Hash.sha1.digest($0.span) }) { connection in
            WebSocketSession(exchange, connection, content())
        }
    }
}
