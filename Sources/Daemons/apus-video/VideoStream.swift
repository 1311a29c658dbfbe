// SPDX-License-Identifier: Apache-2.0
// A video stream: from pictures by an encoder, or from the source untouched; into its ring.

import Bytes
import Capture
import Config
import Control
import Encode
import Log
import Media
import Ring
import System

/// One video stream of the camera.
final class VideoStream {
    /// Keyframes that are asked for come no closer than this.
    static let keyframeDistance = Duration.milliseconds(250)

    let name: String
    let writer: RingWriter
    /// What it is to be encoded as, if it is.
    var wishes: StreamWishes

    private let log: Logger
    private var encoder: StreamEncoder
    private var passed: Codec?
    private var coded = CodedFormat(.h264)
    private var gate = FrameGate()
    private(set) var statistics = StreamStatistics()
    private var isPrimed = false
    private var isDiscontinuous = false
    private var wantsKeyframe = false
    private var lastKeyframe = Instant.zero
    private var timeline = Timeline(after: Clock.monotonic())
    private var stamping = Stamping()
    /// True while the slate stands in for the source.
    private(set) var isSlating = false
    private var slateEncoder = SlateEncoder()
    /// Called when a reader wants a keyframe of a source that passes through.
    var onKeyframeRequest: (() -> Void)?

    init(
        name: String,
        configuration: VideoStreamConfiguration,
        writer: RingWriter,
        selection: EncoderSelection,
        log: Logger
    ) {
        self.name = name
        self.writer = writer
        self.log = log
        wishes = StreamWishes(configuration, isSub: name == "sub")
        encoder = StreamEncoder(stream: name, selection: selection, log: log)
        writer.onKeyframeRequest = { [unowned self] in
            wantsKeyframe = true
            if passed != nil { onKeyframeRequest?() }
        }
    }

    /// Takes note of what the source gives now: whether it can pass untouched, and at which rate.
    func sourceChanged(_ format: CaptureFormat) {
        wishes.sourceRate = format.frameRate
        passed = wishes.canPass(format) ? format.codec : nil
        guard let passed else { return }
        encoder.close()
        if !isSlating { coded = CodedFormat(passed) }
    }

    /// Frames are missing from here on.
    func breakContinuity() { isDiscontinuous = true }

    /// Demand has come or gone: what comes next starts anew.
    func demandChanged(_ wanted: Bool) {
        guard wanted else { return }
        slateEncoder.requestKeyframe()
        guard passed == nil else { return }
        isDiscontinuous = statistics.frames > 0
        encoder.requestKeyframe()
    }

    /// Makes the next frame a keyframe, as soon as one may come.
    func requestKeyframe() { wantsKeyframe = true }

    /// True if pictures are to be handed to `encode`.
    var wantsPictures: Bool { passed == nil && (writer.hasDemand || !isPrimed) }

    /// True if coded frames go into the ring as they are.
    var isPassing: Bool { passed != nil }

    var configuration: VideoStreamConfiguration { wishes.configuration }

    func reconfigure(_ new: VideoStreamConfiguration) { wishes.configuration = new }

    // MARK: Frames

    /// Publishes a coded frame of the source.
    func pass(_ info: UnitInfo, _ unit: Span<UInt8>) {
        guard info.codec == passed else { return }
        if isSlating {
            guard info.isKeyframe else { return }
            endSlate()
        }
        if info.isKeyframe { absorb(unit, info.codec) }
        // Nothing can be decoded before the first keyframe.
        guard isPrimed || info.isKeyframe else { return }
        isPrimed = true
        publish(info, unit)
    }

    /// Encodes a picture and publishes it.
    func encode(_ picture: PictureBuffer, captured: Instant) {
        guard wantsPictures else { return }
        guard gate.admits(captured, rate: wishes.rateLimit) else {
            statistics.skipped += 1
            return
        }
        guard encoder.isDue(at: Clock.monotonic()) else { return }
        do throws(EncodeError) {
            let settings = wishes.settings(for: picture)
            let opened = try encoder.ready(settings)
            if isSlating {
                endSlate()
                opened.requestKeyframe()
            }
            let ready = Clock.monotonic()
            let input = try encoder.fit(picture, settings)
            if wantsKeyframe, captured - lastKeyframe >= Self.keyframeDistance {
                wantsKeyframe = false
                opened.requestKeyframe()
            }
            try opened.encode(input, captured: captured) { info, unit in
                if info.isKeyframe { absorb(unit, info.codec) }
                // Without readers, a first picture is encoded only to learn the parameter sets.
                if writer.hasDemand { publish(info, unit) } else { opened.requestKeyframe() }
                isPrimed = true
            }
            let spent = Clock.monotonic() - ready
            statistics.encoded(in: spent)
            encoder.succeeded(in: spent, settings.frameRate)
        } catch {
            statistics.failures += 1
            encoder.failed(error)
            isDiscontinuous = true
        }
    }

