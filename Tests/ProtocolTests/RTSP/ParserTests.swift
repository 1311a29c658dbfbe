// SPDX-License-Identifier: Apache-2.0
// RTSP messages off the wire, at every split and at the limits.

import Bytes
import RTSP
import Testing

@Suite("RTSP parser")
struct RTSPParserTests {
    /// All items in `text`, fed `step` bytes at a time; interleaved payloads as their length.
    static func items(_ bytes: [UInt8], step: Int? = nil) throws(WireError) -> [RTSPParser.Item] {
        var parser = RTSPParser()
        var buffer: [UInt8] = []
        var items: [RTSPParser.Item] = []
        for start in stride(from: 0, to: bytes.count, by: step ?? max(1, bytes.count)) {
            buffer += bytes[start..<min(start + (step ?? bytes.count), bytes.count)]
            while true {
                let (consumed, item) = try parser.parse(buffer.span)
                if let item { items.append(item) }
                if consumed == 0 { break }
                buffer.removeFirst(consumed)
            }
        }
        return items
    }

    static let stream = Array(
        ("\r\nOPTIONS rtsp://h/cam RTSP/1.0\r\nCSeq: 1\r\nX-Empty:\r\n\r\n" + "$\u{1}\u{0}\u{4}abcd"
            + "SET_PARAMETER * RTSP/1.0\nCSeq :2\nContent-Length: 5\n\na: b\n"
            + "RTSP/1.0 404 Not Found\r\nCSeq: 3\r\n\r\n"
            + "GET /video.mjpg HTTP/1.1\r\nHost: h\r\n\r\n")
            .utf8
    )

