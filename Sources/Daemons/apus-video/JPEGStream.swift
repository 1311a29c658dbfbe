// SPDX-License-Identifier: Apache-2.0
// The stream of JPEG images: encoded from pictures, or the source's own, untouched; into its ring.

import Bytes
import Capture
import Config
import Control
import Encode
import Log
import Media
import Ring
import System

/// The camera's JPEG stream.
final class JPEGStream {
    let writer: RingWriter
    private(set) var configuration: JPEGStreamConfiguration
    /// What was set by a control verb; nil as configured.
    var qualityOverride: Int?
    /// What heat leaves of the frame rate.
    var relief = Relief()

    private let log: Logger
    private var encoder: JPEGEncoder?
    private var failure: String?
    private var passes = false
    private var sourceRate = Rational(0)
    private var scaler = Scaler()
    private var pool = PicturePool()
    private var gate = FrameGate()
    private(set) var statistics = StreamStatistics()
    private var isDiscontinuous = false
    private var timeline = Timeline(after: Clock.monotonic())
    /// True while the slate stands in for the source.
    private(set) var isSlating = false

    init(configuration: JPEGStreamConfiguration, writer: RingWriter, log: Logger) {
        self.configuration = configuration
        self.writer = writer
        self.log = log
    }

    /// Takes note of what the source gives now.
    func sourceChanged(_ format: CaptureFormat) {
        sourceRate = format.frameRate
        passes = format.codec == .jpeg && (configuration.size == nil || configuration.size == format.size)
        if let size = configuration.size ?? format.size { describe(size.width, size.height) }
    }

    /// Frames are missing from here on.
    func breakContinuity() { isDiscontinuous = true }

    /// Demand has come or gone: what comes next starts anew.
    func demandChanged(_ wanted: Bool) {
        if wanted, !passes { isDiscontinuous = statistics.frames > 0 }
    }

    /// True if pictures are to be handed to `encode`.
    var wantsPictures: Bool { !passes && writer.hasDemand }

    /// True if the source's own images go into the ring.
    var isPassing: Bool { passes }

    func reconfigure(_ new: JPEGStreamConfiguration) { configuration = new }

    /// Publishes an image of the source: straight from where it is into the ring, with what it lacks put in on the way.
    func pass(_ info: UnitInfo, _ image: Span<UInt8>) {
        endSlate()
        guard passes, gate.admits(info.captured, rate: configuration.frameRate?.value ?? 0) else { return }
        if info.isDiscontinuous { isDiscontinuous = true }
        if let header = try? JPEGHeader(parsing: image) { describe(Int(header.width), Int(header.height)) }
        publish(image, info.captured, info.repair)
    }

    /// Encodes a picture and publishes it.
    func encode(_ picture: PictureBuffer, captured: Instant) {
        guard wantsPictures else { return }
        guard gate.admits(captured, rate: rateLimit) else {
            statistics.skipped += 1
            return
        }
        let began = Clock.monotonic()
        do throws(EncodeError) {
            endSlate()
            try encodeAndPublish(try fit(picture), captured)
            statistics.encoded(in: Clock.monotonic() - began)
            failure = nil
        } catch {
            fail(error)
        }
    }

    private func encodeAndPublish(_ picture: PictureBuffer, _ captured: Instant) throws(EncodeError) {
        let encoder: JPEGEncoder
        if let opened = self.encoder { encoder = opened } else { encoder = try JPEGEncoder(quality: quality) }
        self.encoder = encoder
        encoder.quality = quality
        describe(picture.width, picture.height)
        try encoder.encode(picture) { publish($0, captured) }
    }

    private func fail(_ error: EncodeError) {
        statistics.failures += 1
        if failure == nil { log.error("encoding failed", ["stream": "jpeg", "error": error]) }
        failure = error.description
    }

    // MARK: The slate

    /// The size that a slate must have to go on in this stream.
    var slateSize: PictureSize {
        if let size = configuration.size { return size }
        let known = writer.store.description
        guard known.width > 1, known.height > 1 else { return Slate.usualSize }
        return PictureSize(width: Int(known.width) & ~1, height: Int(known.height) & ~1)
    }