    private func publish(_ info: UnitInfo, _ unit: Span<UInt8>) {
        var flags: FrameFlags = info.isKeyframe ? .keyframe : []
        if isDiscontinuous || info.isDiscontinuous { flags.insert(.discontinuity) }
        if isSlating { flags.insert(.slate) }
        // The slate's last frame may be younger than the first of a source that is back.
        if isDiscontinuous { timeline.breakOff() }
        let captured = timeline.place(info.captured, mayGoBack: !info.isKeyframe)
        do throws(RingError) {
            if configuration.hasStamp, let format = NALFormat(info.codec) {
                try stamping.publish(unit, format, to: writer, captured: captured, flags: flags)
            } else {
                try writer.publish(unit, captured: captured, flags: flags)
            }
            isDiscontinuous = false
            if info.isKeyframe { lastKeyframe = info.captured }
            statistics.published(unit.count, isKeyframe: info.isKeyframe, at: Clock.monotonic())
        } catch {
            if statistics.failures == 0 {
                log.warn("a frame is not published", ["stream": name, "error": error, "remedy": "raise ring_size"])
            }
            statistics.failures += 1
            isDiscontinuous = true
            encoder.requestKeyframe()
        }
    }

    /// Tells readers what the stream is, if a keyframe says that it has become another.
    private func absorb(_ keyframe: Span<UInt8>, _ codec: Codec) {
        guard coded.absorb(keyframe, codec) || writer.store.description.configuration != coded.configuration else {
            return
        }
        let settings = encoder.settings
        let size = settings.map { (UInt32($0.width), UInt32($0.height)) } ?? (0, 0)
        let description = coded.description(size: size, rate: settings?.frameRate ?? wishes.sourceRate)
        do throws(RingError) {
            try writer.update(description)
            log.info(
                "stream described",
                [
                    "stream": name, "codec": description.codec.name,
                    "size": "\(description.width)x\(description.height)",
                    "fps": (description.frameRate.value * 100).rounded() / 100,
                    "from": isSlating ? "slate" : encoder.report?.chosen ?? "source",
                ]
            )
        } catch {
            log.error("stream not described", ["stream": name, "error": error])
        }
    }

    // MARK: The slate

    /// The size that a slate must have to go on in this stream.
    var slateSize: PictureSize {
        // What the ring was told last; before, what is configured.
        let known = writer.store.description
        guard known.width > 1, known.height > 1 else { return Slate.usualSize }
        return PictureSize(width: Int(known.width) & ~1, height: Int(known.height) & ~1)
    }

    /// From now on the slate stands in for the source; a stream of AV1, which nothing here encodes, stands still.
    func beginSlate() {
        guard !isSlating, passed != .av1 else { return }
        isSlating = true
        isDiscontinuous = true
        writer.isSlate = true
        coded.reset()
    }

    /// The source is back: what comes next is its own.
    func endSlate() {
        guard isSlating else { return }
        isSlating = false
        slateEncoder.close()
        isDiscontinuous = true
        writer.isSlate = false
        // The source's own parameter sets are not known any more; the next keyframe brings them.
        coded.reset()
        isPrimed = false
    }

    /// Encodes the slate, plainly and small, and publishes it.
    func encodeSlate(_ picture: PictureBuffer, captured: Instant) {
        if wantsKeyframe, captured - lastKeyframe >= Self.keyframeDistance {
            wantsKeyframe = false
            slateEncoder.requestKeyframe()
        }
        let codec = passed ?? wishes.codec
        do throws(EncodeError) {
            try slateEncoder.encode(picture, as: codec, captured: captured) { info, unit in
                if info.isKeyframe { absorb(unit, info.codec) }
                publish(info, unit)
            }
            encoder.slateEncoded()
        } catch {
            statistics.failures += 1
            encoder.slateEncoded(error)
        }
    }

    // MARK: Status

    var status: JSON {
        let description = writer.store.description
        let mode =
            isSlating ? "slate" : passed != nil ? "passthrough" : writer.hasDemand ? "encoding" : "idle"
        var members = [
            JSON.Member("name", .string(name)), JSON.Member("codec", .string(description.codec.name)),
            JSON.Member("width", JSON(description.width)), JSON.Member("height", JSON(description.height)),
            JSON.Member("fps", JSON(description.frameRate.value)), JSON.Member("mode", .string(mode)),
            JSON.Member("readers", JSON(writer.readerCount)), JSON.Member("demand", JSON(writer.hasDemand)),
        ]
        if passed == nil {
            members.append(JSON.Member("bitrate", JSON(wishes.bitrate)))
            members.append(JSON.Member("gop", JSON(wishes.gop.seconds)))
            if wishes.relief.isAny { members.append(JSON.Member("lowered", wishes.relief.json)) }
            members += encoder.members
        }
        if let failure = encoder.failure { members.append(JSON.Member("error", .string(failure))) }
        return .object(members + statistics.members)
    }
}
