// SPDX-License-Identifier: Apache-2.0
// A stream of H.264 or H.265: from pictures by an encoder, or from the source untouched; into its ring.

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
    /// After no encoder could be opened, it is tried again so much later.
    static let retryDelay = Duration.seconds(5)
    /// What is assumed of a source that does not tell its rate.
    static let assumedRate = Rational(30)

    let name: String
    let writer: RingWriter
    private(set) var configuration: VideoStreamConfiguration
    /// What was set by control verbs; nil as configured.
    var bitrateOverride: Int?
    var gopOverride: Duration?
    var frameRateOverride: Rational?
    /// What heat leaves of bitrate and frame rate.
    var relief = Relief()

    private let log: Logger
    private let selection: EncoderSelection
    private var encoder: VideoEncoder?
    private var report: EncoderReport?
    private var failure: String?
    private var retryAt = Instant.zero
    private var passed: Codec?
    private var coded = CodedFormat(.h264)
    private var sourceRate = Rational(0)
    private var scaler = Scaler()
    private var pool = PicturePool()
    private var gate = FrameGate()
    /// What has turned out to be needed; the machine may ask for more from the start.
    private var effort = EncoderEffort.normal
    private var load = EncoderLoad()
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
        self.configuration = configuration
        self.writer = writer
        self.selection = selection
        self.log = log
        writer.onKeyframeRequest = { [unowned self] in
            wantsKeyframe = true
            if passed != nil { onKeyframeRequest?() }
        }
    }

    /// Takes note of what the source gives now: whether it can pass untouched, and at which rate.
    func sourceChanged(_ format: CaptureFormat) {
        sourceRate = format.frameRate
        passed = nil
        guard let codec = format.codec, accepts(codec), configuration.frameRate == nil, frameRateOverride == nil else {
            return
        }
        if let wanted = configuration.size, let size = format.size, wanted != size { return }
        passed = codec
        encoder = nil
        if !isSlating { coded = CodedFormat(codec) }
    }

    private func accepts(_ codec: Codec) -> Bool {
        guard name == "main" else { return false }
        return switch configuration.codec {
        case .auto: codec == .h264 || codec == .h265 || codec == .av1
        case .h264: codec == .h264
        case .h265: codec == .h265
        }
    }

    /// Frames are missing from here on.
    func breakContinuity() { isDiscontinuous = true }

    /// Demand has come or gone: what comes next starts anew.
    func demandChanged(_ wanted: Bool) {
        guard wanted else { return }
        slateEncoder.requestKeyframe()
        guard passed == nil else { return }
        isDiscontinuous = statistics.frames > 0
        encoder?.requestKeyframe()
    }

    /// Makes the next frame a keyframe, as soon as one may come.
    func requestKeyframe() { wantsKeyframe = true }

    /// True if pictures are to be handed to `encode`.
    var wantsPictures: Bool { passed == nil && (writer.hasDemand || !isPrimed) }

    /// True if coded frames go into the ring as they are.
    var isPassing: Bool { passed != nil }

    func reconfigure(_ new: VideoStreamConfiguration) { configuration = new }

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
        guard gate.admits(captured, rate: rateLimit) else {
            statistics.skipped += 1
            return
        }
        let began = Clock.monotonic()
        guard began >= retryAt else { return }
        do throws(EncodeError) {
            let settings = settings(for: picture)
            let encoder = try readyEncoder(settings)
            if isSlating {
                endSlate()
                encoder.requestKeyframe()
            }
            let ready = Clock.monotonic()
            let input = try fit(picture, settings)
            if wantsKeyframe, captured - lastKeyframe >= Self.keyframeDistance {
                wantsKeyframe = false
                encoder.requestKeyframe()
            }
            try encoder.encode(input, captured: captured) { info, unit in
                if info.isKeyframe { absorb(unit, info.codec) }
                // Without readers, a first picture is encoded only to learn the parameter sets.
                if writer.hasDemand { publish(info, unit) } else { encoder.requestKeyframe() }
                isPrimed = true
            }
            let spent = Clock.monotonic() - ready
            statistics.encoded(in: spent)
            adapt(spent, settings.frameRate)
            failure = nil
        } catch {
            fail(error)
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
            encoder?.requestKeyframe()
        }
    }

    /// Tells readers what the stream is, if a keyframe says that it has become another.
    private func absorb(_ keyframe: Span<UInt8>, _ codec: Codec) {
        guard coded.absorb(keyframe, codec) || writer.store.description.configuration != coded.configuration else {
            return
        }
        let size = encoder.map { (UInt32($0.settings.width), UInt32($0.settings.height)) } ?? (0, 0)
        let description = coded.description(size: size, rate: encoder?.settings.frameRate ?? sourceRate)
        do throws(RingError) {
            try writer.update(description)
            log.info(
                "stream described",
                [
                    "stream": name, "codec": description.codec.name,
                    "size": "\(description.width)x\(description.height)",
                    "fps": (description.frameRate.value * 100).rounded() / 100,
                    "from": isSlating ? "slate" : report?.chosen ?? "source",
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
        let codec = passed ?? (configuration.codec == .h265 ? .h265 : .h264)
        do throws(EncodeError) {
            try slateEncoder.encode(picture, as: codec, captured: captured) { info, unit in
                if info.isKeyframe { absorb(unit, info.codec) }
                publish(info, unit)
            }
            failure = nil
        } catch {
            statistics.failures += 1
            if failure != error.description { log.error("slate not encoded", ["stream": name, "error": error]) }
            failure = error.description
        }
    }

    // MARK: The encoder

    private var rateLimit: Double {
        guard relief.frameRate < 1 else { return (frameRateOverride ?? configuration.frameRate)?.value ?? 0 }
        return frameRate.value
    }

    /// Frames per second that are encoded.
    private var frameRate: Rational {
        let source = sourceRate.value > 0 ? sourceRate : Self.assumedRate
        let limit = frameRateOverride ?? configuration.frameRate ?? source
        return relief.lowered(limit.value < source.value ? limit : source)
    }

    private func settings(for picture: PictureBuffer) -> EncoderSettings {
        let rate = frameRate
        let size = size(for: picture)
        let gop = gopOverride ?? configuration.gop
        var settings = EncoderSettings(
            codec: configuration.codec == .h265 ? .h265 : .h264,
            width: size.width,
            height: size.height,
            frameRate: rate,
            bitrate: relief.lowered(bitrate: bitrateOverride ?? configuration.bitrate),
            gop: max(1, Int((gop.seconds * rate.value).rounded())),
            range: picture.range
        )
        settings.effort = max(effort, EncoderMachine.present.effort(settings))
        return settings
    }

    /// The size as configured; the small picture is never larger than its source, which would cost and show nothing more.
    private func size(for picture: PictureBuffer) -> PictureSize {
        let source = PictureSize(width: picture.width & ~1, height: picture.height & ~1)
        guard let wanted = configuration.size else { return source }
        guard name == "sub", wanted.width > source.width || wanted.height > source.height else { return wanted }
        // The source's shape, as large as it goes into both.
        let scale = min(1, Double(wanted.width) / Double(source.width), Double(wanted.height) / Double(source.height))
        return PictureSize(
            width: max(16, Int(Double(source.width) * scale) & ~1),
            height: max(16, Int(Double(source.height) * scale) & ~1)
        )
    }

    private func readyEncoder(_ settings: EncoderSettings) throws(EncodeError) -> VideoEncoder {
        if let encoder, encoder.settings == settings || encoder.reconfigure(to: settings) { return encoder }
        let isFirst = encoder == nil
        encoder = nil
        let (opened, report) = try selection.open(settings)
        encoder = opened
        for refusal in selection.takeRefusals() {
            log.info("encoder refused", ["encoder": refusal.name, "reason": refusal.reason])
        }
        self.report = report
        log.info(
            isFirst ? "encoder opened" : "encoder reopened",
            [
                "stream": name, "encoder": report.chosen, "size": "\(settings.width)x\(settings.height)",
                "fps": settings.frameRate.value, "bitrate": settings.bitrate, "gop": settings.gop,
                "effort": Self.describe(settings.effort, report.kind),
            ]
        )
        return opened
    }

    /// What a software encoder is told, with the cores that this was chosen for.
    private static func describe(_ effort: EncoderEffort, _ kind: EncoderKind) -> String {
        guard kind == .software else { return "hardware" }
        return "\(effort): \(effort.preset), \(effort.threads) of \(EncoderMachine.present.cores) cores"
    }

    /// Spends less on each picture if this machine cannot keep up: late pictures are worse than plain ones.
    private func adapt(_ spent: Duration, _ rate: Rational) {
        load.add(spent * Int(rate.numerator) / Int(rate.denominator))
        guard load.isTooHigh, let encoder, encoder.report.kind == .software, encoder.settings.effort < .least else {
            return
        }
        effort = EncoderEffort(rawValue: encoder.settings.effort.rawValue + 1) ?? .least
        log.warn(
            "encoder is too slow, and is told to spend less",
            [
                "stream": name, "effort": "\(effort)", "load": "\(Int(load.mean * 100))%",
                "remedy": "a smaller size or fps",
            ]
        )
        load = EncoderLoad()
    }

    private func fit(_ picture: PictureBuffer, _ settings: EncoderSettings) throws(EncodeError) -> PictureBuffer {
        if picture.width == settings.width, picture.height == settings.height, picture.format == .yuv420 {
            return picture
        }
        let fitted = try pool.take(width: settings.width, height: settings.height)
        try scaler.scale(picture, into: fitted)
        return fitted
    }

    private func fail(_ error: EncodeError) {
        statistics.failures += 1
        if failure != error.description {
            log.error("encoding failed", ["stream": name, "error": error])
        }
        failure = error.description
        if let report, encoder != nil {
            selection.refuse(report, because: error.reason)
        } else {
            retryAt = Clock.monotonic() + Self.retryDelay
        }
        encoder = nil
        isDiscontinuous = true
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
            members.append(JSON.Member("bitrate", JSON(bitrateOverride ?? configuration.bitrate)))
            members.append(JSON.Member("gop", JSON((gopOverride ?? configuration.gop).seconds)))
            if relief.isAny { members.append(JSON.Member("lowered", relief.json)) }
            members.append(JSON.Member("encoder", JSON(report?.chosen)))
            members.append(JSON.Member("effort", .string("\(encoder?.settings.effort ?? effort)")))
            let refused = report?.refused
                .map { refusal -> JSON in
                    ["encoder": .string(refusal.name), "reason": .string(refusal.reason)]
                }
            members.append(JSON.Member("refused", .array(refused ?? [])))
        }
        if let failure { members.append(JSON.Member("error", .string(failure))) }
        return .object(members + statistics.members)
    }
}
