// SPDX-License-Identifier: Apache-2.0
// Every codec through packetizer and receiver, with losses and swaps at every position.

import Bytes
import Media
import RTP
import Testing

@Suite("RTP depacketizer")
struct DepacketizerTests {
    /// A stream's frames, and its packets at a payload size of 256.
    struct Sample: CustomTestStringConvertible, Sendable {
        var name: String
        var stream: StreamDescription
        var frames: [[UInt8]]
        /// Whether frames can be told from pieces of others: G.711 and L16 packets are all alike.
        var ticks: UInt32
        var testDescription: String { name }

        var format: TrackFormat { TrackFormat(sending: stream, dynamicType: 96) }

        func packets() throws -> [(frame: Int, bytes: [UInt8])] {
            var packetizer = RTPPacketizer(
                try #require(RTPPacketizer.Format(stream)),
                payloadType: format.payloadType,
                source: 9,
                firstSequence: 0xFFF0,
                maximumPayload: 256
            )
            var packets: [(Int, [UInt8])] = []
            for (index, frame) in frames.enumerated() {
                var image = PacketImage()
                try packetizer.packetize(frame.span, timestamp: 1000 + UInt32(index) * ticks, into: &image)
                packets += image.separated.map { (index, $0) }
            }
            return packets
        }
    }

    static let h265Sets =
        hex("00000001 40010c01 00000001 42010101600000030090000003000003003ca00a480b9c95964a924caf01680800")
        + hex("0003000800000300c840 00000001 4401c172b46240")

    static func audio(_ codec: Codec, _ lengths: [Int], first: UInt8 = 0x21, configuration: [UInt8] = []) -> Sample {
        let stream = StreamDescription(audio: codec, sampleRate: 48_000, channels: 2, configuration: configuration)
        let frames = lengths.enumerated()
            .map { index, length in
                [first] + (1..<length).map { UInt8(truncatingIfNeeded: $0 &+ index) }
            }
        return Sample(name: codec.name, stream: stream, frames: frames, ticks: 1024)
    }

    static func video(_ codec: Codec, _ frames: [[UInt8]]) -> Sample {
        let stream = StreamDescription(video: codec, width: 0, height: 0, frameRate: Rational(25))
        return Sample(name: codec.name, stream: stream, frames: frames, ticks: 3600)
    }

    /// A temporal unit of a keyframe with a sequence header, as libaom writes it for 320x240, or of an inter frame.
    static func temporalUnit(keyframe: Bool, length: Int) -> [UInt8] {
        var unit = AV1.temporalDelimiter
        if keyframe { unit += hex("0a0b 00000004 3cffbcfb f90040") }
        unit += [0x32] + (length < 128 ? [UInt8(length)] : [UInt8(length & 0x7F) | 0x80, UInt8(length >> 7)])
        unit += [keyframe ? 0x10 : 0x30] + (1..<length).map { UInt8($0 % 250) }
        return unit
    }

    static let samples: [Sample] = {
        let unit264 = { (header: UInt8, length: Int) in PacketizerTests.unit([header, 0x88], length: length) }
        let unit265 = { (header: UInt8, length: Int) in PacketizerTests.unit([header, 1, 0x88], length: length) }
        let sets264 = [TrackReceiverTests.sps, TrackReceiverTests.pps]
        return [
            video(
                .h264,
                [
                    PacketizerTests.frame(sets264 + [unit264(0x65, 700)]), PacketizerTests.frame([unit264(0x41, 40)]),
                    PacketizerTests.frame([[0x09, 0xF0], unit264(0x41, 600)]),
                    PacketizerTests.frame([[0x09, 0xF0]] + sets264 + [[6, 5, 1, 9, 0x80], unit264(0x65, 300)]),
                    PacketizerTests.frame([unit264(0x41, 500)]),
                ]
            ),
            video(
                .h265,
                [
                    h265Sets + PacketizerTests.frame([unit265(0x26, 700)]), PacketizerTests.frame([unit265(0x02, 40)]),
                    PacketizerTests.frame([unit265(0x02, 600)]), h265Sets + PacketizerTests.frame([unit265(0x26, 300)]),
                    PacketizerTests.frame([unit265(0x02, 500)]),
                ]
            ),
            video(
                .av1,
                [(true, 700), (false, 40), (false, 600), (true, 300), (false, 500)]
                    .map { temporalUnit(keyframe: $0, length: $1) }
            ),
            video(.jpeg, (1...5).map { JPEGPayloadTests.image(scan: (0..<($0 * 150)).map { UInt8($0 % 251) }) }),
            audio(.aac, [300, 20, 700, 250, 251], configuration: [0x11, 0x90]),
            audio(.opus, [100, 3, 256, 1], first: 0xFC),
            audio(.pcmu, [256, 256, 256]),
            audio(.l16, [256, 256, 256]),
        ]
    }()

