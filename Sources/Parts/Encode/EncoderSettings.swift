// SPDX-License-Identifier: Apache-2.0
// What a video encoder is asked for, and which encoders there are to ask.

package import Media

/// How much a software encoder may cost.
package enum EncoderEffort: Int, Sendable, Comparable, CaseIterable {
    /// One thread, good quality: what most machines can do.
    case normal
    /// Several threads on each picture, which then has several slices.
    case threaded
    /// The least work that makes a valid stream, on several threads.
    case least

    package static func < (left: EncoderEffort, right: EncoderEffort) -> Bool { left.rawValue < right.rawValue }

    /// How many threads work on a picture.
    package var threads: Int { self == .normal ? 1 : EncoderMachine.present.threads }

    /// What libx264 calls it.
    package var preset: String { self == .least ? "ultrafast" : "superfast" }
}

/// What a video stream should be.
package struct EncoderSettings: Sendable, Hashable {
    package var codec: Codec
    package var width: Int
    package var height: Int
    package var frameRate: Rational
    /// Bits per second.
    package var bitrate: Int
    /// Frames from one keyframe to the next.
    package var gop: Int
    /// The range that input pictures have; it is written into the stream.
    package var range: SampleRange
    /// What a software encoder may cost; hardware has a price of its own.
    package var effort: EncoderEffort

    package init(
        codec: Codec = .h264,
        width: Int,
        height: Int,
        frameRate: Rational = Rational(30),
        bitrate: Int,
        gop: Int,
        range: SampleRange = .limited,
        effort: EncoderEffort = .normal
    ) {
        self.codec = codec
        self.width = width
        self.height = height
        self.frameRate = frameRate
        self.bitrate = bitrate
        self.gop = gop
        self.range = range
        self.effort = effort
    }
}

/// An implementation of a video encoder.
package enum EncoderKind: String, Sendable, CaseIterable {
    case nvenc
    case vaapi
    case qsv
    case v4l2m2m
    case software

    /// The kinds in the order `auto` tries them: dedicated silicon first.
    package static let automatic: [EncoderKind] = [.nvenc, .vaapi, .qsv, .v4l2m2m, .software]

    /// The library's name for the encoder of this kind.
    package func name(for codec: Codec) -> String? {
        switch (self, codec) {
        case (.nvenc, .h264): "h264_nvenc"
        case (.vaapi, .h264): "h264_vaapi"
        case (.qsv, .h264): "h264_qsv"
        case (.v4l2m2m, .h264): "h264_v4l2m2m"
        case (.software, .h264): "libx264"
        case (.nvenc, .h265): "hevc_nvenc"
        case (.vaapi, .h265): "hevc_vaapi"
        case (.qsv, .h265): "hevc_qsv"
        case (.v4l2m2m, .h265): "hevc_v4l2m2m"
        case (.software, .h265): "libx265"
        default: nil
        }
    }

    /// Options of the encoder, so chosen that a frame leaves as soon as it went in.
    func options(for codec: Codec, _ effort: EncoderEffort) -> [(String, String)] {
        switch (self, codec) {
        case (.nvenc, _):
            [
                ("preset", "p3"), ("tune", "ull"), ("zerolatency", "1"), ("delay", "0"), ("rc", "cbr"),
                ("forced-idr", "1"),
            ]
        case (.vaapi, _): [("async_depth", "1"), ("rc_mode", "CBR")]
        case (.qsv, _): [("preset", "veryfast"), ("async_depth", "1"), ("forced_idr", "1")]
        case (.v4l2m2m, _): []
        case (.software, .h265):
            [
                ("preset", "ultrafast"), ("tune", "zerolatency"), ("forced-idr", "1"),
                (
                    "x265-params",
                    "log-level=error:repeat-headers=1:scenecut=0:pools=\(effort.threads):frame-threads=1:info=0"
                ),
            ]
        case (.software, _):
            [
                ("preset", effort.preset), ("tune", "zerolatency"), ("forced-idr", "1"),
                ("x264-params", "sliced-threads=\(effort.threads > 1 ? 1 : 0):scenecut=0"),
            ]
        }
    }

    /// True if a new bitrate takes effect without reopening the encoder.
    func changesBitrateLive(_ codec: Codec) -> Bool { self == .software && codec == .h264 || self == .nvenc }
}

/// Which encoder a stream got, and why it got no better one.
package struct EncoderReport: Sendable, Hashable {
    /// The library's name for the encoder, such as "libx264".
    package var chosen: String
    package var kind: EncoderKind
    /// The encoders tried before, each with what stood against it.
    package var refused: [Refusal]

    package struct Refusal: Sendable, Hashable {
        package var name: String
        package var reason: String
    }
}
