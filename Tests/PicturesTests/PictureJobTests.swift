// SPDX-License-Identifier: Apache-2.0
// Jobs and replies between apus-http and apus-picture.

import Bytes
import Pictures
import Testing

@Suite("Picture jobs")
struct PictureJobTests {
    @Test(
        "a job is read back from its line",
        arguments: [
            PictureJob(camera: "cam", stream: "jpeg", frame: .number(7, incarnation: .max), width: 320),
            PictureJob(
                camera: "a-b_c",
                stream: "main",
                frame: .takenBy(Instant(nanoseconds: 5)),
                height: 2,
                quality: 1
            ),
            PictureJob(camera: "c", stream: "main", frame: .takenBy(.zero), width: 4096, height: 4096, quality: 100),
        ]
    )
    func roundTrip(_ job: PictureJob) {
        #expect(PictureJob(job.line.dropLast()) == job)
        #expect(job.line.last == UInt8(ascii: "\n"))
    }

    @Test(
        "what is no job is refused",
        arguments: [
            "", "cam jpeg 1 2 3 4", "cam jpeg 1 2 3 4 5 6", "cam jpeg -1 2 3 4 5", "cam jpeg 1 2 4097 4 5",
            "cam jpeg 1 2 3 -4 5", "cam jpeg 1 2 3 4 101", "cam jpeg x 2 3 4 5",
        ]
    )
    func refused(_ line: String) {
        #expect(PictureJob(line.utf8) == nil)
    }

    @Test(
        "sides that are not asked for keep the picture's shape",
        arguments: [
            (nil, nil, 1921, 1081, 1920, 1080), (640, nil, 1920, 1080, 640, 360), (nil, 90, 1920, 1080, 160, 90),
            (101, 51, 1920, 1080, 100, 50), (2, nil, 8192, 2, 2, 2), (4096, nil, 2, 8192, 4096, 4096),
        ] as [(Int?, Int?, Int, Int, Int, Int)]
    )
    func sizes(_ width: Int?, _ height: Int?, _ from: Int, _ by: Int, _ expectedWidth: Int, _ expectedHeight: Int) {
        let job = PictureJob(
            camera: "c",
            stream: "s",
            frame: .takenBy(.zero),
            width: width,
            height: height,
            quality: nil
        )

        let size = job.size(of: from, by)

        #expect(size.width == expectedWidth)
        #expect(size.height == expectedHeight)
    }

    private static let facts = PictureReply.Facts(
        sequence: 9,
        captured: Instant(nanoseconds: 1),
        published: Instant(nanoseconds: 2),
        width: 3,
        height: 4,
        isSlate: true
    )

    @Test("replies are taken whole, one after the other, however they are cut")
    func replies() throws {
        let all: [PictureReply] = [
            .gone("not there"), .picture(Self.facts, [10, 0, 13]), .failed("two\nlines"), .picture(Self.facts, []),
        ]
        let bytes = all.flatMap(\.bytes)
        var input: [UInt8] = []
        var found: [PictureReply] = []

        for byte in bytes {
            input.append(byte)
            while let reply = try PictureReply.take(&input) { found.append(reply) }
        }

        #expect(input.isEmpty)
        #expect(found == [all[0], all[1], .failed("two lines"), all[3]])
    }

    @Test(
        "what is no reply is refused",
        arguments: [
            "x\n", "picture\n", "picture -1 1 1 1 1 1 0\n", "picture 99999999999 1 1 1 1 1 0\n",
            "picture 1 -1 1 1 1 1 0\n", "picture 1 1 1 1 1 1\n", String(repeating: "p", count: 513),
        ]
    )
    func refusedReplies(_ text: String) {
        var input = Array(text.utf8)

        #expect(throws: WireError.self) { try PictureReply.take(&input) }
    }
}
