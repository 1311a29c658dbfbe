// SPDX-License-Identifier: Apache-2.0
// Capture instants from arrivals: steady through jitter, true to gaps and to changes of rate.

import Bytes
import Testing

@testable import Capture

@Suite("Arrival clock")
struct ArrivalClockTests {
    /// Milliseconds between the stamps of frames that arrived at these milliseconds.
    private func spacings(_ arrivals: [Double]) -> [Double] {
        var clock = ArrivalClock()
        let stamps = arrivals.map { clock.stamp(Instant(nanoseconds: Int64($0 * 1e6))) }
        for (stamp, arrival) in zip(stamps, arrivals) {
            #expect(stamp.nanoseconds <= Int64(arrival * 1e6), "no frame is taken after it arrived")
        }
        return zip(stamps, stamps.dropFirst()).map { ($1 - $0).milliseconds }
    }

    /// Delays of 0 to 12 ms, always the same.
    private func delays(_ count: Int) -> [Double] {
        var state: UInt32 = 1
        return (0..<count)
            .map { _ in
                state = state &* 1_664_525 &+ 1_013_904_223
                return Double(state >> 16) / 65536 * 12
            }
    }

    @Test("a steady producer's frames keep their spacing exactly")
    func steady() {
        let result = spacings((0..<100).map { Double($0) * 40 })
        #expect(result.allSatisfy { abs($0 - 40) < 0.001 })
    }

    @Test("jitter of a third of the interval is down to a few milliseconds after two seconds")
    func jitter() {
        let late = delays(300)
        let result = spacings((0..<300).map { Double($0) * 40 + late[$0] }).dropFirst(60)
        #expect(result.allSatisfy { abs($0 - 40) < 6 })
        #expect(abs(result.reduce(0, +) / Double(result.count) - 40) < 0.5)
    }

    @Test("frames that were held up and come in a bunch are spread again, growing strictly")
    func bunch() {
        var arrivals = (0..<200).map { Double($0) * 40 }
        for index in 100..<104 { arrivals[index] = 104 * 40 - 1 + Double(index - 100) * 0.1 }
        let result = spacings(arrivals)
        #expect(result.allSatisfy { $0 > 0 })
        #expect(result.dropFirst(120).allSatisfy { abs($0 - 40) < 2 })
    }

    @Test("after a gap the stamps are the arrivals again")
    func gap() {
        let result = spacings((0..<50).map { Double($0) * 40 } + (0..<50).map { 10_000 + Double($0) * 40 })
        #expect(abs(result[49] - (10_000 - 49 * 40)) < 0.001)
        #expect(result.dropFirst(50).allSatisfy { abs($0 - 40) < 0.001 })
    }

    @Test("a change of rate is followed")
    func rate() {
        let result = spacings((0..<100).map { Double($0) * 40 } + (1...300).map { 99 * 40 + Double($0) * 20 })
        #expect(result.suffix(100).allSatisfy { abs($0 - 20) < 1 })
    }
}
