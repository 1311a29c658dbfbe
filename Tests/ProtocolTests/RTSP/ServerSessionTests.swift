// SPDX-License-Identifier: Apache-2.0
// The server's session: every method in every state.

import Bytes
import RTSP
import Testing

@Suite("RTSP server session")
struct ServerSessionTests {
    static let url = "rtsp://u:p@h/cam"
    static let tcp = "RTP/AVP/TCP;unicast;interleaved=0-1"
    static let udp = "RTP/AVP;unicast;client_port=5000-5001"

    /// A client, a session and a daemon that says yes to everything.
    struct Rig {
        var session = ServerSession(identifier: "42", server: "Apus", at: .zero)
        var sequence = 0
        var paused = 0
        var tornDown = 0
        var controls: [String] = []

        /// Sends a request and answers what the session asks.
        mutating func send(
            _ method: RTSPMethod,
            _ target: String = ServerSessionTests.url,
            _ headers: [String: String] = [:],
            version: RTSPVersion = .rtsp10,
            body: [UInt8] = [],
            at now: Instant = .zero
        ) -> RTSPResponse {
            sequence += 1
            var request = RTSPRequest(method, target, version: version, body: body)
            request.headers.add("CSeq", String(sequence))
            for (name, value) in headers { request.headers.add(name, value) }
            switch session.handle(request, at: now) {
            case .respond(let response): return response
            case .pause(let response):
                paused += 1
                return response
            case .teardown(let response):
                tornDown += 1
                return response
            case .describe: return session.answerDescribe(.success("v=0\r\n"))
            case .announce: return session.answerAnnounce(nil)
            case .setup(let request):
                guard var transport = request.offers.first(where: { !$0.isSecure && !$0.isMulticast }) else {
                    return session.answerSetup(.failure(.init(.unsupportedTransport, "")))
                }
                controls.append(request.control)
                if transport.lower == .udp { transport.serverPorts = .init(6000, 6001) }
                transport.source = 0xABCDEF
                return session.answerSetup(.success(.init(transport)))
            case .record: return session.answerRecord(nil)
            case .play:
                return session.answerPlay(
                    .success(session.tracks.map { .init(track: $0.number, sequence: 7, timestamp: 9) })
                )
            }
        }

        mutating func setUp(_ transport: String = ServerSessionTests.tcp) -> RTSPResponse {
            send(.setup, ServerSessionTests.url + "/trackID=0", ["Transport": transport])
        }
    }

    static let inSession = ["Session": "42"]

    @Test("so many tracks can be set up and no more", arguments: [1, 3, ServerSession.maximumTracks, 9])
    func trackLimit(limit: Int) {
        var rig = Rig()
        rig.session = ServerSession(identifier: "42", server: "Apus", maximumTracks: limit, at: .zero)
        let allowed = min(limit, ServerSession.maximumTracks)
        for track in 0...allowed {
            let headers = ["Transport": "RTP/AVP/TCP;unicast", "Session": track > 0 ? "42" : nil]
                .compactMapValues { $0 }
            let answer = rig.send(.setup, "\(Self.url)/trackID=\(track)", headers)

            #expect(answer.status == (track < allowed ? .ok : .notEnoughBandwidth))
        }
    }

