// SPDX-License-Identifier: Apache-2.0
// From a sender's timestamps to capture instants on our clock.

package import Bytes

/// Follows a sender's clock, and says when the frames of its tracks were captured on ours.
///
/// A frame's instant is where its timestamp lies on the sender's clock, moved by the least delay seen lately: the jitter
/// of the network does not get into it, and no instant lies after its frame's arrival, unless the instants before leave
/// no room for it. Instants of a track rise as its timestamps do: strictly, but for pictures that are not sent in the
/// order of presentation, and never back behind a restart. Sound goes on evenly, too (`SoundPace`). Tracks of one sender
/// follow their own arrivals until sender reports have told how their timestamps relate (RFC 3550 §6.4.1); then they keep
/// in step with the one of the least delay.
package struct SourceClock: Sendable {
    /// The tracks of one sender, at most.
    package static let maximumTracks = 8
    /// A track that is out of step by more than this is put right at once; by less, slowly.
    package static let alignmentJump = Duration.milliseconds(500)
    /// A track that began no longer ago is put right at once, too: nobody has got used to it, and the first frames of a
    /// sender that bunches sound or reorders pictures tell little about its delay.
    package static let settling = Duration.seconds(2)
    /// Slowly is by this fraction of the time that passes: 20 ms in each second, which no ear notices.
    static let alignmentDivisor: Int64 = 50
    /// People notice sound that is further away from its picture (ITU-R BT.1359: 45 ms too early); then tracks move
    /// `haste` times as fast.
    static let noticed = Duration.milliseconds(40)
    static let haste: Int64 = 5
    /// Reports that differ by less tell the same.
    package static let reportTolerance = Duration.milliseconds(10)
    /// Longer than from one report to the next, which is 5 s on average and 7.5 s at most (RFC 3550 §6.2).
    package static let doubtTime = Duration.seconds(8)
    /// Senders' reports that put two tracks further apart than this are not believed.
    package static let alignmentLimit = Duration.seconds(10)

    /// Instants rise by no less than this fraction of what timestamps do: 1.25 ms at 25 frames a second.
    private static let squeeze: Int64 = 32

    private var tracks: [Track]

    private struct Track {
        var rate: Int64
        var follower = ClockFollower()
        var report: (ticks: Int64, utc: Int64)?
        /// The first of the reports that contradict it.
        var doubt: (ticks: Int64, utc: Int64)?
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
        /// Where frames of sound go.
        var pace = SoundPace()

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

    /// The capture instant of the picture that a track sent with the timestamp `ticks`, extended beyond its 32 bits.
    package mutating func instant(of ticks: Int64, track: Int = 0, arrived: Instant) -> Instant {
        guard tracks.indices.contains(track) else { return arrived }
        let (time, own) = follow(ticks, track, arrived)
        if let wanted = wantedShift(track, time, own) { move(track, towards: wanted, at: arrived) }
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

    /// The capture instant of the frame of sound that a track sent with the timestamp `ticks`; nil if it has to be left
    /// out, since there is no room for it behind the one before.
    package mutating func soundInstant(of ticks: Int64, track: Int = 0, arrived: Instant) -> Instant? {
        guard tracks.indices.contains(track) else { return arrived }
        let (time, own) = follow(ticks, track, arrived)
        if let wanted = wantedShift(track, time, own) { tracks[track].shift = wanted }
        let wanted = own + .nanoseconds(tracks[track].shift)
        return tracks[track].pace
            .place(
                time,
                wanted: wanted,
                isSettling: isSettling(track, at: arrived),
                isAlone: tracks.count == 1
            )
    }

    /// Takes a sender report: at `utc`, nanoseconds of the sender's wall clock, the track's timestamp was `ticks`.
    ///
    /// A sender that was interrupted while it wrote a report tells of another moment than it means. So a report that
    /// contradicts those before is believed only when `doubtTime` has passed and it still stands.
    package mutating func report(ticks: Int64, utc: Int64, track: Int = 0) {
        guard tracks.indices.contains(track) else { return }
        guard let report = tracks[track].report, !agree(report, (ticks, utc), track) else {
            tracks[track].report = (ticks, utc)
            tracks[track].doubt = nil
            return
        }
        guard let doubt = tracks[track].doubt, agree(doubt, (ticks, utc), track) else {
            tracks[track].doubt = (ticks, utc)
            return
        }
        guard let age = difference(utc, doubt.utc), age >= 0, age < Self.doubtTime.nanoseconds else {
            tracks[track].report = (ticks, utc)
            tracks[track].doubt = nil
            return
        }
    }

    /// True if two reports of a track say nearly the same of its clock.
    private func agree(_ one: (ticks: Int64, utc: Int64), _ other: (ticks: Int64, utc: Int64), _ track: Int) -> Bool {
        let rate = tracks[track].rate
        let time = Self.nanoseconds(other.ticks, rate) - Self.nanoseconds(one.ticks, rate)
        return difference(other.utc, one.utc).map { abs($0 - time) <= Self.reportTolerance.nanoseconds } ?? false
    }

    /// How much later one time of the wall clock is than another; nil if that is absurd.
    private func difference(_ later: Int64, _ earlier: Int64) -> Int64? {
        let (difference, overflow) = later.subtractingReportingOverflow(earlier)
        return overflow || abs(difference / 2) >= ClockFollower.limit ? nil : difference
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

    /// Takes note of a frame: its time on the sender's clock, and the instant by its own track's arrivals.
    private mutating func follow(_ ticks: Int64, _ track: Int, _ arrived: Instant) -> (time: Int64, own: Instant) {
        let time = Self.nanoseconds(ticks, tracks[track].rate)
        if tracks[track].follower.observe(time, arrived) {
            // Reports from before a restart say nothing about what comes after it.
            tracks[track].report = nil
            tracks[track].doubt = nil
            tracks[track].shift = 0
            tracks[track].began = nil
            tracks[track].newest = .min
            tracks[track].before = nil
            tracks[track].floor = tracks[track].last
            tracks[track].pace.breakOff()
        }
        if tracks[track].began == nil { tracks[track].began = arrived }
        return (time, tracks[track].follower.instant(of: time))
    }

    /// What would put a track in step with the one of the least delay; nil while that is not known.
    private func wantedShift(_ track: Int, _ time: Int64, _ own: Instant) -> Int64? {
        guard let report = tracks[track].report, tracks.count > 1 else { return nil }
        let utc = report.utc.addingSaturating(time - Self.nanoseconds(report.ticks, tracks[track].rate))
        var wanted: Int64 = 0
        for other in tracks.indices where other != track && tracks[other].follower.isRunning {
            guard let report = tracks[other].report else { continue }
            guard let since = difference(utc, report.utc) else { continue }
            let there = Self.nanoseconds(report.ticks, tracks[other].rate) + since
            let distance = (tracks[other].follower.instant(of: there) - own).nanoseconds
            if distance >= -Self.alignmentLimit.nanoseconds { wanted = min(wanted, distance) }
        }
        return wanted
    }

    /// Moves the shift of a track of pictures towards the one that is wanted.
    private mutating func move(_ track: Int, towards wanted: Int64, at now: Instant) {
        let error = wanted - tracks[track].shift
        let elapsed = max(0, tracks[track].shifted.map { (now - $0).nanoseconds } ?? 0)
        tracks[track].shifted = now
        if isSettling(track, at: now) || abs(error) > Self.alignmentJump.nanoseconds {
            tracks[track].shift = wanted
        } else {
            let slow = min(elapsed, 1_000_000_000) / Self.alignmentDivisor
            let step = abs(error) > Self.noticed.nanoseconds ? slow * Self.haste : slow
            tracks[track].shift += max(-step, min(step, error))
        }
    }

    private func isSettling(_ track: Int, at now: Instant) -> Bool {
        tracks[track].began.map { now - $0 < Self.settling } ?? true
    }

    private static func nanoseconds(_ ticks: Int64, _ rate: Int64) -> Int64 {
        let (whole, rest) = ticks.quotientAndRemainder(dividingBy: rate)
        let (product, overflow) = whole.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return ticks > 0 ? ClockFollower.limit : -ClockFollower.limit }
        return ClockFollower.clamp(product.addingSaturating(rest * 1_000_000_000 / rate))
    }
}

extension Int64 {
    fileprivate func addingSaturating(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other > 0 ? .max : .min) : sum
    }
}
