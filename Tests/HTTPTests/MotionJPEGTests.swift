// SPDX-License-Identifier: Apache-2.0
// What may be asked of motion JPEG and snapshots, and the fields that µStreamer's clients read.

import Bytes
import HTTP
import Testing

@testable import apus_http

@Suite("Motion JPEG and snapshots")
struct MotionJPEGTests {
    private func target(_ text: String) throws -> Target {
        try #require(requests("GET \(text) HTTP/1.0\r\n\r\n").first).head.target
    }

    @Test("a stream's options are read as µStreamer reads them")
    func options() throws {
        let all = UStreamer.StreamOptions(
            try target("/stream?key=a-b&extra_headers=1&dual_final_frames=true&zero_data=yes")
        )
        let none = UStreamer.StreamOptions(try target("/stream?key=a;b&extra_headers=0&zero_data="))
        let advance = UStreamer.StreamOptions(try target("/stream?extra_headers=1&advance_headers=1"))

        #expect(all.key == "a-b")
        #expect(all.hasExtraFields && all.doublesFinal && all.isEmpty && !all.advancesFields)
        #expect(none.key == nil)
        #expect(!none.hasExtraFields && !none.isEmpty && !none.doublesFinal && !none.advancesFields)
        #expect(advance.advancesFields && !advance.hasExtraFields)
    }

    @Test("a key is taken at its limit, and not above")
    func keyLimit() throws {
        let longest = String(repeating: "k", count: UStreamer.keyLimit)

        #expect(UStreamer.StreamOptions(try target("/stream?key=\(longest)")).key == longest)
        #expect(UStreamer.StreamOptions(try target("/stream?key=\(longest)k")).key == nil)
        #expect(UStreamer.cookie(key: nil, id: "1f") == "stream_client=0/1f; path=/; max-age=30")
    }

    @Test("a part's fields say where the picture was when, in seconds")
    func partFields() {
        let facts = UStreamer.PictureFacts(
            isOnline: true,
            width: 4,
            height: 2,
            captured: Instant(nanoseconds: 1_500_000_000),
            published: Instant(nanoseconds: 1_501_000_000)
        )
        var bytes: [UInt8] = []

        UStreamer.writePartFields(
            facts,
            framesPerSecond: 25,
            dropped: 3,
            sent: Instant(nanoseconds: 1_510_250_000),
            into: &bytes
        )
        let text = String(decoding: bytes, as: UTF8.self)

        #expect(text.hasPrefix("X-UStreamer-Online: true\r\nX-UStreamer-Dropped: 3\r\nX-UStreamer-Width: 4\r\n"))
        #expect(text.contains("X-UStreamer-Client-FPS: 25\r\nX-UStreamer-Grab-Begin-Time: 1.500000\r\n"))
        #expect(text.contains("X-UStreamer-Expose-End-Time: 1.501000\r\n"))
        #expect(text.hasSuffix("X-UStreamer-Latency: 0.010250\r\n\r\n"))
    }

    @Test(
        "a time that is over is read, and no other",
        arguments: [
            ("-2.5s", 2500), ("-2.5", 2500), ("-500ms", 500), ("0", 0), ("-3600s", 3_600_000), ("5", nil), ("-", nil),
            ("s", nil), ("", nil), ("-1e9", nil), ("-3601s", nil), ("-2h", nil), ("--2", nil), ("nan", nil),
        ] as [(String, Int?)]
    )
    func ages(_ text: String, _ milliseconds: Int?) {
        #expect(SnapshotOptions.age(text) == milliseconds.map { .milliseconds($0) })
    }

    @Test(
        "what makes no sense of a snapshot is refused",
        arguments: [
            "width=1", "width=4097", "height=x", "quality=0", "quality=101", "fresh=2", "fallback=x", "fresh=1&at=-1s",
        ]
    )
    func refused(_ query: String) throws {
        let target = try target("/snapshot?\(query)")

        #expect(throws: RequestError.self) { try SnapshotOptions(target) }
    }

    @Test("frames are counted by the whole second")
    func rate() {
        var counter = FrameRateCounter()
        let second = { (value: Double) in Instant(nanoseconds: Int64(value * 1e9)) }
        for number in 0..<25 { counter.count(at: second(7 + Double(number) / 25)) }

        #expect(counter.value(at: second(7.99)) == 0)
        #expect(counter.value(at: second(8)) == 25)
        counter.count(at: second(8.5))
        #expect(counter.value(at: second(8.6)) == 25)
        #expect(counter.value(at: second(10)) == 0)
    }
}
