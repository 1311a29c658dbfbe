// SPDX-License-Identifier: Apache-2.0
// One request and the way its answer goes, whatever it goes over.

import Access
import Bytes
import Control
import FanOut
import HTTP
import Loop
import System

/// What an exchange is busy with between its request and its end.
protocol Activity: AnyObject {
    /// One word, as in `clients`: `mjpeg`, `snapshot`.
    var kind: String { get }
    /// The camera that it is about; nil for none.
    var camera: String? { get }
    /// What else `clients` tells of it.
    var members: [JSON.Member] { get }
    /// The exchange is over: the client has gone, or the answer is complete. Called once.
    func ended(_ reason: String)
}

extension Activity {
    var camera: String? { nil }
    var members: [JSON.Member] { [] }
    func ended(_ reason: String) {}
}

/// The body of an answer, pulled as fast as the client takes it.
///
/// All clients share the images, so a client that does not keep up costs nothing but its place.
protocol BodySource: Activity {
    /// What goes out next; nil if there is nothing now. Called when everything before it has been sent.
    ///
    /// When there is something again, `Exchange.pump` has to be called.
    func nextImage() -> WireImage?
    /// True once no image follows. The images of a body of known length have that length together.
    var isFinished: Bool { get }
    /// True for what goes on for as long as the client stays: one that sends no more has gone then.
    var isEndless: Bool { get }
    /// True if something goes out in front of the image that `nextImage` gave last, for this client alone.
    var hasPrefix: Bool { get }
    /// Appends that.
    func writePrefix(into output: inout [UInt8])
}

extension BodySource {
    var isEndless: Bool { false }
    var hasPrefix: Bool { false }
    func writePrefix(into output: inout [UInt8]) {}
}

/// What has taken over a connection after `101 Switching Protocols`.
protocol UpgradedSession: BodySource {
    /// `connection.input` has grown.
    func takeInput()
    /// Called once a second.
    func checkTime(_ now: Instant)
    /// Says goodbye where the protocol has a word for it; the connection is closed after that.
    func sayGoodbye(_ reason: String)
}

extension UpgradedSession {
    var isEndless: Bool { true }
    var isFinished: Bool { false }
}

/// What exchanges run on: a connection that speaks HTTP/1, or one that speaks HTTP/2.
protocol Wire: AnyObject {
    /// The exchanges under way.
    var exchanges: [Exchange] { get }
    /// `connection.input` has grown.
    func takeInput()
    /// The client sends no more; false if there is nothing to tell it any more either.
    func goesOnWithoutInput() -> Bool
    /// What goes out next; called when everything before it has been sent.
    func nextImage() -> WireImage?
    /// Sends an answer: its head, and its body from `exchange.source` if it is not in the response.
    func respond(_ response: Response, to exchange: Exchange)
    /// The exchange's source has something to send.
    func pump(_ exchange: Exchange)
    /// Ends an exchange whose answer cannot be completed, such that the client sees it.
    func abort(_ exchange: Exchange, _ reason: String)
    /// Hands the connection to another protocol; nil if it carries others' exchanges as well.
    func upgrade(_ exchange: Exchange, _ response: Response) -> Connection?
    /// Called once a second.
    func checkTime(_ now: Instant)
    /// The connection has ended.
    func ended(_ reason: String)
}

/// One request, and the way its answer goes.
///
/// A handler gets it once and answers it at once or later, from the event loop: with `respond`, or `upgrade`. While
/// it takes its time, `wait` says what for. It is over when the answer has been sent or the client has gone; what is
/// called after that has no effect.
final class Exchange {
    let request: Request
    let client: Client
    unowned let server: Server
    /// When the request had arrived.
    let began: Instant
    /// The stream's number where a connection has several, else 0.
    let stream: Int
    /// The address's entry in the table, once it is found.
    private(set) var endpoint: Endpoint?
    /// The variable parts of the path.
    private(set) var parameters: [String: String] = [:]
    /// Who asks, and what he may; nil where anybody may ask and nobody was recognised.
    var grant: Grant?
    /// What the client is to keep, with the answer.
    var cookies: [SetCookie] = []
    /// What the exchange is busy with.
    private(set) var activity: (any Activity)?
    /// The body that goes out; nil while there is none. The activity, or nothing: kept beside it, as asking an object
    /// for what it can do takes longer than sending a frame takes this program.
    private(set) var source: (any BodySource)?
    /// What has the connection after an upgrade; the activity, too.
    private(set) var session: (any UpgradedSession)?
    /// Bytes of body sent so far.
    var bytesSent: UInt64 = 0
    private(set) var state = State.asked
    private let wire: any Wire
    /// The connection that sends this exchange's body alone: the short way from a frame to it.
    var connection: Connection?

    enum State {
        case asked
        case answering
        case ended
    }

    init(_ request: Request, _ client: Client, _ wire: any Wire, stream: Int = 0) {
        self.request = request
        self.client = client
        self.wire = wire
        self.stream = stream
        server = client.server
        began = client.server.loop.now
    }

    /// The camera that the address names, or the first one where the address is short; nil for none.
    var camera: String? {
        if let camera = parameters["camera"] { return camera }
        return endpoint?.isAboutCamera == true ? server.cameraNames.first : nil
    }

    /// The value of the first query item of that name.
    func query(_ name: String) -> String? { request.head.target[name] }

    /// Sets what the address means.
    func route(_ endpoint: Endpoint, _ parameters: [String: String]) {
        self.endpoint = endpoint
        self.parameters = parameters
    }

    /// The answer takes a while; what has to be undone if the client does not wait for it, `activity.ended` undoes.
    func wait(_ activity: any Activity) {
        guard state == .asked else { return activity.ended("the client has gone") }
        self.activity = activity
    }

    /// Answers with everything there is to say, or with a head alone where `response.body` is of another kind.
    func respond(_ response: Response) {
        guard state == .asked else { return }
        activity = nil
        state = .answering
        wire.respond(server.decorated(response, for: self), to: self)
    }

    /// Answers with a body that `source` gives; the response's body is `.length` or `.untilClose`.
    func respond(_ response: Response, from source: any BodySource) {
        guard state == .asked else { return source.ended("the client has gone") }
        activity = source
        self.source = source
        state = .answering
        wire.respond(server.decorated(response, for: self), to: self)
    }

    /// Answers that something is wrong, in one line of text.
    func refuse(_ status: Status, _ reason: String, _ fields: [HeaderField] = []) {
        respond(Response(status, text: reason, fields: fields))
    }

    /// Sends what the source has by now.
    func pump() {
        guard state == .answering else { return }
        if let connection { connection.pump() } else { wire.pump(self) }
    }

    /// Ends the exchange in the middle of its answer.
    func abort(_ reason: String) {
        guard state != .ended else { return }
        wire.abort(self, reason)
    }

    /// Answers 101 (the response's fields are the caller's) and hands the connection over; false if it cannot be had,
    /// which has been answered then.
    @discardableResult
    func upgrade(_ response: Response, to session: (Connection) -> any UpgradedSession) -> Bool {
        guard state == .asked else { return false }
        guard let connection = wire.upgrade(self, response) else {
            refuse(.notImplemented, "this takes a connection of its own: HTTP/1.1")
            return false
        }
        state = .answering
        let session = session(connection)
        activity = session
        self.session = session
        return true
    }

    /// What the wire calls when the answer has been sent, or cannot be any more. Harmless when repeated.
    func end(_ reason: String) {
        guard state != .ended else { return }
        state = .ended
        let last = activity
        activity = nil
        source = nil
        session = nil
        connection = nil
        last?.ended(reason)
    }
}
