// SPDX-License-Identifier: Apache-2.0
// The packets of an image, grouped so that one system call sends as many as the kernel can segment.

import Bytes
import System

/// Packets grouped into runs of equal length, each sent by one `sendmsg` with UDP_SEGMENT.
@safe
final class DatagramParts {
    private let vectors: UnsafeMutablePointer<IOVector>
    private let count: Int
    private let runs: [Run]

    /// So many packets from `first` on, all `segment` bytes long but for the last, which may be shorter.
    struct Run: Equatable {
        var first: Int
        var count: Int
        var segment: Int
        var bytes: Int
    }

    /// The kernel's limits: UDP_MAX_SEGMENTS, and the largest datagram before segmentation.
    static let segmentLimit = 64
    static let byteLimit = 65_000

    /// Prepares packets that lie in memory at `base`, which outlives this object.
    init(_ packets: [PacketRange], base: UnsafeMutableRawPointer) {
        count = packets.count
        // Safe: every entry is filled here and points into the image's memory.
        unsafe vectors = .allocate(capacity: max(1, count))
        for (index, packet) in packets.enumerated() {
            unsafe (vectors + index).initialize(to: makeIOVector(base + packet.offset, count: packet.length))
        }
        runs = Self.group(packets)
    }

    deinit { unsafe vectors.deallocate() }

    /// Finds the runs.
    static func group(_ packets: [PacketRange]) -> [Run] {
        var runs: [Run] = []
        var isOpen = false
        for (index, packet) in packets.enumerated() {
            if isOpen, let run = runs.last, packet.length <= run.segment, run.count < segmentLimit,
                run.bytes + packet.length <= byteLimit
            {
                runs[runs.count - 1].count += 1
                runs[runs.count - 1].bytes += packet.length
                isOpen = packet.length == run.segment
            } else {
                runs.append(Run(first: index, count: 1, segment: packet.length, bytes: packet.length))
                isOpen = true
            }
        }
        return runs
    }

    /// Sends runs from packet `first` on until `budget` bytes have gone, or all packets, or the kernel takes no more.
    func send(
        _ socket: Int32,
        to address: SocketAddress,
        from first: Int,
        budget: Int
    ) throws(SystemError) -> PacketsSent {
        var sent = PacketsSent()
        for run in runs where run.first >= first {
            guard sent.bytes < budget else { break }
            sent.tried += run.count
            sent.bytes += run.bytes
            // Safe: the run lies within the vectors, whose memory lives as long as self.
            let parts = unsafe UnsafeBufferPointer(start: vectors + run.first, count: run.count)
            let result = unsafe try Socket.sendGathered(
                socket,
                parts,
                to: address,
                segment: run.count > 1 ? run.segment : 0
            )
            guard case .bytes = result else {
                sent.tried = count - first
                break
            }
            sent.taken += run.count
        }
        return sent
    }
}

/// What became of packets that were sent.
package struct PacketsSent: Sendable, Equatable {
    /// How many are done with, taken or lost.
    package var tried = 0
    /// How many the kernel took: fewer when the socket's buffer is full.
    package var taken = 0
    /// Bytes of those that were tried.
    package var bytes = 0

    package init() {}
}
