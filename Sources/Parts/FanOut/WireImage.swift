// SPDX-License-Identifier: Apache-2.0
// One frame as it goes on the wire, built once and sent to every client from the same memory.

package import Bytes
package import Media
package import System

/// The wire bytes of one frame, which all clients of a transport share.
///
/// Immutable, so a client that is stuck in the middle of it can keep it while others are frames ahead; its memory
/// goes with the last one that holds it.
@safe
package final class WireImage {
    /// The frame's properties.
    package let info: FrameInfo
    /// How many bytes a stream carries.
    package let count: Int
    /// How many packets the frame has; 0 for protocols that only run over streams.
    package let packetCount: Int
    /// How many bytes the packets have together.
    package let packetBytes: Int

    private let base: UnsafeMutableRawPointer
    private let parts: DatagramParts

    /// Copies an image that has been built.
    package init(_ image: borrowing PacketImage, info: FrameInfo) {
        self.info = info
        count = image.bytes.count
        packetCount = image.packets.count
        packetBytes = image.packets.reduce(0) { $0 + $1.length }
        // Safe: filled completely here, never changed afterwards, freed in deinit.
        unsafe base = .allocate(byteCount: max(1, count), alignment: 16)
        unsafe base.copyMemory(from: image.bytes, byteCount: count)
        parts = unsafe DatagramParts(image.packets, base: base)
    }

    deinit { unsafe base.deallocate() }

    /// Sends the image's bytes from `offset` on over a stream.
    package func send(_ socket: Int32, from offset: Int) throws(SystemError) -> IOResult {
        precondition(offset >= 0 && offset <= count, "the offset lies in the image")
        // Safe: within the image by the check above.
        let rest = unsafe Span<UInt8>(
            _unsafeStart: (base + offset).assumingMemoryBound(to: UInt8.self),
            count: count - offset
        )
        return try Socket.send(socket, rest)
    }

    /// Sends `head` and, behind it, the image's bytes over a stream, by one call.
    package func send(_ socket: Int32, behind head: Span<UInt8>) throws(SystemError) -> IOResult {
        try withBytes { bytes throws(SystemError) in try Socket.send(socket, head, then: bytes) }
    }

    /// Sends packets as datagrams, from number `first` on, with as few system calls as the kernel's segmentation allows.
    ///
    /// Goes on until `budget` bytes have gone, at least one run of packets, or there are no more; packets that the kernel
    /// does not take are lost, as on any network.
    package func sendPackets(
        _ socket: Int32,
        to address: SocketAddress,
        from first: Int = 0,
        budget: Int = .max
    ) throws(SystemError) -> PacketsSent {
        try parts.send(socket, to: address, from: first, budget: budget)
    }

    /// Lets `use` look at the bytes.
    package func withBytes<Result, Fault>(_ use: (Span<UInt8>) throws(Fault) -> Result) throws(Fault) -> Result {
        // Safe: `base` holds `count` bytes as long as self lives.
        unsafe try use(Span<UInt8>(_unsafeStart: base.assumingMemoryBound(to: UInt8.self), count: count))
    }
}
