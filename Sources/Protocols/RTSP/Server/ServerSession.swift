// SPDX-License-Identifier: Apache-2.0
// The server's side of one RTSP connection, as a state machine without I/O.

package import Bytes

/// Answers the requests of one connection and says when the daemon has something to do.
///
/// A request goes in through `handle`; the action says what to send, or what to ask the daemon. An action that asks
/// (`describe`, `announce`, `setup`, `play`, `record`) is answered by the method of that name before the next request is
/// handled: while `isAnswering`, further requests wait in the connection's buffer, so pipelining keeps its order.
package struct ServerSession: Sendable {
    /// Tracks of one session: picture, sound, the way back.
    package static let maximumTracks = 3
    /// How long a session lives by default without a sign of life.
    package static let timeout = Duration.seconds(60)
    /// The methods that OPTIONS lists.
    package static let methods =
        "OPTIONS, DESCRIBE, ANNOUNCE, SETUP, PLAY, RECORD, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER"

    enum Phase: Sendable, Hashable {
        case initial
        /// Described by its publisher, no track set up yet.
        case announced
        case ready
        case playing
        case recording
    }

    /// The session's identifier, as unpredictable as the caller made it (RFC 2326 §3.4).
    package let identifier: String
    /// What the `Server` header says.
    package let server: String
    /// How long a session lives without a sign of life, unless its connection carries its packets.
    package let timeout: Duration
    /// More tracks cannot be set up.
    let trackLimit: Int
    /// The tracks set up, in the order of their SETUP.
    package internal(set) var tracks: [Track] = []
    var phase = Phase.initial
    /// The stream that the session is about; nil in the initial phase.
    var stream: RTSPAddress?
    /// True if the client announced the stream: it sends.
    var records = false
    /// The URL that was announced, without a slash at its end.
    var announcedTarget = ""
    /// What the daemon was asked, with the CSeq that its answer carries.
    var question: (Question, sequence: String)?
    private var lastActivity: Instant

    /// Starts without a session.
    package init(
        identifier: String,
        server: String,
        timeout: Duration = ServerSession.timeout,
        maximumTracks: Int = ServerSession.maximumTracks,
        at now: Instant
    ) {
        trackLimit = min(maximumTracks, Self.maximumTracks)
        self.identifier = identifier
        self.server = server
        self.timeout = timeout
        lastActivity = now
    }

    /// True while the daemon owes an answer; `handle` must not be called then.
    package var isAnswering: Bool { question != nil }

    /// True between PLAY and PAUSE or TEARDOWN.
    package var isPlaying: Bool { phase == .playing }

    /// True between RECORD and PAUSE or TEARDOWN.
    package var isRecording: Bool { phase == .recording }

    /// True from ANNOUNCE on: packets come from the client.
    package var isPublishing: Bool { records }

    /// When the session expires; nil while packets on the connection itself show that the client is there.
    package var deadline: Instant? {
        if isPlaying || isRecording, tracks.allSatisfy({ $0.transport.lower == .tcp }) { return nil }
        return lastActivity + timeout
    }

    /// Notes a sign of life that is no request: a packet of the client's.
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
        let unsupported = Self.required(request).filter { $0 != Self.backchannelTag }
        guard unsupported.isEmpty else {
            var refusal = response(.optionNotSupported, sequence)
            refusal.headers.add("Unsupported", unsupported.joined(separator: ", "))
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
        case .announce: return announce(request, address, sequence)
        case .setup: return setUp(request, address, sequence)
        case .play: return play(request, address, sequence)
        case .record: return record(request, address, sequence)
        case .pause: return pause(request, address, sequence)
        case .teardown: return tearDown(request, address, sequence)
        case .getParameter, .setParameter:
            return .respond(response(request.body.isEmpty ? .ok : .parameterNotUnderstood, sequence))
        case .redirect, .other: return .respond(response(.notImplemented, sequence))
        }
    }

    /// The answer to a request that the daemon does not let through to `handle`; `headers` say what would help.
    package mutating func refuse(
        _ request: RTSPRequest,
        _ refusal: Refusal,
        headers: [(name: String, value: String)] = [],
        at now: Instant
    ) -> RTSPResponse {
        noteActivity(at: now)
        var response = response(refusal, request.headers["CSeq"].flatMap { $0.isEmpty ? nil : $0 })
        for header in headers { response.headers.add(header.name, header.value) }
        return response
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
            response.headers.add("Content-Base", address.baseURL)
            response.headers.add("Content-Type", "application/sdp")
            response.body = Array(text.utf8)
            return response
        case .failure(let refusal): return response(refusal, sequence)
        }
    }

    /// Answers ANNOUNCE: nil lets the client go on, a refusal says what stands in its way.
    package mutating func answerAnnounce(_ refusal: Refusal?) -> RTSPResponse {
        guard case (.announce(let address, let target), let sequence)? = takeQuestion() else {
            preconditionFailure("no ANNOUNCE waits for an answer")
        }
        if let refusal { return response(refusal, sequence) }
        phase = .announced
        records = true
        stream = address
        announcedTarget = target
        return response(.ok, sequence)
    }

    /// Answers SETUP with how the track was prepared, or with what stands in its way.
    package mutating func answerSetup(_ answer: Result<SetupAnswer, Refusal>) -> RTSPResponse {
        guard case (.setup(let address, let track, let control), let sequence)? = takeQuestion() else {
            preconditionFailure("no SETUP waits for an answer")
        }
        switch answer {
        case .success(let answer):
            tracks.removeAll { $0.isSame(track, control) }
            tracks.append(Track(number: track, control: control, transport: answer.transport))
            phase = .ready
            if !records { stream = address }
            var response = response(.ok, sequence)
            response.headers.add("Transport", answer.transport.text)
            if let keys = answer.keyManagement { response.headers.add("KeyMgmt", keys) }
            return response
        case .failure(let refusal): return response(refusal, sequence)
        }
    }

    /// Answers PLAY with where each track starts, or with what stands in its way.
    package mutating func answerPlay(_ answer: Result<[Start], Refusal>) -> RTSPResponse {
        guard case (.play(let address), let sequence)? = takeQuestion() else {
            preconditionFailure("no PLAY waits for an answer")
        }
        switch answer {
        case .success(let starts):
            phase = .playing
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

    /// Answers RECORD: nil lets the client send, a refusal says what stands in its way.
    package mutating func answerRecord(_ refusal: Refusal?) -> RTSPResponse {
        guard case (.record, let sequence)? = takeQuestion() else {
            preconditionFailure("no RECORD waits for an answer")
        }
        if let refusal { return response(refusal, sequence) }
        phase = .recording
        var response = response(.ok, sequence)
        response.headers.add("Range", "npt=now-")
        return response
    }

    // MARK: Helpers

    /// True if a DESCRIBE asks for the way back to the camera, too.
    package static func wantsBackchannel(_ request: RTSPRequest) -> Bool { required(request).contains(backchannelTag) }

    /// The feature tags that a request needs.
    static func required(_ request: RTSPRequest) -> [String] {
        (request.headers.all("Require") + request.headers.all("Proxy-Require"))
            .flatMap { $0.split(separator: ",").map { $0.trimmingSpaces() } }
    }

    /// True if a Session header, which may carry parameters, names this session.
    private func names(_ header: String) -> Bool {
        phase != .initial && header.split(separator: ";").first.map { $0.trimmingSpaces() } == identifier
    }

    private mutating func takeQuestion() -> (Question, sequence: String)? {
        defer { question = nil }
        return question
    }

    /// The methods that make sense in the present phase.
    private var allowedMethods: String {
        let more =
            switch phase {
            case .initial: "ANNOUNCE, SETUP"
            case .announced: "SETUP, TEARDOWN"
            case .ready: "SETUP, \(records ? "RECORD" : "PLAY"), PAUSE, TEARDOWN"
            case .playing: "PLAY, PAUSE, TEARDOWN"
            case .recording: "RECORD, PAUSE, TEARDOWN"
            }
        return "OPTIONS, DESCRIBE, \(more), GET_PARAMETER, SET_PARAMETER"
    }

    func response(_ status: RTSPStatus, _ sequence: String?) -> RTSPResponse {
        var response = RTSPResponse(status)
        if let sequence { response.headers.add("CSeq", sequence) }
        response.headers.add("Server", server)
        // RFC 2326 §12.4.
        if status == .notValidInState { response.headers.add("Allow", allowedMethods) }
        if phase != .initial {
            response.headers.add("Session", "\(identifier);timeout=\(timeout.components.seconds)")
        }
        return response
    }

    private func response(_ refusal: Refusal, _ sequence: String?) -> RTSPResponse {
        var response = response(refusal.status, sequence)
        if refusal.status == .optionNotSupported { response.headers.add("Unsupported", Self.backchannelTag) }
        if !refusal.reason.isEmpty {
            response.headers.add("Content-Type", "text/plain")
            response.body = Array((refusal.reason + "\n").utf8)
        }
        return response
    }
}
