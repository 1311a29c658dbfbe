// SPDX-License-Identifier: Apache-2.0
// What cameras do that RFC 2326 does not have: each is named, and played anyhow.

import Bytes
import RTSP
import SDP
import Testing

@Suite("RTSP client and odd servers")
struct ClientOddityTests {
    /// One answer that is odd, in place of the plain one.
    struct Oddity: Sendable, CustomTestStringConvertible {
        var deviation: ClientDeviation
        var options = "RTSP/1.0 200 OK\nCSeq: #\nPublic: DESCRIBE, SETUP, PLAY, GET_PARAMETER"
        var describe = "RTSP/1.0 200 OK\nCSeq: #\nContent-Base: rtsp://camera/live/\nContent-Type: application/sdp"
        var control = "a=control:trackID=0"
        var setup = "RTSP/1.0 200 OK\nCSeq: #\nSession: 1;timeout=60\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1"
        var beforePlay: [UInt8] = []
        var play = "RTSP/1.0 200 OK\nCSeq: #\nSession: 1\nRTP-Info: url=rtsp://camera/live/trackID=0;seq=7;rtptime=9"
        var url = "rtsp://camera/live/trackID=0"
        var testDescription: String { deviation.rawValue }
    }

    static let oddities: [Oddity] = [
        Oddity(deviation: .missingPublic, options: "RTSP/1.0 200 OK\nCSeq: #"),
        Oddity(deviation: .optionsRefused, options: "RTSP/1.0 405 Method Not Allowed\nCSeq: #"),
        Oddity(deviation: .missingSequence, options: "RTSP/1.0 200 OK\nPublic: DESCRIBE"),
        Oddity(deviation: .wrongSequence, options: "RTSP/1.0 200 OK\nCSeq: 99\nPublic: DESCRIBE"),
        Oddity(deviation: .lowercaseHeader, options: "RTSP/1.0 200 OK\ncseq: #\npublic: DESCRIBE"),
        Oddity(deviation: .malformedHeader, options: "RTSP/1.0 200 OK\nCSeq: #\nPublic: DESCRIBE\nnonsense"),
        Oddity(deviation: .extraLineEnds, options: "\n\nRTSP/1.0 200 OK\nCSeq: #\nPublic: DESCRIBE\n\n"),
        Oddity(deviation: .strayBytes, options: "junk RTSP/1.0 200 OK\nCSeq: #\nPublic: DESCRIBE"),
        Oddity(
            deviation: .bodyWithoutLength,
            options: "RTSP/1.0 404 Not Found\nCSeq: #\n\n<html>R T $S</html>RTSP/1.0 200 OK\nCSeq: #"
        ),
        Oddity(deviation: .malformedMessage, options: "RTSP/1.0 OK\nCSeq: #\n\nRTSP/1.0 200 OK\nCSeq: #\nPublic: X"),
        Oddity(
            deviation: .missingContentBase,
            describe: "RTSP/1.0 200 OK\nCSeq: #\nContent-Type: application/sdp"
        ),
        Oddity(
            deviation: .relativeContentBase,
            describe: "RTSP/1.0 200 OK\nCSeq: #\nContent-Base: sub/\nContent-Type: application/sdp",
            url: "rtsp://camera/live/sub/trackID=0"
        ),
        Oddity(
            deviation: .missingContentType,
            describe: "RTSP/1.0 200 OK\nCSeq: #\nContent-Base: rtsp://camera/live"
        ),
        Oddity(deviation: .missingControl, control: "a=sendonly", url: "rtsp://camera/live/"),
        Oddity(deviation: .absolutePathControl, control: "a=control:/x/1", url: "rtsp://camera/x/1"),
        Oddity(
            deviation: .missingSession,
            setup: "RTSP/1.0 200 OK\nCSeq: #\nTransport: RTP/AVP/TCP;interleaved=0-1"
        ),
        Oddity(
            deviation: .oddSession,
            setup: "RTSP/1.0 200 OK\nCSeq: #\nSession: 1; timeout = \"60\"; x\nTransport: RTP/AVP/TCP;interleaved=0-1"
        ),
        Oddity(deviation: .changedSession, play: "RTSP/1.0 200 OK\nCSeq: #\nSession: 2\nRTP-Info: url=*;seq=1"),
        Oddity(deviation: .missingTransport, setup: "RTSP/1.0 200 OK\nCSeq: #\nSession: 1"),
        Oddity(deviation: .malformedTransport, setup: "RTSP/1.0 200 OK\nCSeq: #\nSession: 1\nTransport: ;;="),
        Oddity(
            deviation: .missingChannels,
            setup: "RTSP/1.0 200 OK\nCSeq: #\nSession: 1\nTransport: RTP/AVP/TCP;unicast"
        ),
        Oddity(
            deviation: .otherTransport,
            setup: "RTSP/1.0 200 OK\nCSeq: #\nSession: 1\nTransport: RTP/AVP;unicast;client_port=5000-5001;"
                + "server_port=6000-6001"
        ),
        Oddity(
            deviation: .missingServerPort,
            setup: "RTSP/1.0 200 OK\nCSeq: #\nSession: 1\nTransport: RTP/AVP;unicast;client_port=5000-5001"
        ),
        Oddity(deviation: .missingRTPInfo, play: "RTSP/1.0 200 OK\nCSeq: #\nSession: 1"),
        Oddity(deviation: .malformedRTPInfo, play: "RTSP/1.0 200 OK\nCSeq: #\nSession: 1\nRTP-Info: seq=;;url"),
        Oddity(deviation: .earlyPackets, beforePlay: [0x24, 0, 0, 2, 1, 2]),
        Oddity(deviation: .unknownChannel, beforePlay: [0x24, 7, 0, 2, 1, 2]),
    ]

