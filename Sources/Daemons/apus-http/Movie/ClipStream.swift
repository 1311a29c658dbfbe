// SPDX-License-Identifier: Apache-2.0
// A clip that reaches into the future: fragments, sent as the frames come.

import Bytes
import FanOut
import Loop
import MP4
import Media
import Ring

/// A clip that is not over yet: fragments, as the frames come.
final class ClipStream: BodySource, MovieViewer {
    let kind = "clip"
    private let feed: MovieFeed
    private let span: ClipSpan
    private unowned let exchange: Exchange
    private let origin: Instant
    private let epoch: UInt64
    private let soundEpoch: UInt64?
    private var next: UInt64
    private var nextSound: UInt64
    private var index: FragmentIndex
    private var offset: UInt64 = 0
    private var state = State.head
    private var timer: LoopTimer?

    private enum State {
        case head
        case fragments
        /// All is there but the index.
        case tail
        case finished
    }

    /// What comes together in one fragment if it is there already.
    private static let batch = 30
    /// Without new pictures the clip ends so long after its time.
    private static let grace = Duration.seconds(2)

    init?(_ feed: MovieFeed, _ span: ClipSpan, _ first: FrameInfo, _ exchange: Exchange) {
        guard let track = feed.pictures.track else { return nil }
        self.feed = feed
        self.span = span
        self.exchange = exchange
        origin = first.captured
        epoch = feed.pictures.epoch
        next = first.sequence
        nextSound = ClipSpan.firstSound(feed, from: first.captured)
        soundEpoch = nextSound > 0 ? feed.sound?.epoch : nil
        index = FragmentIndex(track: track.id)
        timer = feed.loop.timer(at: span.end + Self.grace) { [unowned self] in
            if state == .fragments { state = .tail }
            exchange.pump()
        }
        exchange.server.movies.clips += 1
        feed.join(self)
    }

    var camera: String? { feed.camera }
    var isFinished: Bool { state == .finished }

    func movieAdvanced() { exchange.pump() }

    func movieIsGone() {
        if state == .fragments { state = .tail }
        exchange.pump()
    }

    func ended(_ reason: String) {
        timer?.cancel()
        exchange.server.movies.clips -= 1
        feed.leave(self)
    }

    func nextImage() -> WireImage? {
        var image = PacketImage()
        switch state {
        case .head:
            var tracks = feed.pictures.track.map { [$0] } ?? []
            if soundEpoch != nil, let track = feed.sound?.track { tracks.append(track) }
            MP4Movie(tracks).appendInitialization(to: &image.bytes)
            state = .fragments
        case .fragments:
            guard appendFragment(&image.bytes) else {
                return state == .tail ? nextImage() : nil
            }
        case .tail:
            index.append(to: &image.bytes)
            state = .finished
        case .finished: return nil
        }
        offset += UInt64(image.bytes.count)
        return WireImage(image, info: MovieFeed.noFrame)
    }

    /// Appends what is there and not sent yet; false if that is nothing.
    private func appendFragment(_ output: inout [UInt8]) -> Bool {
        guard let view = feed.pictures.view, feed.pictures.epoch == epoch else {
            state = .tail
            return false
        }
        var upper = next
        var isKeyframe = false
        while upper < feed.pictures.frames.upperBound, upper < next + UInt64(Self.batch) {
            guard let info = view.info(upper) else { break }
            if info.captured > span.end {
                if upper == next { state = .tail }
                break
            }
            if info.flags.contains(.keyframe) {
                if upper > next { break }
                isKeyframe = true
            }
            upper += 1
        }
        guard upper > next else {
            // It is behind by a whole ring: there is no good way to go on.
            if next < feed.pictures.frames.upperBound, view.info(next) == nil { state = .tail }
            return false
        }
        let until = view.info(upper - 1)?.captured ?? span.end
        let heard = soundFrames(until: until)
        if isKeyframe, let track = feed.pictures.track, let time = feed.pictures.time(of: next) {
            index.note(decodeTime: time.decode - track.ticks(origin), offset: offset + Self.captureTimeLength)
        }
        guard feed.appendFragment(pictures: next..<upper, sound: heard, origin: origin, to: &output) else {
            state = .tail
            output = []
            return false
        }
        next = upper
        nextSound = max(nextSound, heard.upperBound)
        return true
    }

    private func soundFrames(until instant: Instant) -> Range<UInt64> {
        guard let soundEpoch, let sound = feed.sound, sound.epoch == soundEpoch, let view = sound.view else {
            return 0..<0
        }
        var upper = nextSound
        while upper < sound.frames.upperBound, let info = view.info(upper), info.captured <= instant { upper += 1 }
        return nextSound..<upper
    }

    /// The `prft` box in front of a fragment that begins with a keyframe.
    private static let captureTimeLength: UInt64 = 32
}
