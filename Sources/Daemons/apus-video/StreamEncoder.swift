// SPDX-License-Identifier: Apache-2.0
// The encoder of a video stream: opened when it is needed, replaced when it fails, told to spend less when it is too slow.

import Bytes
import Control
import Encode
import Log
import Media
import System

/// The encoder that a stream has at the moment, and what was learned of those before.
struct StreamEncoder: ~Copyable {
    /// After no encoder could be opened, it is tried again so much later.
    static let retryDelay = Duration.seconds(5)

    /// Which is open; nil for none.
    private(set) var report: EncoderReport?
    /// Why the last picture was not encoded; nil if it was.
    private(set) var failure: String?

    private let stream: String
    private let selection: EncoderSelection
    private let log: Logger
    private var encoder: VideoEncoder?
    private var retryAt = Instant.zero
    private var scaler = Scaler()
    private var pool = PicturePool()
    /// What has turned out to be needed; the machine may ask for more from the start.
    private var effort = EncoderEffort.normal
    private var load = EncoderLoad()

    init(stream: String, selection: EncoderSelection, log: Logger) {
        self.stream = stream
        self.selection = selection
        self.log = log
    }

    /// What it is set to; nil if none is open.
    var settings: EncoderSettings? { encoder?.settings }

    /// True if it may be tried to open one.
    func isDue(at now: Instant) -> Bool { now >= retryAt }

    /// Makes the next picture a keyframe.
    func requestKeyframe() { encoder?.requestKeyframe() }

    /// Gives the encoder back; another is opened when it is needed.
    mutating func close() { encoder = nil }

    /// An encoder with these settings: the one that is open, if it can be changed to them, or a new one.
    mutating func ready(_ wanted: EncoderSettings) throws(EncodeError) -> VideoEncoder {
        var settings = wanted
        settings.effort = max(effort, EncoderMachine.present.effort(settings))
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
                "stream": stream, "encoder": report.chosen, "size": "\(settings.width)x\(settings.height)",
                "fps": settings.frameRate.value, "bitrate": settings.bitrate, "gop": settings.gop,
                "effort": Self.describe(settings.effort, report.kind),
            ]
        )
        return opened
    }

    /// The picture in the encoder's size and format.
    mutating func fit(_ picture: PictureBuffer, _ settings: EncoderSettings) throws(EncodeError) -> PictureBuffer {
        if picture.width == settings.width, picture.height == settings.height, picture.format == .yuv420 {
            return picture
        }
        let fitted = try pool.take(width: settings.width, height: settings.height)
        try scaler.scale(picture, into: fitted)
        return fitted
    }

    /// A picture was encoded in so much time. Late pictures are worse than plain ones: if this machine cannot keep up, less
    /// is spent on each.
    mutating func succeeded(in spent: Duration, _ rate: Rational) {
        failure = nil
        load.add(spent * Int(rate.numerator) / Int(rate.denominator))
        guard load.isTooHigh, let encoder, encoder.report.kind == .software, encoder.settings.effort < .least else {
            return
        }
        effort = EncoderEffort(rawValue: encoder.settings.effort.rawValue + 1) ?? .least
        log.warn(
            "encoder is too slow, and is told to spend less",
            [
                "stream": stream, "effort": "\(effort)", "load": "\(Int(load.mean * 100))%",
                "remedy": "a smaller size or fps",
            ]
        )
        load = EncoderLoad()
    }

    /// A picture was not encoded: that encoder is not used again; if it could not even be opened, none is for a while.
    mutating func failed(_ error: EncodeError) {
        if failure != error.description { log.error("encoding failed", ["stream": stream, "error": error]) }
        failure = error.description
        if let report, encoder != nil {
            selection.refuse(report, because: error.reason)
        } else {
            retryAt = Clock.monotonic() + Self.retryDelay
        }
        encoder = nil
    }

    /// Notes how the slate fared, which has an encoder of its own.
    mutating func slateEncoded(_ error: EncodeError? = nil) {
        if let error, failure != error.description {
            log.error("slate not encoded", ["stream": stream, "error": error])
        }
        failure = error?.description
    }

    var members: [JSON.Member] {
        let refused = report?.refused
            .map { refusal -> JSON in
                ["encoder": .string(refusal.name), "reason": .string(refusal.reason)]
            }
        return [
            JSON.Member("encoder", JSON(report?.chosen)),
            JSON.Member("effort", .string("\(encoder?.settings.effort ?? effort)")),
            JSON.Member("refused", .array(refused ?? [])),
        ]
    }

    /// What a software encoder is told, with the cores that this was chosen for.
    private static func describe(_ effort: EncoderEffort, _ kind: EncoderKind) -> String {
        guard kind == .software else { return "hardware" }
        return "\(effort): \(effort.preset), \(effort.threads) of \(EncoderMachine.present.cores) cores"
    }
}
