// SPDX-License-Identifier: Apache-2.0
// Sound's instants: frames neither overlap nor part, while their sender's clock is being found out.

import Bytes
import RTP
import Testing

@Suite("Sound's pace") struct SoundPaceTests {
    /// A frame of AAC: 1024 samples at 48 kHz.
    private static let length = 1024e3 / 48_000

    /// Where the frames go that arrive so many milliseconds after they were taken; nil for those that are left out.
    private func instants(_ delays: [Double], reports: Set<Int> = [], picture: Double? = nil) -> [Instant?] {
        var clock = SourceClock(rates: [90_000, 48_000])
        let utc: Int64 = 1_700_000_000_000_000_000
        return delays.enumerated()
            .map { number, delay in
                let taken = 1_000_000_000 + Int64(Double(number) * Self.length * 1e6)
                if let picture {
                    let arrived = Instant(nanoseconds: taken + Int64(picture * 1e6))
                    _ = clock.instant(of: Int64(number) * 1920, arrived: arrived)
                }
                if reports.contains(number) {
                    let now = utc + Int64(Double(number) * Self.length * 1e6)
                    clock.report(ticks: Int64(number) * 1920, utc: now)
                    clock.report(ticks: Int64(number) * 1024, utc: now, track: 1)
                }
                let arrived = Instant(nanoseconds: taken + Int64(delay * 1e6))
                return clock.soundInstant(of: Int64(number) * 1024, track: 1, arrived: arrived)
            }
    }

    /// The times between neighbours that were not left out, in milliseconds.
    private func steps(_ instants: some Sequence<Instant?>) -> [Double] {
        let kept = instants.compactMap(\.self)
        return zip(kept, kept.dropFirst()).map { ($1 - $0).milliseconds }
    }

    /// No frame begins before the one in front of it has ended, but for what no ear notices.
    private static let least = length * (1 - 1 / 50.0) - 0.001

    @Test("a frame that comes sooner than any before moves the sound slowly", arguments: [1.0, 7, 21, 60, 400])
    func sooner(gain: Double) {
        // The machine was busy for the first four seconds.
        let delays = (0..<1200).map { $0 < 200 ? 5 + gain : 5 }

        let instants = instants(delays)

        #expect(instants.allSatisfy { $0 != nil })
        let share = gain > 40 ? 10.0 : 50
        #expect(steps(instants).allSatisfy { abs($0 - Self.length) < Self.length / share + 0.001 })
        // What is noticed is over soon.
        let soon = 200 + Int(gain / Self.length * 10) + 1
        let soonPlace = instants[soon].map { Double($0.nanoseconds) / 1e6 - 1000 - Double(soon) * Self.length }
        #expect(soonPlace ?? .infinity < 5 + 41)
        // It is in its new place at the end, but for what the step told of a drift that is none.
        let place = (instants.last ?? nil).map { Double($0.nanoseconds) / 1e6 - 1000 - 1199 * Self.length }
        #expect(abs((place ?? 0) - 5) < 2)
    }

    @Test("jitter of arrivals does not get into the sound", arguments: 1...20)
    func jitter(seed: UInt64) {
        var noise = seed
        let delays = (0..<1000)
            .map { _ in
                noise = noise &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let uniform = Double(noise >> 40) / Double(1 << 24)
                return 5 + 60 * uniform * uniform
            }

        let instants = instants(delays, reports: [0, 230, 460], picture: 30)

        #expect(steps(instants).allSatisfy { $0 >= Self.least })
        // Two seconds are 94 frames.
        let settled = steps(instants.suffix(from: 95))
        #expect(settled.count == 1000 - 96)
        #expect(settled.allSatisfy { abs($0 - Self.length) < Self.length / 50 + 0.001 })
    }

    @Test("sound that is ahead of its picture in the first seconds leaves frames out, and never overlaps")
    func ahead() {
        // It seems to have been taken at 1.2 s, until the reports tell that the picture comes sooner.
        let instants = instants([Double](repeating: 200, count: 300), reports: [10], picture: 20)

        #expect(steps(instants).allSatisfy { $0 >= Self.least })
        #expect(instants.count { $0 == nil } == 8)
        #expect(steps(instants.prefix(60)).allSatisfy { $0 <= Self.length + 0.001 })
        let kept = instants[299].map { Double($0.nanoseconds) / 1e6 - 1000 - 299 * Self.length }
        #expect(abs((kept ?? 0) - 20) < 0.1)
    }

