// SPDX-License-Identifier: Apache-2.0
// The bytes that one frame is on the wire, as packets in a row.

/// Where a packet lies in an image: its first byte and its length.
package struct PacketRange: Sendable, Hashable {
    package var offset: Int
    package var length: Int

    package init(offset: Int, length: Int) {
        self.offset = offset
        self.length = length
    }
}

/// One frame as it goes on the wire: the whole of it for a byte stream, and where its packets lie for datagrams.
///
/// What stands between the packets (RTSP's `$` prefix, say) goes out on streams only. An image is filled anew for
/// each frame; its arrays keep their memory.
package struct PacketImage: Sendable, Hashable {
    /// Everything, as a byte stream carries it.
    package var bytes: [UInt8] = []
    /// The packets, in order and not overlapping; empty for protocols that only run over streams.
    package var packets: [PacketRange] = []

    package init() {}

    /// Empties the image and keeps its memory.
    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        packets.removeAll(keepingCapacity: true)
    }
}
