// SPDX-License-Identifier: Apache-2.0
// Standard input as a source: JPEG images behind each other, or an H.264 byte stream.

import Bytes
import Config
import Devices
import Encode
import Loop
import Media
import System

/// Cuts a pipe's bytes into frames.
///
/// When the producer goes away, the pipe is kept: a named pipe may get a new producer, whose frames go on.
final class PipeSource: Source {
    /// Bytes taken in one turn of the loop, so that a fast producer does not keep others from their turn.
    static let turnLimit = 4 << 20
    /// How often a pipe without a producer is looked at.
    static let patience = Duration.milliseconds(200)

    private let loop: EventLoop
    private let descriptor: Int32
    private let codec: Codec
    private var images = JPEGSplitter()
    private var units = AccessUnitSplitter(.h264)
    private var buffer = [UInt8](repeating: 0, count: 1 << 16)
    private var output: SourceOutput?
    private var watch: Watch?
    private var timer: LoopTimer?
    private var isLive = false
    private var clock = ArrivalClock()
    /// When the first bytes of the access unit being collected came.
    private var unitBegan: Instant?
    private var counted: UInt64 = 0
    var wantsPictures = true
    /// A named pipe may get a new producer.
    let comesBack = true
    /// Instants are those of arrivals.
    let isInOrder = true

    init(loop: EventLoop, descriptor: Int32, codec: Codec) {
        self.loop = loop
        self.descriptor = descriptor
        self.codec = codec
    }

    func start(_ output: SourceOutput) throws(CaptureError) {
        self.output = output
        do throws(SystemError) {
            try setNonBlocking(descriptor)
            try beginWatching()
        } catch {
            self.output = nil
            // epoll takes pipes, sockets and terminals only.
            if error.code == 1 {
                throw CaptureError("standard input is a plain file; use file:PATH, or cat it through a pipe")
            }
            throw CaptureError("standard input: \(error)")
        }
    }

    func stop() {
        watch?.cancel()
        watch = nil
        timer?.cancel()
        output = nil
    }

    private func beginWatching() throws(SystemError) {
        watch = try loop.watch(descriptor, .read) { [unowned self] _ in readAll() }
    }

    private func readAll() {
        var taken = 0
        while taken < Self.turnLimit, output != nil {
            var span = buffer.mutableSpan
            let result: IOResult
            do throws(SystemError) {
                result = try read(descriptor, into: &span)
            } catch {
                return pause("standard input: \(error.reason)")
            }
            switch result {
            case .wouldBlock: return
            case .endOfStream: return pause("end of input")
            case .bytes(let count):
                taken += count
                push(count)
            }
        }
    }

    private func push(_ count: Int) {
        let bytes = buffer
        let chunk = bytes.span.extracting(first: count)
        let now = Clock.monotonic()
        if codec == .jpeg {
            images.push(chunk) { image in deliver(image, at: now) }
            let refused = images.rejected + images.oversized
            if refused > counted { output?.dropped(Int(refused - counted)) }
            counted = refused
            return
        }
        if unitBegan == nil { unitBegan = now }
        units.push(chunk) { flags, unit in
            // A unit ends where the next begins, so those bytes came first now.
            let captured = unitBegan ?? now
            unitBegan = now
            goLive(nil)
            let isKeyframe = flags.contains(.keyframe)
            output?.unit(UnitInfo(codec: .h264, captured: clock.stamp(captured), isKeyframe: isKeyframe), unit)
        }
    }

    private func deliver(_ image: Span<UInt8>, at now: Instant) {
        guard let repair = try? JPEGRepair(image) else {
            output?.dropped(1)
            return
        }
        if !isLive, let header = try? JPEGHeader(parsing: image) {
            goLive(PictureSize(width: Int(header.width), height: Int(header.height)))
        }
        let info = UnitInfo(
            codec: .jpeg,
            captured: clock.stamp(now),
            isKeyframe: true,
            repair: repair.isWhole ? nil : repair
        )
        output?.unit(info, image.extracting(0..<repair.length))
    }

    private func goLive(_ size: PictureSize?) {
        guard !isLive else { return }
        isLive = true
        output?.live(CaptureFormat(codec: codec, size: size, frameRate: Rational(0), name: "standard input"))
    }

    /// Waits for a producer without watching: a pipe without one is always ready, for its end.
    private func pause(_ reason: String) {
        watch?.cancel()
        watch = nil
        if codec == .jpeg {
            images.finish()
        } else {
            let captured = unitBegan ?? loop.now
            units.finish { [output] flags, unit in
                output?.unit(UnitInfo(codec: .h264, captured: captured, isKeyframe: flags.contains(.keyframe)), unit)
            }
            unitBegan = nil
        }
        isLive = false
        timer = loop.timer(every: Self.patience) { [unowned self] in tryAgain() }
        output?.stopped(CaptureError(reason))
    }

    private func tryAgain() {
        var span = buffer.mutableSpan
        switch try? read(descriptor, into: &span) {
        case .endOfStream, nil: return
        case .wouldBlock: break
        case .bytes(let count): push(count)
        }
        timer?.cancel()
        do throws(SystemError) { try beginWatching() } catch { pause("standard input: \(error)") }
    }
}
