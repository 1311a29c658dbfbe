// SPDX-License-Identifier: Apache-2.0
// How packets travel between the server and one client.

import FanOut
import System

/// How the packets of a track travel.
enum Delivery {
    /// Between the RTSP connection's messages, on these channels.
    case interleaved(rtp: UInt8, rtcp: UInt8)
    case datagrams(DatagramPath)
    /// By a sender that all listeners share.
    case multicast(MulticastSender)

    /// The name in logs and reports.
    var name: String {
        switch self {
        case .interleaved: "tcp"
        case .datagrams: "udp"
        case .multicast: "multicast"
        }
    }

    /// An RTCP packet as it stands between RTSP messages (RFC 2326 §10.12).
    static func interleave(_ packet: [UInt8], channel: UInt8) -> [UInt8] {
        let length = UInt16(truncatingIfNeeded: packet.count)
        return [UInt8(ascii: "$"), channel, UInt8(length >> 8), UInt8(length & 0xFF)] + packet
    }
}

/// How fast packets leave over UDP: so many bytes in one go, then a pause.
///
/// A frame of more than a burst, and what a client that joins behind has to catch up with, would else overrun the
/// receiver's buffer.
struct Pace {
    let burst: Int
    let pause: Duration

    /// Bits per second on average; 0 is as fast as the kernel takes them.
    init(bitsPerSecond: Int) {
        guard bitsPerSecond > 0 else {
            burst = .max
            pause = .milliseconds(1)
            return
        }
        burst = Self.burst
        pause = .nanoseconds(Int64(Self.burst) * 8 * 1_000_000_000 / Int64(bitsPerSecond))
    }

    /// What receivers' default buffers take in their stride.
    private static let burst = 64 << 10
}

/// Where the packets of a track go over UDP.
final class DatagramPath {
    let ports: DatagramPorts
    let rtp: SocketAddress
    let rtcp: SocketAddress

    init(_ ports: DatagramPorts, rtp: SocketAddress, rtcp: SocketAddress) {
        self.ports = ports
        self.rtp = rtp
        self.rtcp = rtcp
    }

    /// Sends packets of a frame from number `first` on until `budget` bytes have gone, or the whole frame.
    func send(_ image: WireImage, from first: Int, budget: Int) -> PacketsSent {
        ports.send(image, from: first, budget: budget, to: rtp)
    }

    /// Sends an RTCP packet.
    func sendReport(_ bytes: [UInt8]) { ports.sendReport(bytes, to: rtcp) }
}
