// SPDX-License-Identifier: Apache-2.0
// Tracks of other people's descriptions: publishers' and cameras'.

import Bytes
import Media
import RTP
import SDP
import Testing

@Suite("Session description: tracks")
struct OfferTests {
    static func offer(_ text: String, base: String = "rtsp://cam/live") throws -> SessionDescription.Offer {
        try SessionDescriptionTests.parse("v=0\n" + text).offer(base: base)
    }

    static func track(_ text: String) throws -> SessionDescription.Track {
        let offer = try offer(text)
        return try #require(offer.tracks.first, "\(offer.ignored)")
    }

    @Test("what FFmpeg announces has both tracks")
    func ffmpeg() throws {
        let offer = try Self.offer(
            """
            o=- 0 0 IN IP4 127.0.0.1\r
            c=IN IP4 127.0.0.1\r
            t=0 0\r
            m=video 0 RTP/AVP 96\r
            a=rtpmap:96 H264/90000\r
            a=fmtp:96 packetization-mode=1; sprop-parameter-sets=Z0LADdoFRniJsBEAAAMD6QAA6mAPFCqg,aM4PyA==\r
            a=control:streamid=0\r
            m=audio 0 RTP/AVP 97\r
            b=AS:128\r
            a=rtpmap:97 MPEG4-GENERIC/48000/2\r
            a=fmtp:97 mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3; config=119056E500\r
            a=control:streamid=1\r

            """,
            base: "rtsp://host:8554/pub?key=1/"
        )

        #expect(offer.ignored.isEmpty && offer.tracks.map(\.kind) == ["video", "audio"])
        #expect(
            offer.tracks.map(\.control) == [
                "rtsp://host:8554/pub?key=1/streamid=0", "rtsp://host:8554/pub?key=1/streamid=1",
            ]
        )
        let video = offer.tracks[0].format
        #expect(video.payloadType == 96 && video.clockRate == 90_000 && video.stream.codec == .h264)
        #expect(video.stream.width == 322 && video.stream.height == 182 && video.stream.configuration.count > 20)
        let audio = offer.tracks[1].format
        #expect(audio.stream.codec == .aac && audio.stream.sampleRate == 48_000 && audio.stream.channels == 2)
        #expect(audio.stream.configuration == hex("119056e500") && audio.aacHeader == .highRate && !audio.isLATM)
    }

    @Test("what rtspclientsink announces is understood")
    func gstreamer() throws {
        let offer = try Self.offer(
            """
            s=Session streamed with GStreamer
            a=tool:GStreamer
            m=video 0 RTP/AVP 96
            c=IN IP4 0.0.0.0
            b=AS:2048
            a=rtpmap:96 H265/90000
            a=framerate:30
            a=fmtp:96 sprop-vps=QAEMAQ==;sprop-sps=QgEBAWAAAAMAkAAAAwAAAwA8oApIC5yVlkqSTK8BaAgAAAMACAAAAwDIQA==;sprop-pps=RAHBcrRiQA==
            a=control:stream=0
            m=audio 0 RTP/AVP 97
            c=IN IP4 0.0.0.0
            a=rtpmap:97 OPUS/48000/2
            a=fmtp:97 sprop-stereo=1;sprop-maxcapturerate=48000
            a=control:stream=1
            """
        )
        #expect(
            offer.ignored.isEmpty
                && offer.tracks.map(\.control) == ["rtsp://cam/live/stream=0", "rtsp://cam/live/stream=1"]
        )
        #expect(offer.tracks[0].format.stream.codec == .h265 && offer.tracks[0].format.stream.configuration.count > 50)
        #expect(offer.tracks[1].format.stream == StreamDescription(audio: .opus, sampleRate: 48_000, channels: 2))
    }

    @Test(
        "static payload types need no rtpmap",
        arguments: [
            (0, Codec.pcmu, UInt32(8000), UInt32(1)), (8, .pcma, 8000, 1), (10, .l16, 44_100, 2), (11, .l16, 44_100, 1),
            (26, .jpeg, 90_000, 0),
        ]
    )
    func staticTypes(type: Int, codec: Codec, rate: UInt32, channels: UInt32) throws {
        let track = try Self.track("m=\(codec.isAudio ? "audio" : "video") 0 RTP/AVP \(type)\n")
        #expect(track.format.stream.codec == codec && track.format.clockRate == rate)
        #expect(track.format.stream.channels == channels && track.control == "rtsp://cam/live")
    }

    @Test("blanks, capitals and start codes where cameras put them do no harm")
    func oddities() throws {
        let track = try Self.track(
            """
            m=video 0 RTP/AVP 98 96
            a=rtpmap: 96  h264/90000
            a=fmtp:96  Packetization-Mode = 1 ;  sprop-parameter-sets = AAAAAWdCwA3aBUZ4ibARAAADA+kAAOpgDxQqoA , aM4PyA== ;
            a=framerate: 29.97
            """
        )
        #expect(track.format.payloadType == 96 && track.format.stream.width == 322)
        #expect(track.format.stream.configuration.starts(with: hex("00000001 6742c00d")))
    }

    @Test(
        "media that cannot be received are passed over, each with its reason",
        arguments: [
            ("m=application 0 RTP/AVP 107\na=rtpmap:107 vnd.onvif.metadata/90000", "neither video nor audio"),
            ("m=video 0 udp 33", "transport udp"), ("m=video 0 RTP/AVP", "no payload type"),
            ("m=video 0 RTP/AVP 96", "without rtpmap"), ("m=audio 0 RTP/AVP 97\na=rtpmap:97 G726-32/8000", "G726-32"),
            ("m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 packetization-mode=2", "interleaved"),
            ("m=video 0 RTP/AVP 96\na=rtpmap:96 H265/90000\na=fmtp:96 sprop-max-don-diff=2", "order"),
            ("m=audio 0 RTP/AVP 97\na=rtpmap:97 MP4A-LATM/48000/2", "in band"),
            ("m=audio 0 RTP/AVP 97\na=rtpmap:97 MPEG4-GENERIC/48000\na=fmtp:97 mode=CELP-cbr", "celp"),
            ("m=audio 0 RTP/AVP 97\na=rtpmap:97 PCMU/0", "clock rate 0"), ("m=audio 0 RTP/AVP x", "payload type x"),
        ]
    )
    func ignored(medium: String, reason: String) throws {
        let offer = try Self.offer(medium + "\nm=audio 0 RTP/AVP 0\n")
        #expect(offer.tracks.map(\.index) == [1])
        #expect(offer.ignored.count == 1 && offer.ignored.first?.reason.contains(reason) == true, "\(offer.ignored)")
    }

    @Test(
        "control names become URLs",
        arguments: [
            ("trackID=1", "rtsp://h/a", "rtsp://h/a/trackID=1"), ("trackID=1", "rtsp://h/a/", "rtsp://h/a/trackID=1"),
            ("rtsp://h/b/1", "rtsp://h/a/", "rtsp://h/b/1"), ("*", "rtsp://h/a", "rtsp://h/a"),
            ("", "rtsp://h/a", "rtsp://h/a"), ("/b/1", "rtsp://h:1/a/c?x", "rtsp://h:1/b/1"),
            ("1", "rtsp://h/a?b=/c", "rtsp://h/a?b=/c/1"), ("track1", "", "track1"), (" t ", "rtsp://h", "rtsp://h/t"),
        ]
    )
    func controls(control: String, base: String, expected: String) {
        #expect(SessionDescription.resolve(control, against: base) == expected)
    }

    @Test("control, connection, direction and keys of the session hold for media without their own")
    func sessionLevel() throws {
        let offer = try Self.offer(
            """
            c=IN IP4 239.1.2.3/16
            a=control:rtsp://10.0.0.2/live/
            a=recvonly
            a=key-mgmt:mikey AQAF
            m=audio 5004 RTP/SAVP 0
            a=control:1
            a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc
            m=audio 0 RTP/AVP 0
            c=IN IP6 2001:db8::1
            a=sendonly
            a=key-mgmt:mikey Zm9v
            """
        )
        let (first, second) = (offer.tracks[0], offer.tracks[1])
        #expect(offer.control == "rtsp://10.0.0.2/live/" && first.control == "rtsp://10.0.0.2/live/1")
        #expect(
            first.connection == .init(address: "239.1.2.3", timeToLive: 16) && first.connection?.isMulticast == true
        )
        #expect(first.direction == .receiveOnly && second.direction == .sendOnly)
        #expect(
            first.crypto == ["1 AES_CM_128_HMAC_SHA1_80 inline:abc"] && first.mikey == "AQAF" && second.mikey == "Zm9v"
        )
        #expect(first.transport == "RTP/SAVP" && first.port == 5004)
        #expect(
            second.connection == .init(address: "2001:db8::1", isIPv6: true) && second.connection?.isMulticast == false
        )
    }

    @Test("AAC as LATM has its configuration taken out of the multiplex's")
    func latm() throws {
        let track = try Self.track(
            "m=audio 0 RTP/AVP 97\na=rtpmap:97 MP4A-LATM/44100/2\na=fmtp:97 cpresent=0; config=400024203fc0\n"
        )
        #expect(track.format.isLATM && track.format.stream.configuration == hex("1210"))
        #expect(track.format.stream.sampleRate == 44_100 && track.format.stream.channels == 2)
    }

    @Test(
        "Apus reads its own descriptions of every codec",
        arguments: [
            StreamDescription(audio: .aac, sampleRate: 44_100, channels: 2, configuration: hex("1210")),
            StreamDescription(audio: .opus, sampleRate: 48_000, channels: 2),
            StreamDescription(audio: .opus, sampleRate: 48_000, channels: 1),
            StreamDescription(audio: .pcmu, sampleRate: 8000, channels: 1),
            StreamDescription(audio: .pcma, sampleRate: 16_000, channels: 2),
            StreamDescription(audio: .l16, sampleRate: 48_000, channels: 2),
            StreamDescription(video: .av1, width: 640, height: 360, frameRate: Rational(30)),
            StreamDescription(video: .jpeg, width: 640, height: 360, frameRate: Rational(30000, 1001)),
            SessionDescriptionTests.h264,
        ]
    )
    func ownDescriptions(stream: StreamDescription) throws {
        let format = TrackFormat(sending: stream, dynamicType: 99)
        let media = try #require(
            SessionDescription.Media(
                stream: stream,
                payloadType: format.payloadType,
                control: "t",
                direction: .sendOnly
            )
        )
        let description = SessionDescription.live(name: "x", identifier: 1, version: 1, media: [media])
        let track = try #require(try SessionDescriptionTests.parse(description.text).offer().tracks.first)
        #expect(track.direction == .sendOnly && track.control == "t")
        var expected = stream
        if stream.codec == .h264 {
            (expected.width, expected.height) = (track.format.stream.width, track.format.stream.height)
        }
        #expect(track.format.stream == expected)
        #expect(track.format.payloadType == format.payloadType && track.format.clockRate == format.clockRate)
    }

    @Test("a description cut anywhere has the one track, or a reason why not")
    func truncation() {
        let text = Array(
            "v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 sprop-parameter-sets=Z0LADdo,aM4P\na=control:1\n"
                .utf8
        )
        for length in 5...text.count {
            let offer = try? SessionDescription(parsing: text.span.extracting(0..<length)).offer()
            // The media line itself may be cut.
            if length > 26 { #expect(offer.map { $0.tracks.count + $0.ignored.count } == 1, "cut at \(length)") }
        }
    }
}
