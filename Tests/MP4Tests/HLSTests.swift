// SPDX-License-Identifier: Apache-2.0
// HLS: what becomes which part of which segment, what playlists say, what reloads wait for.

import Bytes
import HLS
import Testing

/// A camera of so many frames a second and of a keyframe every `group` frames.
private struct Camera {
    var window: HLSWindow
    var rate = 30
    var group = 30
    var sequence: UInt64 = 0
    /// Nanoseconds since the start.
    var time: Int64 = 0

    init(_ settings: HLSSettings = HLSSettings(), firstNumber: UInt64 = 100) {
        window = HLSWindow(settings, firstNumber: firstNumber)
        window.begin(map: 1, soundStart: 1)
    }

    /// Takes so many pictures; gives how many of them made a new part.
    @discardableResult
    mutating func take(_ count: Int, keyframes: Bool = true) -> Int {
        var news = 0
        for _ in 0..<count {
            sequence += 1
            let isKeyframe = keyframes && (sequence - 1) % UInt64(group) == 0
            let frame = HLSFrame(
                sequence: sequence,
                captured: Instant(nanoseconds: 5_000_000_000 + time),
                isKeyframe: isKeyframe,
                duration: .nanoseconds(1_000_000_000 / rate),
                utc: 1_700_000_000_000_000_000 + time,
                soundEnd: sequence * 2
            )
            if window.append(frame) { news += 1 }
            time += Int64(1_000_000_000 / rate)
        }
        return news
    }
}

@Suite("HLS")
struct HLSTests {
    @Test("segments begin with keyframes and are cut at the target; parts hold whole frames and no gap")
    func cutting() throws {
        var camera = Camera()
        camera.take(300)

        let segments = camera.window.segments
        #expect(segments.map(\.number) == [100, 101, 102, 103, 104])
        #expect(segments.dropLast().allSatisfy { $0.isComplete && $0.pictures?.count == 60 })
        var next: UInt64 = 1
        var sound: UInt64 = 1
        for part in segments.flatMap(\.parts) {
            #expect(part.pictures.lowerBound == next && part.sound.lowerBound == sound)
            #expect(part.duration <= camera.window.settings.part)
            #expect(part.isIndependent == (part.pictures.lowerBound % 30 == 1))
            (next, sound) = (part.pictures.upperBound, part.sound.upperBound)
        }
        #expect(segments[0].parts.map(\.pictures.count) == Array(repeating: 10, count: 6))
    }

    @Test("a part is there with its last frame, not with the next one")
    func partsAtOnce() {
        var camera = Camera()

        #expect(camera.take(9) == 1)  // the segment itself
        #expect(camera.take(1) == 1)
        #expect(camera.window.segments.last?.parts.count == 1)
    }

    @Test("a camera of one frame a second gets parts of one frame, and the playlist promises no less")
    func slowCamera() {
        var camera = Camera()
        camera.rate = 1
        camera.group = 2
        camera.take(9)

        #expect(camera.window.segments.flatMap(\.parts).allSatisfy { $0.pictures.count == 1 })
        #expect(camera.window.playlist().contains("PART-TARGET=1.00000"))
    }

    @Test("a source without keyframes gets segments all the same, and their length is told")
    func longGroups() {
        var camera = Camera()
        camera.group = 1_000_000
        camera.take(30 * 120)

        #expect(camera.window.segments.count >= 2)
        #expect(camera.window.segments.allSatisfy { $0.parts.count <= HLSWindow.partLimit })
        #expect(camera.window.playlist().contains("TARGETDURATION:\(camera.window.targetDuration)\n"))
    }

