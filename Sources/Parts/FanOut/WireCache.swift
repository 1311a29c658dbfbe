// SPDX-License-Identifier: Apache-2.0
// Builds each frame's wire image once, and keeps the newest few for the clients that come to them later.

package import Bytes
package import Media
package import Ring

/// The wire images of one stream for one transport.
///
/// A client that asks for a frame which has left the cache makes it be built again from the ring: builders give the
/// same bytes for the same frame.
package final class WireCache {
    /// Writes a frame's wire bytes into an empty image.
    package typealias Builder = (FrameInfo, Span<UInt8>, inout PacketImage) -> Void

    /// What became of a look-up.
    package enum Lookup {
        case image(WireImage)
        /// The frame has not been published yet.
        case notYet
        /// The frame has left the ring.
        case overwritten
    }

    private let build: Builder
    private let budget: Int
    private var images: [WireImage] = []
    private var incarnation: UInt64 = 0
    private var scratch = PacketImage()

    /// Keeps images of at most `budget` bytes together, but always the newest two.
    package init(budget: Int = WireCache.defaultBudget, build: @escaping Builder) {
        self.budget = budget
        self.build = build
    }

    /// Enough for the frames between the fastest and the usual slower client; longer gaps are built again.
    package static let defaultBudget = 256 << 10

    /// The image of a frame.
    package func image(of sequence: UInt64, in view: RingView) -> Lookup {
        if view.incarnation != incarnation {
            removeAll()
            incarnation = view.incarnation
        }
        if let image = images.last(where: { $0.info.sequence == sequence }) { return .image(image) }
        scratch.removeAll()
        var frameInfo: FrameInfo?
        let result = view.read(sequence) { info, frame in
            frameInfo = info
            build(info, frame, &scratch)
        }
        guard result == .valid, let frameInfo else { return result == .notYet ? .notYet : .overwritten }
        let image = WireImage(scratch, info: frameInfo)
        trimScratch()
        keep(image)
        return .image(image)
    }

    /// Forgets all images; those that clients are sending live on with them.
    package func removeAll() { images.removeAll(keepingCapacity: true) }

    private func keep(_ image: WireImage) {
        images.append(image)
        images.sort { $0.info.sequence < $1.info.sequence }
        var total = images.reduce(0) { $0 + $1.count }
        while images.count > 2, total > budget || images.count > Self.countLimit {
            total -= images.removeFirst().count
        }
    }

    /// One huge frame must not pin its memory for ever.
    private func trimScratch() {
        if scratch.bytes.capacity > 2 * budget { scratch = PacketImage() }
    }

    private static let countLimit = 16
}
