// SPDX-License-Identifier: Apache-2.0
// A camera's stream as a movie: pictures and sound in fragments that all viewers share.

import Bytes
import FanOut
import HLS
import Loop
import MP4
import Media
import Ring
import System

/// Who waits for what a stream gives.
protocol MovieViewer: AnyObject {
    /// There are new frames, or something is not as it was.
    func movieAdvanced()
    /// The stream is not configured any more. Called once.
    func movieIsGone()
}

/// One stream of a camera with its sound, as HLS, MSE and clips have it.
///
/// It follows the rings only while somebody watches, or has a moment ago; then its encoder rests.
final class MovieFeed {
    /// Camera and stream: `cam/main`.
    let name: String
    let camera: String
    let stream: String
    let loop: EventLoop
    let pictures: MovieRing
    /// nil: the camera is configured without.
    let sound: MovieRing?
    /// The tracks that there are now; nil while nothing is known.
    private(set) var movie: MP4Movie?
    /// The number of `movie`, and of its initialisation segment.
    private(set) var map: UInt64
    /// The pictures that belong to `movie` and whose sound is known.
    private(set) var frames: Range<UInt64> = 0..<0
    /// What HLS lists.
    private(set) var window: HLSWindow
    private let playlists = PlaylistCache()
    /// Parts and initialisation segments that were asked for.
    let parts = PartCache()

    private(set) var viewers: [any MovieViewer] = []
    private var initializations: [UInt64: WireImage] = [:]
    private lazy var fragments = WireCache { [unowned self] info, _, image in
        build(info, into: &image)
    }
    private var epochs: (pictures: UInt64, sound: UInt64?) = (0, nil)
    /// By number of the picture modulo their count: one more than the last frame of sound that belongs to it.
    private var soundEnds: [UInt64] = []
    private var lingering: LoopTimer?
    private var keyframeRequested: Instant?
    /// Called when nobody has wanted anything for a while.
    private let onIdle: () -> Void

    /// The stream goes on for this long when nobody watches: an HLS player asks every two seconds or so.
    static let linger = Duration.seconds(12)
    /// Sound that has been missing for this long is left out, as players would wait for it.
    private static let silence = Duration.seconds(2)
    /// How often a keyframe is asked for while somebody waits for one.
    private static let keyframeInterval = Duration.seconds(1)

    init(
        camera: String,
        stream: String,
        loop: EventLoop,
        rings: (pictures: String, sound: String?),
        settings: HLSSettings,
        onIdle: @escaping () -> Void
    ) {
        name = "\(camera)/\(stream)"
        self.camera = camera
        self.stream = stream
        self.loop = loop
        self.onIdle = onIdle
        pictures = MovieRing(number: 1, loop: loop, ring: rings.pictures, demand: false)
        sound = rings.sound.map { MovieRing(number: 2, loop: loop, ring: $0, demand: false) }
        // Numbers grow over restarts of this program, as segments last longer than a second on the average.
        let firstNumber = UInt64(max(0, Clock.realtimeNanoseconds() / 1_000_000_000))
        window = HLSWindow(settings, firstNumber: firstNumber)
        map = firstNumber
        pictures.onChange = { [unowned self] in advance() }
        sound?.onChange = { [unowned self] in advance() }
        touch(demand: false)
    }

    deinit { lingering?.cancel() }

    /// Why there is nothing to see, for people.
    var trouble: String { "\(name): \(pictures.trouble)" }

    /// Somebody stays; pairs with `leave`.
    func join(_ viewer: any MovieViewer) {
        viewers.append(viewer)
        touch(demand: true)
    }

    /// Somebody goes. Harmless when repeated.
    func leave(_ viewer: any MovieViewer) {
        guard let index = viewers.firstIndex(where: { $0 === viewer }) else { return }
        viewers.swapAt(index, viewers.count - 1)
        viewers.removeLast()
    }

    /// Somebody wants something now: the stream goes on for a while, and is made if `demand` says so.
    func touch(demand: Bool) {
        if demand, !pictures.demand {
            pictures.demand = true
            sound?.demand = true
        }
        lingering?.cancel()
        lingering = loop.timer(after: Self.linger) { [unowned self] in
            lingering = nil
            if viewers.isEmpty { onIdle() } else { touch(demand: false) }
        }
    }

    /// Cuts in another way from now on.
    func take(_ settings: HLSSettings) {
        guard settings != window.settings else { return }
        window.take(settings)
        playlists.removeAll()
    }

    /// Ends all viewers: the stream is not configured any more.
    func end() {
        for viewer in viewers { viewer.movieIsGone() }
    }

