// SPDX-License-Identifier: Apache-2.0
// The server's side of one HTTP/1 connection, without the connection (RFC 9112 §9).

package import Bytes

/// Turns received bytes into requests and answers into bytes: persistence, pipelining, HEAD, HTTP/1.0,
/// `100 Continue`, time limits.
///
/// Requests are handed out one at a time: while one is being answered no byte is taken, so the answers to pipelined
/// requests leave in order, and a client that pipelines without reading is held back by its own socket.
package struct ServerConnection: Sendable {
    /// At most this many bytes of request body, unless the caller says otherwise.
    package static let bodyLimit = 64 * 1024
    /// The head of a request has to be complete this long after its first byte.
    package static let headTimeout = Duration.seconds(10)
    /// The body of a request has to be complete this long after its head.
    package static let bodyTimeout = Duration.seconds(30)
    /// A connection without a request is closed after this long.
    package static let idleTimeout = Duration.seconds(60)
    /// The interim response that `.sendContinue` asks for.
    package static let continueResponse: [UInt8] = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

    /// What to do about received bytes.
    package enum Action: Sendable, Equatable {
        /// Nothing until more bytes come, or until the request in hand is answered.
        case wait
        /// Send `continueResponse`, then call again with the rest of the bytes.
        case sendContinue
        /// Answer this request with `respond`.
        case route(Request)
        /// Answer with `Response(refusing:)` through `respond`; the connection closes then.
        case refuse(RequestError)
    }

    /// What to do when the time is up.
    package enum TimeoutAction: Sendable, Equatable {
        case wait
        /// Close without a word, since no request is under way.
        case close
        /// Answer with `Response(refusing:)` through `respond`; the connection closes then.
        case refuse(RequestError)
    }

    /// What follows a response's head.
    package struct Outcome: Sendable, Equatable {
        /// The caller has to send the body of `.length` or `.untilClose`: false for HEAD and for statuses without.
        package var bodyFollows: Bool
        /// The connection is to be closed once all is sent.
        package var closes: Bool
    }

    private enum State {
        case head(RequestParser, since: Instant?)
        case body(RequestHead, BodyDecoder, since: Instant)
        case answering(method: Method, version: Version, isPersistent: Bool)
        case closed
    }

    private var state = State.head(RequestParser(), since: nil)
    private var idleSince: Instant
    private let bodyLimit: Int

    /// Starts with an idle connection that was accepted at `now`.
    package init(at now: Instant, bodyLimit: Int = Self.bodyLimit) {
        idleSince = now
        self.bodyLimit = bodyLimit
    }

    /// Takes received bytes up to the end of one request.
    ///
    /// - Returns: how many bytes were taken (the rest is to be handed in again) and what to do.
    package mutating func receive(_ bytes: Span<UInt8>, at now: Instant) -> (consumed: Int, action: Action) {
        var consumed = 0
        do throws(RequestError) {
            let action = try take(bytes, consumed: &consumed, at: now)
            return (consumed, action)
        } catch {
            return (consumed, refuse(error))
        }
    }

    /// Writes the head of the answer, and the body if it is `.bytes`, behind what `output` holds.
    ///
    /// - Parameter date: seconds since 1970 UTC.
    package mutating func respond(
        _ response: Response,
        at now: Instant,
        date: Int64,
        into output: inout [UInt8]
    ) -> Outcome {
        guard case .answering(let method, let version, var isPersistent) = state else {
            preconditionFailure("an answer needs a request")
        }
        if response.body == .untilClose, !response.status.forbidsBody { isPersistent = false }
        let connection: String? =
            switch (isPersistent, version) {
            case (true, .http11): nil
            case (true, .http10): "keep-alive"
            case (false, _): "close"
            }
        response.writeHead(connection: connection, date: date, into: &output)
        let hasBody = method != .head && !response.status.forbidsBody
        if hasBody, case .bytes(let bytes) = response.body { output += bytes }
        idleSince = now
        state = isPersistent ? .head(RequestParser(), since: nil) : .closed
        if case .bytes = response.body { return Outcome(bodyFollows: false, closes: !isPersistent) }
        return Outcome(bodyFollows: hasBody, closes: !isPersistent)
    }

    /// When `handleTimeout` has to be called; never while a request is being answered.
    package var deadline: Instant? {
        switch state {
        case .head(_, let since): since.map { $0 + Self.headTimeout } ?? idleSince + Self.idleTimeout
        case .body(_, _, let since): since + Self.bodyTimeout
        case .answering, .closed: nil
        }
    }

    /// Ends a connection whose deadline has passed.
    package mutating func handleTimeout(at now: Instant) -> TimeoutAction {
        guard let deadline, now >= deadline else { return .wait }
        if case .head(_, since: nil) = state {
            state = .closed
            return .close
        }
        let error = RequestError(.requestTimeout, "the request took too long")
        _ = refuse(error)
        return .refuse(error)
    }

    /// True while a request is being answered.
    package var isAnswering: Bool {
        if case .answering = state { true } else { false }
    }

    private mutating func take(
        _ bytes: Span<UInt8>,
        consumed: inout Int,
        at now: Instant
    ) throws(RequestError) -> Action {
        while true {
            switch state {
            case .answering, .closed: return .wait
            case .head(var parser, let since):
                // Let go of the state's copy, so that the parser's line grows in place.
                state = .closed
                let (count, head) = try parser.parse(bytes.extracting(consumed..<bytes.count))
                consumed += count
                guard let head else {
                    state = .head(parser, since: parser.isEmpty ? nil : since ?? now)
                    return .wait
                }
                let decoder = try BodyDecoder(head.framing(), limit: bodyLimit)
                let expectsContinue = try head.expectsContinue()
                state = .body(head, decoder, since: now)
                // A client that has begun to send the body does not wait (RFC 9110 §10.1.1).
                if expectsContinue, !decoder.isComplete, consumed == bytes.count { return .sendContinue }
            case .body(let head, var decoder, let since):
                state = .closed
                consumed += try decoder.decode(bytes.extracting(consumed..<bytes.count))
                guard decoder.isComplete else {
                    state = .body(head, decoder, since: since)
                    return .wait
                }
                state = .answering(method: head.method, version: head.version, isPersistent: head.isPersistent)
                return .route(Request(head: head, body: decoder.body))
            }
        }
    }

    private mutating func refuse(_ error: RequestError) -> Action {
        state = .answering(method: .get, version: .http11, isPersistent: false)
        return .refuse(error)
    }
}
