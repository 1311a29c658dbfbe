// SPDX-License-Identifier: Apache-2.0
// What is made of a V4L2 camera's buffers, of their times, and of their absence.

import Bytes
import Media
import Testing

@testable import Capture
@testable import Devices

@Suite("V4L2 stalls") struct StallWatchTests {
    private func at(_ milliseconds: Int64) -> Instant { Instant.zero + .milliseconds(milliseconds) }

    @Test("a stream that stands still is started again after a second, then the device is given up")
    func steps() {
        var watch = StallWatch(frameRate: Rational(30), at: at(0))
        watch.frame(at: at(100))

        #expect(watch.check(at: at(1100)) == nil)
        #expect(watch.check(at: at(1101)) == .restart)
        #expect(watch.check(at: at(5101)) == nil)
        #expect(watch.check(at: at(5102)) == .reopen)
    }

    @Test("the first frame may take longer")
    func first() {
        var watch = StallWatch(frameRate: Rational(30), at: at(0))

        #expect(watch.check(at: at(4000)) == nil)
        #expect(watch.check(at: at(4001)) == .restart)
    }

    @Test("a slow camera may take five of its frames")
    func slow() {
        var watch = StallWatch(frameRate: Rational(1, 2), at: at(0))
        watch.frame(at: at(2000))

        #expect(watch.check(at: at(12_000)) == nil)
        #expect(watch.check(at: at(12_001)) == .restart)
    }

    @Test("no rate that a driver tells is waited for endlessly")
    func senselessRates() {
        for rate in [Rational(1, .max), Rational(.max), Rational(.max, .max), Rational(0, .max)] {
            var watch = StallWatch(frameRate: rate, at: at(0))
            watch.frame(at: at(0))

            #expect(watch.check(at: Instant.zero + StallWatch.longest + .milliseconds(1)) == .restart)
            _ = FrameTimes(frameRate: rate)
        }
    }

    @Test("starting again too often does not help")
    func limit() {
        var watch = StallWatch(frameRate: Rational(30), at: at(0))
        for turn in 0..<Int64(StallWatch.restartLimit) {
            watch.frame(at: at(turn * 2000))
            #expect(watch.fault(at: at(turn * 2000 + 1)) == .restart)
        }
        watch.frame(at: at(6000))

        #expect(watch.fault(at: at(6001)) == .reopen)
        #expect(watch.fault(at: at(60_000)) == .restart)
    }
}

@Suite("V4L2 times") struct FrameTimesTests {
    private func at(_ milliseconds: Int64) -> Instant { Instant.zero + .milliseconds(milliseconds) }

    @Test("a driver's monotonic times are taken, but nothing from the future")
    func believed() {
        var times = FrameTimes(frameRate: Rational(30))

        #expect(times.instant(at(99_950), .monotonic, at: at(100_000)) == at(99_950))
        #expect(times.instant(at(100_500), .monotonic, at: at(100_033)) == at(100_033))
        #expect(!times.isLying)
    }

    @Test("times that are a second off are not; three in a row, and none is any more")
    func lies() {
        var times = FrameTimes(frameRate: Rational(30))
        for frame in 0..<Int64(FrameTimes.patience) {
            #expect(!times.isLying)
            let now = at(100_000 + frame * 33)
            #expect(times.instant(now - .seconds(1), .monotonic, at: now) <= now)
        }

        #expect(times.isLying)
        #expect(times.instant(at(100_100), .monotonic, at: at(100_133)) > at(100_100))
    }

    @Test("long exposures began long ago")
    func slow() {
        var times = FrameTimes(frameRate: Rational(1, 2))

        #expect(times.instant(at(97_000), .monotonic, at: at(100_000)) == at(97_000))
    }

    @Test("other clocks give way to arrivals")
    func clocks() {
        for clock in [V4L2Device.FrameClock.unknown, .copy] {
            var times = FrameTimes(frameRate: Rational(30))
            #expect(times.instant(at(99_950), clock, at: at(100_000)) == at(100_000))
        }
    }
}

