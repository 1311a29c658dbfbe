// SPDX-License-Identifier: Apache-2.0
// Feeds packets to a receiver and collects what comes out.

import Bytes
import Media
import RTP
import Testing

/// A receiver under test, on a virtual clock of one millisecond a packet.
struct ReceiverHarness {
    struct Output: Equatable {
        var timestamp: Int64
        var flags: FrameFlags
        var bytes: [UInt8]
    }

    var receiver: TrackReceiver
    var now = Instant.zero
    var output: [Output] = []
    var frames: [TrackReceiver.Frame] = []

    init(_ format: TrackFormat, options: TrackReceiver.Options = .stream) {
        receiver = TrackReceiver(format, options: options)
    }

    init(_ stream: StreamDescription, clockRate: UInt32 = 90_000, options: TrackReceiver.Options = .stream) {
        receiver = TrackReceiver(
            TrackFormat(payloadType: 96, clockRate: clockRate, stream: stream),
            options: options
        )
    }

    init(_ codec: Codec, configuration: [UInt8] = [], options: TrackReceiver.Options = .stream) {
        if codec.isAudio {
            self.init(
                StreamDescription(audio: codec, sampleRate: 48_000, channels: 2, configuration: configuration),
                clockRate: 48_000,
                options: options
            )
        } else {
            let stream = StreamDescription(
                video: codec,
                width: 0,
                height: 0,
                frameRate: Rational(25),
                configuration: configuration
            )
            self.init(stream, options: options)
        }
    }

    mutating func feed(_ packet: [UInt8]) {
        now = now + .milliseconds(1)
        var output: [Output] = []
        var frames: [TrackReceiver.Frame] = []
        receiver.receive(packet.span, at: now) { frame, bytes in
            output.append(Output(timestamp: frame.timestamp, flags: frame.flags, bytes: [UInt8](bytes)))
            frames.append(frame)
        }
        self.output += output
        self.frames += frames
    }

    mutating func feed(_ packets: some Sequence<[UInt8]>) { for packet in packets { feed(packet) } }

    /// Lets the time pass that packets are held back, and ends the stream.
    mutating func finish() {
        now = now + .seconds(1)
        var output: [Output] = []
        let collect: TrackReceiver.Emit = { frame, bytes in
            output.append(Output(timestamp: frame.timestamp, flags: frame.flags, bytes: [UInt8](bytes)))
        }
        receiver.handleTimeout(at: now, emit: collect)
        receiver.finish(emit: collect)
        self.output += output
    }

    var bytes: [[UInt8]] { output.map(\.bytes) }
}

/// RTP packets built by hand.
func rtp(
    _ payload: [UInt8],
    sequence: UInt16,
    timestamp: UInt32 = 0,
    marker: Bool = false,
    type: UInt8 = 96,
    source: UInt32 = 7
) -> [UInt8] {
    var packet: [UInt8] = [0x80, (marker ? 0x80 : 0) | type]
    packet.append(bigEndian: sequence)
    packet.append(bigEndian: timestamp)
    packet.append(bigEndian: source)
    return packet + payload
}
