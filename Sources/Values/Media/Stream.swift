// SPDX-License-Identifier: Apache-2.0
// What an elementary stream is made of: codec, geometry, rate, configuration, frames.

package import Bytes

/// The coding of a stream's frames. The raw value is the four-character code that the ring's header carries,
/// first character in the lowest byte.
package enum Codec: UInt32, Sendable, CaseIterable {
    case h264 = 0x3436_3248  // "H264"
    case h265 = 0x3536_3248  // "H265"
    case av1 = 0x3130_5641  // "AV01"
    case jpeg = 0x4745_504A  // "JPEG"
    case nv12 = 0x3231_564E  // "NV12"
    case grey = 0x5945_5247  // "GREY"
    case aac = 0x2043_4141  // "AAC "
    case opus = 0x5355_504F  // "OPUS"
    case pcmu = 0x554D_4350  // "PCMU"
    case pcma = 0x414D_4350  // "PCMA"
    case l16 = 0x2036_314C  // "L16 "

    /// The name used in configuration, logs and JSON.
    package var name: String {
        switch self {
        case .h264: "h264"
        case .h265: "h265"
        case .av1: "av1"
        case .jpeg: "jpeg"
        case .nv12: "nv12"
        case .grey: "grey"
        case .aac: "aac"
        case .opus: "opus"
        case .pcmu: "pcmu"
        case .pcma: "pcma"
        case .l16: "l16"
        }
    }

    /// True for sound.
    package var isAudio: Bool {
        switch self {
        case .aac, .opus, .pcmu, .pcma, .l16: true
        case .h264, .h265, .av1, .jpeg, .nv12, .grey: false
        }
    }

    /// True when each frame decodes without any other.
    package var isIntraOnly: Bool {
        switch self {
        case .h264, .h265, .av1: false
        case .jpeg, .nv12, .grey, .aac, .opus, .pcmu, .pcma, .l16: true
        }
    }
}

/// A ratio of two whole numbers, such as a frame rate of 30000/1001.
package struct Rational: Sendable, Hashable {
    package var numerator: UInt32
    package var denominator: UInt32

    /// Makes `numerator/denominator`; a zero denominator is taken as 1.
    package init(_ numerator: UInt32, _ denominator: UInt32 = 1) {
        self.numerator = numerator
        self.denominator = max(1, denominator)
    }

    /// The ratio as a floating-point number.
    package var value: Double { Double(numerator) / Double(denominator) }
}

/// What a consumer must know of a stream before its first frame.
package struct StreamDescription: Sendable, Hashable {
    package var codec: Codec
    /// Picture size in pixels; 0 for sound.
    package var width: UInt32
    package var height: UInt32
    /// Frames per second; 0/1 where it is not known.
    package var frameRate: Rational
    /// Samples per second and channel count; 0 for pictures.
    package var sampleRate: UInt32
    package var channels: UInt32
    /// Codec configuration. H.264/H.265: the parameter sets, each behind a 00 00 00 01 start code.
    /// AV1: the sequence header OBU with its size field. AAC: the AudioSpecificConfig. Others: empty.
    ///
    /// Frames of L16 are big-endian, as the name of the format says and RTP carries them (RFC 3551 §4.5.11).
    package var configuration: [UInt8]

    /// Describes a stream of pictures.
    package init(
        video codec: Codec,
        width: UInt32,
        height: UInt32,
        frameRate: Rational,
        configuration: [UInt8] = []
    ) {
        self.codec = codec
        self.width = width
        self.height = height
        self.frameRate = frameRate
        self.sampleRate = 0
        self.channels = 0
        self.configuration = configuration
    }

    /// Describes a stream of sound.
    package init(audio codec: Codec, sampleRate: UInt32, channels: UInt32, configuration: [UInt8] = []) {
        self.codec = codec
        self.width = 0
        self.height = 0
        self.frameRate = Rational(0)
        self.sampleRate = sampleRate
        self.channels = channels
        self.configuration = configuration
    }
}

/// Properties of one frame.
package struct FrameFlags: OptionSet, Sendable, Hashable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Decodes without any earlier frame.
    package static let keyframe = FrameFlags(rawValue: 1 << 0)
    /// Frames are missing between the one before and this one.
    package static let discontinuity = FrameFlags(rawValue: 1 << 1)
    /// Stands in for a source that is lost.
    package static let slate = FrameFlags(rawValue: 1 << 2)
}

/// What is known of one frame apart from its bytes.
package struct FrameInfo: Sendable, Hashable {
    /// 1 for the first frame of a ring's incarnation, then one more for each.
    package var sequence: UInt64
    /// When the picture or the first sample was taken.
    package var captured: Instant
    /// When the frame was published into the ring.
    package var published: Instant
    package var flags: FrameFlags
    /// The payload's length in bytes.
    package var length: Int

    package init(sequence: UInt64, captured: Instant, published: Instant, flags: FrameFlags, length: Int) {
        self.sequence = sequence
        self.captured = captured
        self.published = published
        self.flags = flags
        self.length = length
    }
}
