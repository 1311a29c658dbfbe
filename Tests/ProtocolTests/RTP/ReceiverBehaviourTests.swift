// SPDX-License-Identifier: Apache-2.0
// A receiver's patience: odd senders, restarts, overdue packets, reports.

import Bytes
import Media
import RTP
import Testing

@Suite("Track receiver: odd senders")
struct OddSenderTests {
    static let key = [UInt8](hex("6588aabb"))
    static let sets: [UInt8] = hex("78 0018") + TrackReceiverTests.sps + hex("0004") + TrackReceiverTests.pps

    /// A receiver that has had a keyframe with its sets.
    static func running(_ options: TrackReceiver.Options = .stream) -> ReceiverHarness {
        var harness = ReceiverHarness(.h264, options: options)
        harness.feed(rtp(sets, sequence: 1))
        harness.feed(rtp(key, sequence: 2, marker: true))
        harness.output = []
        harness.frames = []
        return harness
    }

    static func frame(_ units: String...) -> [UInt8] { PacketizerTests.frame(units.map { hex($0) }) }

    @Test("without marker bits the next timestamp ends a frame")
    func markerMissing() {
        var harness = Self.running()
        harness.feed(rtp(hex("4180aa"), sequence: 3, timestamp: 3000))
        #expect(harness.output.isEmpty)
        harness.feed(rtp(hex("4180bb"), sequence: 4, timestamp: 6000))
        #expect(harness.bytes == [Self.frame("4180aa")])
        harness.finish()
        #expect(harness.bytes == [Self.frame("4180aa"), Self.frame("4180bb")])
        #expect(harness.receiver.takeDeviations() == [.markerMissing] && harness.receiver.takeDeviations().isEmpty)
    }

    @Test("marker bits inside of pictures cost one picture, then timestamps end frames")
    func markerInside() {
        var harness = Self.running()
        // Two slices a picture, each with a marker bit.
        for picture: UInt32 in 1...3 {
            let slices = [picture == 1 ? "4180aa" : "6588aa", picture == 1 ? "4140bb" : "6540bb"]
            for (index, slice) in slices.enumerated() {
                let sequence = UInt16(1 + picture * 2) + UInt16(index)
                harness.feed(rtp(hex(slice), sequence: sequence, timestamp: picture * 3000, marker: true))
            }
        }
        harness.feed(rtp(hex("4180aa"), sequence: 9, timestamp: 12_000, marker: true))
        let whole = PacketizerTests.frame([
            TrackReceiverTests.sps, TrackReceiverTests.pps, hex("6588aa"), hex("6540bb"),
        ])
        #expect(harness.bytes == [Self.frame("4180aa"), whole, whole])
        #expect(harness.receiver.allDeviations == [.markerInside])
    }

