// SPDX-License-Identifier: Apache-2.0
// What FFmpeg and GStreamer really send, as captured on a UDP socket.

import Bytes
import Foundation
import Media
import RTP
import SDP
import Testing

@Suite("RTP captures")
struct RTPCaptureTests {
    /// A capture: `<name>.rtp` holds packets behind their lengths in two bytes, `<name>.sdp` the description.
    struct Capture: CustomTestStringConvertible, Sendable {
        var name: String
        var codec: Codec
        var frames: Int
        var keyframes: Int
        /// Ticks from the first frame's timestamp to the end of the last, for sound.
        var duration: Int64 = 0
        var width: UInt32 = 0
        var deviations: [RTPDeviation] = []
        var testDescription: String { name }

        func file(_ suffix: String) throws -> [UInt8] {
            let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent()
            return Array(try Data(contentsOf: root.appending(path: "Fixtures/rtp/\(name).\(suffix)")))
        }

        func packets() throws -> [[UInt8]] {
            var rest = try file("rtp")[...]
            var packets: [[UInt8]] = []
            while rest.count > 2 {
                let length = Int(rest.removeFirst()) << 8 | Int(rest.removeFirst())
                packets.append(Array(rest.prefix(length)))
                rest = rest.dropFirst(length)
            }
            return packets
        }

        func format() throws -> TrackFormat {
            let text = try file("sdp")
            let offer = try SessionDescription(parsing: text.span).offer()
            return try #require(offer.tracks.first?.format)
        }
    }

    static let captures = [
        Capture(
            name: "ffmpeg-h264-bframes",
            codec: .h264,
            frames: 18,
            keyframes: 3,
            width: 320,
            deviations: [.reorderedPictures]
        ),
        Capture(name: "ffmpeg-h265", codec: .h265, frames: 15, keyframes: 2, width: 320),
        Capture(name: "ffmpeg-mjpeg", codec: .jpeg, frames: 2, keyframes: 2, width: 160),
        Capture(name: "ffmpeg-aac", codec: .aac, frames: 43, keyframes: 43, duration: 43 * 1024),
        Capture(name: "ffmpeg-latm", codec: .aac, frames: 48, keyframes: 48, duration: 48 * 1024),
        Capture(name: "ffmpeg-opus", codec: .opus, frames: 51, keyframes: 51, duration: 51 * 960),
        Capture(name: "ffmpeg-pcmu", codec: .pcmu, frames: 8, keyframes: 8, duration: 8000),
        Capture(name: "ffmpeg-l16", codec: .l16, frames: 8, keyframes: 8, duration: 4096),
        Capture(name: "gst-h265", codec: .h265, frames: 15, keyframes: 2, width: 160),
        Capture(name: "gst-jpeg", codec: .jpeg, frames: 2, keyframes: 2, width: 160),
        Capture(name: "gst-aac", codec: .aac, frames: 25, keyframes: 25, duration: 25 * 1024),
        Capture(name: "gst-opus", codec: .opus, frames: 43, keyframes: 43, duration: 43 * 960 - 312),
    ]

    @Test("what a sender sends comes out whole", arguments: captures)
    func whole(capture: Capture) throws {
        for options in [TrackReceiver.Options.stream, .datagrams] {
            var harness = ReceiverHarness(try capture.format(), options: options)
            harness.feed(try capture.packets())

            #expect(harness.receiver.description.codec == capture.codec)
            #expect(harness.output.count == capture.frames)
            #expect(harness.output.count { $0.flags.contains(.keyframe) } == capture.keyframes)
            #expect(harness.receiver.description.width == capture.width)
            #expect(harness.receiver.allDeviations == capture.deviations)
            #expect(harness.receiver.statistics.lost == 0)
            if capture.duration > 0, let first = harness.frames.first, let last = harness.frames.last {
                #expect(last.timestamp + Int64(last.duration) - first.timestamp == capture.duration)
            }
            if capture.codec == .jpeg { #expect(harness.bytes.allSatisfy { JPEG.isValid($0.span) }) }
        }
    }

    @Test("with every packet lost in turn, all that comes out was sent", arguments: captures)
    func losses(capture: Capture) throws {
        let format = try capture.format()
        let packets = try capture.packets()
        var all = ReceiverHarness(format)
        all.feed(packets)
        // Parameter sets that came in an earlier packet stand in front of keyframes only.
        let sent = all.bytes.map { Self.pictures($0, format) }
        for lost in 1..<packets.count {
            var harness = ReceiverHarness(format, options: .datagrams)
            harness.feed(packets[..<lost] + packets[(lost + 1)...])
            harness.finish()
            for bytes in harness.bytes { #expect(sent.contains(Self.pictures(bytes, format)), "lost \(lost)") }
        }
    }

    private static func pictures(_ frame: [UInt8], _ format: TrackFormat) -> [UInt8] {
        guard let nal = NALFormat(format.stream.codec) else { return frame }
        var pictures: [UInt8] = []
        var units = NALUnits(frame.span)
        while let range = units.next() {
            if nal.isPicture(frame[range.lowerBound]) { pictures += frame[range] }
        }
        return pictures
    }
}
