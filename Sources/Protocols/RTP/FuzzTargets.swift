// SPDX-License-Identifier: Apache-2.0
// What the fuzzers and the corpus tests call: any bytes in, and rules that must hold whatever they are.

import Bytes
import Media

/// Entry points for fuzzing this module.
package enum RTPFuzz {
    /// Parses `bytes` as an RTP packet and as a compound RTCP packet.
    package static func receive(_ bytes: Span<UInt8>) {
        if let packet = try? RTPPacket(parsing: bytes) {
            precondition(packet.payload.lowerBound >= RTPHeader.length, "the payload overlaps the header")
            precondition(packet.payload.upperBound <= bytes.count, "the payload leaves the packet")
        }
        if let packets = try? RTCPPacket.parse(bytes) {
            precondition(packets.count <= RTCPPacket.maximumCount, "too many packets")
        }
    }

    /// Cuts `bytes` into packets as a frame of every codec.
    package static func packetize(_ bytes: Span<UInt8>) {
        let formats: [RTPPacketizer.Format] = [
            .nal(.h264), .nal(.h265), .jpeg, .av1, .aac, .opus, .samples(bytes: 1), .samples(bytes: 4),
        ]
        for format in formats {
            var packetizer = RTPPacketizer(format, payloadType: 96, source: 1, firstSequence: 0, maximumPayload: 256)
            var image = PacketImage()
            do throws(WireError) {
                try packetizer.packetize(bytes, timestamp: 0, into: &image)
            } catch {
                precondition(image.bytes.isEmpty && packetizer.nextSequence == 0, "a refused frame left packets")
                continue
            }
            precondition(Int(packetizer.nextSequence) == image.packets.count & 0xFFFF, "sequence numbers were lost")
            for packet in image.packets {
                precondition(packet.length <= 256 + RTPHeader.length, "a packet is too long")
                let bytes = image.bytes.span.extracting(packet.offset..<(packet.offset + packet.length))
                precondition((try? RTPPacket(parsing: bytes)) != nil, "a packet cannot be read")
            }
        }
    }

    /// The streams that `depacketize` and `receive(track:)` know, chosen by the input's first byte.
    package static let streams: [TrackFormat] = [
        track(video: .h264), track(video: .h265), track(video: .jpeg), track(video: .av1),
        track(audio: .aac, configuration: [0x11, 0x90]), track(audio: .opus), track(audio: .pcmu), track(audio: .l16),
        latm,
    ]

    /// Takes `bytes` as packets of the stream that their first byte names.
    ///
    /// Each packet is a byte of flags (80 marker, 40 loss before it, 20 new timestamp, 10 end of the stream behind it),
    /// its payload's length in two bytes, and its payload.
    package static func depacketize(_ bytes: Span<UInt8>) {
        guard bytes.count > 0 else { return }
        let format = streams[Int(bytes[0] & 0x0F) % streams.count]
        let limit = 2048
        for recovery in [RTPDepacketizer.Recovery.keyframe, .goOn] {
            var depacketizer = RTPDepacketizer(format, recovery: recovery, maximumFrame: limit)
            var frames: UInt64 = 0
            var timestamp: Int64 = 0
            var reader = ByteReader(bytes)
            _ = try? reader.uint8()
            while let flags = try? reader.uint8(), let length = try? reader.uint16() {
                if flags & 0x20 != 0 { timestamp += 3000 }
                let packet = RTPDepacketizer.Packet(
                    timestamp: timestamp,
                    marker: flags & 0x80 != 0,
                    followsLoss: flags & 0x40 != 0,
                    arrival: .zero
                )
                let isFirst = frames == 0
                var hasKeyframe = !isFirst
                guard let payload = try? reader.span(min(Int(length), reader.remaining)) else { break }
                depacketizer.take(payload, packet) { frame, bytes in
                    check(format.stream.codec, frame, bytes, limit: limit)
                    frames += 1
                    hasKeyframe = hasKeyframe || frame.flags.contains(.keyframe)
                    precondition(hasKeyframe, "a stream begins without keyframe")
                }
                if flags & 0x10 != 0 { depacketizer.finish { _, _ in frames += 1 } }
            }
            depacketizer.finish { frame, bytes in
                check(format.stream.codec, frame, bytes, limit: limit)
                frames += 1
            }
            precondition(depacketizer.counters.frames == frames, "frames were counted wrong")
        }
    }

    private static func check(
        _ codec: Codec,
        _ frame: RTPDepacketizer.Frame,
        _ bytes: Span<UInt8>,
        limit: Int
    ) {
        precondition(!bytes.isEmpty, "an empty frame came out")
        // Parameter sets may come on top of the limit.
        precondition(
            bytes.count <= limit + 3 * ParameterSets.maximumCount * (ParameterSets.maximumLength + 4),
            "too long"
        )
        switch codec {
        case .h264, .h265: precondition(AnnexB.startCode(in: bytes, from: 0) == 1, "no start code in front")
        case .jpeg: precondition((try? JPEGHeader(parsing: bytes)) != nil, "an image without header came out")
        case .av1:
            var offset = 0
            while offset < bytes.count {
                guard let obu = try? AV1.OBU(at: offset, of: bytes) else { preconditionFailure("a broken OBU") }
                precondition(bytes[offset] & 0x02 != 0, "an OBU without size")
                offset = obu.range.upperBound
            }
        default: precondition(frame.flags.contains(.keyframe), "sound is always a keyframe")
        }
    }

    /// Takes `bytes` as the packets of a track over UDP and over TCP.
    ///
    /// The first byte names the stream. Each packet is a byte of milliseconds since the one before, with 80 for RTCP, its
    /// length in two bytes, and its bytes.
    package static func receive(track bytes: Span<UInt8>) {
        guard bytes.count > 0 else { return }
        let format = streams[Int(bytes[0] & 0x0F) % streams.count]
        for options in [TrackReceiver.Options.stream, .datagrams] {
            var receiver = TrackReceiver(format, options: options)
            var now = Instant.zero
            var frames: UInt64 = 0
            var reader = ByteReader(bytes)
            _ = try? reader.uint8()
            while let head = try? reader.uint8(), let length = try? reader.uint16(),
                let packet = try? reader.span(min(Int(length), reader.remaining))
            {
                now = now + .milliseconds(Int(head & 0x7F))
                if let deadline = receiver.deadline, deadline <= now {
                    receiver.handleTimeout(at: now) { _, _ in frames += 1 }
                    if let next = receiver.deadline { precondition(next > now, "a packet is held for too long") }
                }
                if head & 0x80 != 0 {
                    receiver.receiveReport(packet, at: now)
                } else {
                    receiver.receive(packet, at: now) { _, bytes in
                        precondition(!bytes.isEmpty, "an empty frame came out")
                        frames += 1
                    }
                }
                precondition(options.hold > .zero || receiver.deadline == nil, "a packet is held back over TCP")
            }
            var report: [UInt8] = []
            receiver.appendReport(from: 1, name: "fuzz", at: now, to: &report)
            precondition((try? RTCPPacket.parse(report.span)) != nil, "a report cannot be read")
            receiver.finish { _, _ in frames += 1 }
            precondition(receiver.frames.frames == frames, "frames were counted wrong")
        }
    }

    private static func track(video codec: Codec) -> TrackFormat {
        let stream = StreamDescription(video: codec, width: 0, height: 0, frameRate: Rational(25))
        return TrackFormat(payloadType: 96, clockRate: 90_000, stream: stream)
    }

    private static func track(audio codec: Codec, configuration: [UInt8] = []) -> TrackFormat {
        let stream = StreamDescription(audio: codec, sampleRate: 48_000, channels: 2, configuration: configuration)
        return TrackFormat(payloadType: 96, clockRate: 48_000, stream: stream)
    }

    private static var latm: TrackFormat {
        var format = track(audio: .aac, configuration: [0x11, 0x90])
        format.isLATM = true
        return format
    }
}
