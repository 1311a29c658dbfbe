// SPDX-License-Identifier: Apache-2.0
// One ring as the track of a movie: its frames' decode times, which all viewers share.

import Bytes
import Loop
import MP4
import Media
import Ring

/// Follows a ring of pictures or sound, and gives each frame its time on the common clock.
///
/// What is in the ring already counts as well, as far back as it belongs together: so a viewer starts at once, with a
/// past.
final class MovieRing {
    /// The track's number in the movie.
    let number: UInt32
    /// What the ring holds as a track; nil while nothing is known or MP4 cannot hold it.
    private(set) var track: MP4Track?
    /// Grows when what comes does not go on from what was: another producer or description, or frames were missed.
    private(set) var epoch: UInt64 = 0
    /// The frames that have a time and belong to the epoch.
    private(set) var frames: Range<UInt64> = 0..<0
    /// Called when frames were published, and when the producer has come or gone.
    var onChange: (() -> Void)?

    private let loop: EventLoop
    private let reader: RingReader
    private var incarnation: UInt64 = 0
    private var generation: UInt32 = 0
    private var clock: SampleClock?
    /// By sequence number modulo their count.
    private var times: [SampleTime] = []
    /// Of codecs whose frames all last the same.
    private var soundDuration: UInt32?

    /// A stream whose newest frame is older rests.
    static let freshness = Duration.seconds(1)
    /// Frames that are further apart do not belong together.
    private static let longestGap = Duration.seconds(2)

    init(number: UInt32, loop: EventLoop, ring: String, demand: Bool) {
        self.number = number
        self.loop = loop
        reader = RingReader(loop: loop, path: ring, demand: demand)
        reader.onFrames = { [unowned self] in onChange?() }
        reader.onAttach = { [unowned self] in onChange?() }
        reader.onDetach = { [unowned self] in onChange?() }
    }

    deinit { reader.close() }

    var view: RingView? { reader.view }
    /// True while the producer is there.
    var isAttached: Bool { reader.isAttached }
    /// True once it is known whether there is a producer.
    var isSettled: Bool { reader.isAttached || reader.lastError != nil }
    /// Whether the producer should make frames.
    var demand: Bool {
        get { reader.demand }
        set { reader.demand = newValue }
    }
    /// Why there is nothing, for people.
    var trouble: String {
        guard reader.isAttached else {
            return "the camera's process does not run" + (reader.lastError.map { " (\($0))" } ?? "")
        }
        if let codec = reader.view?.description()?.description.codec, track == nil {
            return "\(codec.name) gives no frames, or MP4 does not hold it"
        }
        return "the camera gives no frames"
    }

    func requestKeyframe() { reader.requestKeyframe() }

    /// True if the newest frame is of the moment.
    var isFresh: Bool { isFresh(within: Self.freshness) }

    func isFresh(within limit: Duration) -> Bool {
        guard reader.isAttached, let view, let newest = view.info(view.newest) else { return false }
        return loop.now - newest.published <= max(limit, interval * 2)
    }

    /// The time from one frame to the next, as the description says; zero if it does not.
    var interval: Duration {
        let rate = track?.description.frameRate.value ?? 0
        return rate > 0 ? .seconds(1 / rate) : .zero
    }

    /// The time of a frame; nil if it has none or has left the ring.
    func time(of sequence: UInt64) -> SampleTime? {
        guard frames.contains(sequence), !times.isEmpty else { return nil }
        return times[Int(sequence % UInt64(times.count))]
    }

    /// Gives all frames that are new their times.
    func advance() {
        guard let view else { return }
        if view.incarnation != incarnation || view.descriptionGeneration != generation {
            guard prepare(view) else { return }
        }
        while frames.upperBound <= view.newest {
            let sequence = frames.upperBound
            guard let info = view.info(sequence), let time = time(info, in: view) else {
                // It was overwritten before anybody looked, or is of a description that has not been read yet.
                if let track { restart(view, track) }
                return
            }
            times[Int(sequence % UInt64(times.count))] = time
            let oldest = sequence >= UInt64(times.count) ? sequence - UInt64(times.count) + 1 : 0
            frames = max(frames.lowerBound, oldest)..<(sequence + 1)
        }
    }

    /// Takes the ring's description in; false while it is not complete.
    private func prepare(_ view: RingView) -> Bool {
        guard let (description, generation) = view.description() else { return false }
        if view.incarnation == incarnation, let track, track.description == description {
            self.generation = generation
            return true
        }
        guard let track = try? MP4Track(description, id: number) else { return false }
        incarnation = view.incarnation
        self.generation = generation
        self.track = track
        soundDuration = track.soundDuration
        restart(view, track)
        return true
    }

    private func restart(_ view: RingView, _ track: MP4Track) {
        epoch += 1
        clock = SampleClock(track)
        if times.count != view.slotCount {
            times = Array(repeating: SampleTime(decode: 0, duration: 0), count: max(1, view.slotCount))
        }
        let first = history(view)
        frames = first..<first
    }

    /// The earliest keyframe from which everything up to now belongs together; what comes next if there is none.
    private func history(_ view: RingView) -> UInt64 {
        let newest = view.newest
        var first = newest + 1
        guard isFresh, var later = view.info(newest) else { return first }
        var sequence = newest
        while let info = view.info(sequence), view.descriptionGeneration(of: sequence) == generation {
            guard later.captured - info.captured <= max(Self.longestGap, interval * 4) else { break }
            if info.flags.contains(.keyframe) { first = sequence }
            later = info
            guard sequence > 1 else { break }
            sequence -= 1
        }
        return first
    }

    private func time(_ info: FrameInfo, in view: RingView) -> SampleTime? {
        guard let track, view.descriptionGeneration(of: info.sequence) == generation else { return nil }
        guard track.description.codec.isAudio else {
            return clock?.picture(info.captured, isKeyframe: info.flags.contains(.keyframe))
        }
        var samples = soundDuration
        if samples == nil {
            guard view.read(info.sequence, { _, frame in samples = track.soundDuration(frame) }) == .valid else {
                return nil
            }
        }
        // A packet that makes no sense lasts nothing, and is left to the player.
        return clock?.sound(info.captured, samples: samples ?? 0)
    }
}