    /// From now on the slate stands in for the source.
    func beginSlate() {
        guard !isSlating else { return }
        isSlating = true
        isDiscontinuous = true
        writer.isSlate = true
    }

    /// The source is back: what comes next is its own.
    func endSlate() {
        guard isSlating else { return }
        isSlating = false
        isDiscontinuous = true
        writer.isSlate = false
    }

    /// Encodes the slate and publishes it.
    func encodeSlate(_ picture: PictureBuffer, captured: Instant) {
        do throws(EncodeError) {
            try encodeAndPublish(picture, captured)
            failure = nil
        } catch {
            fail(error)
        }
    }

    /// Frames per second that are encoded at most; 0 for all.
    private var rateLimit: Double {
        guard relief.frameRate < 1 else { return configuration.frameRate?.value ?? 0 }
        let source = sourceRate.value > 0 ? sourceRate : StreamWishes.assumedRate
        let limit = configuration.frameRate ?? source
        return relief.lowered(limit.value < source.value ? limit : source).value
    }

    private var quality: Int { qualityOverride ?? configuration.quality }

    private func fit(_ picture: PictureBuffer) throws(EncodeError) -> PictureBuffer {
        let width = configuration.size.map { Int($0.width) } ?? picture.width & ~1
        let height = configuration.size.map { Int($0.height) } ?? picture.height & ~1
        if picture.width == width, picture.height == height, picture.format == .yuv420 { return picture }
        let fitted = try pool.take(width: width, height: height)
        try scaler.scale(picture, into: fitted)
        return fitted
    }

    private func describe(_ width: Int, _ height: Int) {
        let rate = configuration.frameRate ?? sourceRate
        let description = StreamDescription(
            video: .jpeg,
            width: UInt32(width),
            height: UInt32(height),
            frameRate: rate
        )
        guard description != writer.store.description else { return }
        do throws(RingError) { try writer.update(description) } catch {
            log.error("stream not described", ["stream": "jpeg", "error": error])
        }
    }

    private func publish(_ image: Span<UInt8>, _ captured: Instant, _ repair: JPEGRepair? = nil) {
        var flags: FrameFlags = .keyframe
        if isDiscontinuous { flags.insert(.discontinuity) }
        if isSlating { flags.insert(.slate) }
        let length = repair?.mendedLength ?? image.count
        do throws(RingError) {
            // The slate's last frame may be younger than the first of a source that is back.
            let captured = timeline.place(captured)
            if let repair {
                try writer.publish(captured: captured, flags: flags, length: length) { repair.write(image, into: &$0) }
            } else {
                try writer.publish(image, captured: captured, flags: flags)
            }
            isDiscontinuous = false
            statistics.published(length, isKeyframe: true, at: Clock.monotonic())
        } catch {
            if statistics.failures == 0 {
                log.warn("an image is not published", ["stream": "jpeg", "error": error, "remedy": "raise ring_size"])
            }
            statistics.failures += 1
            isDiscontinuous = true
        }
    }

    var status: JSON {
        let description = writer.store.description
        let mode = isSlating ? "slate" : passes ? "passthrough" : writer.hasDemand ? "encoding" : "idle"
        var members = [
            JSON.Member("name", "jpeg"), JSON.Member("codec", "jpeg"),
            JSON.Member("width", JSON(description.width)), JSON.Member("height", JSON(description.height)),
            JSON.Member("fps", JSON(description.frameRate.value)), JSON.Member("mode", .string(mode)),
            JSON.Member("readers", JSON(writer.readerCount)), JSON.Member("demand", JSON(writer.hasDemand)),
        ]
        if !passes { members.append(JSON.Member("quality", JSON(quality))) }
        if !passes, relief.frameRate < 1 { members.append(JSON.Member("lowered", ["fps": JSON(relief.frameRate)])) }
        if let failure { members.append(JSON.Member("error", .string(failure))) }
        return .object(members + statistics.members)
    }
}