    @Test("the playlist is as the draft says, byte for byte")
    func playlist() {
        var camera = Camera(HLSSettings(part: .milliseconds(1000), segment: .seconds(2), window: .seconds(30)))
        camera.take(75)

        #expect(
            camera.window.playlist(reports: [HLSRenditionReport(uri: "../sub/index.m3u8", lastSegment: 7, lastPart: 1)])
                == """
                #EXTM3U
                #EXT-X-VERSION:9
                #EXT-X-TARGETDURATION:2
                #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=3.00000,CAN-SKIP-UNTIL=12.00000
                #EXT-X-PART-INF:PART-TARGET=1.00000
                #EXT-X-MEDIA-SEQUENCE:100
                #EXT-X-DISCONTINUITY-SEQUENCE:0
                #EXT-X-INDEPENDENT-SEGMENTS
                #EXT-X-MAP:URI="init-1.mp4"
                #EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.000Z
                #EXT-X-PART:DURATION=1.00000,URI="100.0.m4s",INDEPENDENT=YES
                #EXT-X-PART:DURATION=1.00000,URI="100.1.m4s",INDEPENDENT=YES
                #EXTINF:2.00000,
                100.m4s
                #EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:21.999Z
                #EXT-X-PRELOAD-HINT:TYPE=PART,URI="101.0.m4s"
                #EXT-X-RENDITION-REPORT:URI="../sub/index.m3u8",LAST-MSN=7,LAST-PART=1

                """
        )
    }

    @Test("other lengths hold from the next segment on, and no promise is taken back")
    func otherLengths() throws {
        var camera = Camera(HLSSettings(part: .milliseconds(500), segment: .seconds(2), window: .seconds(30)))
        camera.take(100)
        camera.window.take(HLSSettings(part: .seconds(1), segment: .seconds(4), window: .seconds(60)))
        camera.take(250)

        let longer = try #require(camera.window.segments.dropLast().last)
        #expect(longer.duration > .seconds(3) && longer.parts[0].duration > .milliseconds(900))
        #expect(camera.window.targetDuration == 4)

        camera.window.take(HLSSettings())
        camera.take(250)

        let shorter = try #require(camera.window.segments.dropLast().last)
        #expect(shorter.duration < .milliseconds(2100))
        #expect(camera.window.targetDuration == 4)
    }

    @Test("a report names the last part that there is, not the segment that has only begun")
    func reports() {
        var camera = Camera()
        #expect(camera.window.report(uri: "x") == nil)
        camera.take(60)
        #expect(camera.window.report(uri: "x") == HLSRenditionReport(uri: "x", lastSegment: 100, lastPart: 5))
        camera.take(1)
        #expect(camera.window.currentNumber == 101)
        #expect(camera.window.report(uri: "x") == HLSRenditionReport(uri: "x", lastSegment: 100, lastPart: 5))
    }

    @Test("a late tenth frame does not close the part in front of itself")
    func jitter() {
        var window = HLSWindow(HLSSettings(), firstNumber: 0)
        window.begin(map: 1, soundStart: 0)
        var news: [Bool] = []
        for number in 0..<30 {
            let late = number % 10 == 9 ? 6_000_000 : 0
            let frame = HLSFrame(
                sequence: UInt64(number + 1),
                captured: Instant(nanoseconds: 5_000_000_000 + Int64(number * 33_333_333 + late)),
                isKeyframe: number == 0,
                duration: .nanoseconds(33_333_333),
                utc: 0,
                soundEnd: 0
            )
            news.append(window.append(frame))
        }
        #expect(news.indices.filter { news[$0] && $0 > 0 } == [9, 19, 29])
    }

    @Test("the plain playlist has complete segments only, and nothing of low latency")
    func plainPlaylist() {
        var camera = Camera()
        camera.take(100)

        let text = camera.window.playlist(.plain)

        #expect(text.contains("100.m4s") && !text.contains("101.m4s"))
        for tag in ["PART", "PRELOAD", "SERVER-CONTROL", "SKIP"] { #expect(!text.contains(tag)) }
    }

    @Test("a delta update leaves out what is further back than the skip boundary")
    func delta() {
        var camera = Camera(HLSSettings(window: .seconds(60)))
        camera.take(30 * 40)

        let text = camera.window.playlist(.delta)

        #expect(camera.window.segments.count == 20)
        #expect(text.contains("#EXT-X-SKIP:SKIPPED-SEGMENTS=13\n"))
        #expect(!text.contains("112.m4s") && text.contains("\n113.m4s\n"))
        #expect(!camera.window.playlist().contains("EXT-X-SKIP"))
    }

    @Test("a producer that comes back gives a discontinuity, a new map, and numbers that go on")
    func discontinuity() {
        var camera = Camera()
        camera.take(75)
        camera.window.begin(map: 2, soundStart: 1)
        camera.sequence = 0
        camera.take(75)

        let text = camera.window.playlist()
        #expect(text.contains("101.m4s\n#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"init-2.mp4\"\n"))
        #expect(camera.window.segments.map(\.isDiscontinuity) == [false, false, true, false])

        camera.window.trimForeign()
        #expect(camera.window.segments.first?.number == 102 && camera.window.discontinuitySequence == 0)
    }

    @Test("segments whose pictures have left the ring are not listed any more")
    func trimming() {
        var camera = Camera()
        camera.take(300)
        camera.window.trim(before: 100)

        #expect(camera.window.segments.first?.number == 102)
        #expect(camera.window.playlist().contains("MEDIA-SEQUENCE:102\n"))
        #expect(camera.window[101] == nil && camera.window[102] != nil && camera.window[105] == nil)
    }

    @Test("a reload waits for what comes next, gets what is there, and is refused what is far ahead")
    func reloads() throws {
        var camera = Camera()
        camera.take(75)
        func ask(_ segment: UInt64, _ part: Int? = nil) throws -> HLSReload.Availability {
            var query = [(name: "_HLS_msn", value: "\(segment)")]
            if let part { query.append((name: "_HLS_part", value: "\(part)")) }
            return camera.window.availability(try HLSReload(query))
        }

        #expect(try ask(99) == .ready)
        #expect(try ask(100) == .ready)
        #expect(try ask(100, 5) == .ready)
        // One behind the last part of a complete segment is the next one's first.
        #expect(try ask(100, 6) == .ready)
        #expect(try ask(101) == .wait)
        #expect(try ask(101, 0) == .ready)
        #expect(try ask(101, 1) == .wait)
        #expect(try ask(102, 0) == .wait)
        guard case .refused = try ask(104) else { return #expect(Bool(false), "104 is too far ahead") }
        camera.take(5)
        #expect(try ask(101, 1) == .ready)
    }

    @Test(
        "directives that make no sense are refused",
        arguments: [
            [("_HLS_part", "1")], [("_HLS_msn", "-1")], [("_HLS_msn", "1"), ("_HLS_part", "x")], [("_HLS_msn", "")],
            [("_HLS_msn", "99999999999999999999")], [("_HLS_skip", "NO")],
        ]
    )
    func refusals(_ query: [(String, String)]) {
        #expect(throws: HLSReload.Refusal.self) { try HLSReload(query.map { (name: $0.0, value: $0.1) }) }
    }

    @Test("a name has one spelling")
    func names() {
        for name in [HLSName.initialization(3), .segment(17), .part(segment: 17, index: 0)] {
            #expect(HLSName(name.text) == name)
        }
        for name in [
            "init-.mp4", "init-03.mp4", "1.m4", "01.m4s", "1..m4s", "1.2.3.m4s", "+1.m4s", ".m4s", "index.m3u8",
        ] {
            #expect(HLSName(name) == nil)
        }
    }

    @Test("a multivariant playlist tells codecs, size and rate")
    func variants() {
        let variant = HLSVariant(
            uri: "main/index.m3u8",
            bandwidth: 4_000_000,
            codecs: "avc1.640028,mp4a.40.2",
            width: 1920,
            height: 1080,
            frameRate: 30000 / 1001
        )

        #expect(
            HLSVariant.playlist([variant])
                .hasSuffix(
                    """
                    #EXT-X-STREAM-INF:BANDWIDTH=4000000,CODECS="avc1.640028,mp4a.40.2",RESOLUTION=1920x1080,FRAME-RATE=29.970
                    main/index.m3u8

                    """
                )
        )
    }

    @Test("requests of the corpus keep the rules, also when they are cut anywhere")
    func corpusFiles() throws {
        let files = try corpus("HLSRequests")
        #expect(!files.isEmpty)
        for file in files {
            for length in 0...file.count { HLSFuzz.requests(file.span.extracting(0..<length)) }
        }
    }
}