@Suite("V4L2 access units") struct UnitCutterTests {
    /// A delimiter and one slice; a keyframe has parameter sets too, which are taken as they are.
    private static func unit(isKeyframe: Bool, _ filling: UInt8) -> [UInt8] {
        let delimiter: [UInt8] = [0, 0, 0, 1, 0x09, 0xF0]
        let sets: [UInt8] = [0, 0, 0, 1, 0x67, 0x42, 0x00, 0x0A, 0, 0, 0, 1, 0x68, 0xCE, 0x38]
        let slice: [UInt8] = [0, 0, 0, 1, isKeyframe ? 0x65 : 0x41, 0x88] + [UInt8](repeating: filling, count: 20)
        return delimiter + (isKeyframe ? sets : []) + slice
    }

    private static let units = (0..<6).map { unit(isKeyframe: $0 % 3 == 0, UInt8($0 + 1)) }

    /// Pushes buffers 100 ms apart.
    private func cut(_ buffers: [[UInt8]]) -> (units: [[UInt8]], times: [Int64], isSplit: Bool) {
        var cutter = UnitCutter(.h264)
        var units: [[UInt8]] = []
        var times: [Int64] = []
        for (index, buffer) in buffers.enumerated() {
            cutter.push(buffer.span, captured: Instant(nanoseconds: Int64(index) * 100_000_000)) { _, began, unit in
                units.append([UInt8](unit))
                times.append(began.nanoseconds / 1_000_000)
            }
        }
        return (units, times, cutter.isSplit)
    }

    @Test("an access unit in each buffer waits for no other")
    func whole() {
        let cut = cut(Self.units)

        #expect(cut.units == Self.units)
        #expect(cut.times == [0, 100, 200, 300, 400, 500])
        #expect(!cut.isSplit)
    }

    @Test("several in one buffer lie evenly between it and the one before")
    func several() {
        let cut = cut([Self.units[0] + Self.units[1], Self.units[2] + Self.units[3], Self.units[4] + Self.units[5]])

        #expect(cut.units == Self.units)
        #expect(Array(cut.times.dropFirst(2)) == [50, 100, 150, 200])
    }

    @Test("one that is cut anywhere is put together again")
    func split() {
        // Cut behind its delimiter, with or without a zero of the next start code, it is whole in its second buffer.
        let delimiter = 6
        for place in 1..<Self.units[1].count where !(delimiter...delimiter + 1).contains(place) {
            var buffers: [[UInt8]] = []
            for unit in Self.units { buffers += [Array(unit[..<place]), Array(unit[place...])] }

            let cut = cut(buffers)

            #expect(cut.isSplit, "cut at \(place)")
            // The first are broken by finding it out, and the last waits for the next.
            let units = Array(cut.units.suffix(3))
            #expect(units == Array(Self.units[2..<5]), "cut at \(place)")
            // Where a unit begins is known once its first NAL unit's header is there.
            let wait: Int64 = place < delimiter ? 100 : 0
            #expect(cut.times.suffix(2).map { $0 - wait } == [600, 800], "cut at \(place)")
        }
    }
}

@Suite("V4L2 pace") struct FramePaceTests {
    /// What is noticed of frames that come at this rate for 25 s, with this step of the driver's count.
    private func slow(_ rate: Double, set: Rational = Rational(30), step: UInt32 = 1) -> [Double] {
        var pace = FramePace(frameRate: set)
        return (0..<Int(25 * rate))
            .compactMap { frame in
                let now = Instant.zero + .nanoseconds(Int64(Double(frame) / rate * 1e9))
                return pace.slowRate(UInt32(truncatingIfNeeded: frame - 100) &* step, at: now)
            }
    }

    @Test("a camera that exposes longer is noticed, one that loses frames on the way is not")
    func slowness() {
        #expect(slow(30).isEmpty)
        #expect(slow(22).isEmpty)
        #expect(slow(15).map { $0.rounded() } == [15, 15])
        #expect(slow(15, step: 2).isEmpty)
        #expect(slow(15, step: 0).isEmpty)
        #expect(slow(15, set: Rational(0)).isEmpty)
    }
}