    @Test("a session goes from OPTIONS to TEARDOWN")
    func wholeSession() {
        var rig = Rig()

        let options = rig.send(.options)
        #expect(options.status == .ok && options.headers["Public"]?.contains("SET_PARAMETER") == true)
        #expect(
            options.headers["CSeq"] == "1" && options.headers["Server"] == "Apus" && options.headers["Session"] == nil
        )
        let describe = rig.send(.describe, Self.url, ["Accept": "application/sdp"])
        #expect(describe.headers["Content-Base"] == "rtsp://h/cam/")
        #expect(describe.headers["Content-Type"] == "application/sdp" && describe.body == Array("v=0\r\n".utf8))
        let setup = rig.setUp()
        #expect(setup.headers["Transport"] == "RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=00ABCDEF")
        #expect(setup.headers["Session"] == "42;timeout=60")
        let play = rig.send(.play, Self.url + "/", Self.inSession)
        #expect(play.headers["RTP-Info"] == "url=rtsp://h/cam/trackID=0;seq=7;rtptime=9")
        #expect(play.headers["Range"] == "npt=now-" && rig.session.isPlaying)
        #expect(rig.send(.getParameter, Self.url, Self.inSession).status == .ok)
        #expect(rig.send(.pause, Self.url, Self.inSession).status == .ok && !rig.session.isPlaying)
        #expect(rig.send(.play, Self.url, Self.inSession).status == .ok && rig.session.isPlaying)
        #expect(rig.send(.teardown, Self.url, Self.inSession).status == .ok && !rig.session.isPlaying)
        #expect(rig.paused == 1 && rig.tornDown == 1)
        #expect(rig.setUp().status == .ok)
    }

    @Test("a URL's query is left out of what tracks' names are put behind")
    func contentBase() {
        var rig = Rig()
        #expect(rig.send(.describe, "rtsp://h/cam?x=1").headers["Content-Base"] == "rtsp://h/cam/")
    }

    @Test("over UDP the answer has the ports of both sides")
    func udpSetup() {
        var rig = Rig()
        let setup = rig.setUp(Self.udp)
        #expect(
            setup.headers["Transport"]
                == "RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001;ssrc=00ABCDEF"
        )
    }

    @Test("the first usable offer is taken")
    func offers() {
        var rig = Rig()
        let setup = rig.setUp("RTP/SAVP;unicast;client_port=1-2,RTP/AVP;multicast,\(Self.tcp)")
        #expect(setup.headers["Transport"]?.hasPrefix("RTP/AVP/TCP") == true)
    }

    @Test("a second track gets free channels")
    func channels() {
        var rig = Rig()
        _ = rig.setUp()
        let second = rig.send(
            .setup,
            Self.url + "/trackID=1",
            ["Transport": "RTP/AVP/TCP;interleaved=1-2", "Session": "42"]
        )
        #expect(second.headers["Transport"]?.contains("interleaved=2-3") == true)
        #expect(rig.send(.play, Self.url + "/trackID=1", Self.inSession).status == .onlyAggregateAllowed)
    }

    @Test("a request without CSeq is answered 400, of another version 505, of an unknown method 501")
    func basics() {
        var rig = Rig()
        guard case .respond(let response) = rig.session.handle(RTSPRequest(.options, "*"), at: .zero) else {
            return #expect(Bool(false), "no response")
        }
        #expect(response.status == .badRequest)
        #expect(rig.send(.options, version: .otherRTSP).status == .versionNotSupported)
        #expect(rig.send(.other("SING")).status == .notImplemented)
        #expect(rig.send(.redirect).status == .notImplemented)
        #expect(rig.send(.describe, "nonsense").status == .badRequest)
    }

    @Test("an option that is required and not known is answered 551 with its name")
    func require() {
        var rig = Rig()
        let response = rig.send(.setup, Self.url, ["Require": "implicit-play", "Transport": Self.tcp])
        #expect(response.status == .optionNotSupported && response.headers["Unsupported"] == "implicit-play")
    }

    @Test("another session's identifier is answered 454")
    func otherSession() {
        var rig = Rig()
        #expect(rig.send(.play, Self.url, ["Session": "42"]).status == .sessionNotFound)
        _ = rig.setUp()
        #expect(rig.send(.play, Self.url, ["Session": "43"]).status == .sessionNotFound)
        #expect(rig.send(.play, Self.url).status == .sessionNotFound)
        #expect(rig.send(.teardown, Self.url).status == .sessionNotFound)
        #expect(rig.send(.play, Self.url, ["Session": "42;timeout=60"]).status == .ok)
    }

    @Test("a request that is refused without a CSeq is answered without one")
    func refusedWithoutSequence() {
        var rig = Rig()
        let request = RTSPRequest(.describe, Self.url, version: .rtsp10, body: [])

        let answer = rig.session.refuse(request, .init(.unauthorized, ""), at: .zero)

        #expect(answer.status == .unauthorized && answer.headers["CSeq"] == nil)
    }

    @Test("455 says what is possible instead")
    func allowed() {
        var rig = Rig()

        #expect(
            rig.send(.play).headers["Allow"] == "OPTIONS, DESCRIBE, ANNOUNCE, SETUP, GET_PARAMETER, SET_PARAMETER"
        )
        _ = rig.setUp()
        _ = rig.send(.play, Self.url, Self.inSession)
        #expect(
            rig.send(.announce, Self.url, Self.inSession).headers["Allow"]
                == "OPTIONS, DESCRIBE, PLAY, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER"
        )
        #expect(rig.send(.options).headers["Allow"] == nil)
    }

    @Test(
        "a Range that is none is answered 457",
        arguments: [
            ("npt=now-", true), ("npt=0.000-", true), ("NPT = 5-7.25", true), ("npt=1:02:03.5-", true),
            ("npt=-5", true),
            ("npt=7", true), ("npt=0-;time=19970123T143720Z", true), ("clock=19961108T142300Z-", true),
            ("clock=19961108T142300.25Z-19961108T143520Z", true), ("smpte=10:07:00-10:07:33:05.01", true),
            ("smpte-25=10:07:00-", true), ("npt=zzz", false), ("npt=", false), ("npt=-", false),
            ("npt=1:99:00-", false),
            ("npt=1:02-", false), ("npt=5-x", false), ("npt=+5-", false), ("npt=0-;time=now", false),
            ("clock=now-", false),
            ("clock=19961108-", false), ("smpte=1-", false), ("smpte=-", false), ("bytes=0-", false), ("", false),
        ]
    )
    func ranges(_ range: String, _ isValid: Bool) {
        var rig = Rig()
        _ = rig.setUp()

        let answer = rig.send(.play, Self.url, ["Session": "42", "Range": range])

        #expect(answer.status == (isValid ? .ok : .invalidRange))
    }

    @Test("a method in the wrong state is answered 455")
    func wrongState() {
        var rig = Rig()
        for method in [RTSPMethod.play, .pause, .teardown] { #expect(rig.send(method).status == .notValidInState) }
        _ = rig.setUp()
        _ = rig.send(.play, Self.url, Self.inSession)
        let playing = rig.send(.setup, Self.url + "/trackID=1", ["Transport": Self.tcp, "Session": "42"])
        #expect(playing.status == .notValidInState)
    }

    @Test("a track that is set up again before PLAY changes its transport")
    func setUpAgain() {
        var rig = Rig()
        _ = rig.setUp()
        let again = rig.send(.setup, Self.url + "/trackID=0", ["Transport": Self.udp, "Session": "42"])
        #expect(again.status == .ok && rig.session.tracks.count == 1 && rig.session.tracks[0].transport.lower == .udp)
    }

    static let description: [UInt8] = Array("v=0\r\n".utf8)

    @Test("a publisher goes from ANNOUNCE to TEARDOWN")
    func publisher() {
        var rig = Rig()
        let announce = rig.send(.announce, Self.url, ["Content-Type": "application/sdp"], body: Self.description)
        #expect(announce.status == .ok && announce.headers["Session"] == "42;timeout=60")
        let tcp = "RTP/AVP/TCP;unicast;interleaved=0-1;mode=record"
        #expect(rig.send(.setup, Self.url + "/streamid=0", ["Transport": tcp]).status == .ok)
        let second = rig.send(.setup, Self.url + "/sound", ["Transport": tcp, "Session": "42"])
        #expect(second.headers["Transport"]?.contains("mode=\"RECORD\"") == true)
        #expect(rig.controls == ["streamid=0", "sound"])
        #expect(rig.send(.play, Self.url, Self.inSession).status == .notValidInState)
        #expect(rig.send(.record, Self.url).status == .sessionNotFound)
        #expect(rig.send(.record, Self.url, Self.inSession).status == .ok && rig.session.isRecording)
        #expect(rig.session.deadline == nil)
        #expect(rig.send(.record, Self.url, Self.inSession).status == .ok)
        #expect(rig.send(.announce, Self.url, body: Self.description).status == .notValidInState)
        #expect(rig.send(.pause, Self.url, Self.inSession).status == .ok && !rig.session.isRecording)
        #expect(rig.send(.teardown, Self.url, Self.inSession).status == .ok && rig.session.tracks.isEmpty)
        #expect(rig.setUp().status == .ok)
    }

    @Test("what cannot be announced is refused, and only a publisher may record")
    func announceRefusals() {
        var rig = Rig()
        #expect(rig.send(.announce).status == .badRequest)
        let text = rig.send(.announce, Self.url, ["Content-Type": "text/plain"], body: Self.description)
        #expect(text.status == .unsupportedMediaType)
        #expect(rig.send(.record).status == .notValidInState)
        _ = rig.setUp()
        #expect(rig.send(.record, Self.url, Self.inSession).status == .notValidInState)
    }

    @Test("the way back is a feature that may be required")
    func backchannel() {
        var session = ServerSession(identifier: "42", server: "Apus", at: .zero)
        var request = RTSPRequest(.describe, Self.url)
        request.headers.add("CSeq", "1")
        request.headers.add("Require", ServerSession.backchannelTag)
        #expect(session.handle(request, at: .zero) == .describe(RTSPAddress(Self.url)!, wantsBackchannel: true))
        let refusal = session.answerDescribe(.failure(.init(.optionNotSupported, "no speaker")))
        #expect(refusal.headers["Unsupported"] == ServerSession.backchannelTag)
    }

    @Test("a range in no known unit is answered 457")
    func range() {
        var rig = Rig()
        _ = rig.setUp()
        #expect(rig.send(.play, Self.url, ["Session": "42", "Range": "bytes=0-"]).status == .invalidRange)
        #expect(rig.send(.play, Self.url, ["Session": "42", "Range": "npt=0.000-"]).status == .ok)
    }

    @Test("a track of another stream is answered 459, another stream's address 404")
    func otherStream() {
        var rig = Rig()
        _ = rig.setUp()
        let other = rig.send(.setup, "rtsp://h/other/trackID=1", ["Transport": Self.tcp, "Session": "42"])
        #expect(other.status == .aggregateNotAllowed)
        #expect(rig.send(.play, "rtsp://h/other", Self.inSession).status == .notFound)
    }

    @Test(
        "a transport that cannot be is answered 461, a malformed one 400",
        arguments: [
            ("RTP/AVP;multicast", RTSPStatus.unsupportedTransport),
            ("RTP/SAVP;unicast;client_port=1-2", .unsupportedTransport),
            ("RTP/AVP;unicast", .unsupportedTransport), ("RAW/RAW", .unsupportedTransport),
            ("RTP/AVP/TCP;mode=record", .unsupportedTransport), ("RTP/AVP;client_port=x", .badRequest),
        ]
    )
    func transports(header: String, status: RTSPStatus) {
        var rig = Rig()
        #expect(rig.setUp(header).status == status)
        #expect(rig.send(.setup).status == .badRequest)
    }

    @Test("parameters are not understood, and a description in another form is not to be had")
    func parameters() {
        var rig = Rig()
        #expect(rig.send(.getParameter, Self.url, body: [1]).status == .parameterNotUnderstood)
        #expect(rig.send(.setParameter, Self.url, body: [1]).status == .parameterNotUnderstood)
        #expect(rig.send(.setParameter).status == .ok)
        #expect(rig.send(.describe, Self.url, ["Accept": "text/html"]).status == .notAcceptable)
        #expect(rig.send(.describe, Self.url, ["Accept": "text/html, */*"]).status == .ok)
    }

    @Test("the daemon's refusals are passed on with their reason")
    func refusals() {
        var session = ServerSession(identifier: "42", server: "Apus", at: .zero)
        var request = RTSPRequest(.describe, Self.url)
        request.headers.add("CSeq", "1")
        let action = session.handle(request, at: .zero)
        #expect(session.isAnswering && action == .describe(RTSPAddress(Self.url)!, wantsBackchannel: false))
        let response = session.answerDescribe(.failure(.init(.unavailable, "no frames yet")))
        #expect(response.status == .unavailable && response.body == Array("no frames yet\n".utf8))
        #expect(!session.isAnswering)
    }

    @Test("a session over UDP ends after the timeout without a sign of life, one over TCP lives with its connection")
    func timeout() {
        let minute = Instant.zero + ServerSession.timeout
        var udp = Rig()
        _ = udp.setUp(Self.udp)
        _ = udp.send(.play, Self.url, Self.inSession)
        #expect(!udp.session.hasExpired(at: minute - .nanoseconds(1)) && udp.session.hasExpired(at: minute))
        udp.session.noteActivity(at: minute)
        #expect(!udp.session.hasExpired(at: minute) && udp.session.deadline == minute + ServerSession.timeout)
        var tcp = Rig()
        #expect(tcp.session.deadline == minute)
        _ = tcp.setUp()
        _ = tcp.send(.play, Self.url, Self.inSession)
        #expect(tcp.session.deadline == nil)
    }
}
