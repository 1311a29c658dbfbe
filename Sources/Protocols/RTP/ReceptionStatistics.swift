// SPDX-License-Identifier: Apache-2.0
// What a receiver counts of one source (RFC 3550 §6.4.1, appendix A).

import Bytes

/// Loss and jitter of one source, as receiver reports tell them.
package struct ReceptionStatistics: Sendable, Hashable {
    /// RTP packets that came, with duplicates and late ones.
    package var received: UInt64 = 0
    /// Payload bytes that came.
    package var octets: UInt64 = 0
    /// Packets that came twice, or after those behind them had been given up for.
    package var duplicates: UInt64 = 0
    package var late: UInt64 = 0
    /// Packets that came before their turn and were put in order.
    package var reordered: UInt64 = 0
    /// Packets that were missing when their turn came.
    package var missing: UInt64 = 0
    /// Packets that are no RTP, of another payload type, or of another source.
    package var refused: UInt64 = 0

    /// The first and the highest extended sequence number of this source.
    var base: Int64 = 0
    var highest: Int64 = 0
    /// Packets counted against `expected`.
    var counted: Int64 = 0
    private var expectedPrior: Int64 = 0
    private var countedPrior: Int64 = 0
    /// In 16ths of a tick (appendix A.8).
    private var jitterSixteenths: Int64 = 0
    private var transit: Int64?

    init() {}

    /// Packets that should have come from this source.
    package var expected: Int64 { counted > 0 ? highest - base + 1 : 0 }

    /// Packets lost in all; negative with duplicates.
    package var lost: Int64 { expected - counted }

    /// Interarrival jitter in timestamp ticks.
    package var jitter: UInt32 { UInt32(clamping: jitterSixteenths >> 4) }

    /// A source starts, or starts anew.
    mutating func restart(at sequence: Int64) {
        base = sequence
        highest = sequence
        counted = 0
        expectedPrior = 0
        countedPrior = 0
        transit = nil
    }

    /// Takes a packet's transit time into the jitter (appendix A.8).
    mutating func noteArrival(_ arrival: Instant, timestamp: UInt32, clockRate: UInt32) {
        let (seconds, rest) = arrival.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        let ticks = seconds &* Int64(clockRate) &+ rest &* Int64(clockRate) / 1_000_000_000
        let now = ticks &- Int64(timestamp)
        defer { transit = now }
        guard let transit else { return }
        // Both differences wrap like the timestamp.
        let change = abs(Int64(Int32(truncatingIfNeeded: now &- transit)))
        // A step of the sender's clock is none of the network's jitter.
        guard change < Int64(clockRate) * 10 else { return }
        jitterSixteenths += change - ((jitterSixteenths + 8) >> 4)
    }

    /// The fraction lost since the last call, in 256ths (appendix A.3).
    mutating func takeFractionLost() -> UInt8 {
        let expectedNow = expected - expectedPrior
        let lostNow = expectedNow - (counted - countedPrior)
        expectedPrior = expected
        countedPrior = counted
        guard expectedNow > 0, lostNow > 0 else { return 0 }
        return UInt8(clamping: lostNow * 256 / expectedNow)
    }
}