    @Test("fragments without end, empty units, start codes and parameter sets of their own are taken as meant")
    func oddUnits() {
        var harness = Self.running()
        harness.feed(rtp(hex("5c8180aa"), sequence: 3, timestamp: 3000))
        harness.feed(rtp(hex("4140bb"), sequence: 4, timestamp: 3000, marker: true))
        harness.feed(rtp(hex("78 0000 0003 4180cc"), sequence: 5, timestamp: 6000, marker: true))
        harness.feed(rtp(hex("00000001 0910 00000001 4180dd"), sequence: 6, timestamp: 9000, marker: true))
        harness.feed(rtp(TrackReceiverTests.sps, sequence: 7, timestamp: 12_000, marker: true))
        harness.feed(rtp(TrackReceiverTests.pps, sequence: 8, timestamp: 12_000, marker: true))
        harness.feed(rtp(Self.key, sequence: 9, timestamp: 12_000, marker: true))
        harness.feed(rtp([], sequence: 10, timestamp: 15_000))
        harness.feed(rtp(hex("1f00"), sequence: 11, timestamp: 15_000))
        #expect(
            harness.bytes == [
                Self.frame("4180aa", "4140bb"), Self.frame("4180cc"), Self.frame("0910", "4180dd"),
                PacketizerTests.frame([TrackReceiverTests.sps, TrackReceiverTests.pps, Self.key]),
            ]
        )
        #expect(
            Set(harness.receiver.allDeviations) == [
                .fragmentWithoutEnd, .emptyUnit, .startCode, .frameWithoutPicture, .emptyPayload, .unknownPacket,
            ]
        )
    }

    @Test("parameter sets of the description stand in front of keyframes that have none")
    func outOfBand() {
        let configuration = PacketizerTests.frame([TrackReceiverTests.sps, TrackReceiverTests.pps])
        var harness = ReceiverHarness(.h264, configuration: configuration)
        harness.feed(rtp(Self.key, sequence: 1, marker: true))
        #expect(harness.bytes == [configuration + Self.frame("6588aabb")])
        #expect(harness.receiver.descriptionVersion == 0)
    }

    @Test("another payload type than described is taken, unless the described one was seen")
    func payloadType() {
        var harness = ReceiverHarness(.pcmu)
        harness.feed(rtp([1, 2], sequence: 1, type: 13))
        harness.feed(rtp([1, 2], sequence: 2, type: 97))
        #expect(harness.output.count == 1 && harness.receiver.allDeviations == [.payloadType])
        harness.feed(rtp([1, 2], sequence: 3, timestamp: 1))
        harness.feed(rtp([1, 2], sequence: 4, timestamp: 2, type: 97))
        #expect(harness.output.count == 2 && harness.receiver.statistics.refused == 2)
    }

    @Test("a restart and another source begin a new epoch, over UDP with the second packet")
    func restart() {
        for (source, deviation) in [(UInt32(7), RTPDeviation.sequenceReset), (8, .sourceChanged)] {
            for options in [TrackReceiver.Options.stream, .datagrams] {
                var harness = Self.running(options)
                for number: UInt16 in 0...3 {
                    let packet = rtp(
                        Self.key,
                        sequence: 40_000 + number,
                        timestamp: 0x9000_0000 + UInt32(number) * 3000,
                        marker: true,
                        source: source
                    )
                    harness.feed(packet)
                }
                #expect(harness.output.count == (options == .stream ? 4 : 3))
                #expect(harness.output.first?.flags == [.keyframe, .discontinuity])
                #expect(harness.frames.map(\.epoch).allSatisfy { $0 == 1 })
                #expect(harness.receiver.allDeviations == [deviation] && harness.receiver.source == source)
            }
        }
    }

    @Test("single packets of another source or far away change nothing over UDP")
    func strangers() {
        var harness = Self.running(.datagrams)
        for number: UInt16 in 0..<50 {
            harness.feed(
                rtp(hex("4180aa"), sequence: 3 + number, timestamp: UInt32(number) * 3000 + 3000, marker: true)
            )
            harness.feed(
                rtp(Self.key, sequence: number * 500 + 30_000, marker: true, source: number % 2 == 0 ? 9 : 7)
            )
        }
        #expect(harness.output.count == 50 && harness.receiver.allDeviations.isEmpty)
        #expect(harness.receiver.statistics.refused == 50)
    }

    @Test("going on after a loss is possible")
    func goOn() {
        var options = TrackReceiver.Options.stream
        options.recovery = .goOn
        var harness = Self.running(options)
        harness.feed(rtp(hex("4180aa"), sequence: 4, timestamp: 3000, marker: true))
        #expect(harness.output.map(\.flags) == [.discontinuity])
    }

    @Test("frames over the limit are dropped and counted")
    func oversized() {
        for (length, expected) in [(96, 1), (97, 0)] {
            var options = TrackReceiver.Options.stream
            options.maximumFrame = 100
            var harness = ReceiverHarness(.h264, options: options)
            harness.feed(rtp(PacketizerTests.unit([0x65, 0x88], length: length), sequence: 1, marker: true))
            #expect(harness.output.count == expected && harness.receiver.frames.oversized == UInt64(1 - expected))
        }
    }
}

@Suite("Track receiver: time and reports")
struct ReceiverReportTests {
    @Test("a packet is held for those in front of it no longer than the limit")
    func hold() throws {
        var harness = OddSenderTests.running(.datagrams)
        harness.feed(rtp(OddSenderTests.key, sequence: 5, timestamp: 6000, marker: true))
        let deadline = try #require(harness.receiver.deadline)
        #expect(deadline == harness.now + .milliseconds(60) && harness.output.isEmpty)
        var frames = 0
        harness.receiver.handleTimeout(at: deadline - .nanoseconds(1)) { _, _ in frames += 1 }
        #expect(frames == 0)
        harness.receiver.handleTimeout(at: deadline) { _, _ in frames += 1 }
        #expect(frames == 1 && harness.receiver.deadline == nil && harness.receiver.statistics.missing == 2)
        harness.feed(rtp(OddSenderTests.key, sequence: 4, timestamp: 3000, marker: true))
        #expect(harness.output.isEmpty && harness.receiver.statistics.late == 1)
    }

    @Test("no more packets are held than there is room for")
    func capacity() {
        for (ahead, expected) in [(255, 0), (256, 1)] {
            var harness = OddSenderTests.running(.datagrams)
            harness.feed(rtp(OddSenderTests.key, sequence: 4, timestamp: 3000, marker: true))
            harness.feed(rtp(OddSenderTests.key, sequence: UInt16(3 + ahead), timestamp: 6000, marker: true))
            #expect(harness.output.count == expected)
            harness.finish()
            #expect(harness.output.count == 2)
        }
    }

