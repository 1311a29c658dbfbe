// SPDX-License-Identifier: Apache-2.0
// The client's side of one RTSP connection, as a state machine without I/O.

package import Bytes
package import SDP

/// Plays from a server, or publishes to it.
///
/// The caller connects and calls `connected`; hands what it receives to `take`; asks `nextEvent` until there is none,
/// after each call; and calls `handleTimeout` when `deadline` has come. After `.described` it decides for tracks and calls
/// `setUp`. What the server does against the standard is tolerated and told, each kind once.
package struct ClientSession {
    /// Tracks of one session.
    package static let maximumTracks = 8
    /// Redirects followed for one target.
    package static let maximumRedirects = 5
    /// How long a request waits for its answer.
    package static let patience = Duration.seconds(10)
    /// How long TEARDOWN waits for its answer.
    package static let farewellPatience = Duration.seconds(1)
    /// What is assumed of a server that does not tell (RFC 2326 §12.37).
    package static let assumedTimeout = Duration.seconds(60)
    /// Events that may wait to be taken; a server that makes more without an answer is flooding.
    static let maximumRequests = 64

    package enum Purpose: Sendable, Hashable {
        case play
        /// Publishes what the description tells; its media are the tracks.
        case publish(SessionDescription)
    }

    /// What the caller's answer to a challenge is made of.
    package struct Challenge: Sendable, Hashable {
        /// The values of all WWW-Authenticate headers, in their order.
        package var challenges: [String]
        package var method: String
        package var url: String
    }

    /// A track that is wanted.
    package struct Request: Sendable, Hashable {
        /// The medium's index in the description.
        package var medium: Int
        /// The transport to ask for; the session chooses interleaved channels where there are none.
        package var transport: RTSPTransport

        package init(medium: Int, transport: RTSPTransport) {
            self.medium = medium
            self.transport = transport
        }
    }

    /// A track that was set up.
    package struct Track: Sendable, Hashable {
        /// The medium's index in the description.
        package var medium: Int
        package var url: String
        /// As the server decided.
        package var transport: RTSPTransport
        /// Where it starts, by RTP-Info; nil if the server does not tell.
        package var start: TrackStart?
    }

    package enum Event: Sendable, Hashable {
        /// Send this on the connection.
        case send([UInt8])
        /// The description is there (when publishing: the server takes it); call `setUp`.
        case described(SessionDescription)
        /// Nothing is set up yet, as the transport is refused; call `setUp` with another, or give up.
        case transportRefused
        /// All tracks are set up; packets may come, or go when publishing.
        case started
        /// Close the connection, connect to `target`, and call `connected`.
        case redirected
        case noted(ClientDeviation)
        /// TEARDOWN is answered; close the connection.
        case ended
        /// Close the connection; nothing more comes.
        case failed(ClientFailure)
    }

    /// What `take` found.
    package struct Taken: Sendable, Hashable {
        /// Bytes to drop from the front; 0 if more are needed.
        package var consumed: Int
        package var packet: Packet?
    }

    /// A packet on the connection.
    package struct Packet: Sendable, Hashable {
        /// The index in `tracks`.
        package var track: Int
        /// True for RTCP.
        package var isControl: Bool
        /// Its place in the bytes handed over.
        package var payload: Range<Int>
    }

    enum State: Sendable, Hashable {
        case idle
        case asking
        case described
        case settingUp(next: Int)
        case starting
        case running
        case tearingDown
        case over
    }

    struct Pending: Sendable, Hashable {
        var request: RTSPRequest
        var sequence: UInt32
        var deadline: Instant
        /// How often it was sent with an authorization.
        var authorizations = 0
        var isKeepAlive = false
    }

    /// Where to connect.
    package internal(set) var target: RTSPTarget
    package let purpose: Purpose
    /// The tracks set up, in the order of `setUp`'s requests.
    package internal(set) var tracks: [Track] = []
    /// The server's description, or the one that is published.
    package internal(set) var description: SessionDescription?
    /// What the server calls itself.
    package internal(set) var server: String?
    /// How long the server keeps the session without a sign of life.
    package internal(set) var timeout = ClientSession.assumedTimeout

    let agent: String
    let authorize: (Challenge) -> String?
    var state = State.idle
    var parser = ClientParser()
    var events: [Event] = []
    var noted: Set<ClientDeviation> = []
    var pending: [Pending] = []
    var requests: [Request] = []
    var sequence: UInt32 = 0
    var identifier: String?
    var challenges: [String] = []
    var base = ""
    var redirects = 0
    var offersGetParameter = false
    var keepAliveAt: Instant?

    /// Starts without a connection.
    ///
    /// `authorize` makes the value of an Authorization header from a challenge; nil if it cannot.
    package init(
        _ target: RTSPTarget,
        _ purpose: Purpose = .play,
        agent: String,
        authorize: @escaping (Challenge) -> String? = { _ in nil }
    ) {
        self.target = target
        self.purpose = purpose
        self.agent = agent
        self.authorize = authorize
    }

    /// True between the answer to PLAY or RECORD and the end.
    package var isRunning: Bool { state == .running }

    /// True once nothing more can come of it.
    package var isOver: Bool { state == .over }

    /// When `handleTimeout` is due.
    package var deadline: Instant? {
        ([keepAliveAt] + pending.map { $0.deadline }).compactMap(\.self).min()
    }

    /// The next thing to do or to know.
    package mutating func nextEvent() -> Event? { events.isEmpty ? nil : events.removeFirst() }

    /// The connection to `target` stands.
    package mutating func connected(at now: Instant) {
        guard state == .idle else { return }
        state = .asking
        base = target.url
        send(RTSPRequest(.options, target.url), at: now)
    }

    /// The server has closed the connection, or it broke.
    package mutating func disconnected() {
        guard state != .over, state != .idle else { return }
        if state == .tearingDown { return end() }
        fail(.closed)
    }

    /// Asks for tracks of the description.
    ///
    /// May be called again after `.transportRefused`.
    package mutating func setUp(_ requests: [Request], at now: Instant) {
        guard state == .described else { return }
        guard !requests.isEmpty, requests.count <= Self.maximumTracks else {
            return fail(.badDescription("there is no track that can be played"))
        }
        self.requests = requests
        state = .settingUp(next: 0)
        setUpNext(0, at: now)
    }

    /// Says farewell; `.ended` follows.
    package mutating func tearDown(at now: Instant) {
        switch state {
        case .over: return
        case .tearingDown: return
        default: break
        }
        guard identifier != nil || !tracks.isEmpty else { return end() }
        state = .tearingDown
        keepAliveAt = nil
        pending.removeAll()
        send(RTSPRequest(.teardown, aggregateURL), at: now, patience: Self.farewellPatience)
    }

    /// Does what has become due.
    package mutating func handleTimeout(at now: Instant) {
        guard state != .over else { return }
        while let index = pending.firstIndex(where: { $0.deadline <= now }) {
            let late = pending.remove(at: index)
            if state == .tearingDown { return end() }
            guard late.isKeepAlive else { return fail(.noAnswer(late.request.method)) }
            note(.keepAliveUnanswered)
        }
        if let due = keepAliveAt, due <= now, state == .running {
            keepAlive(at: now)
            keepAliveAt = now + timeout / 2
        }
    }

    /// Takes the first message or packet of `bytes`, which hold all that was received and not consumed yet.
    package mutating func take(_ bytes: Span<UInt8>, at now: Instant) -> Taken {
        guard state != .over else { return Taken(consumed: bytes.count) }
        let tracks = tracks
        let (consumed, item) = parser.parse(bytes) { Self.find($0, in: tracks) != nil }
        for deviation in parser.deviations { note(deviation) }
        parser.deviations.removeAll()
        switch item {
        case .interleaved(let channel, let payload)?:
            guard let (track, isControl) = Self.find(channel, in: tracks) else {
                note(.unknownChannel)
                return Taken(consumed: consumed)
            }
            if state != .running, state != .tearingDown { note(.earlyPackets) }
            return Taken(
                consumed: consumed,
                packet: Packet(track: track, isControl: isControl, payload: payload)
            )
        case .response(let response)?: handle(response, at: now)
        case .request(let request)?: answer(request, at: now)
        case nil: break
        }
        return Taken(consumed: consumed)
    }

    private static func find(_ channel: UInt8, in tracks: [Track]) -> (track: Int, isControl: Bool)? {
        for (index, track) in tracks.enumerated() {
            guard let channels = track.transport.interleaved else { continue }
            if channels.rtp == channel { return (index, false) }
            if channels.rtcp == channel { return (index, true) }
        }
        return nil
    }

    // MARK: Sending

    mutating func send(
        _ request: RTSPRequest,
        at now: Instant,
        patience: Duration = ClientSession.patience,
        authorization: String? = nil,
        authorizations: Int = 0,
        isKeepAlive: Bool = false
    ) {
        sequence &+= 1
        var whole = request
        var headers = RTSPHeaders()
        headers.add("CSeq", String(sequence))
        headers.add("User-Agent", agent)
        if let identifier, request.method != .describe { headers.add("Session", identifier) }
        if let value = authorization ?? answerChallenge(of: request) { headers.add("Authorization", value) }
        for field in request.headers.fields { headers.add(field.name, field.value) }
        whole.headers = headers
        var bytes: [UInt8] = []
        whole.serialize(into: &bytes)
        pending.append(
            Pending(
                request: request,
                sequence: sequence,
                deadline: now + patience,
                authorizations: authorizations,
                isKeepAlive: isKeepAlive
            )
        )
        emit(.send(bytes))
    }

    /// The authorization for a request, once the server has asked for one.
    func answerChallenge(of request: RTSPRequest) -> String? {
        guard !challenges.isEmpty else { return nil }
        return authorize(Challenge(challenges: challenges, method: request.method.name, url: request.target))
    }

    mutating func keepAlive(at now: Instant) {
        // One that was not answered is enough to wait for.
        guard !pending.contains(where: \.isKeepAlive) else { return }
        let method: RTSPMethod = offersGetParameter ? .getParameter : .options
        send(RTSPRequest(method, aggregateURL), at: now, isKeepAlive: true)
    }

    /// What requests to all tracks name.
    var aggregateURL: String { ControlURL.resolve(description?["control"] ?? "*", base: base) }

    mutating func emit(_ event: Event) { events.append(event) }

    mutating func note(_ deviation: ClientDeviation) {
        if noted.insert(deviation).inserted { emit(.noted(deviation)) }
    }

    mutating func fail(_ failure: ClientFailure) {
        guard state != .over else { return }
        end(with: .failed(failure))
    }

    mutating func end(with event: Event = .ended) {
        state = .over
        pending.removeAll()
        keepAliveAt = nil
        emit(event)
    }
}
