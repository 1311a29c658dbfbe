// SPDX-License-Identifier: Apache-2.0
// A media file as a source, played at its own pace.

import Bytes
import Config
import Devices
import Encode
import Loop
import Media
import System

/// Plays a file's video in real time, over and over if asked to, with times that go on from round to round.
///
/// Coded frames pass through if they come in the order in which they are shown; else the file is decoded here.
final class FileSource: Source {
    /// A jump in the file's times beyond this is not waited for.
    static let longestGap = Duration.seconds(5)
    /// If the loop was away for longer than this, playing goes on from now instead of catching up.
    static let longestDelay = Duration.milliseconds(500)

    private let loop: EventLoop
    private let path: String
    private let loops: Bool
    private var demuxer: Demuxer?
    private var decoder: VideoDecoder?
    private var output: SourceOutput?
    private var timer: LoopTimer?
    /// The instant of the file's first frame in this round.
    private var origin = Instant.zero
    /// The presentation time of the newest frame, and the usual distance between two.
    private var position = Duration.zero
    private var interval = Duration.milliseconds(40)
    private var needsKeyframe = true
    private var framesInRound = 0
    private var pending = Pending.none
    private var decoded: [(picture: PictureBuffer, time: Duration)] = []
    var wantsPictures = true

    private enum Pending {
        case none
        case unit(Duration)
        case picture(PictureBuffer, Duration)
    }

    init(loop: EventLoop, path: String, loops: Bool) {
        self.loop = loop
        self.path = path
        self.loops = loops
    }

    func start(_ output: SourceOutput) throws(CaptureError) {
        guard File.exists(path) else { throw CaptureError("\(path): No such file or directory; is the path right?") }
        do throws(EncodeError) {
            let demuxer = try Demuxer(path: path)
            let description = demuxer.description
            let passes = description.codec != nil && !description.isReordered
            if !passes { decoder = try demuxer.makeDecoder() }
            self.demuxer = demuxer
            if description.frameRate.value > 0 {
                interval = .nanoseconds(Int64(1e9 / description.frameRate.value))
            }
            self.output = output
            origin = loop.now
            output.live(
                CaptureFormat(
                    codec: passes ? description.codec : nil,
                    size: PictureSize(width: description.width, height: description.height),
                    frameRate: description.frameRate,
                    name: "\(path) (\(description.codecName))"
                )
            )
        } catch {
            throw CaptureError("\(error)")
        }
        advance()
    }

    func stop() {
        timer?.cancel()
        output = nil
        demuxer = nil
        decoder = nil
    }

    /// Reads on to the next frame and waits for its time.
    private func advance() {
        do throws(EncodeError) {
            pending = try next()
        } catch {
            return end(CaptureError("\(error)"))
        }
        let time: Duration
        switch pending {
        case .none: return end(nil)
        case .unit(let due): time = due
        case .picture(_, let due): time = due
        }
        // Streams with holes, or whose times jump, go on without a pause.
        if time - position > Self.longestGap || time < position - Self.longestGap {
            origin = origin + (position + interval - time)
        }
        position = time
        if loop.now - (origin + time) > Self.longestDelay { origin = loop.now - time }
        timer = loop.timer(at: origin + time) { [unowned self] in deliver() }
    }

    private func deliver() {
        let captured = origin + position
        switch pending {
        case .none: break
        case .picture(let picture, _):
            // Encoding is behind: the newest picture wins.
            if loop.now - captured > interval * 2 {
                output?.dropped(1)
            } else if wantsPictures {
                output?.picture(picture, captured)
            }
        case .unit:
            do throws(EncodeError) {
                let codec = demuxer?.description.codec ?? .h264
                try demuxer?
                    .withUnit { [output] bytes, isKeyframe in
                        output?.unit(UnitInfo(codec: codec, captured: captured, isKeyframe: isKeyframe), bytes)
                    }
            } catch {
                return end(CaptureError("\(error)"))
            }
        }
        if output != nil { advance() }
    }

    /// The next frame to show; `none` at the end of a file that does not loop.
    private func next() throws(EncodeError) -> Pending {
        guard let demuxer else { return .none }
        while true {
            if !decoded.isEmpty {
                let first = decoded.removeFirst()
                return .picture(first.picture, first.time)
            }
            if let timing = try demuxer.next() {
                if needsKeyframe && !timing.isKeyframe { continue }
                needsKeyframe = false
                guard let decoder else {
                    framesInRound += 1
                    return .unit(timing.presentation)
                }
                do throws(EncodeError) {
                    try demuxer.decode(with: decoder) { keep($0, $1) }
                } catch {
                    // A damaged frame is left out; a file that has nothing else ends below.
                    output?.dropped(1)
                }
                continue
            }
            try decoder?.finish { keep($0, $1) }
            guard decoded.isEmpty else {
                // What was held back is shown first; the end is met again after it.
                decoder?.flush()
                continue
            }
            guard loops else { return .none }
            guard framesInRound > 0 else { throw EncodeError("play \(path)", "there is not one frame in it") }
            framesInRound = 0
            try demuxer.rewind()
            decoder?.flush()
            needsKeyframe = true
            origin = origin + position + interval
            position = .zero
        }
    }

    private func keep(_ picture: PictureBuffer, _ time: Instant) {
        framesInRound += 1
        decoded.append((picture, .nanoseconds(time.nanoseconds)))
    }

    private func end(_ error: CaptureError?) {
        let output = output
        stop()
        output?.stopped(error)
    }
}