    @Test("sender reports tell the time of day of frames")
    func timeOfDay() {
        var harness = OddSenderTests.running()
        var report: [UInt8] = []
        let utc: Int64 = 1_700_000_000_000_000_000
        RTCP.append(
            RTCP.SenderInfo(source: 7, time: NTPTime(unixNanoseconds: utc), timestamp: 90_000, packets: 1, octets: 1),
            name: "x",
            to: &report
        )
        harness.receiver.receiveReport(report.span, at: harness.now)
        harness.feed(rtp(OddSenderTests.key, sequence: 3, timestamp: 180_000, marker: true))
        harness.feed(rtp(OddSenderTests.key, sequence: 4, timestamp: 45_000, marker: true))
        #expect(harness.frames.map(\.utcNanoseconds) == [utc + 1_000_000_000, utc - 500_000_000])
        #expect(harness.receiver.lastReport?.arrival != nil)
    }

    @Test("sender reports of clocks that were never set are named and not believed")
    func unsetClock() {
        var harness = OddSenderTests.running()
        var report: [UInt8] = []
        let info = RTCP.SenderInfo(source: 7, time: NTPTime(unixNanoseconds: 5), timestamp: 0, packets: 1, octets: 1)
        RTCP.append(info, name: "x", to: &report)
        harness.receiver.receiveReport(report.span, at: harness.now)
        harness.feed(rtp(OddSenderTests.key, sequence: 3, timestamp: 3000, marker: true))
        #expect(harness.frames.map(\.utcNanoseconds) == [nil])
        #expect(harness.receiver.allDeviations == [.senderReportWithoutTime])
    }

    @Test("receiver reports have loss, highest number, jitter and the delay since the sender's")
    func receiverReport() throws {
        var harness = ReceiverHarness(.pcmu)
        var timestamp: UInt32 = 0
        for sequence: UInt16 in [65_534, 65_535, 0, 1, 4] {
            timestamp += 48
            harness.feed(rtp([1, 2], sequence: sequence, timestamp: timestamp))
        }
        var sender: [UInt8] = []
        RTCP.append(
            RTCP.SenderInfo(
                source: 7,
                time: NTPTime(rawValue: 0x1234_5678_9ABC_DEF0),
                timestamp: 0,
                packets: 0,
                octets: 0
            ),
            name: "x",
            to: &sender
        )
        harness.receiver.receiveReport(sender.span, at: harness.now)

        var output: [UInt8] = []
        harness.receiver.appendReport(from: 99, name: "me", at: harness.now + .milliseconds(1500), to: &output)

        let packets = try RTCPPacket.parse(output.span)
        guard case .receiverReport(99, let blocks) = packets.first, let block = blocks.first else {
            Issue.record("no report")
            return
        }
        #expect(block.source == 7 && block.lost == 2 && block.fractionLost == UInt8(2 * 256 / 7))
        #expect(block.highestSequence == 0x1_0004 && block.jitter == 0)
        #expect(block.lastReport == 0x5678_9ABC && block.delaySinceLastReport == 98_304)
        #expect(packets.last == .sourceDescription(source: 99, name: Array("me".utf8)))
        output = []
        harness.receiver.appendReport(from: 99, name: "me", at: harness.now, to: &output)
        guard case .receiverReport(_, let again) = try RTCPPacket.parse(output.span).first else { return }
        #expect(again.first?.fractionLost == 0 && again.first?.lost == 2)
    }

    @Test("a keyframe is asked for when one is needed, once a second")
    func keyframeRequest() throws {
        var harness = OddSenderTests.running()
        var output: [UInt8] = []
        func ask(_ kind: TrackReceiver.KeyframeRequest, _ after: Duration) -> Bool {
            harness.receiver.appendKeyframeRequest(kind, from: 99, name: "me", at: harness.now + after, to: &output)
        }
        #expect(!ask(.pictureLoss, .zero))
        harness.feed(rtp(hex("4180aa"), sequence: 9, timestamp: 3000, marker: true))
        #expect(ask(.pictureLoss, .zero) && !ask(.pictureLoss, .milliseconds(999)))
        #expect(try RTCPPacket.parse(output.span).last == .keyframeRequest(source: 99, media: 7))
        output = []
        #expect(ask(.fullIntra, .seconds(1)))
        #expect(try RTCPPacket.parse(output.span).last == .keyframeRequest(source: 99, media: 7))
    }

    @Test("timestamps go on over their wrap")
    func wrap() {
        var harness = OddSenderTests.running()
        harness.feed(rtp(OddSenderTests.key, sequence: 3, timestamp: 0x7FFF_FFFF, marker: true))
        harness.feed(rtp(OddSenderTests.key, sequence: 4, timestamp: 0xFFFF_FFF0, marker: true))
        harness.feed(rtp(OddSenderTests.key, sequence: 5, timestamp: 0x10, marker: true))
        #expect(harness.output.map(\.timestamp) == [0x7FFF_FFFF, 0xFFFF_FFF0, 0x1_0000_0010])
    }

    @Test("a goodbye is noted")
    func goodbye() {
        var harness = OddSenderTests.running()
        var output: [UInt8] = []
        RTCP.appendGoodbye(source: 7, name: "x", to: &output)
        harness.receiver.receiveReport(output.span, at: harness.now)
        #expect(harness.receiver.hasEnded)
    }
}