    /// Nanoseconds since 1970 UTC at an instant.
    func utc(_ instant: Instant) -> Int64 {
        if let map = pictures.view?.utc { return map.utcNanoseconds(instant) }
        return Clock.realtimeNanoseconds() + (instant - loop.now).nanoseconds
    }

    /// Asks for a keyframe, if none was asked for a moment ago.
    func requestKeyframe() {
        if let keyframeRequested, loop.now - keyframeRequested < Self.keyframeInterval { return }
        keyframeRequested = loop.now
        pictures.requestKeyframe()
    }

    /// The initialisation segment of a number; nil if nobody can need it any more.
    func initialization(_ map: UInt64) -> WireImage? { initializations[map] }

    // MARK: Following

    /// Takes in what the rings have, and tells the viewers.
    func advance() {
        follow()
        for viewer in viewers { viewer.movieAdvanced() }
    }

    /// Takes in what the rings have.
    func follow() {
        pictures.advance()
        sound?.advance()
        updateMovie()
        appendPictures()
    }

    /// The sound that belongs to the movie now; nil for none.
    private var playableSound: MovieRing? {
        guard let sound, sound.track?.isStreamable == true, !sound.frames.isEmpty else { return nil }
        if sound.isFresh { soundHeard = loop.now }
        guard epochs.sound != nil else { return sound.isFresh ? sound : nil }
        return loop.now - soundHeard <= Self.silence ? sound : nil
    }

    /// When there was sound last.
    private var soundHeard = Instant.zero

    private func updateMovie() {
        guard let track = pictures.track, track.isStreamable else { return }
        if movie == nil, let sound, !sound.isSettled { return }
        let audible = playableSound
        let present = (pictures: pictures.epoch, sound: audible?.epoch)
        guard movie == nil || present != epochs else { return }
        let goesOn = movie != nil && present.pictures == epochs.pictures
        epochs = present
        let next = MP4Movie([track] + (audible?.track.map { [$0] } ?? []))
        let start = goesOn ? pictures.frames.upperBound : pictures.frames.lowerBound
        frames = start..<start
        movie = next
        map += 1
        soundEnds = Array(repeating: 0, count: max(1, pictures.view?.slotCount ?? 1))
        keepInitialization(next)
        fragments.removeAll()
        let soundStart = goesOn ? audible?.frames.upperBound : audible?.frames.lowerBound
        window.begin(map: map, soundStart: soundStart ?? 0)
        // Their frames are in no ring any more, or their sound is not known any more.
        window.trimForeign()
        playlists.removeAll()
        soundNext = soundStart ?? 0
        hasKeyframe = false
    }

    private var soundNext: UInt64 = 0
    /// True once there was a keyframe of the present movie.
    private var hasKeyframe = false

    private func keepInitialization(_ movie: MP4Movie) {
        // Somebody may have been told of the last one a moment ago.
        initializations = initializations.filter { $0.key + 1 >= map }
        var image = PacketImage()
        movie.appendInitialization(to: &image.bytes)
        initializations[map] = WireImage(image, info: Self.noFrame)
    }

    /// Says which sound belongs to which picture: what was published until then.
    private func appendPictures() {
        guard movie != nil, let view = pictures.view, pictures.epoch == epochs.pictures else { return }
        var isNew = false
        while frames.upperBound < pictures.frames.upperBound {
            let sequence = frames.upperBound
            guard let info = view.info(sequence), let time = pictures.time(of: sequence) else { break }
            if epochs.sound != nil, let sound, let soundView = sound.view {
                while soundNext < sound.frames.upperBound,
                    (soundView.info(soundNext)?.published ?? .zero) <= info.published
                {
                    soundNext += 1
                }
            }
            soundEnds[Int(sequence % UInt64(soundEnds.count))] = soundNext
            frames = frames.lowerBound..<(sequence + 1)
            let frame = HLSFrame(
                sequence: sequence,
                captured: info.captured,
                isKeyframe: info.flags.contains(.keyframe),
                duration: .nanoseconds(Int64(time.duration) * 1_000_000_000 / Int64(MP4Track.pictureTimescale)),
                utc: utc(info.captured),
                soundEnd: soundNext
            )
            isNew = window.append(frame) || isNew
            // An encoder that has rested may go on in the middle of a group.
            hasKeyframe = hasKeyframe || frame.isKeyframe
            if !hasKeyframe { requestKeyframe() }
        }
        guard isNew else { return }
        window.trim(before: Self.oldestListed(view))
        playlists.removeAll()
    }

    /// The playlist of now, written once for all who ask before the next part.
    func playlist(_ form: HLSWindow.Form, _ reports: [HLSRenditionReport], folder: String) -> [UInt8] {
        playlists.text(form, reports) { Array(window.playlist(form, reports: reports, folder: folder).utf8) }
    }

