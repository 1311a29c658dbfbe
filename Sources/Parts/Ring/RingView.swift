// SPDX-License-Identifier: Apache-2.0
// The reading side of a ring's memory.

package import Bytes
package import Media
import Synchronization
import System

/// What became of an attempt to read a frame.
package enum RingReadResult: Equatable, Sendable {
    /// The frame was there, and was still there after it had been used.
    case valid
    /// The frame has not been published yet.
    case notYet
    /// The frame was overwritten, maybe while it was being used: throw away what was made of it.
    case overwritten
}

/// How the ring's monotonic instants map to UTC.
package struct UTCMap: Sendable, Hashable {
    /// UTC minus monotonic, in nanoseconds.
    package var offset: Int64
    /// How far the offset may be off, in nanoseconds.
    package var uncertainty: Int64
    /// When the offset was measured.
    package var measured: Instant

    /// The UTC time of an instant, in nanoseconds since 1970.
    package func utcNanoseconds(_ instant: Instant) -> Int64 { instant.nanoseconds &+ offset }
}

/// Reads frames from a ring's memory, mapped read-only. Nothing read from it is trusted: sizes are checked once at
/// attaching, positions and lengths at each use.
package final class RingView {
    /// Identifies the memory; another one after the producer was restarted.
    package let incarnation: UInt64
    /// The size of the data area in bytes.
    package let capacity: Int
    /// How many frames the index holds.
    package let slotCount: Int

    private let region: MappedRegion
    private let words: SharedWords
    private let slotsOffset: Int
    private let dataOffset: Int

    /// Maps a ring's memory.
    ///
    /// - Throws: `RingError.notARing` when the header does not describe the memory.
    package init(_ memory: Int32) throws(RingError) {
        let size: Int
        do throws(SystemError) {
            size = try MemoryFile.size(memory)
            guard MemoryFile.isSealed(memory) else { throw RingView.unsealed }
            guard size >= RingLayout.headerSize else { throw RingView.tooShort }
            region = try MappedRegion(memory, size: size, writable: false)
        } catch {
            throw error == Self.unsealed || error == Self.tooShort ? .notARing(error.call) : .system(error)
        }
        words = SharedWords(region)
        typealias Header = RingLayout.Header
        guard words.acquire64(Header.magic) == RingLayout.magic else { throw .notARing("wrong magic") }
        let version = words.relaxed32(Header.version)
        guard version == RingLayout.version else { throw .notARing("version \(version), not \(RingLayout.version)") }
        incarnation = words.relaxed64(Header.incarnation)
        let slots = words.relaxed32(Header.slotCount)
        let slotsOffset = words.relaxed64(Header.slotsOffset)
        let dataOffset = words.relaxed64(Header.dataOffset)
        let dataSize = words.relaxed64(Header.dataSize)
        guard words.relaxed32(Header.slotSize) == RingLayout.slotSize, (1...RingLayout.slotLimit).contains(Int(slots)),
            slotsOffset % 8 == 0, slotsOffset >= UInt64(RingLayout.headerSize), slotsOffset <= UInt64(size),
            dataOffset <= UInt64(size), dataSize > 0, dataSize <= UInt64(size) - dataOffset,
            UInt64(slots) * UInt64(RingLayout.slotSize) <= UInt64(size) - slotsOffset
        else { throw .notARing("sizes do not fit the memory of \(size) bytes") }
        slotCount = Int(slots)
        self.slotsOffset = Int(slotsOffset)
        self.dataOffset = Int(dataOffset)
        capacity = Int(dataSize)
    }

    private static let unsealed = SystemError("the memory is not sealed against shrinking", code: 0)
    private static let tooShort = SystemError("the memory is shorter than a header", code: 0)

    /// The sequence number of the newest frame, 0 before the first.
    // Pairs with the releasing store in RingStore.commit.
    package var newest: UInt64 { words.acquire64(RingLayout.Header.newest) }

    /// The sequence number of the newest keyframe that may still be there, 0 before the first.
    package var newestKeyframe: UInt64 { words.relaxed64(RingLayout.Header.newestKeyframe) }

    /// The oldest frame that is still whole, 0 if there is none.
    package var oldest: UInt64 {
        let newest = newest
        guard newest > 0 else { return 0 }
        // Frames fall out in order, so the boundary is found by halving.
        var low = newest > UInt64(slotCount) ? newest - UInt64(slotCount) + 1 : 1
        var high = newest
        while low < high {
            let middle = low + (high - low) / 2
            if info(middle) != nil { high = middle } else { low = middle + 1 }
        }
        return info(low) == nil ? 0 : low
    }

    /// True after the producer has ended in order.
    package var isEnded: Bool { words.acquire32(RingLayout.Header.flags) & RingLayout.Flags.endOfStream != 0 }

    /// True while the newest frames stand in for a source that is lost.
    package var isSlate: Bool { words.acquire32(RingLayout.Header.flags) & RingLayout.Flags.slate != 0 }

    /// Bytes published so far, skipped ends included.
    package var headPosition: UInt64 { words.relaxed64(RingLayout.Header.head) }

    /// Bytes that have fallen out so far.
    package var tailPosition: UInt64 { words.relaxed64(RingLayout.Header.tail) }

    /// What the ring carries, with a generation that changes with it; nil while it is being changed or when it
    /// makes no sense.
    package func description() -> (description: StreamDescription, generation: UInt32)? {
        typealias Header = RingLayout.Header
        let guarded = words.readGuarded(by: Header.generation) { () -> StreamDescription? in
            let size = Int(words.relaxed32(Header.configurationSize))
            guard let codec = Codec(rawValue: words.relaxed32(Header.codec)), size <= RingLayout.configurationLimit
            else { return nil }
            var result = StreamDescription(
                video: codec,
                width: words.relaxed32(Header.width),
                height: words.relaxed32(Header.height),
                frameRate: Rational(words.relaxed32(Header.rateNumerator), words.relaxed32(Header.rateDenominator))
            )
            result.sampleRate = words.relaxed32(Header.sampleRate)
            result.channels = words.relaxed32(Header.channels)
            // Safe: inside the header, by the limit checked above.
            result.configuration = unsafe Array(
                UnsafeRawBufferPointer(start: region.base + Header.configuration, count: size)
            )
            return result
        }
        return guarded.map { ($0.value, $0.generation) }
    }

    /// The present generation of the description; cheap enough to compare with every frame.
    package var descriptionGeneration: UInt32 { words.acquire32(RingLayout.Header.generation) }

    /// How instants map to UTC; nil while it is being changed.
    package var utc: UTCMap? {
        typealias Header = RingLayout.Header
        return words.readGuarded(by: Header.utcGeneration) {
            UTCMap(
                offset: Int64(bitPattern: words.relaxed64(Header.utcOffset)),
                uncertainty: Int64(bitPattern: words.relaxed64(Header.utcUncertainty)),
                measured: Instant(nanoseconds: Int64(bitPattern: words.relaxed64(Header.utcMeasured)))
            )
        }?
        .value
    }

    /// What is known of a frame, nil when it is not published yet or not whole any more.
    package func info(_ sequence: UInt64) -> FrameInfo? {
        guard sequence > 0, let entry = entry(sequence), entry.position >= tailPosition else { return nil }
        return entry.info
    }

    /// The generation of the description that a frame belongs to; nil when the frame is not there.
    package func descriptionGeneration(of sequence: UInt64) -> UInt32? {
        guard info(sequence) != nil else { return nil }
        let slot = slotsOffset + Int(sequence % UInt64(slotCount)) * RingLayout.slotSize
        let generation = words.relaxed32(slot + RingLayout.Slot.generation)
        return info(sequence) == nil ? nil : generation
    }

    /// The keyframe from which the decoding of a frame starts, nil when the frame or its keyframe is not there.
    package func keyframe(of sequence: UInt64) -> UInt64? {
        guard let entry = entry(sequence), entry.keyframe > 0, info(entry.keyframe) != nil else { return nil }
        return entry.keyframe
    }

    /// Lets `use` look at a frame's bytes where they lie, then tells whether they stayed what they were.
    ///
    /// The bytes may change under `use` when the writer laps this reader; then the result is `.overwritten`, and
    /// whatever `use` made of them must be thrown away.
    package func read(_ sequence: UInt64, _ use: (FrameInfo, Span<UInt8>) -> Void) -> RingReadResult {
        guard sequence > 0, sequence <= newest else { return .notYet }
        guard let entry = entry(sequence), entry.position >= tailPosition else { return .overwritten }
        let offset = Int(entry.position % UInt64(capacity))
        guard entry.info.length <= capacity - offset else { return .overwritten }
        // Safe: inside the data area by the check above; the memory is sealed, so it cannot go away.
        let start = unsafe UnsafeRawPointer(region.base + dataOffset + offset).assumingMemoryBound(to: UInt8.self)
        use(entry.info, unsafe Span(_unsafeStart: start, count: entry.info.length))
        // Pairs with the releasing fence in RingStore.reserve.
        atomicMemoryFence(ordering: .acquiring)
        return entry.position >= tailPosition ? .valid : .overwritten
    }

    private struct Entry {
        var position: UInt64
        var keyframe: UInt64
        var info: FrameInfo
    }

    private func entry(_ sequence: UInt64) -> Entry? {
        let slot = slotsOffset + Int(sequence % UInt64(slotCount)) * RingLayout.slotSize
        typealias Slot = RingLayout.Slot
        // Pairs with the releasing store in RingStore.commit.
        guard words.acquire64(slot + Slot.sequence) == sequence else { return nil }
        let entry = Entry(
            position: words.relaxed64(slot + Slot.position),
            keyframe: words.relaxed64(slot + Slot.keyframe),
            info: FrameInfo(
                sequence: sequence,
                captured: Instant(nanoseconds: Int64(bitPattern: words.relaxed64(slot + Slot.captured))),
                published: Instant(nanoseconds: Int64(bitPattern: words.relaxed64(slot + Slot.published))),
                flags: FrameFlags(rawValue: words.relaxed32(slot + Slot.flags)),
                length: Int(words.relaxed32(slot + Slot.length))
            )
        )
        // Pairs with the releasing fence in RingStore.commit.
        atomicMemoryFence(ordering: .acquiring)
        return words.relaxed64(slot + Slot.sequence) == sequence ? entry : nil
    }
}