    @Test("frames come out as they went in", arguments: samples)
    func roundTrip(sample: Sample) throws {
        for options in [TrackReceiver.Options.stream, .datagrams] {
            var harness = ReceiverHarness(sample.format, options: options)
            harness.feed(try sample.packets().map(\.bytes))

            #expect(
                harness.output.map { Self.comparable(sample, $0.bytes) }
                    == sample.frames.map { Self.comparable(sample, $0) }
            )
            #expect(
                harness.output.map(\.timestamp) == sample.frames.indices.map { 1000 + Int64($0) * Int64(sample.ticks) }
            )
            #expect(harness.receiver.allDeviations.isEmpty)
            #expect(!harness.output.contains { $0.flags.contains(.discontinuity) })
        }
    }

    @Test("after any loss only whole frames come out, and the first is flagged", arguments: samples)
    func loss(sample: Sample) throws {
        let packets = try sample.packets()
        let whole = sample.frames.map { Self.essence(sample, $0) }
        for options in [TrackReceiver.Options.stream, .datagrams] {
            for first in packets.indices {
                for count in 1...3 where first + count < packets.count {
                    var harness = ReceiverHarness(sample.format, options: options)
                    harness.feed(packets[..<first].map(\.bytes))
                    let before = harness.output.count
                    harness.feed(packets[(first + count)...].map(\.bytes))
                    harness.finish()

                    for output in harness.output {
                        #expect(
                            whole.contains(Self.essence(sample, output.bytes)),
                            "lost \(first)+\(count)"
                        )
                    }
                    if first > 0, before < harness.output.count {
                        #expect(harness.output[before].flags.contains(.discontinuity), "lost \(first)+\(count)")
                    }
                    if first > 0 { #expect(harness.receiver.statistics.missing == UInt64(count)) }
                    let touched = Set(packets[first..<(first + count)].map(\.frame))
                    // What is neither touched nor behind a loss comes out.
                    for frame in 0..<(touched.min() ?? 0) {
                        #expect(Self.essence(sample, harness.bytes[frame]) == whole[frame])
                    }
                }
            }
        }
    }

    @Test("packets swapped or sent twice anywhere make no difference over UDP", arguments: samples)
    func order(sample: Sample) throws {
        let packets = try sample.packets().map(\.bytes)
        let whole = sample.frames.map { Self.comparable(sample, $0) }
        for distance in 1...4 {
            for index in packets.indices.dropFirst() where index + distance < packets.count {
                var swapped = packets
                swapped.swapAt(index, index + distance)
                swapped.insert(packets[index], at: min(index + 2, swapped.count))
                var harness = ReceiverHarness(sample.format, options: .datagrams)
                harness.feed(swapped)
                #expect(
                    harness.bytes.map { Self.comparable(sample, $0) } == whole,
                    "swapped \(index) and \(distance) on"
                )
                #expect(harness.receiver.statistics.missing == 0)
            }
        }
    }

    /// What makes a frame whole: delimiters may get lost, and parameter sets come again from where they are kept.
    private static func essence(_ sample: Sample, _ frame: [UInt8]) -> [UInt8] {
        guard let format = NALFormat(sample.stream.codec) else { return comparable(sample, frame) }
        var pictures: [UInt8] = []
        var units = NALUnits(frame.span)
        while let range = units.next() {
            if format.isPicture(frame[range.lowerBound]) { pictures += frame[range] }
        }
        return pictures
    }

    /// What RTP carries of a frame: it makes up a JPEG's header anew.
    private static func comparable(_ sample: Sample, _ frame: [UInt8]) -> [UInt8] {
        guard sample.stream.codec == .jpeg, let header = try? JPEGHeader(parsing: frame.span) else { return frame }
        var parts: [UInt8] = []
        for table in 0...1 {
            let start = header.quantisationOffsets[table]
            parts += frame[start..<(start + 64)]
        }
        return parts + frame[header.scanOffset...]
    }
}