    /// The oldest picture that is listed: a player that has just been told of a segment must still get it, so some of
    /// what the ring holds is left out once it is full.
    private static func oldestListed(_ view: RingView) -> UInt64 {
        let oldest = view.oldest
        return oldest > 1 ? oldest + (view.newest - oldest) / 8 : 0
    }

    /// The frames of sound that belong to a picture.
    func soundFrames(of picture: UInt64) -> Range<UInt64> {
        guard frames.contains(picture), epochs.sound != nil else { return 0..<0 }
        let end = soundEnds[Int(picture % UInt64(soundEnds.count))]
        let start = frames.contains(picture - 1) ? soundEnds[Int((picture - 1) % UInt64(soundEnds.count))] : end
        return min(start, end)..<end
    }

    // MARK: Fragments

    /// The fragment of one picture and its sound, for a viewer that goes through the frames; nil if there is none now.
    func nextFragment(_ cursor: inout FrameCursor) -> WireImage? {
        guard let view = pictures.view, movie != nil, pictures.isAttached || !cursor.needsKeyframe else { return nil }
        if cursor.needsKeyframe, !frames.contains(view.newestKeyframe) {
            requestKeyframe()
            return nil
        }
        while let sequence = cursor.nextFrame(in: view, at: loop.now) {
            guard frames.contains(sequence) else {
                if sequence < frames.lowerBound { cursor.rejoin(at: loop.now) }
                return nil
            }
            cursor.sent(sequence)
            if case .image(let image) = fragments.image(of: sequence, in: view), image.count > 0 { return image }
        }
        if cursor.needsKeyframe { requestKeyframe() }
        return nil
    }

    private func build(_ info: FrameInfo, into image: inout PacketImage) {
        let picture = info.sequence..<(info.sequence + 1)
        let isWhole = appendFragment(pictures: picture, sound: soundFrames(of: info.sequence), to: &image.bytes)
        if !isWhole { image.removeAll() }
    }

    /// Appends one fragment; false if some of its frames have left the rings, and then what was appended is of no use.
    func appendFragment(
        pictures range: Range<UInt64>,
        sound soundRange: Range<UInt64>,
        origin: Instant = .zero,
        to output: inout [UInt8]
    ) -> Bool {
        guard let first = pictures.view?.info(range.lowerBound), let time = pictures.time(of: range.lowerBound) else {
            return false
        }
        if first.flags.contains(.keyframe), let track = pictures.track {
            FragmentHead.appendCaptureTime(
                track: track.id,
                unixNanoseconds: utc(first.captured),
                mediaTime: time.decode + Int64(time.compositionOffset) - track.ticks(origin),
                to: &output
            )
        }
        var runs: [FragmentWriter.Run] = []
        var pieces: [(ring: MovieRing, frames: Range<UInt64>)] = [(pictures, range)]
        if let sound, !soundRange.isEmpty { pieces.append((sound, soundRange)) }
        for piece in pieces {
            guard let track = piece.ring.track, let time = piece.ring.time(of: piece.frames.lowerBound) else {
                return false
            }
            let start = time.decode - track.ticks(origin)
            runs.append(FragmentWriter.Run(track: track.id, decodeTime: start, count: piece.frames.count))
        }
        let number = UInt32(truncatingIfNeeded: range.lowerBound)
        var fragment = FragmentWriter(sequence: number, runs: runs, to: &output)
        for piece in pieces {
            for sequence in piece.frames {
                guard piece.ring.append(sequence, isLast: sequence + 1 == piece.frames.upperBound, &fragment, &output)
                else { return false }
            }
        }
        fragment.finish(&output)
        return true
    }

    /// What stands for a frame where an image is of none.
    static let noFrame = FrameInfo(sequence: 0, captured: .zero, published: .zero, flags: [], length: 0)
}

extension MovieRing {
    /// Adds one frame to a fragment; false if it has left the ring.
    ///
    /// Its duration is the time to the next one, which is only known here if that is in the same fragment.
    fileprivate func append(
        _ sequence: UInt64,
        isLast: Bool,
        _ fragment: inout FragmentWriter,
        _ output: inout [UInt8]
    ) -> Bool {
        guard let track, let time = time(of: sequence) else { return false }
        var duration = time.duration
        if !isLast, let next = self.time(of: sequence + 1) { duration = UInt32(clamping: next.decode - time.decode) }
        let result = view?
            .read(sequence) { info, frame in
                let sample = MP4Sample(
                    decodeTime: time.decode,
                    compositionOffset: time.compositionOffset,
                    duration: duration,
                    isSync: track.description.codec.isAudio || info.flags.contains(.keyframe)
                )
                fragment.add(sample, to: &output) { track.appendSample(frame, to: &$0) }
            }
        return result == .valid
    }
}
