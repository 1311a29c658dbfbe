// SPDX-License-Identifier: Apache-2.0
// What a video stream is to be encoded as: what is configured, set by verbs, possible by the source, and left by heat.

import Bytes
import Capture
import Config
import Encode
import Media

/// What is wanted of a video stream's encoder.
struct StreamWishes {
    /// What is assumed of a source that does not tell its rate.
    static let assumedRate = Rational(30)

    var configuration: VideoStreamConfiguration
    /// True of the small picture, which is never larger than its source: that would cost, and show nothing more.
    let isSub: Bool
    /// What was set by control verbs; nil as configured.
    var bitrateOverride: Int?
    var gopOverride: Duration?
    var frameRateOverride: Rational?
    /// What heat leaves of bitrate and frame rate.
    var relief = Relief()
    /// 0 if the source does not tell.
    var sourceRate = Rational(0)

    init(_ configuration: VideoStreamConfiguration, isSub: Bool) {
        self.configuration = configuration
        self.isSub = isSub
    }

    /// In bit/s, before heat takes of it.
    var bitrate: Int { bitrateOverride ?? configuration.bitrate }
    /// From one keyframe to the next.
    var gop: Duration { gopOverride ?? configuration.gop }
    /// H.264, unless H.265 is asked for.
    var codec: Codec { configuration.codec == .h265 ? .h265 : .h264 }

    /// Frames per second that are let through; 0 for all that the source gives.
    var rateLimit: Double {
        guard relief.frameRate < 1 else { return (frameRateOverride ?? configuration.frameRate)?.value ?? 0 }
        return frameRate.value
    }

    /// True if the source's own coding can be the stream's, untouched.
    func canPass(_ format: CaptureFormat) -> Bool {
        guard !isSub, configuration.frameRate == nil, frameRateOverride == nil else { return false }
        if let wanted = configuration.size, let size = format.size, wanted != size { return false }
        return switch configuration.codec {
        case .auto: format.codec == .h264 || format.codec == .h265 || format.codec == .av1
        case .h264: format.codec == .h264
        case .h265: format.codec == .h265
        }
    }

    /// What an encoder is to be set to for a picture.
    func settings(for picture: PictureBuffer) -> EncoderSettings {
        let rate = frameRate
        let size = size(for: picture)
        return EncoderSettings(
            codec: codec,
            width: size.width,
            height: size.height,
            frameRate: rate,
            bitrate: relief.lowered(bitrate: bitrate),
            gop: max(1, Int((gop.seconds * rate.value).rounded())),
            range: picture.range
        )
    }

    /// Frames per second that are encoded.
    private var frameRate: Rational {
        let source = sourceRate.value > 0 ? sourceRate : Self.assumedRate
        let limit = frameRateOverride ?? configuration.frameRate ?? source
        return relief.lowered(limit.value < source.value ? limit : source)
    }

    private func size(for picture: PictureBuffer) -> PictureSize {
        let source = PictureSize(width: picture.width & ~1, height: picture.height & ~1)
        guard let wanted = configuration.size else { return source }
        guard isSub, wanted.width > source.width || wanted.height > source.height else { return wanted }
        // The source's shape, as large as it goes into both.
        let scale = min(1, Double(wanted.width) / Double(source.width), Double(wanted.height) / Double(source.height))
        return PictureSize(
            width: max(16, Int(Double(source.width) * scale) & ~1),
            height: max(16, Int(Double(source.height) * scale) & ~1)
        )
    }
}
