// SPDX-License-Identifier: Apache-2.0
// From a sender's timestamps to capture instants on our clock.

package import Bytes

/// Follows a sender's clock, and says when the frames of its tracks were captured on ours.
///
/// A frame's instant is where its timestamp lies on the sender's clock, moved by the least delay seen lately: the jitter
/// of the network does not get into it, and no instant lies after its frame's arrival, unless the instants before leave
/// no room for it. Instants of a track rise as its timestamps do: strictly, but for pictures that are not sent in the
/// order of presentation, and never back behind a restart. Tracks of one sender follow their own arrivals until sender reports
/// have told how their timestamps relate (RFC 3550 §6.4.1); then they keep in step with the one of the least delay.
package struct SourceClock: Sendable {
    /// The tracks of one sender, at most.
    package static let maximumTracks = 8
    /// A track that is out of step by more than this is put right at once; by less, slowly.
    package static let alignmentJump = Duration.milliseconds(500)
    /// A track that began no longer ago is put right at once, too: nobody has got used to it, and the first frames of a
    /// sender that bunches sound or reorders pictures tell little about its delay.
    package static let settling = Duration.seconds(2)
    /// Senders' reports that put two tracks further apart than this are not believed.
    package static let alignmentLimit = Duration.seconds(10)

    /// Instants rise by no less than this fraction of what timestamps do: 1.25 ms at 25 frames a second.
    private static let squeeze: Int64 = 32

    private var tracks: [Track]

    private struct Track {
        var rate: Int64
        var follower = ClockFollower()
        var report: (ticks: Int64, utc: Int64)?
        /// What keeps the track in step with the others, in nanoseconds.
        var shift: Int64 = 0
        var shifted: Instant?
        /// When the first frame arrived, here or behind a restart.
        var began: Instant?
        /// The newest time, and its instant.
        var newest = Int64.min
        var last = Instant(nanoseconds: .min)
        /// The time that was the newest before, and its instant.
        var before: (time: Int64, instant: Instant)?
        /// The last instant before the timeline began anew: nothing after that is older.
        var floor = Instant(nanoseconds: .min)

        /// The instant of a picture that is shown before those which came before it (B-frames): between the same two as
        /// by timestamps, also where the translation has moved since.
        func place(_ time: Int64) -> Instant {
            guard let before, time > before.time else { return last - .nanoseconds(newest - time) }
            let share = Double(time - before.time) / Double(newest - before.time)
            return before.instant + .nanoseconds(Int64(share * Double((last - before.instant).nanoseconds)))
        }
    }

    /// Begins with one track for each clock rate (ticks a second); sender reports align them.
    package init(rates: [UInt32]) {
        precondition((1...Self.maximumTracks).contains(rates.count), "a source has 1 to 8 tracks")
        tracks = rates.map { Track(rate: Int64(max(1, $0))) }
    }

    /// The capture instant of what a track sent with the timestamp `ticks`, extended beyond its 32 bits.
    package mutating func instant(of ticks: Int64, track: Int = 0, arrived: Instant) -> Instant {
        guard tracks.indices.contains(track) else { return arrived }
        let time = Self.nanoseconds(ticks, tracks[track].rate)
        if tracks[track].follower.observe(time, arrived) {
            // Reports from before a restart say nothing about what comes after it.
            tracks[track].report = nil
            tracks[track].shift = 0
            tracks[track].began = nil
            tracks[track].newest = .min
            tracks[track].before = nil
            tracks[track].floor = tracks[track].last
        }
        let own = tracks[track].follower.instant(of: time)
        if tracks[track].began == nil { tracks[track].began = arrived }
        align(track, time, own, at: arrived)
        let captured = own + .nanoseconds(tracks[track].shift)
        if time < tracks[track].newest { return max(tracks[track].place(time), tracks[track].floor + .nanoseconds(1)) }
        var least = tracks[track].last + .nanoseconds(1)
        if tracks[track].newest != .min {
            // Between two pictures there must be room for those that are shown between them, however fast these come.
            least = least + .nanoseconds((time - tracks[track].newest) / Self.squeeze)
            if time > tracks[track].newest { tracks[track].before = (tracks[track].newest, tracks[track].last) }
        }
        tracks[track].newest = time
        tracks[track].last = max(captured, least)
        return tracks[track].last
    }

    /// Takes a sender report: at `utc`, nanoseconds of the sender's wall clock, the track's timestamp was `ticks`.
    package mutating func report(ticks: Int64, utc: Int64, track: Int = 0) {
        guard tracks.indices.contains(track) else { return }
        tracks[track].report = (ticks, utc)
    }

    /// How much faster than ours the sender's clock runs, in millionths; nil while that is not known.
    package var drift: Double? { tracks[0].follower.drift }

    /// How unevenly a track arrives: the mean deviation of the transit time (RFC 3550 §6.4.1).
    package func jitter(track: Int = 0) -> Duration {
        tracks.indices.contains(track) ? tracks[track].follower.jitter : .zero
    }

    /// How often a track's timestamps jumped, as after a restart of the sender.
    package func restarts(track: Int = 0) -> UInt64 {
        tracks.indices.contains(track) ? tracks[track].follower.restarts : 0
    }

    /// Moves a track's shift towards where the track of the least delay has the same moment.
    private mutating func align(_ track: Int, _ time: Int64, _ own: Instant, at now: Instant) {
        guard let report = tracks[track].report, tracks.count > 1 else { return }
        let utc = report.utc.addingSaturating(time - Self.nanoseconds(report.ticks, tracks[track].rate))
        var wanted: Int64 = 0
        for other in tracks.indices where other != track && tracks[other].follower.isRunning {
            guard let report = tracks[other].report else { continue }
            let (since, overflow) = utc.subtractingReportingOverflow(report.utc)
            guard !overflow, abs(since / 2) < ClockFollower.limit else { continue }
            let there = Self.nanoseconds(report.ticks, tracks[other].rate) + since
            let distance = (tracks[other].follower.instant(of: there) - own).nanoseconds
            if distance >= -Self.alignmentLimit.nanoseconds { wanted = min(wanted, distance) }
        }
        let error = wanted - tracks[track].shift
        let elapsed = max(0, tracks[track].shifted.map { (now - $0).nanoseconds } ?? 0)
        tracks[track].shifted = now
        let isSettling = tracks[track].began.map { now - $0 < Self.settling } ?? true
        if isSettling || abs(error) > Self.alignmentJump.nanoseconds {
            tracks[track].shift = wanted
        } else {
            // A fiftieth of the time that passes: 20 ms in each second, which no ear notices.
            let step = min(elapsed, 1_000_000_000) / 50
            tracks[track].shift += max(-step, min(step, error))
        }
    }

    private static func nanoseconds(_ ticks: Int64, _ rate: Int64) -> Int64 {
        let (whole, rest) = ticks.quotientAndRemainder(dividingBy: rate)
        let (product, overflow) = whole.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return ticks > 0 ? ClockFollower.limit : -ClockFollower.limit }
        return ClockFollower.clamp(product.addingSaturating(rest * 1_000_000_000 / rate))
    }
}

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

extension Int64 {
    fileprivate func addingSaturating(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other > 0 ? .max : .min) : sum
    }
}
