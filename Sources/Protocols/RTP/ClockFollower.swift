// SPDX-License-Identifier: Apache-2.0
// One sender's clock, found out from timestamps and arrivals.

import Bytes

/// Follows one clock by timestamps and arrivals.
///
/// The *transit* of a frame is its arrival minus its timestamp: an unknown constant, plus its delay, plus what the clocks
/// drift apart. The least transit of each period is kept; a line through them is the drift, and the line moved down to
/// the least of the last ones is what timestamps are translated by. It goes down at once, as nothing arrives before it
/// was sent, and up slowly.
struct ClockFollower: Sendable {
    /// The least transit is kept for each such period.
    static let period: Int64 = 4_000_000_000
    /// So many periods make the line.
    static let periods = 64
    /// Fewer tell nothing about the drift.
    static let leastPeriods = 6
    /// The line must lie below the transits of so many periods: the network's quiet moments are no rarer.
    static let recentPeriods = 4
    /// The translation rises by no more than this share of the time: 500 ppm.
    static let riseDivisor: Int64 = 2000
    /// Clocks are not further off than this, in nanoseconds a second.
    static let driftLimit = 1e6
    /// A timestamp that goes back by more has begun anew; by less, it is out of order.
    static let backLimit: Int64 = 1_000_000_000
    /// Frames later than this begin anew at once.
    static let lateLimit: Int64 = 10_000_000_000
    /// Frames that are late by this for `latePatience` begin anew: the sender stood still, and its clock with it.
    static let lateness: Int64 = 500_000_000
    static let latePatience: Int64 = 3_000_000_000
    /// A jump ahead by more counts as a restart.
    static let aheadLimit: Int64 = 1_000_000_000
    /// Times and arrivals are kept within nine years, so that sums of them cannot overflow.
    static let limit: Int64 = 1 << 58

    static func clamp(_ value: Int64) -> Int64 { max(-limit, min(limit, value)) }

    private(set) var restarts: UInt64 = 0
    /// True once there was a frame.
    private(set) var isRunning = false

    /// Where times and arrivals are counted from.
    private var timeOrigin: Int64 = 0
    private var arrivalOrigin: Int64 = 0
    /// The translation that is in force at `lastTime`.
    private var offset: Int64 = 0
    private var lastTime: Int64 = 0
    private var lastTransit: Int64 = 0
    private var jitterEstimate = 0.0
    private var lateSince: Int64?
    private var leastLate: Int64 = .max
    /// Nanoseconds that the transit grows by in each second.
    private var slope = 0.0
    private var isSlopeKnown = false
    private var minima: [Minimum] = []
    private var current: Minimum?
    private var periodEnd: Int64 = 0

    private struct Minimum {
        var time: Int64
        var transit: Int64
    }

    /// Takes note of a frame; true if its timestamp does not go on from the ones before.
    mutating func observe(_ time: Int64, _ arrival: Instant) -> Bool {
        let arrival = Instant(nanoseconds: Self.clamp(arrival.nanoseconds))
        guard isRunning else {
            begin(time, arrival)
            return false
        }
        guard let (time, transit) = place(time, arrival) else {
            restarts += 1
            begin(time, arrival)
            return true
        }
        let now = arrival.nanoseconds - arrivalOrigin
        jitterEstimate += (Double(abs(transit - lastTransit)) - jitterEstimate) / 16
        lastTransit = transit
        advance(to: time, at: now)
        let late = transit - offset
        if late > Self.lateness {
            leastLate = min(leastLate, late)
            if now - (lateSince ?? now) >= Self.latePatience {
                // As a restart, but from the least late: this one may be delayed besides.
                let excess = late - leastLate
                restarts += 1
                begin(time + timeOrigin, arrival)
                offset = -excess
                return true
            }
            lateSince = lateSince ?? now
        } else {
            lateSince = nil
            leastLate = .max
        }
        keep(Minimum(time: time, transit: transit), at: now)
        if transit < offset { offset = transit }
        return false
    }

    /// Where a timestamp lies on our clock.
    func instant(of time: Int64) -> Instant {
        let relative = Self.clamp(time) - timeOrigin
        let drifted = isSlopeKnown ? slope * Double(relative - lastTime) / 1e9 : 0
        return Instant(nanoseconds: arrivalOrigin + relative + offset + Int64(drifted))
    }

    /// How much faster the sender's clock runs, in millionths: then transits shrink.
    var drift: Double? { isSlopeKnown ? -slope / 1000 : nil }

    var jitter: Duration { .nanoseconds(Int64(jitterEstimate)) }

    private mutating func begin(_ time: Int64, _ arrival: Instant) {
        isRunning = true
        timeOrigin = time
        arrivalOrigin = arrival.nanoseconds
        offset = 0
        lastTime = 0
        lastTransit = 0
        lateSince = nil
        leastLate = .max
        // The drift is the sender's, and stays; the transits do not.
        minima.removeAll(keepingCapacity: true)
        current = nil
        periodEnd = Self.period
    }

    /// The frame's time and transit from the origin on; nil if the timestamp has jumped.
    private func place(_ time: Int64, _ arrival: Instant) -> (time: Int64, transit: Int64)? {
        let relative = time - timeOrigin
        guard relative >= lastTime - Self.backLimit else { return nil }
        let transit = (arrival.nanoseconds - arrivalOrigin) - relative
        guard transit - offset < Self.lateLimit, transit - offset > -Self.aheadLimit else { return nil }
        return (relative, transit)
    }

    /// Moves the translation on with the drift, and slowly up to where the line is.
    private mutating func advance(to time: Int64, at now: Int64) {
        let step = time - lastTime
        guard step > 0 else { return }
        lastTime = time
        if isSlopeKnown { offset += Int64((slope * Double(step) / 1e9).rounded()) }
        guard let line = line(at: time), line > offset else { return }
        offset += min(line - offset, step / Self.riseDivisor)
    }

    /// The least transit to be expected at a time, by the last periods.
    private func line(at time: Int64) -> Int64? {
        guard minima.count >= Self.recentPeriods else { return nil }
        var least = Int64.max
        for minimum in minima.suffix(Self.recentPeriods) { least = min(least, project(minimum, to: time)) }
        if let current { least = min(least, project(current, to: time)) }
        return least
    }

    private func project(_ minimum: Minimum, to time: Int64) -> Int64 {
        guard isSlopeKnown else { return minimum.transit }
        return minimum.transit + Int64(slope * Double(time - minimum.time) / 1e9)
    }

    private mutating func keep(_ sample: Minimum, at now: Int64) {
        if now >= periodEnd, let finished = current {
            if minima.count == Self.periods { minima.removeFirst() }
            minima.append(finished)
            current = nil
            periodEnd = now + Self.period
            fit()
        }
        if let known = current, project(known, to: sample.time) <= sample.transit { return }
        current = sample
    }

    /// Fits a line through the least transits, by least squares.
    private mutating func fit() {
        guard minima.count >= Self.leastPeriods, let first = minima.first else { return }
        let count = Double(minima.count)
        var (sumX, sumY, sumXX, sumXY) = (0.0, 0.0, 0.0, 0.0)
        for minimum in minima {
            let x = Double(minimum.time - first.time) / 1e9
            let y = Double(minimum.transit - first.transit)
            sumX += x
            sumY += y
            sumXX += x * x
            sumXY += x * y
        }
        let spread = count * sumXX - sumX * sumX
        guard spread > 0 else { return }
        slope = max(-Self.driftLimit, min(Self.driftLimit, (count * sumXY - sumX * sumY) / spread))
        isSlopeKnown = true
    }
}
