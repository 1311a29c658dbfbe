// SPDX-License-Identifier: Apache-2.0
// The RTSP client against what servers say: the plain case, refusals, redirects, and the oddities of cameras.

import Bytes
import RTSP
import SDP
import Testing

/// Drives a session with written answers.
struct Dialogue {
    var session: ClientSession
    var sent: [String] = []
    var events: [ClientSession.Event] = []
    var packets: [(track: Int, isControl: Bool, bytes: [UInt8])] = []
    var transport = RTSPTransport(.tcp)
    var now = Instant.zero
    private var buffer: [UInt8] = []

    init(
        _ url: String = "rtsp://camera/live",
        _ purpose: ClientSession.Purpose = .play,
        authorize: @escaping (ClientSession.Challenge) -> String? = { _ in nil }
    ) throws {
        session = ClientSession(try #require(RTSPTarget(url)), purpose, agent: "test", authorize: authorize)
        session.connected(at: now)
        drain()
    }

    /// The CSeq of the newest request.
    var sequence: String { sent.last.flatMap { header("CSeq", $0) } ?? "?" }

    /// Answers the newest request; lines are written with \n, and `#` is its CSeq.
    mutating func answer(_ text: String, body: String = "") {
        let head = text.replacingOccurrences("#", sequence).replacingOccurrences("\n", "\r\n")
        receive(Array((head + "\r\n\r\n" + body).utf8))
    }

    mutating func receive(_ bytes: [UInt8]) {
        buffer += bytes
        while true {
            let input = buffer
            let taken = session.take(input.span, at: now)
            if let packet = taken.packet {
                packets.append((packet.track, packet.isControl, Array(input[packet.payload])))
            }
            buffer.removeFirst(taken.consumed)
            drain()
            if taken.consumed == 0 || buffer.isEmpty { break }
        }
    }

    mutating func drain() {
        while let event = session.nextEvent() {
            events.append(event)
            switch event {
            case .send(let bytes): sent.append(String(decoding: bytes, as: UTF8.self))
            case .described(let description):
                session.setUp(description.media.indices.map { .init(medium: $0, transport: transport) }, at: now)
            case .redirected: session.connected(at: now)
            default: break
            }
        }
    }

    mutating func wait(until instant: Instant) {
        now = instant
        session.handleTimeout(at: instant)
        drain()
    }

    var deviations: [ClientDeviation] {
        events.compactMap { if case .noted(let deviation) = $0 { deviation } else { nil } }
    }

    var failure: ClientFailure? {
        events.compactMap { if case .failed(let failure) = $0 { failure } else { nil } }.first
    }

    /// The first lines of all requests.
    var lines: [String] { sent.map { String($0.prefix { $0 != "\r\n" }) } }

    func header(_ name: String, _ message: String) -> String? {
        message.split(separator: "\r\n").first { $0.hasPrefix(name + ": ") }
            .map { String($0.dropFirst(name.count + 2)) }
    }

    /// Up to SETUP of the first track.
    mutating func describe(_ sdp: String = Dialogue.description, base: String? = "rtsp://camera/live/") {
        answer("RTSP/1.0 200 OK\nCSeq: #\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN")
        let base = base.map { "Content-Base: \($0)\n" } ?? ""
        let head = "RTSP/1.0 200 OK\nCSeq: #\n\(base)Content-Type: application/sdp\n"
        answer(head + "Content-Length: \(sdp.utf8.count)", body: sdp)
    }

    /// Up to the answer to PLAY.
    mutating func play(session header: String = "Session: 12345678;timeout=60\n") {
        describe()
        answer("RTSP/1.0 200 OK\nCSeq: #\n\(header)Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
        answer("RTSP/1.0 200 OK\nCSeq: #\n\(header)Transport: RTP/AVP/TCP;unicast;interleaved=2-3")
        answer(
            "RTSP/1.0 200 OK\nCSeq: #\n\(header)RTP-Info: url=rtsp://camera/live/trackID=0;seq=7;rtptime=9,"
                + "url=rtsp://camera/live/trackID=1;seq=3;rtptime=4"
        )
    }

    static let description = """
        v=0
        o=- 1 1 IN IP4 0.0.0.0
        s=-
        a=control:*
        m=video 0 RTP/AVP 96
        a=rtpmap:96 H264/90000
        a=control:trackID=0
        m=audio 0 RTP/AVP 0
        a=control:trackID=1

        """
}

extension String {
    func replacingOccurrences(_ old: String, _ new: String) -> String {
        split(separator: old, omittingEmptySubsequences: false).joined(separator: new)
    }
}

@Suite("RTSP client session")
struct ClientSessionTests {
    @Test("OPTIONS, DESCRIBE, SETUP of each track and PLAY follow each other")
    func order() throws {
        var dialogue = try Dialogue("rtsp://u:p@camera/live")

        dialogue.play()

        #expect(
            dialogue.lines == [
                "OPTIONS rtsp://camera/live RTSP/1.0", "DESCRIBE rtsp://camera/live RTSP/1.0",
                "SETUP rtsp://camera/live/trackID=0 RTSP/1.0", "SETUP rtsp://camera/live/trackID=1 RTSP/1.0",
                "PLAY rtsp://camera/live/ RTSP/1.0",
            ]
        )
        #expect(dialogue.events.last == .started)
        #expect(dialogue.deviations == [])
        let starts = dialogue.session.tracks.map { $0.start?.sequence }
        #expect(starts == [7, 3])
    }

    @Test("the server decides which channels carry which track")
    func channels() throws {
        var dialogue = try Dialogue()
        dialogue.describe()
        dialogue.answer("RTSP/1.0 200 OK\nCSeq: #\nSession: 1\nTransport: RTP/AVP/TCP;unicast;interleaved=4-5")
        dialogue.answer("RTSP/1.0 200 OK\nCSeq: #\nSession: 1\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1")

        dialogue.receive([0x24, 5, 0, 1, 11, 0x24, 0, 0, 1, 12, 0x24, 9, 0, 1, 13])

        #expect(dialogue.packets.map(\.track) == [0, 1])
        #expect(dialogue.packets.map(\.isControl) == [true, false])
        #expect(dialogue.deviations == [.earlyPackets, .unknownChannel])
    }

    @Test("a session is kept alive at half its timeout, by GET_PARAMETER if the server has it")
    func keepAlive() throws {
        var dialogue = try Dialogue()
        dialogue.play(session: "Session: 1;timeout=20\n")

        dialogue.wait(until: .zero + .seconds(9))
        let early = dialogue.sent.count
        dialogue.wait(until: .zero + .seconds(10))

        #expect(early == 5)
        #expect(dialogue.lines.last == "GET_PARAMETER rtsp://camera/live/ RTSP/1.0")
        #expect(dialogue.header("Session", try #require(dialogue.sent.last)) == "1")
    }

    @Test("a refused GET_PARAMETER gives way to OPTIONS")
    func keepAliveRefused() throws {
        var dialogue = try Dialogue()
        dialogue.play()
        dialogue.wait(until: .zero + .seconds(30))

        dialogue.answer("RTSP/1.0 451 No\nCSeq: #")
        dialogue.wait(until: .zero + .seconds(60))

        #expect(dialogue.lines.last?.hasPrefix("OPTIONS") == true)
        #expect(dialogue.deviations == [.keepAliveRefused])
    }

    @Test("a keep-alive without an answer is noted, and the session goes on")
    func keepAliveUnanswered() throws {
        var dialogue = try Dialogue()
        dialogue.play()

        dialogue.wait(until: .zero + .seconds(30))
        dialogue.wait(until: .zero + .seconds(41))

        #expect(dialogue.deviations == [.keepAliveUnanswered])
        #expect(dialogue.failure == nil)
    }

    @Test("a session that the server has forgotten is lost")
    func sessionLost() throws {
        var dialogue = try Dialogue()
        dialogue.play()
        dialogue.wait(until: .zero + .seconds(30))

        dialogue.answer("RTSP/1.0 454 Session Not Found\nCSeq: #")

        #expect(dialogue.failure == .sessionLost)
    }

    @Test("a request that is not answered ends the session")
    func noAnswer() throws {
        var dialogue = try Dialogue()

        dialogue.wait(until: .zero + ClientSession.patience)

        #expect(dialogue.failure == .noAnswer(.options))
    }

    @Test("TEARDOWN ends the session, answered or not", arguments: [true, false])
    func tearDown(isAnswered: Bool) throws {
        var dialogue = try Dialogue()
        dialogue.play()

        dialogue.session.tearDown(at: dialogue.now)
        dialogue.drain()
        if isAnswered {
            dialogue.answer("RTSP/1.0 200 OK\nCSeq: #")
        } else {
            dialogue.wait(until: dialogue.now + ClientSession.farewellPatience)
        }

        #expect(dialogue.lines.last == "TEARDOWN rtsp://camera/live/ RTSP/1.0")
        #expect(dialogue.events.last == .ended)
    }

    // MARK: Authorization

    @Test("a challenge is answered, and all later requests carry an authorization")
    func authorization() throws {
        var asked: [ClientSession.Challenge] = []
        var dialogue = try Dialogue { challenge in
            asked.append(challenge)
            return "Digest \(asked.count)"
        }

        dialogue.answer("RTSP/1.0 401 Unauthorized\nCSeq: #\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\"")
        dialogue.play()

        let authorizations = dialogue.sent.map { dialogue.header("Authorization", $0) }
        #expect(authorizations == [nil, "Digest 1", "Digest 2", "Digest 3", "Digest 4", "Digest 5"])
        #expect(asked.first?.challenges == ["Digest realm=\"r\", nonce=\"n\""])
        #expect(asked.map(\.method) == ["OPTIONS", "DESCRIBE", "SETUP", "SETUP", "PLAY"])
    }

    @Test("a second refusal means wrong credentials, unless the nonce was only stale")
    func wrongPassword() throws {
        var dialogue = try Dialogue("rtsp://u:p@camera/live") { _ in "Basic dTpw" }
        dialogue.answer("RTSP/1.0 401 Unauthorized\nCSeq: #\nWWW-Authenticate: Basic realm=\"r\"")
        dialogue.answer("RTSP/1.0 401 Unauthorized\nCSeq: #\nWWW-Authenticate: Digest nonce=\"2\", stale=true")
        let middle = dialogue.failure

        dialogue.answer("RTSP/1.0 401 Unauthorized\nCSeq: #\nWWW-Authenticate: Basic realm=\"r\"")

        #expect(middle == nil)
        #expect(dialogue.failure == .unauthorized(hasCredentials: true))
    }

    // MARK: Redirects

    @Test("a redirect is followed to another host, without the password", arguments: [301, 302, 303])
    func redirect(status: Int) throws {
        var dialogue = try Dialogue("rtsp://u:p@camera/live")

        dialogue.answer("RTSP/1.0 \(status) Moved\nCSeq: #\nLocation: rtsp://other:8554/live2")

        #expect(dialogue.session.target.host == "other")
        #expect(dialogue.session.target.credentials == nil)
        #expect(dialogue.lines.last == "OPTIONS rtsp://other:8554/live2 RTSP/1.0")
    }

    @Test("the password stays on its host, and is not sent in the clear after TLS")
    func redirectedCredentials() throws {
        let target = try #require(RTSPTarget("rtsps://u:p@camera/live"))

        #expect(target.following("/b")?.credentials?.password == "p")
        #expect(target.following("/b")?.url == "rtsps://camera/b")
        #expect(target.following("rtsp://camera/b")?.credentials == nil)
    }

    @Test("a proxy is used for the URL that was asked for")
    func proxy() throws {
        var dialogue = try Dialogue()

        dialogue.answer("RTSP/1.0 305 Use Proxy\nCSeq: #\nLocation: rtsp://proxy/")

        #expect(dialogue.session.target.host == "proxy")
        #expect(dialogue.lines.last == "OPTIONS rtsp://camera/live RTSP/1.0")
    }

    @Test("a server's REDIRECT is answered and followed")
    func redirectRequest() throws {
        var dialogue = try Dialogue()
        dialogue.play()

        dialogue.receive(Array("REDIRECT * RTSP/1.0\r\nCSeq: 1\r\nLocation: rtsp://other/live\r\n\r\n".utf8))

        #expect(dialogue.sent.contains { $0.hasPrefix("RTSP/1.0 200") })
        #expect(dialogue.session.target.host == "other")
    }

    @Test("redirects do not go on for ever")
    func redirectLoop() throws {
        var dialogue = try Dialogue()

        for _ in 0...ClientSession.maximumRedirects {
            dialogue.answer("RTSP/1.0 302 Found\nCSeq: #\nLocation: rtsp://camera/live")
        }

        #expect(dialogue.failure == .badRedirect)
    }

    // MARK: Transports

    @Test("a refused transport can be asked for anew on the same connection")
    func transportRefused() throws {
        var dialogue = try Dialogue()
        dialogue.transport = RTSPTransport(.udp)
        dialogue.transport.clientPorts = .init(5000, 5001)
        dialogue.describe()
        dialogue.answer("RTSP/1.0 461 Unsupported Transport\nCSeq: #")
        #expect(dialogue.events.last == .transportRefused)

        dialogue.session.setUp([.init(medium: 0, transport: .init(.tcp))], at: dialogue.now)
        dialogue.drain()

        let last = try #require(dialogue.sent.last)
        #expect(dialogue.header("Transport", last) == "RTP/AVP/TCP;unicast;interleaved=0-1")
        #expect(dialogue.failure == nil)
    }

    // MARK: Publishing

    @Test("a publisher announces, sets up for recording, and records")
    func publish() throws {
        let sdp = Array(Dialogue.description.utf8)
        var dialogue = try Dialogue("rtsp://server/cam", .publish(try SessionDescription(parsing: sdp.span)))

        dialogue.answer("RTSP/1.0 200 OK\nCSeq: #\nPublic: ANNOUNCE, RECORD")
        dialogue.answer("RTSP/1.0 200 OK\nCSeq: #")
        dialogue.answer(
            "RTSP/1.0 200 OK\nCSeq: #\nSession: 1\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1;mode=record"
        )
        dialogue.answer(
            "RTSP/1.0 200 OK\nCSeq: #\nSession: 1\nTransport: RTP/AVP/TCP;unicast;interleaved=2-3;mode=record"
        )
        dialogue.answer("RTSP/1.0 200 OK\nCSeq: #\nSession: 1")

        #expect(
            dialogue.lines == [
                "OPTIONS rtsp://server/cam RTSP/1.0", "ANNOUNCE rtsp://server/cam RTSP/1.0",
                "SETUP rtsp://server/cam/trackID=0 RTSP/1.0", "SETUP rtsp://server/cam/trackID=1 RTSP/1.0",
                "RECORD rtsp://server/cam RTSP/1.0",
            ]
        )
        #expect(dialogue.sent[2].contains("mode=\"RECORD\""))
        #expect(dialogue.events.last == .started)
    }
}