    @Test("requests, responses, interleaved packets and HTTP come out in their order, at every split")
    func everySplit() throws {
        let items = try Self.items(Self.stream)

        #expect(items.count == 5)
        guard case .request(let options) = items[0], case .request(let parameter) = items[2],
            case .response(let response) = items[3], case .request(let http) = items[4]
        else { return #expect(Bool(false), "wrong kinds of items") }
        #expect(options.method == .options && options.target == "rtsp://h/cam" && options.version == .rtsp10)
        #expect(options.headers["cseq"] == "1" && options.headers["X-Empty"] == "")
        #expect(items[1] == .interleaved(channel: 1, payload: 4..<8))
        #expect(parameter.body == Array("a: b\n".utf8) && parameter.headers["CSeq"] == "2")
        #expect(response.status == .notFound)
        #expect(http.version == .http && http.method == .other("GET"))
        for step in 1...Self.stream.count { #expect(try Self.items(Self.stream, step: step) == items, "step \(step)") }
    }

    @Test("a message cut anywhere is no message yet")
    func truncation() throws {
        let request = Array("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 3\r\n\r\nabc".utf8)
        for length in 0..<request.count { #expect(try Self.items(Array(request[..<length])).isEmpty) }
        #expect(try Self.items(request).count == 1)
    }

    @Test("a printed message is read back")
    func roundTrip() throws {
        var request = RTSPRequest(.setup, "rtsp://h/cam/trackID=0", body: [1, 2, 3])
        request.headers.add("CSeq", "4")
        var response = RTSPResponse(.optionNotSupported, body: [4])
        response.headers.add("Unsupported", "x\r\nInjected: y")
        var bytes: [UInt8] = []
        request.serialize(into: &bytes)
        response.serialize(into: &bytes)

        let items = try Self.items(bytes)

        guard case .request(let first) = items[0], case .response(let second) = items[1] else {
            return #expect(Bool(false), "wrong kinds of items")
        }
        #expect(first.method == .setup && first.body == [1, 2, 3] && first.headers["CSeq"] == "4")
        #expect(second.status == .optionNotSupported && second.headers["Injected"] == nil && second.body == [4])
    }

    @Test(
        "what is no message is refused",
        arguments: [
            "OPTIONS\r\n\r\n", " \r\n\r\n", "OPTIONS *\r\n\r\n", "OPTIONS * SIP/2.0\r\n\r\n", " * RTSP/1.0\r\n\r\n",
            "OPT(ONS * RTSP/1.0\r\n\r\n", "OPTIONS * RTSP/1.0\r\nno colon\r\n\r\n", "OPTIONS * RTSP/1.0\r\n: x\r\n\r\n",
            "OPTIONS * RTSP/1.0\r\n folded: x\r\n y\r\n\r\n", "OPTIONS * RTSP/1.0\r\nA: \u{1}\r\n\r\n",
            "RTSP/1.0 20\r\n\r\n",
            "RTSP/1.0 abc OK\r\n\r\n", "\u{0}\u{1}\r\n\r\n", "OPTIONS * RTSP/1.0\r\nContent-Length: -1\r\n\r\n",
            "OPTIONS * RTSP/1.0\r\nContent-Length: 1x\r\n\r\n",
            "OPTIONS * RTSP/1.0\r\nContent-Length: 99999999999\r\n\r\n",
            "OPTIONS * RTSP/1.0\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "OPTIONS * RTSP/x\r\n\r\n",
        ]
    )
    func refusal(text: String) {
        #expect(throws: WireError.self) { try Self.items(Array(text.utf8)) }
    }

    @Test("a server may set limits below the greatest")
    func ownLimits() {
        func isTaken(_ headers: Int, head: Int, body: Int) -> Bool {
            var parser = RTSPParser(limits: .init(bytes: 256, headers: 4))
            var text = "OPTIONS * RTSP/1.0\r\nContent-Length: \(body)\r\n"
            for _ in 1..<headers { text += "A: b\r\n" }
            if head > 0 { text += "A: \(String(repeating: "b", count: head - text.utf8.count - 7))\r\n" }
            let bytes = Array((text + "\r\n").utf8) + [UInt8](repeating: 0, count: body)
            return (try? parser.parse(bytes.span))?.item != nil
        }

        #expect(isTaken(4, head: 0, body: 0) && !isTaken(5, head: 0, body: 0))
        #expect(isTaken(1, head: 256, body: 0) && !isTaken(1, head: 257, body: 0))
        #expect(isTaken(1, head: 0, body: 256) && !isTaken(1, head: 0, body: 257))
    }

    @Test("limits hold at the limit and one beyond")
    func limits() {
        func check(_ atLimit: String, _ beyond: String) {
            #expect(throws: Never.self) { try Self.items(Array(atLimit.utf8)) }
            #expect(throws: WireError.self) { try Self.items(Array(beyond.utf8)) }
        }
        func target(_ length: Int) -> String { "OPTIONS \(String(repeating: "a", count: length)) RTSP/1.0\r\n\r\n" }
        check(target(RTSPParser.maximumLine - 17), target(RTSPParser.maximumLine - 16))
        func headers(_ count: Int) -> String {
            "OPTIONS * RTSP/1.0\r\n\(String(repeating: "A: b\r\n", count: count))\r\n"
        }
        check(headers(RTSPHeaders.maximumCount), headers(RTSPHeaders.maximumCount + 1))
        func head(_ length: Int) -> String {
            "OPTIONS * RTSP/1.0\r\nA: \(String(repeating: "b", count: length - 27))\r\n\r\n"
        }
        #expect(head(100).utf8.count == 100)
        check(head(RTSPParser.maximumHead), head(RTSPParser.maximumHead + 1))
        func body(_ length: Int) -> String { "OPTIONS * RTSP/1.0\r\nContent-Length: \(length)\r\n\r\n" }
        check(body(RTSPParser.maximumBody), body(RTSPParser.maximumBody + 1))
        check("", String(repeating: "x", count: RTSPParser.maximumHead))
    }
}

@Suite("RTSP transport")
struct RTSPTransportTests {
    @Test("offers are read in their order, and those that are no RTP are left out")
    func offers() throws {
        let offers = try #require(
            RTSPTransport.offers("RAW/RAW/UDP;unicast, RTP/AVP;multicast,RTP/AVP/TCP;unicast;interleaved=4-5;mode=PLAY")
        )
        #expect(offers.count == 2)
        #expect(offers[0].isMulticast && offers[0].lower == .udp)
        #expect(offers[1].lower == .tcp && offers[1].interleaved == .init(4, 5) && !offers[1].isRecording)
    }

    @Test(
        "a transport is printed as it is read",
        arguments: [
            "RTP/AVP/TCP;unicast;interleaved=0-1",
            "RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001;ssrc=00ABCDEF",
            "RTP/SAVP;multicast", "RTP/AVP;unicast;mode=\"RECORD\"",
        ]
    )
    func roundTrip(text: String) {
        #expect(RTSPTransport.offers(text)?.first?.text == text)
    }

    @Test("one port or channel stands for itself and the next")
    func single() {
        #expect(RTSPTransport.offers("RTP/AVP;client_port=5000")?.first?.clientPorts == .init(5000, 5001))
        #expect(RTSPTransport.offers("RTP/AVP/TCP;interleaved=2")?.first?.interleaved == .init(2, 3))
    }

    @Test(
        "malformed headers are refused",
        arguments: [
            "", ";", "RTP/AVP;client_port=", "RTP/AVP;client_port=0-1", "RTP/AVP;client_port=65536-65537",
            "RTP/AVP;client_port=65535", "RTP/AVP/TCP;interleaved=256-257", "RTP/AVP/TCP;interleaved=x",
            "RTP/AVP;client_port=-1",
        ]
    )
    func refusal(text: String) {
        #expect(RTSPTransport.offers(text) == nil)
    }

    @Test("the number of offers has a limit")
    func limit() {
        let offers = [String](repeating: "RTP/AVP", count: RTSPTransport.maximumOffers)
        #expect(RTSPTransport.offers(offers.joined(separator: ",")) != nil)
        #expect(RTSPTransport.offers((offers + ["RTP/AVP"]).joined(separator: ",")) == nil)
    }
}

@Suite("RTSP address")
struct RTSPAddressTests {
    @Test(
        "stream and track are found in a URL",
        arguments: [
            ("rtsp://h/cam", ["cam"], nil, "rtsp://h/cam"),
            ("rtsp://h:8554/cam/sub/", ["cam", "sub"], nil, "rtsp://h:8554/cam/sub"),
            ("rtsp://user:p@ss@h/cam/trackID=0", ["cam"], 0, "rtsp://h/cam"),
            ("rtsp://h/cam/streamid=12", ["cam"], 12, "rtsp://h/cam"),
            ("rtsp://h/cam?a=b/trackID=1", ["cam"], 1, "rtsp://h/cam?a=b"),
            ("rtsp://h?a=b", [], nil, "rtsp://h?a=b"),
            ("rtsp://h", [], nil, "rtsp://h"),
            ("rtsp://h//cam", ["cam"], nil, "rtsp://h/cam"),
            ("rtsp://h/track1", ["track1"], nil, "rtsp://h/track1"),
            ("rtsp://h/cam/stream=1", ["cam"], 1, "rtsp://h/cam"),
            ("rtsp://[::1]:8554/cam%20a", ["cam a"], nil, "rtsp://[::1]:8554/cam%20a"),
            ("RTSPS://h/track", ["track"], nil, "rtsps://h/track"),
            ("/cam", ["cam"], nil, "rtsp:///cam"),
            ("rtsp://h/cam/\u{59C}sub", ["cam", "\u{59C}sub"], nil, "rtsp://h/cam/%D6%9Csub"),
            ("*", [], nil, "rtsp://"),
        ] as [(String, [String], Int?, String)]
    )
    func parsing(text: String, segments: [String], track: Int?, stream: String) throws {
        let address = try #require(RTSPAddress(text))
        #expect(address.segments == segments && address.track == track && address.streamURL == stream)
    }

    @Test("a track's URL leads back to the track")
    func trackURL() throws {
        for text in ["rtsp://h/cam", "rtsp://h/cam?a=b", "rtsp://h"] {
            let address = try #require(RTSPAddress(text))
            let track = try #require(RTSPAddress(address.trackURL(3)))
            #expect(track.track == 3 && track.segments == address.segments)
        }
    }

    @Test(
        "what is no address is refused",
        arguments: [
            "", "cam", "ftp://h/cam", "rtsp://", "rtsp:///cam", "rtsp://user@/cam", "rtsp://h/../x",
            "rtsp://h/%2e%2e/x",
            "rtsp://h/a%2fb", "rtsp://h/%00", "rtsp://h/%zz", "rtsp://h/%4", "rtsp://h/a b", "rtsp://h/%ff",
            "/1/2/3/4/5/6/7/8/9",
        ]
    )
    func refusal(text: String) {
        #expect(RTSPAddress(text) == nil)
    }

    @Test("the length has a limit")
    func limit() {
        let path = "/" + String(repeating: "a", count: RTSPAddress.maximumLength - 1)
        #expect(RTSPAddress(path) != nil && RTSPAddress(path + "a") == nil)
    }
}

@Suite("HTTP on the RTSP port")
struct HTTPOnRTSPTests {
    static func answer(_ target: String, host: String?, method: String = "GET") -> String {
        var request = RTSPRequest(.other(method), target, version: .http)
        if let host { request.headers.add("Host", host) }
        return String(decoding: HTTPOnRTSP.response(to: request, place: ("http", 8080)), as: UTF8.self)
    }

    @Test("a browser is sent to the same path on the HTTP port")
    func redirection() {
        #expect(
            Self.answer("/video.mjpg", host: "cam.lan:8554").contains("Location: http://cam.lan:8080/video.mjpg\r\n")
        )
        #expect(Self.answer("/", host: "[::1]:8554").contains("Location: http://[::1]:8080/\r\n"))
    }

    @Test("anything else is not found")
    func notFound() {
        for answer in [
            Self.answer("/", host: nil), Self.answer("//evil/", host: "h"), Self.answer("/", host: "h", method: "POST"),
            Self.answer("/", host: "evil/@h"), Self.answer("http://evil/", host: "h"),
        ] {
            #expect(answer.hasPrefix("HTTP/1.1 404 "))
        }
    }
}
