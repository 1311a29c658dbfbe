// SPDX-License-Identifier: Apache-2.0
// Session descriptions, written and read.

import Bytes
import Media
import SDP
import Testing

@Suite("Session description")
struct SessionDescriptionTests {
    static let h264 = StreamDescription(
        video: .h264,
        width: 1920,
        height: 1080,
        frameRate: Rational(30000, 1001),
        configuration: hex("00000001 6742c00dda05467889b01100000303e90000ea600f142aa0 00000001 68ce0fc8")
    )

    static func live(_ stream: StreamDescription, payloadType: UInt8 = 96) throws -> SessionDescription {
        let media = try #require(
            SessionDescription.Media(video: stream, payloadType: payloadType, control: "trackID=0", bandwidth: 4000)
        )
        return SessionDescription.live(name: "front door", identifier: 7, version: 1, media: [media])
    }

    static func parse(_ text: String) throws -> SessionDescription {
        let bytes = Array(text.utf8)
        return try SessionDescription(parsing: bytes.span)
    }

    @Test("a live H.264 stream is described with its parameter sets")
    func h264Text() throws {
        let lines = [
            "v=0", "o=- 7 1 IN IP4 127.0.0.1", "s=front door", "c=IN IP4 0.0.0.0", "t=0 0", "a=tool:Apus",
            "a=control:*",
            "a=range:npt=now-", "m=video 0 RTP/AVP 96", "b=AS:4000", "a=rtpmap:96 H264/90000",
            "a=fmtp:96 packetization-mode=1;profile-level-id=42C00D;"
                + "sprop-parameter-sets=Z0LADdoFRniJsBEAAAMD6QAA6mAPFCqg,aM4PyA==",
            "a=framesize:96 1920-1080", "a=framerate:29.97", "a=control:trackID=0",
        ]
        #expect(try Self.live(Self.h264).text == lines.map { $0 + "\r\n" }.joined())
    }

    @Test("a live H.265 stream is described with three kinds of parameter sets")
    func h265Text() throws {
        let sps = "42010101600000030090000003000003003ca00a480b9c95964a924caf016808000003000800000300c840"
        let stream = StreamDescription(
            video: .h265,
            width: 0,
            height: 0,
            frameRate: Rational(0),
            configuration: hex("00000001 40010c01 00000001 \(sps) 00000001 4401c172b46240")
        )
        let text = try Self.live(stream).text
        #expect(text.contains("a=rtpmap:96 H265/90000\r\n"))
        #expect(text.contains("a=fmtp:96 sprop-vps=QAEMAQ==;sprop-sps="))
        #expect(text.contains(";sprop-pps=RAHBcrRiQA==\r\n"))
        #expect(!text.contains("framerate") && !text.contains("framesize"))
    }

    @Test("a live JPEG stream uses its static payload type")
    func jpegText() throws {
        let stream = StreamDescription(video: .jpeg, width: 640, height: 360, frameRate: Rational(30))
        let text = try Self.live(stream, payloadType: 26).text
        #expect(text.contains("m=video 0 RTP/AVP 26\r\n") && text.contains("a=rtpmap:26 JPEG/90000\r\n"))
        #expect(text.contains("a=framerate:30\r\n"))
    }

    @Test("a stream without a payload format has no description")
    func unsupported() {
        let stream = StreamDescription(video: .nv12, width: 2, height: 2, frameRate: Rational(1))
        #expect(SessionDescription.Media(video: stream, payloadType: 96, control: "") == nil)
    }

    @Test("what is written is read back")
    func roundTrip() throws {
        let description = try Self.live(Self.h264)
        #expect(try Self.parse(description.text) == description)
    }

    @Test("line ends inside values cannot add lines")
    func injection() throws {
        var description = try Self.live(Self.h264)
        description.name = "x\r\nm=audio 0 RTP/AVP 0"
        #expect(try Self.parse(description.text).media.count == 1)
    }

    @Test("mapping and parameters of a payload type are found")
    func lookups() throws {
        let media = try #require(
            try Self.parse(
                "v=0\nm=audio 5004/2 RTP/AVP 97 0\na=rtpmap:97 opus/48000/2\na=fmtp:97 stereo=1; UseInBandFEC=1\n"
            )
            .media.first
        )
        #expect(media.port == 5004 && media.formats == ["97", "0"])
        let mapping = try #require(media.mapping(of: "97"))
        #expect(mapping.encoding == "opus" && mapping.rate == 48000 && mapping.channels == 2)
        #expect(media.parameter("useinbandfec", of: "97") == "1")
        #expect(media.parameter("stereo", of: "0") == nil && media.mapping(of: "0") == nil)
    }

    @Test("unknown lines, bare line feeds and a missing last line end are tolerated")
    func tolerance() throws {
        let description = try Self.parse(
            "v=0\nz=1\n\nrubbish\ns=cam\na=flag\nm=video 0 RTP/AVP 26\nb=CT:1\na=control:x"
        )
        #expect(description.name == "cam" && description.attributes == [.init("flag")])
        #expect(description.media.first?["control"] == "x" && description.media.first?.bandwidth == nil)
    }

    @Test(
        "what is no description is refused",
        arguments: ["", "v=1\n", "s=x\n", "hello", "v=0\nm=video\n", "v=0\nm=video x RTP/AVP\n"]
    )
    func refusal(text: String) {
        #expect(throws: WireError.self) { try Self.parse(text) }
    }

    @Test("limits hold at the limit and one beyond")
    func limits() throws {
        func check(_ atLimit: String, _ beyond: String) throws {
            #expect(throws: Never.self) { try Self.parse(atLimit) }
            #expect(throws: WireError.self) { try Self.parse(beyond) }
        }
        func lines(_ line: String, _ count: Int) -> String { "v=0\n" + String(repeating: line, count: count) }
        try check(lines("z=\n", SessionDescription.maximumLines - 1), lines("z=\n", SessionDescription.maximumLines))
        try check(
            lines("m=video 0 RTP/AVP 26\n", SessionDescription.maximumMedia),
            lines("m=video 0 RTP/AVP 26\n", SessionDescription.maximumMedia + 1)
        )
        try check(
            lines("a=x\n", SessionDescription.maximumAttributes),
            lines("a=x\n", SessionDescription.maximumAttributes + 1)
        )
        let filler = String(repeating: "x", count: SessionDescription.maximumLength - 6)
        try check("v=0\ns=" + filler, "v=0\ns=x" + filler)
    }

    @Test(
        "base64 is padded",
        arguments: [("", ""), ("66", "Zg=="), ("666f", "Zm8="), ("666f6f", "Zm9v"), ("fbff", "+/8=")]
    )
    func base64(bytes: String, expected: String) {
        #expect(Base64.encode(hex(bytes).span) == expected)
    }
}
