// SPDX-License-Identifier: Apache-2.0
// Packets that came before their turn.

import Bytes

/// Holds a bounded number of packets until those in front of them have come.
///
/// Packets are copied in; their memory is used again.
struct ReorderBuffer: Sendable {
    /// Bytes of memory that an unused slot may keep.
    private static let keptBytes = 2048

    private struct Slot: Sendable {
        /// -1 while it is free.
        var sequence: Int64 = -1
        var arrival = Instant.zero
        var bytes: [UInt8] = []
    }

    private var slots: [Slot]
    private(set) var count = 0

    /// Has room for packets of `capacity` sequence numbers in a row; none for 0.
    init(capacity: Int) { slots = [Slot](repeating: Slot(), count: capacity) }

    var capacity: Int { slots.count }

    /// Keeps a packet; false if it is there already. Its sequence number is less than `capacity` ahead of the next.
    mutating func insert(_ packet: Span<UInt8>, _ sequence: Int64, _ arrival: Instant) -> Bool {
        let index = Int(sequence % Int64(slots.count))
        guard slots[index].sequence != sequence else { return false }
        slots[index].sequence = sequence
        slots[index].arrival = arrival
        slots[index].bytes.removeAll(keepingCapacity: true)
        slots[index].bytes.append(packet)
        count += 1
        return true
    }

    /// True if the packet is there.
    func holds(_ sequence: Int64) -> Bool {
        count > 0 && slots[Int(sequence % Int64(slots.count))].sequence == sequence
    }

    /// Takes a packet out into `bytes` and answers when it arrived; nil if it is not there.
    mutating func take(_ sequence: Int64, into bytes: inout [UInt8]) -> Instant? {
        guard holds(sequence) else { return nil }
        let index = Int(sequence % Int64(slots.count))
        slots[index].sequence = -1
        count -= 1
        swap(&bytes, &slots[index].bytes)
        if slots[index].bytes.capacity > Self.keptBytes { slots[index].bytes = [] }
        return slots[index].arrival
    }

    /// The packet with the lowest sequence number at or behind `next`.
    func first(from next: Int64) -> (sequence: Int64, arrival: Instant)? {
        guard count > 0 else { return nil }
        for sequence in next..<(next + Int64(slots.count)) {
            let slot = slots[Int(sequence % Int64(slots.count))]
            if slot.sequence == sequence { return (sequence, slot.arrival) }
        }
        return nil
    }

    mutating func removeAll() {
        for index in slots.indices { slots[index].sequence = -1 }
        count = 0
    }
}
