// SPDX-License-Identifier: Apache-2.0
// What one client plays: its place in the stream, its transport, its reports.

import Bytes
import FanOut
import Loop
import RTP
import System

/// A track that a client has set up.
final class Playback {
    /// How packets travel to the client.
    enum Delivery {
        /// Between the RTSP connection's responses, on these channels.
        case interleaved(rtp: UInt8, rtcp: UInt8)
        /// To these addresses.
        case datagrams(rtp: SocketAddress, rtcp: SocketAddress)
    }

    let stream: Stream
    let delivery: Delivery
    /// Present while the client plays.
    private(set) var began: Instant?
    private(set) var frames: UInt64 = 0
    /// Packets and payload bytes sent, as sender reports count them: they wrap.
    private(set) var packets: UInt32 = 0
    private(set) var octets: UInt32 = 0
    /// Packets that the kernel did not take.
    private(set) var unsentPackets: UInt64 = 0
    /// What the client reported last.
    var report: RTCP.ReportBlock?
    private(set) var cursor: FrameCursor

    private let loop: EventLoop
    private let ports: DatagramPorts?
    private var pause: LoopTimer?

    /// Bytes sent over UDP in one go; a client that joins behind is brought up with pauses between.
    private static let burst = 64 << 10
    /// 64 KiB every 5 ms are 100 Mbit/s.
    private static let burstPause = Duration.milliseconds(5)

    init(_ stream: Stream, _ delivery: Delivery, _ ports: DatagramPorts?, loop: EventLoop, maximumLatency: Duration) {
        self.stream = stream
        self.delivery = delivery
        self.ports = ports
        self.loop = loop
        cursor = stream.cursor(maximumLatency: maximumLatency)
    }

    /// Begins, or goes on after `stop`, at the newest keyframe.
    func start() {
        began = loop.now
        cursor.rejoin(at: loop.now)
    }

    /// Stops sending.
    func stop() {
        began = nil
        pause?.cancel()
        pause = nil
    }

    /// The next frame for the client's connection, nil if there is none now.
    func nextImage() -> WireImage? {
        guard began != nil, case .interleaved(let channel, _) = delivery,
            let image = stream.nextImage(&cursor, channel: channel)
        else { return nil }
        count(image, sent: image.packetCount)
        return image
    }

    /// Sends what is due over UDP.
    func sendDatagrams() {
        guard began != nil, pause == nil, case .datagrams(let address, _) = delivery, let ports else { return }
        var sentBytes = 0
        while sentBytes < Self.burst {
            guard let image = stream.nextImage(&cursor, channel: 0) else { return }
            count(image, sent: ports.sendPackets(image, to: address))
            sentBytes += image.packetBytes
        }
        pause = loop.timer(after: Self.burstPause) { [unowned self] in
            pause = nil
            sendDatagrams()
        }
    }

    private func count(_ image: WireImage, sent: Int) {
        frames += 1
        unsentPackets += UInt64(image.packetCount - sent)
        // Wrap by definition (RFC 3550 §6.4.1).
        packets &+= UInt32(truncatingIfNeeded: sent)
        octets &+= UInt32(truncatingIfNeeded: image.packetBytes - image.packetCount * RTPHeader.length)
    }
}
