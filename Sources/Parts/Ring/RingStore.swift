// SPDX-License-Identifier: Apache-2.0
// The writing side of a ring's memory.

package import Bytes
package import Media
import Synchronization
package import System

/// Why a ring could not take a frame or be attached.
package enum RingError: Error, Equatable, Sendable {
    /// The frame does not fit: a ring takes frames of up to half its data area.
    case frameTooLarge(length: Int, limit: Int)
    /// The codec configuration is longer than the header has room for.
    case configurationTooLarge(length: Int, limit: Int)
    /// The memory offered is not a ring of this version.
    case notARing(String)
    /// Another process writes the ring already.
    case taken
    /// A system call failed.
    case system(SystemError)
}

extension RingError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .frameTooLarge(let length, let limit):
            "a frame of \(length) bytes does not fit into the ring, which takes \(limit)"
        case .configurationTooLarge(let length, let limit):
            "a codec configuration of \(length) bytes is longer than \(limit)"
        case .notARing(let why): "not a ring: \(why)"
        case .taken: "another process writes the ring"
        case .system(let error): error.description
        }
    }
}

/// Writes frames into a ring's memory. There is one writer; it never waits for anybody.
///
/// **The tail moves before the bytes it leaves behind are overwritten**: a reader whose frame still starts at or
/// after the tail when it is done has read that frame and nothing else.
package final class RingStore {
    /// The memory file, for handing to readers. Sealed: no reader can write to it.
    package let memory: FileDescriptor
    /// Identifies this memory; another one than the one before it had.
    package let incarnation: UInt64
    /// The size of the data area in bytes.
    package let capacity: Int
    /// What the ring carries.
    package private(set) var description: StreamDescription

    private let region: MappedRegion
    private let words: SharedWords
    private let slotCount: UInt64
    private let dataOffset: Int
    private var head: UInt64 = 0
    private var tail: UInt64 = 0
    private var sequence: UInt64 = 0
    private var keyframe: UInt64 = 0
    private var generation: UInt32 = 0

    /// Makes the memory: a data area of at least `capacity` bytes and an index of at least `slots` frames.
    package init(
        name: String,
        description: StreamDescription,
        capacity: Int,
        slots: Int = RingStore.defaultSlots
    ) throws(RingError) {
        let pages = (min(max(capacity, RingLayout.dataMinimum), RingLayout.dataLimit) + 4095) / 4096
        self.capacity = pages * 4096
        let slots = min(max(64, slots), RingLayout.slotLimit)
        slotCount = UInt64(slots)
        dataOffset = RingLayout.headerSize + slots * RingLayout.slotSize
        let size = dataOffset + self.capacity
        do throws(SystemError) {
            memory = try MemoryFile.create(name, size: size)
            region = try MappedRegion(memory.raw, size: size, writable: true)
            // After mapping: the seal forbids every writable mapping made later, and lets this one be.
            try MemoryFile.seal(memory.raw)
        } catch {
            throw .system(error)
        }
        words = SharedWords(region)
        incarnation = Random.uint64() | 1
        self.description = description
        writeHeader()
        updateUTC()
        try update(description)
    }

    /// How many frames the index holds unless told otherwise.
    package static let defaultSlots = 1024

    /// The longest frame that fits.
    package var frameLimit: Int { capacity / 2 }

    /// The sequence number of the newest frame, 0 before the first.
    package var newest: UInt64 { sequence }

    /// Publishes one frame, whose bytes `fill` writes into the ring: the only copy there is.
    ///
    /// Capture instants are kept as they are: producers see to it that they rise, but for pictures that are not coded in
    /// the order of presentation.
    ///
    /// - Returns: the frame's sequence number.
    @discardableResult
    package func publish(
        captured: Instant,
        flags: FrameFlags,
        length: Int,
        fill: (inout MutableSpan<UInt8>) -> Void
    ) throws(RingError) -> UInt64 {
        guard length <= frameLimit else { throw .frameTooLarge(length: length, limit: frameLimit) }
        let position = reserve(UInt64(length))
        // Safe: `reserve` returns a position whose `length` bytes lie inside the data area, which only we write.
        let start = unsafe (region.base + dataOffset + Int(position % UInt64(capacity)))
            .assumingMemoryBound(to: UInt8.self)
        var bytes = unsafe MutableSpan(_unsafeStart: start, count: length)
        fill(&bytes)
        commit(position: position, length: length, captured: captured, flags: flags)
        return sequence
    }

    /// Publishes a copy of `frame`.
    @discardableResult
    package func publish(_ frame: Span<UInt8>, captured: Instant, flags: FrameFlags) throws(RingError) -> UInt64 {
        try publish(captured: captured, flags: flags, length: frame.count) { target in
            unsafe target.withUnsafeMutableBytes { target in
                unsafe frame.withUnsafeBytes { source in
                    // Safe: both have the frame's length.
                    unsafe target.copyMemory(from: source)
                }
            }
        }
    }

    /// Says what the frames from now on are.
    package func update(_ description: StreamDescription) throws(RingError) {
        let configuration = description.configuration
        guard configuration.count <= RingLayout.configurationLimit else {
            throw .configurationTooLarge(length: configuration.count, limit: RingLayout.configurationLimit)
        }
        self.description = description
        typealias Header = RingLayout.Header
        words.writeGuarded(by: Header.generation) {
            words.store32(Header.codec, description.codec.rawValue)
            words.store32(Header.width, description.width)
            words.store32(Header.height, description.height)
            words.store32(Header.rateNumerator, description.frameRate.numerator)
            words.store32(Header.rateDenominator, description.frameRate.denominator)
            words.store32(Header.sampleRate, description.sampleRate)
            words.store32(Header.channels, description.channels)
            words.store32(Header.configurationSize, UInt32(configuration.count))
            // Safe: the header has room for `configurationLimit` bytes, checked above.
            unsafe (region.base + Header.configuration).copyMemory(from: configuration, byteCount: configuration.count)
        }
        generation &+= 2
    }

    /// Measures anew how the monotonic clock maps to UTC; to be called about once a second.
    package func updateUTC() {
        let (offset, uncertainty) = Clock.utcOffset()
        let now = Clock.monotonic()
        typealias Header = RingLayout.Header
        words.writeGuarded(by: Header.utcGeneration) {
            words.store64(Header.utcOffset, UInt64(bitPattern: offset))
            words.store64(Header.utcUncertainty, UInt64(bitPattern: uncertainty))
            words.store64(Header.utcMeasured, UInt64(bitPattern: now.nanoseconds))
        }
    }

    /// Sets the header's flags, see `RingLayout.Flags`.
    package func setFlags(_ flags: UInt32) { words.release32(RingLayout.Header.flags, flags) }

    private func writeHeader() {
        typealias Header = RingLayout.Header
        words.store32(Header.version, RingLayout.version)
        words.store32(Header.headerSize, UInt32(RingLayout.headerSize))
        words.store64(Header.incarnation, incarnation)
        words.store32(Header.slotCount, UInt32(slotCount))
        words.store32(Header.slotSize, UInt32(RingLayout.slotSize))
        words.store64(Header.slotsOffset, UInt64(RingLayout.headerSize))
        words.store64(Header.dataOffset, UInt64(dataOffset))
        words.store64(Header.dataSize, UInt64(capacity))
        words.store32(Header.clock, RingLayout.monotonicClock)
        words.release64(Header.magic, RingLayout.magic)
    }

    /// Finds room behind the newest frame and moves the tail past everything that is about to be overwritten.
    private func reserve(_ length: UInt64) -> UInt64 {
        let size = UInt64(capacity)
        var position = (head + RingLayout.frameAlignment - 1) & ~(RingLayout.frameAlignment - 1)
        let offset = position % size
        // Frames are contiguous: what does not fit before the end starts over at the beginning.
        if offset + length > size { position += size - offset }
        let end = position + length
        if end > size, end - size > tail {
            tail = end - size
            words.store64(RingLayout.Header.tail, tail)
            // Pairs with the acquiring fence in RingView.read: who sees one of our new bytes sees this tail.
            atomicMemoryFence(ordering: .releasing)
        }
        return position
    }

    private func commit(position: UInt64, length: Int, captured: Instant, flags: FrameFlags) {
        sequence += 1
        if flags.contains(.keyframe) { keyframe = sequence }
        head = position + UInt64(length)
        let slot = RingLayout.headerSize + Int(sequence % slotCount) * RingLayout.slotSize
        typealias Slot = RingLayout.Slot
        words.store64(slot + Slot.sequence, 0)
        // Pairs with the acquiring fence in RingView.entry: who sees a new field sees the sequence changed.
        atomicMemoryFence(ordering: .releasing)
        words.store64(slot + Slot.position, position)
        words.store32(slot + Slot.length, UInt32(length))
        words.store32(slot + Slot.flags, flags.rawValue)
        words.store64(slot + Slot.captured, UInt64(bitPattern: captured.nanoseconds))
        words.store64(slot + Slot.published, UInt64(bitPattern: Clock.monotonic().nanoseconds))
        words.store64(slot + Slot.keyframe, keyframe)
        words.store32(slot + Slot.generation, generation)
        words.release64(slot + Slot.sequence, sequence)
        words.store64(RingLayout.Header.head, head)
        words.store64(RingLayout.Header.newestKeyframe, keyframe)
        // Pairs with the acquiring load in RingView.newest: who sees the number sees the frame.
        words.release64(RingLayout.Header.newest, sequence)
    }
}