    @Test("an odd answer is named, and the stream plays", arguments: oddities)
    func oddity(_ odd: Oddity) throws {
        var dialogue = try Dialogue()
        let sdp = "v=0\no=- 1 1 IN IP4 0.0.0.0\ns=-\nm=video 0 RTP/AVP 96\n\(odd.control)\n"

        dialogue.answer(odd.options)
        dialogue.answer(odd.describe + "\nContent-Length: \(sdp.utf8.count)", body: sdp)
        dialogue.answer(odd.setup)
        dialogue.receive(odd.beforePlay)
        dialogue.answer(odd.play)

        #expect(dialogue.deviations.contains(odd.deviation), "\(dialogue.deviations)")
        #expect(dialogue.events.contains(.started))
        #expect(dialogue.lines.contains("SETUP \(odd.url) RTSP/1.0"), "\(dialogue.lines)")
        #expect(dialogue.failure == nil)
    }

    @Test("each oddity is told once")
    func once() throws {
        var dialogue = try Dialogue()
        dialogue.play()

        for _ in 0..<3 { dialogue.receive([0x24, 9, 0, 0]) }

        #expect(dialogue.deviations == [.unknownChannel])
    }

    @Test("what cannot be played says why")
    func failures() throws {
        var notFound = try Dialogue()
        notFound.answer("RTSP/1.0 200 OK\nCSeq: #\nPublic: X")
        notFound.answer("RTSP/1.0 404 Not Found\nCSeq: #")
        var html = try Dialogue()
        html.answer("RTSP/1.0 200 OK\nCSeq: #\nPublic: X")
        html.answer("RTSP/1.0 200 OK\nCSeq: #\nContent-Type: text/html\nContent-Length: 2", body: "no")
        var gone = try Dialogue()
        gone.session.disconnected()
        gone.drain()

        #expect(notFound.failure == .refused(.describe, .notFound))
        #expect(html.failure == .badDescription("its type is text/html, not application/sdp"))
        #expect(gone.failure == .closed)
    }

    @Test(
        "a target's parts are taken apart, and printed without the password",
        arguments: [
            ("rtsp://camera", "camera", 554, "rtsp://camera", "rtsp://camera"),
            ("RTSPS://camera/a", "camera", 322, "rtsps://camera/a", "rtsps://camera/a"),
            ("rtsp://u:p%40q@c:8554/a?b=1", "c", 8554, "rtsp://c:8554/a?b=1", "rtsp://u:***@c:8554/a?b=1"),
            ("rtsp://u:a@b@[::1]:1/x#y", "::1", 1, "rtsp://[::1]:1/x", "rtsp://u:***@[::1]:1/x"),
        ]
    )
    func target(_ text: String, host: String, port: Int, url: String, redacted: String) throws {
        let target = try #require(RTSPTarget(text))

        #expect(target.host == host)
        #expect(Int(target.port) == port)
        #expect(target.url == url)
        #expect(target.redacted == redacted)
    }

    @Test(
        "what is no target is refused",
        arguments: ["", "http://a", "rtsp://", "rtsp://:1/", "rtsp://a:0/", "rtsp://a b"]
    )
    func noTarget(_ text: String) {
        #expect(RTSPTarget(text) == nil)
    }

    @Test("an option of ours is taken out of the query, the camera's stay")
    func takeOption() throws {
        var target = try #require(RTSPTarget("rtsp://c/a?channel=1&transport=udp&subtype=0"))

        #expect(target.takeOption("transport") == "udp")
        #expect(target.takeOption("transport") == nil)
        #expect(target.url == "rtsp://c/a?channel=1&subtype=0")
    }

    @Test("events and packets are the same however the bytes are split")
    func splits() {
        let sdp = Dialogue.description
        let text =
            "\r\nRTSP/1.0 401 No\r\nCSeq: 1\r\nWWW-Authenticate: Basic realm=\"r\"\r\n\r\n<p>body</p>"
            + "RTSP/1.0 200 OK\r\nCSeq: 2\r\nPublic: GET_PARAMETER\r\n\r\njunk"
            + "RTSP/1.0 200 OK\r\ncseq: 3\r\nContent-Length: \(sdp.utf8.count)\r\n\r\n\(sdp)"
            + "RTSP/1.0 200 OK\r\nCSeq: 4\r\nSession: 1\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n\r\n"
            + "$\u{0}\u{0}\u{2}ab"
            + "RTSP/1.0 200 OK\r\nCSeq: 5\r\nTransport: RTP/AVP/TCP;interleaved=2-3\r\n\r\n"
            + "RTSP/1.0 200 OK\r\nCSeq: 6\r\n\r\n$\u{3}\u{0}\u{1}cOPTIONS * RTSP/1.0\r\nCSeq: 9\r\n\r\n"
        let bytes = Array(text.utf8)

        for step in 1...bytes.count {  // every chunk size puts cuts elsewhere
            let (events, packets) = RTSPFuzz.events(bytes.span, step: step)
            #expect(events.contains(.started))
            #expect(packets == [[0, 0x61, 0x62], [1, 0x63]])
        }
        RTSPFuzz.client(bytes.span)
    }
}