    @Test("sound that waited for its picture leaves one gap") func behind() {
        // Bunched at first: the first frames come together, and a restart of the picture moves the sound back.
        let delays = (0..<300).map { $0 < 40 ? Double(40 - $0) * Self.length + 5 : 5 }

        let instants = instants(delays)

        #expect(steps(instants).allSatisfy { $0 >= Self.least })
        let settled = steps(instants.suffix(from: 135))
        #expect(settled.allSatisfy { abs($0 - Self.length) < Self.length / 50 + 0.001 })
    }

    @Test("a sender report that contradicts the others moves nothing until it has stood for 8 s", arguments: [-90, 90])
    func contradiction(error: Int64) {
        var clock = SourceClock(rates: [90_000, 48_000])
        let utc: Int64 = 1_700_000_000_000_000_000
        var ahead: [Double] = []
        for number in 0..<1500 as Range<Int64> {
            let now = number * 20_000_000
            let arrived = Instant(nanoseconds: 1_000_000_000 + now)
            // Each frame tells again what the newest report said: one at 5 s is wrong, and all from 15 s on say the same.
            let isOdd = (250..<500).contains(number) || number >= 750
            clock.report(ticks: number * 1800, utc: utc + now)
            clock.report(ticks: number * 960, utc: utc + now + (isOdd ? error * 1_000_000 : 0), track: 1)
            let picture = clock.instant(of: number * 1800, arrived: arrived)
            guard let sound = clock.soundInstant(of: number * 960, track: 1, arrived: arrived) else { continue }
            ahead.append((sound - picture).milliseconds)
        }

        // 23 s are 1150 frames.
        #expect(ahead.prefix(1150).allSatisfy { abs($0) < 0.1 })
        #expect(abs((ahead.last ?? 0) - Double(error)) < 0.1)
    }

    @Test(
        "sound that is sent all at once is heard, alone wholly, with a picture but for its first second",
        arguments: [1, 2]
    )
    func burst(tracks: Int) {
        var clock = SourceClock(rates: [UInt32](repeating: 48_000, count: tracks))
        let arrived = Instant(nanoseconds: 1_000_000_000)

        let instants = (0..<500).map { clock.soundInstant(of: $0 * 960, track: tracks - 1, arrived: arrived) }

        #expect(instants.count { $0 == nil } == (tracks == 1 ? 0 : 50))
        #expect(steps(instants).allSatisfy { $0 >= 17.4 && $0 <= 20.01 })
    }

    @Test("pictures that are late for their sound by what people notice come into step within two seconds")
    func latePictures() {
        var clock = SourceClock(rates: [90_000, 48_000])
        let utc: Int64 = 1_700_000_000_000_000_000
        var apart: [Double] = []
        for number in 0..<400 as Range<Int64> {
            let now = 1_000_000_000 + number * 20_000_000
            // The sender tells how they relate only after five seconds.
            if number >= 250 {
                clock.report(ticks: number * 1800, utc: utc + now)
                clock.report(ticks: number * 960, utc: utc + now, track: 1)
            }
            let picture = clock.instant(of: number * 1800, arrived: Instant(nanoseconds: now + 150_000_000))
            let sound = clock.soundInstant(of: number * 960, track: 1, arrived: Instant(nanoseconds: now + 10_000_000))
            if let sound { apart.append((picture - sound).milliseconds) }
        }

        #expect(apart.count == 400 && abs(apart[249] - 140) < 0.1)
        #expect(apart[350...].allSatisfy { abs($0) < 40 })
    }

    @Test("frames that come twice or out of order are left out") func disorder() {
        var clock = SourceClock(rates: [8000])
        let start = Instant(nanoseconds: 1_000_000_000)
        let order: [Int64] = [0, 1, 1, 2, 4, 3, 5]

        let instants = order.map { clock.soundInstant(of: $0 * 160, arrived: start + .milliseconds(20 * $0)) }

        #expect(instants.map { $0 == nil } == [false, false, true, false, false, true, false])
    }

    @Test("after a restart the sound goes on behind what was", arguments: [-3_000_000_000, -60_000, 60_000, 1 << 40])
    func restart(jump: Int64) {
        var clock = SourceClock(rates: [48_000])
        var instants: [Instant?] = []
        for number in 0..<600 as Range<Int64> {
            let arrived = Instant(nanoseconds: 1_000_000_000 + number * 20_000_000)
            instants.append(clock.soundInstant(of: number * 960 + (number < 300 ? 0 : jump), arrived: arrived))
        }

        #expect(clock.restarts() == 1)
        #expect(instants.allSatisfy { $0 != nil })
        #expect(steps(instants).allSatisfy { abs($0 - 20) < 0.5 })
    }
}
