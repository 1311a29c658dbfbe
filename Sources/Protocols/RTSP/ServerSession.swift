// SPDX-License-Identifier: Apache-2.0
// The server's side of one RTSP connection, as a state machine without I/O.

package import Bytes

/// Answers the requests of one connection and says when the daemon has something to do.
///
/// A request goes in through `handle`; the action says what to send, or what to ask the daemon. An action that asks
/// (`describe`, `setup`, `play`) is answered by the method of that name before the next request is handled: while
/// `isAnswering`, further requests wait in the connection's buffer, so pipelining keeps its order.
package struct ServerSession: Sendable {
    /// Tracks of one session: picture, sound, the way back.
    package static let maximumTracks = 4
    /// How long a session lives by default without a sign of life.
    package static let timeout = Duration.seconds(60)
    /// The methods that OPTIONS lists.
    package static let methods = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER"

    /// A track that was set up.
    package struct Track: Sendable, Hashable {
        package var number: Int
        package var transport: RTSPTransport
    }

    /// What the daemon has to do.
    package enum Action: Sendable, Hashable {
        /// Send this.
        case respond(RTSPResponse)
        /// Find the stream, then call `answerDescribe`.
        case describe(RTSPAddress)
        /// Prepare the track's transport, then call `answerSetup`.
        case setup(RTSPAddress, track: Int, RTSPTransport)
        /// Find where each track starts, call `answerPlay`, send that, and only then start to send packets.
        case play(RTSPAddress)
        /// Stop sending packets, then send this.
        case pause(RTSPResponse)
        /// Stop sending packets, release the transports, then send this.
        case teardown(RTSPResponse)
    }

    private enum State: Sendable, Hashable {
        case initial
        case ready(RTSPAddress)
        case playing(RTSPAddress)
    }

    private enum Question: Sendable, Hashable {
        case describe(RTSPAddress)
        case setup(RTSPAddress, track: Int, RTSPTransport)
        case play(RTSPAddress)
    }

    /// The session's identifier, as unpredictable as the caller made it (RFC 2326 §3.4).
    package let identifier: String
    /// What the `Server` header says.
    package let server: String
    /// How long a session lives without a sign of life, unless its connection carries its packets.
    package let timeout: Duration
    /// The tracks set up, in the order of their SETUP.
    package private(set) var tracks: [Track] = []
    private var state = State.initial
    /// What the daemon was asked, with the CSeq that its answer carries.
    private var question: (Question, sequence: String)?
    private var lastActivity: Instant

    /// Starts without a session.
    package init(identifier: String, server: String, timeout: Duration = ServerSession.timeout, at now: Instant) {
        self.identifier = identifier
        self.server = server
        self.timeout = timeout
        lastActivity = now
    }

    /// True while the daemon owes an answer; `handle` must not be called then.
    package var isAnswering: Bool { question != nil }

    /// True between PLAY and PAUSE or TEARDOWN.
    package var isPlaying: Bool {
        if case .playing = state { true } else { false }
    }

    /// When `handleTimeout` is due; nil while packets on the connection itself show that the client is there.
    package var deadline: Instant? {
        if isPlaying, tracks.allSatisfy({ $0.transport.lower == .tcp }) { return nil }
        return lastActivity + timeout
    }

    /// Notes a sign of life that is no request: an RTCP packet of the client's.
    package mutating func noteActivity(at now: Instant) { lastActivity = max(lastActivity, now) }

    /// True if the client has shown no sign of life for the timeout: the daemon closes the connection.
    package func hasExpired(at now: Instant) -> Bool { deadline.map { $0 <= now } ?? false }

    /// Takes a request.
    package mutating func handle(_ request: RTSPRequest, at now: Instant) -> Action {
        precondition(!isAnswering, "the request before has not been answered")
        noteActivity(at: now)
        guard let sequence = request.headers["CSeq"], !sequence.isEmpty else {
            return .respond(response(.badRequest, nil))
        }
        guard request.version == .rtsp10 else { return .respond(response(.versionNotSupported, sequence)) }
        let required = request.headers.all("Require") + request.headers.all("Proxy-Require")
        guard required.isEmpty else {
            var refusal = response(.optionNotSupported, sequence)
            refusal.headers.add("Unsupported", required.joined(separator: ", "))
            return .respond(refusal)
        }
        guard let address = RTSPAddress(request.target) else { return .respond(response(.badRequest, sequence)) }
        if let session = request.headers["Session"], !names(session) {
            return .respond(response(.sessionNotFound, sequence))
        }
        switch request.method {
        case .options:
            var answer = response(.ok, sequence)
            answer.headers.add("Public", Self.methods)
            return .respond(answer)
        case .describe: return describe(request, address, sequence)
        case .setup: return setUp(request, address, sequence)
        case .play: return play(request, address, sequence)
        case .pause: return pause(request, address, sequence)
        case .teardown: return tearDown(request, sequence)
        case .getParameter, .setParameter:
            return .respond(response(request.body.isEmpty ? .ok : .parameterNotUnderstood, sequence))
        case .announce, .record, .redirect, .other: return .respond(response(.notImplemented, sequence))
        }
    }

    // MARK: Answers of the daemon

    /// Answers DESCRIBE with a session description, or with what stands in its way.
    package mutating func answerDescribe(_ answer: Result<String, Refusal>) -> RTSPResponse {
        guard case (.describe(let address), let sequence)? = takeQuestion() else {
            preconditionFailure("no DESCRIBE waits for an answer")
        }
        switch answer {
        case .success(let text):
            var response = response(.ok, sequence)
            response.headers.add("Content-Base", address.streamURL + "/")
            response.headers.add("Content-Type", "application/sdp")
            response.body = Array(text.utf8)
            return response
        case .failure(let refusal): return response(refusal, sequence)
        }
    }

    /// Answers SETUP with the transport that was prepared, or with what stands in its way.
    package mutating func answerSetup(_ answer: Result<RTSPTransport, Refusal>) -> RTSPResponse {
        guard case (.setup(let address, let track, _), let sequence)? = takeQuestion() else {
            preconditionFailure("no SETUP waits for an answer")
        }
        switch answer {
        case .success(let transport):
            tracks.append(Track(number: track, transport: transport))
            state = .ready(address)
            var response = response(.ok, sequence)
            response.headers.add("Transport", transport.text)
            return response
        case .failure(let refusal): return response(refusal, sequence)
        }
    }

    /// Where a track starts, for RTP-Info (RFC 2326 §12.33).
    package struct Start: Sendable, Hashable {
        package var track: Int
        /// The first packet's sequence number.
        package var sequence: UInt16
        /// The first packet's timestamp; nil if it is not known yet.
        package var timestamp: UInt32?

        package init(track: Int, sequence: UInt16, timestamp: UInt32?) {
            self.track = track
            self.sequence = sequence
            self.timestamp = timestamp
        }
    }

    /// Answers PLAY with where each track starts, or with what stands in its way.
    package mutating func answerPlay(_ answer: Result<[Start], Refusal>) -> RTSPResponse {
        guard case (.play(let address), let sequence)? = takeQuestion() else {
            preconditionFailure("no PLAY waits for an answer")
        }
        switch answer {
        case .success(let starts):
            state = .playing(address)
            var response = response(.ok, sequence)
            response.headers.add("Range", "npt=now-")
            let information = starts.map { start in
                let time = start.timestamp.map { ";rtptime=\($0)" } ?? ""
                return "url=\(address.trackURL(start.track));seq=\(start.sequence)\(time)"
            }
            if !information.isEmpty { response.headers.add("RTP-Info", information.joined(separator: ",")) }
            return response
        case .failure(let refusal): return response(refusal, sequence)
        }
    }

    /// Why the daemon cannot do what a request asks for.
    package struct Refusal: Error, Sendable, Hashable {
        package var status: RTSPStatus
        /// One line for people, sent as the body.
        package var reason: String

        package init(_ status: RTSPStatus, _ reason: String) {
            self.status = status
            self.reason = reason
        }
    }

    // MARK: Requests

    private mutating func describe(_ request: RTSPRequest, _ address: RTSPAddress, _ sequence: String) -> Action {
        if let accept = request.headers["Accept"]?.lowercased(), !accept.isEmpty,
            !["application/sdp", "application/*", "*/*"].contains(where: { accept.contains($0) })
        {
            return .respond(response(.notAcceptable, sequence))
        }
        question = (.describe(address), sequence)
        return .describe(address)
    }

    private mutating func setUp(_ request: RTSPRequest, _ address: RTSPAddress, _ sequence: String) -> Action {
        let track = address.track ?? 0
        switch state {
        case .initial: break
        case .playing: return .respond(response(.notValidInState, sequence))
        case .ready(let stream):
            guard stream.segments == address.segments else { return .respond(response(.aggregateNotAllowed, sequence)) }
            guard request.headers["Session"] != nil else { return .respond(response(.sessionNotFound, sequence)) }
            // RFC 2326 §10.4 lets a server refuse to change a transport.
            guard !tracks.contains(where: { $0.number == track }), tracks.count < Self.maximumTracks else {
                return .respond(response(.notValidInState, sequence))
            }
        }
        guard let header = request.headers["Transport"], let offers = RTSPTransport.offers(header) else {
            return .respond(response(.badRequest, sequence))
        }
        guard let offer = offers.first(where: Self.isUsable) else {
            return .respond(response(.unsupportedTransport, sequence))
        }
        var transport = RTSPTransport(offer.lower)
        switch offer.lower {
        case .udp: transport.clientPorts = offer.clientPorts
        case .tcp: transport.interleaved = freeChannels(wanted: offer.interleaved, track: track)
        }
        question = (.setup(address, track: track, transport), sequence)
        return .setup(address, track: track, transport)
    }

    private static func isUsable(_ offer: RTSPTransport) -> Bool {
        !offer.isSecure && !offer.isMulticast && !offer.isRecording && (offer.lower == .tcp || offer.clientPorts != nil)
    }

    /// The channels wanted if no other track has them, else the first pair that is free.
    private func freeChannels(wanted: RTSPTransport.Pair<UInt8>?, track: Int) -> RTSPTransport.Pair<UInt8> {
        let used = tracks.compactMap(\.transport.interleaved).flatMap { [$0.rtp, $0.rtcp] }
        if let wanted, wanted.rtp != wanted.rtcp, !used.contains(wanted.rtp), !used.contains(wanted.rtcp) {
            return wanted
        }
        let free = stride(from: UInt8(0), to: 254, by: 2).first { !used.contains($0) && !used.contains($0 + 1) } ?? 0
        return RTSPTransport.Pair(free, free + 1)
    }

    private mutating func play(_ request: RTSPRequest, _ address: RTSPAddress, _ sequence: String) -> Action {
        switch state {
        case .initial: return .respond(response(.notValidInState, sequence))
        case .ready(let stream), .playing(let stream):
            if let refusal = aggregateRefusal(request, address, stream) {
                return .respond(response(refusal, sequence))
            }
            if isPlaying {
                // A second PLAY of a live stream changes nothing.
                var answer = response(.ok, sequence)
                answer.headers.add("Range", "npt=now-")
                return .respond(answer)
            }
            question = (.play(stream), sequence)
            return .play(stream)
        }
    }

    private mutating func pause(_ request: RTSPRequest, _ address: RTSPAddress, _ sequence: String) -> Action {
        switch state {
        case .initial: return .respond(response(.notValidInState, sequence))
        case .ready(let stream), .playing(let stream):
            if let refusal = aggregateRefusal(request, address, stream) {
                return .respond(response(refusal, sequence))
            }
            state = .ready(stream)
            return .pause(response(.ok, sequence))
        }
    }

    private mutating func tearDown(_ request: RTSPRequest, _ sequence: String) -> Action {
        guard state != .initial else { return .respond(response(.notValidInState, sequence)) }
        guard request.headers["Session"] != nil else { return .respond(response(.sessionNotFound, sequence)) }
        let answer = response(.ok, sequence)
        state = .initial
        tracks.removeAll()
        return .teardown(answer)
    }

    /// What is wrong with a request to the session as a whole; nil if nothing is.
    private func aggregateRefusal(
        _ request: RTSPRequest,
        _ address: RTSPAddress,
        _ stream: RTSPAddress
    ) -> RTSPStatus? {
        if request.headers["Session"] == nil { return .sessionNotFound }
        if !address.segments.isEmpty, address.segments != stream.segments { return .notFound }
        if address.track != nil, tracks.count > 1 { return .onlyAggregateAllowed }
        return nil
    }

    // MARK: Helpers

    /// True if a Session header, which may carry parameters, names this session.
    private func names(_ header: String) -> Bool {
        state != .initial && header.split(separator: ";").first.map { $0.trimmingSpaces() } == identifier
    }

    private mutating func takeQuestion() -> (Question, sequence: String)? {
        defer { question = nil }
        return question
    }

    private func response(_ status: RTSPStatus, _ sequence: String?) -> RTSPResponse {
        var response = RTSPResponse(status)
        if let sequence { response.headers.add("CSeq", sequence) }
        response.headers.add("Server", server)
        if state != .initial {
            response.headers.add("Session", "\(identifier);timeout=\(timeout.components.seconds)")
        }
        return response
    }

    private func response(_ refusal: Refusal, _ sequence: String) -> RTSPResponse {
        var response = response(refusal.status, sequence)
        if !refusal.reason.isEmpty {
            response.headers.add("Content-Type", "text/plain")
            response.body = Array((refusal.reason + "\n").utf8)
        }
        return response
    }
}
