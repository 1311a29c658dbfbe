// SPDX-License-Identifier: Apache-2.0
// The ring's layout in shared memory: offsets and sizes, as docs/reference/ring.md and apus_ring.h state them.

/// The layout of version 1. All integers are little-endian; offsets are in bytes.
package enum RingLayout {
    /// The bytes "APUSRING".
    package static let magic: UInt64 = 0x474E_4952_5355_5041
    package static let version: UInt32 = 1
    package static let headerSize = 4096
    package static let slotSize = 64
    /// Frames start at multiples of this, so that no two share a cache line.
    package static let frameAlignment: UInt64 = 64
    /// `clock id` 1 is CLOCK_MONOTONIC.
    package static let monotonicClock: UInt32 = 1
    /// The longest codec configuration, in bytes.
    package static let configurationLimit = 3072
    /// The largest data area, in bytes.
    package static let dataLimit = 1 << 30
    /// The smallest data area, in bytes.
    package static let dataMinimum = 1 << 16
    /// The most index entries.
    package static let slotLimit = 1 << 16

    /// Offsets in the header.
    enum Header {
        static let magic = 0
        static let version = 8
        static let headerSize = 12
        static let incarnation = 16
        static let slotCount = 24
        static let slotSize = 28
        static let slotsOffset = 32
        static let dataOffset = 40
        static let dataSize = 48
        static let clock = 56
        // Written with every frame; a cache line of their own.
        static let head = 64
        static let tail = 72
        static let newest = 80
        static let newestKeyframe = 88
        static let flags = 96
        // The description, guarded by its generation: odd while it is being written.
        static let generation = 128
        static let codec = 132
        static let width = 136
        static let height = 140
        static let rateNumerator = 144
        static let rateDenominator = 148
        static let sampleRate = 152
        static let channels = 156
        static let configurationSize = 160
        // The map from monotonic to UTC, guarded by its own generation.
        static let utcGeneration = 192
        static let utcOffset = 200
        static let utcUncertainty = 208
        static let utcMeasured = 216
        static let configuration = 1024
    }

    /// Offsets in an index entry.
    enum Slot {
        static let sequence = 0
        static let position = 8
        static let length = 16
        static let flags = 20
        static let captured = 24
        static let published = 32
        static let keyframe = 40
        static let generation = 48
    }

    /// The header's flags.
    package enum Flags {
        /// The producer has ended in order; no frame follows in this incarnation.
        package static let endOfStream: UInt32 = 1 << 0
        /// The newest frames stand in for a source that is lost.
        package static let slate: UInt32 = 1 << 1
    }

    /// Messages on the ring's socket, one packet each: magic, version, kind, value, zero.
    package enum Message {
        /// "APRH", from a reader.
        package static let readerMagic: UInt32 = 0x4852_5041
        /// "APRW", from the writer.
        package static let writerMagic: UInt32 = 0x5752_5041
        package static let size = 16
        /// Reader: attach, value bit 0 = demand. Writer: the answer, with the memory and the event descriptor.
        package static let attach: UInt16 = 1
        /// Reader: value 1 wants frames to be made, 0 does not.
        package static let demand: UInt16 = 2
        /// Reader: please make a keyframe soon.
        package static let keyframe: UInt16 = 3
    }
}
