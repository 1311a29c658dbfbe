// SPDX-License-Identifier: Apache-2.0
// A sender's timestamps on our clock: through jitter, drift, stalls, jumps and restarts.

import Bytes
import RTP
import Testing

@Suite("Source clock") struct SourceClockTests {
    /// A camera of 30 frames a second whose clock runs `drift` millionths too fast.
    private struct Camera {
        var drift = 0.0
        var jitter = 0.0
        var start = Instant(nanoseconds: 5_000_000_000)
        var firstTicks: Int64 = 3_000_000_000
        private var noise: UInt64 = 42

        init(drift: Double = 0, jitter: Double = 0) {
            self.drift = drift
            self.jitter = jitter
        }

        /// Frame `number`: its timestamp at 90 kHz, when it was taken, when it arrives (milliseconds of jitter, many small
        /// and few large).
        mutating func frame(_ number: Int) -> (ticks: Int64, taken: Instant, arrived: Instant) {
            noise = noise &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let uniform = Double(noise >> 40) / Double(1 << 24)
            let delay = jitter * uniform * uniform * uniform
            let taken = start + .nanoseconds(Int64(Double(number) * 1e9 / 30 / (1 + drift / 1e6)))
            return (firstTicks + Int64(number) * 3000, taken, taken + .nanoseconds(Int64((2 + delay) * 1e6)))
        }
    }

