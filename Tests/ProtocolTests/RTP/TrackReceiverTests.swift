// SPDX-License-Identifier: Apache-2.0
// A track's packets in any order and with losses, and what is made of them.

import Bytes
import Media
import RTP
import Testing

@Suite("Track receiver")
struct TrackReceiverTests {
    static let sps = hex("6742c00dda05467889b01100000303e90000ea600f142aa0")
    static let pps = hex("68ce0fc8")

    /// A keyframe and two frames more, each of several packets.
    static func h264() throws -> (frames: [[UInt8]], packets: [[[UInt8]]]) {
        let frames = [
            PacketizerTests.frame([sps, pps, PacketizerTests.unit([0x65, 0x88], length: 700)]),
            PacketizerTests.frame([PacketizerTests.unit([0x41, 0x9A], length: 600)]),
            PacketizerTests.frame([PacketizerTests.unit([0x65, 0x88], length: 40)]),
            PacketizerTests.frame([PacketizerTests.unit([0x41, 0x9A], length: 30)]),
        ]
        var packetizer = try PacketizerTests.packetizer(.h264, maximumPayload: 256)
        var packets: [[[UInt8]]] = []
        for (index, frame) in frames.enumerated() {
            var image = PacketImage()
            try packetizer.packetize(frame.span, timestamp: 0xFFFF_F000 &+ UInt32(index) * 3600, into: &image)
            packets.append(image.separated)
        }
        var expected = frames
        expected[2] = PacketizerTests.frame([sps, pps, PacketizerTests.unit([0x65, 0x88], length: 40)])
        return (expected, packets)
    }

    @Test("frames come out as they went in, with parameter sets in front of every keyframe")
    func roundTrip() throws {
        let (frames, packets) = try Self.h264()
        var harness = ReceiverHarness(.h264)

        harness.feed(packets.flatMap { $0 })

        #expect(harness.bytes == frames)
        #expect(harness.output.map(\.flags) == [.keyframe, [], .keyframe, []])
        #expect(harness.output.map { $0.timestamp - 0xFFFF_F000 } == [0, 3600, 7200, 10800])
        #expect(harness.receiver.allDeviations.isEmpty)
        #expect(harness.receiver.description.width == 322 && harness.receiver.descriptionVersion > 0)
        #expect(harness.receiver.statistics.lost == 0 && !harness.receiver.needsKeyframe)
    }

    @Test("after a loss of any packet only whole frames come out, from the next keyframe on")
    func loss() throws {
        let (frames, packets) = try Self.h264()
        let all = packets.flatMap { $0 }
        for options in [TrackReceiver.Options.stream, .datagrams] {
            for lost in all.indices {
                var harness = ReceiverHarness(.h264, options: options)
                harness.feed(all.enumerated().filter { $0.offset != lost }.map(\.element))
                harness.finish()

                let first = packets[0].count
                let second = first + packets[1].count
                let expected: [Int]
                switch lost {
                // Without parameter sets of its own the first keyframe is as good as it gets.
                case 0: expected = [0, 1, 2, 3]
                case 1..<first: expected = [2, 3]
                case first..<second: expected = [0, 2, 3]
                case second: expected = [0, 1]
                default: expected = [0, 1, 2]
                }
                if lost == 0 {
                    #expect(harness.output.count == 4, "lost \(lost)")
                } else if lost == second + 1 {
                    #expect(harness.bytes == [frames[0], frames[1], frames[2]])
                } else {
                    #expect(harness.output.count == expected.count, "lost \(lost)")
                    for (output, index) in zip(harness.bytes, expected) where index != 2 || lost >= first {
                        #expect(output == frames[index], "lost \(lost)")
                    }
                }
            }
        }
    }

    @Test("two packets swapped anywhere are put in order over UDP")
    func reordering() throws {
        let (frames, packets) = try Self.h264()
        let all = packets.flatMap { $0 }
        for index in 1..<(all.count - 1) {
            var swapped = all
            swapped.swapAt(index, index + 1)
            var harness = ReceiverHarness(.h264, options: .datagrams)
            harness.feed(swapped)
            #expect(harness.bytes == frames, "swapped \(index)")
            #expect(harness.receiver.statistics.reordered == 1 && harness.receiver.statistics.missing == 0)
        }
    }

    @Test("every packet sent twice makes no difference but to the counters")
    func duplicates() throws {
        let (frames, packets) = try Self.h264()
        var harness = ReceiverHarness(.h264, options: .datagrams)
        harness.feed(packets.flatMap { $0 }.flatMap { [$0, $0] })
        #expect(harness.bytes == frames)
        #expect(harness.receiver.statistics.late == UInt64(packets.joined().count))
    }
}
