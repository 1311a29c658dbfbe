// SPDX-License-Identifier: Apache-2.0
// Integers in shared memory, read and written atomically at fixed offsets.

import Synchronization
import System

/// The atomics of a mapping. Offsets are multiples of the integer's size, and inside the mapping: the callers take
/// them from `RingLayout` and from sizes checked when the ring was made or attached.
///
/// Lives no longer than the `MappedRegion` it was made from, which the same object owns.
@safe
struct SharedWords {
    private let base: UnsafeMutableRawPointer

    // Safe: the owner keeps the region as long as this value.
    init(_ region: borrowing MappedRegion) { unsafe base = region.base }

    private func word64(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        // Safe: inside the mapping and aligned, see above; Atomic<UInt64> is laid out as UInt64, little-endian here.
        unsafe (base + offset).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    private func word32(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt32>> {
        // Safe: as above.
        unsafe (base + offset).assumingMemoryBound(to: Atomic<UInt32>.self)
    }

    func relaxed64(_ offset: Int) -> UInt64 { unsafe word64(offset).pointee.load(ordering: .relaxed) }
    func acquire64(_ offset: Int) -> UInt64 { unsafe word64(offset).pointee.load(ordering: .acquiring) }
    func store64(_ offset: Int, _ value: UInt64) { unsafe word64(offset).pointee.store(value, ordering: .relaxed) }
    func release64(_ offset: Int, _ value: UInt64) { unsafe word64(offset).pointee.store(value, ordering: .releasing) }

    func relaxed32(_ offset: Int) -> UInt32 { unsafe word32(offset).pointee.load(ordering: .relaxed) }
    func acquire32(_ offset: Int) -> UInt32 { unsafe word32(offset).pointee.load(ordering: .acquiring) }
    func store32(_ offset: Int, _ value: UInt32) { unsafe word32(offset).pointee.store(value, ordering: .relaxed) }
    func release32(_ offset: Int, _ value: UInt32) { unsafe word32(offset).pointee.store(value, ordering: .releasing) }

    /// Writes fields that readers take all together or not at all: the generation is odd meanwhile.
    ///
    /// Pairs with `readGuarded`.
    func writeGuarded(by generation: Int, _ write: () -> Void) {
        let before = relaxed32(generation)
        store32(generation, before &+ 1)
        atomicMemoryFence(ordering: .releasing)
        write()
        release32(generation, before &+ 2)
    }

    /// Reads fields that were written all together; nil when the writer kept changing them.
    ///
    /// Pairs with `writeGuarded`.
    func readGuarded<Value>(by generation: Int, _ read: () -> Value?) -> (value: Value, generation: UInt32)? {
        for _ in 0..<Self.tries {
            let before = acquire32(generation)
            if before & 1 == 1 { continue }
            let value = read()
            atomicMemoryFence(ordering: .acquiring)
            guard relaxed32(generation) == before else { continue }
            return value.map { ($0, before) }
        }
        return nil
    }

    private static let tries = 1000
}