    @Test("without jitter the instants have the timestamps' spacing exactly") func exact() {
        var clock = SourceClock(rates: [90_000])
        var camera = Camera()
        var last: Instant?
        for number in 0..<1000 {
            let frame = camera.frame(number)
            let instant = clock.instant(of: frame.ticks, arrived: frame.arrived)
            if let last { #expect(abs((instant - last).nanoseconds - 33_333_333) <= 1) }
            #expect(instant <= frame.arrived)
            last = instant
        }
        #expect(clock.jitter() < .microseconds(1))
    }

    @Test("jitter of 40 ms does not get into the instants") func jitter() {
        var clock = SourceClock(rates: [90_000])
        var camera = Camera(jitter: 40)
        var worst = 0.0
        var last: Instant?
        for number in 0..<9000 {
            let frame = camera.frame(number)
            let instant = clock.instant(of: frame.ticks, arrived: frame.arrived)
            #expect(instant <= frame.arrived)
            if let last, number > 300 { worst = max(worst, abs((instant - last).milliseconds - 1000 / 30)) }
            last = instant
        }
        #expect(worst < 0.5, "\(worst) ms")
        #expect(clock.jitter() > .milliseconds(5))
    }

    @Test("a clock that drifts is followed for hours, and its drift told", arguments: [-200.0, -20, 0, 35, 200])
    func drift(ppm: Double) throws {
        var clock = SourceClock(rates: [90_000])
        var camera = Camera(drift: ppm, jitter: 10)
        var worst = 0.0
        for number in 0..<(3 * 3600 * 30) {
            let frame = camera.frame(number)
            let instant = clock.instant(of: frame.ticks, arrived: frame.arrived)
            guard number > 60 * 30 else { continue }
            worst = max(worst, abs((instant - frame.taken).milliseconds - 2))
        }
        // 1 ms against hours in which the clocks part by up to 2 s.
        #expect(worst < 1, "\(worst) ms")
        let told = try #require(clock.drift)
        #expect(abs(told - ppm) < 5, "\(told) ppm")
        #expect(clock.restarts() == 0)
    }

    @Test("after a stall of the network the late frames keep their instants") func stall() {
        var clock = SourceClock(rates: [90_000])
        var camera = Camera()
        var instants: [Instant] = []
        for number in 0..<600 {
            var frame = camera.frame(number)
            // Two seconds of frames come all together.
            if (300..<360).contains(number) { frame.arrived = camera.frame(360).arrived }
            instants.append(clock.instant(of: frame.ticks, arrived: frame.arrived))
        }
        let gaps = zip(instants, instants.dropFirst()).map { ($1 - $0).milliseconds }
        #expect(gaps.allSatisfy { abs($0 - 1000 / 30.0) < 0.1 })
        #expect(clock.restarts() == 0)
    }

    @Test(
        "after a restart with other timestamps the instants go on from the arrivals, rising",
        arguments: [-3_000_000_000, -2_000_000, 2_000_000, 4_000_000_000] as [Int64]
    )
    func restart(jump: Int64) {
        var clock = SourceClock(rates: [90_000])
        var camera = Camera()
        var last = Instant.zero
        for number in 0..<600 {
            var frame = camera.frame(number)
            if number >= 300 {
                frame.ticks += jump
                frame.arrived = frame.arrived + .seconds(3)
            }
            let instant = clock.instant(of: frame.ticks, arrived: frame.arrived)
            #expect(instant > last)
            #expect(abs((frame.arrived - instant).milliseconds) < 1, "frame \(number)")
            last = instant
        }
        #expect(clock.restarts() == 1)
    }

    @Test("a sender whose clock stood still is caught up with after a while") func pause() {
        var clock = SourceClock(rates: [90_000])
        var camera = Camera()
        var late = Duration.zero
        var last = Instant.zero
        for number in 0..<900 {
            var frame = camera.frame(number)
            if number >= 300 { frame.arrived = frame.arrived + .seconds(5) }
            let instant = clock.instant(of: frame.ticks, arrived: frame.arrived)
            #expect(instant > last)
            last = instant
            late = frame.arrived - instant
        }
        #expect(abs(late.milliseconds) < 1)
        #expect(clock.restarts() == 1)
    }

    @Test("pictures that are not sent in the order of presentation keep their places") func disorder() {
        var clock = SourceClock(rates: [90_000])
        var camera = Camera()
        var instants: [Int: Instant] = [:]
        for number in 0..<300 {
            let order = [0, 2, 1, 3][number % 4] + number / 4 * 4
            let frame = camera.frame(order)
            instants[order] = clock.instant(of: frame.ticks, arrived: frame.arrived)
        }
        let sorted = instants.sorted { $0.key < $1.key }.map(\.value)
        #expect(zip(sorted, sorted.dropFirst()).allSatisfy { $0 < $1 })
        #expect(clock.restarts() == 0)
    }

    @Test(
        "sender reports bring sound and picture into step, without a jump once they run",
        arguments: [(5, 125), (125, 5), (5, 5)] as [(Int64, Int64)]
    )
    func twoTracks(pictureDelay: Int64, soundDelay: Int64) {
        var clock = SourceClock(rates: [90_000, 48_000])
        var worst = 0.0
        var lastSound = Instant.zero
        for step in 0..<(60 * 50) {
            let taken = Instant(nanoseconds: 1_000_000_000 + Int64(step) * 20_000_000)
            let picture = clock.instant(of: Int64(step) * 1800, arrived: taken + .milliseconds(pictureDelay))
            let arrived = taken + .milliseconds(soundDelay)
            let sound = clock.soundInstant(of: 777 + Int64(step) * 960, track: 1, arrived: arrived)
            if step % 250 == 10 {
                clock.report(ticks: Int64(step) * 1800, utc: 1_700_000_000_000_000_000 + Int64(step) * 20_000_000)
                clock.report(
                    ticks: 777 + Int64(step) * 960,
                    utc: 1_700_000_000_000_000_000 + Int64(step) * 20_000_000,
                    track: 1
                )
            }
            // Frames that come too early for their pictures are left out, before the two are in step.
            guard let sound else {
                #expect(step < 100)
                continue
            }
            if step > 100 { #expect(abs((sound - lastSound).milliseconds - 20) < 0.5) }
            lastSound = sound
            if step > 500 { worst = max(worst, abs((sound - picture).milliseconds)) }
            #expect(sound <= taken + .milliseconds(soundDelay) && picture <= taken + .milliseconds(pictureDelay))
        }
        #expect(worst < 0.1, "\(worst) ms")
    }

    @Test("pictures keep the order of presentation while a sender catches up", arguments: [0, 5, 20, 35, 40])
    func catchingUp(spacing: Int64) {
        // As coders do that look ahead: the first frames come faster than they were made. I P B B B P B B B …
        var clock = SourceClock(rates: [90_000])
        var shown: [(number: Int64, instant: Instant)] = []
        var index: Int64 = 0
        for group in 0..<25 as Range<Int64> {
            for place in group == 0 ? [0] : [0, -2, -3, -1] as [Int64] {
                let number = 4 * group + place
                let arrival = Instant(nanoseconds: 1_000_000_000 + index * spacing * 1_000_000)
                shown.append((number, clock.instant(of: number * 3600, arrived: arrival)))
                index += 1
            }
        }

        shown.sort { $0.number < $1.number }

        for (earlier, later) in zip(shown, shown.dropFirst()) {
            #expect(later.instant - earlier.instant >= .milliseconds(1), "picture \(later.number)")
        }
    }

    @Test("sound that comes in bunches of 0.7 s is in step with pictures out of order, from the start")
    func bunches() {
        var clock = SourceClock(rates: [90_000, 48_000])
        let utc: Int64 = 1_700_000_000_000_000_000
        clock.report(ticks: 0, utc: utc)
        clock.report(ticks: 0, utc: utc, track: 1)
        var pictures: [Int64: Instant] = [:]
        var worst = 0.0
        for step in 0..<(20 * 25) as Range<Int64> {
            let now = Instant(nanoseconds: 1_000_000_000 + step * 40_000_000)
            // Pictures are shown in the order 0 4 2 1 3, each three places after it is sent.
            let place = step / 4 * 4 + [4, 2, 1, 3][Int(step % 4)]
            pictures[place] = clock.instant(of: place * 3600, arrived: now)
            // Sound is sent when all of its bunch has been heard.
            guard step % 18 == 17 else { continue }
            for number in 0..<36 as Range<Int64> {
                let heard = (step - 17) * 1920 + number * 960
                guard let sound = clock.soundInstant(of: heard, track: 1, arrived: now) else {
                    #expect(step < 60)
                    continue
                }
                guard step > 60, let picture = pictures[heard / 1920], heard % 1920 == 0 else { continue }
                worst = max(worst, abs((sound - picture).milliseconds))
            }
        }
        #expect(worst < 5, "\(worst) ms")
    }

    @Test("absurd timestamps, arrivals and reports harm nothing") func absurd() {
        var clock = SourceClock(rates: [0, 90_000])
        var sounds = clock
        var lastSound = [Instant(nanoseconds: .min), Instant(nanoseconds: .min)]
        var last = [Instant(nanoseconds: .min), Instant(nanoseconds: .min)]
        let values: [Int64] = [.min, .max, 0, -1, 1, .min / 2, .max / 2, 1 << 40, .min, .max]
        for first in values {
            for second in values {
                for track in 0..<2 {
                    clock.report(ticks: first, utc: second, track: track)
                    sounds.report(ticks: first, utc: second, track: track)
                    let arrived = Instant(nanoseconds: second)
                    let sound = sounds.soundInstant(of: first, track: track, arrived: arrived)
                    #expect(sound.map { $0 > lastSound[track] } ?? true)
                    lastSound[track] = sound ?? lastSound[track]
                    let instant = clock.instant(of: first, track: track, arrived: arrived)
                    #expect(instant > last[track] || last[track].nanoseconds == .max)
                    last[track] = instant
                }
            }
        }
    }
}
