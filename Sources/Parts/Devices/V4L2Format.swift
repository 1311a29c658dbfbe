// SPDX-License-Identifier: Apache-2.0
// The pixel formats taken from V4L2 devices, and the choice among what a device offers.

package import Config
package import Media

/// A pixel format of a capture device.
package typealias V4L2Format = SourceAddress.V4L2Format

extension V4L2Format {
    /// The kernel's codes for it, in the order in which they are preferred; the first is the usual one.
    ///
    /// Where planes are memory of their own each, a format has another code.
    private var codes: [String] {
        switch self {
        case .mjpeg: ["MJPG", "JPEG"]
        case .h264: ["H264"]
        case .hevc: ["HEVC"]
        case .yuyv: ["YUYV"]
        case .uyvy: ["UYVY"]
        case .nv12: ["NV12", "NM12"]
        case .nv21: ["NV21", "NM21"]
        case .yu12: ["YU12", "YM12"]
        case .grey: ["GREY"]
        case .rgb24: ["RGB3"]
        case .bgr24: ["BGR3"]
        }
    }

    /// The kernel's usual code: four characters, the first lowest.
    package var fourCC: UInt32 { Self.fourCC(codes[0]) }

    /// The format with this kernel code.
    package init?(fourCC: UInt32) {
        guard let match = Self.allCases.first(where: { $0.codes.contains { Self.fourCC($0) == fourCC } }) else {
            return nil
        }
        self = match
    }

    private static func fourCC(_ text: String) -> UInt32 { text.utf8.reversed().reduce(0) { $0 << 8 | UInt32($1) } }

    /// The codec of its frames; nil if they are uncompressed.
    package var codec: Codec? {
        switch self {
        case .mjpeg: .jpeg
        case .h264: .h264
        case .hevc: .h265
        default: nil
        }
    }

    /// The bytes of a pixel in a row of the first plane.
    package var pixelLength: Int {
        switch self {
        case .yuyv, .uyvy: 2
        case .rgb24, .bgr24: 3
        default: 1
        }
    }
}

/// A format, size and rate that a device offers.
package struct V4L2Mode: Sendable, Hashable {
    package var fourCC: UInt32
    package var size: PictureSize
    /// The highest frames per second at that size; 0 if the driver does not say.
    package var frameRate: Double

    package init(fourCC: UInt32, size: PictureSize, frameRate: Double) {
        self.fourCC = fourCC
        self.size = size
        self.frameRate = frameRate
    }

    /// The mode nearest to what is asked for; nil if none has a usable format.
    ///
    /// A given format is kept; then the size counts, then the rate, then how much work the format makes: uncompressed
    /// frames need no decoding, but USB carries few of them; MJPEG also gives pictures to every other stream.
    package static func best(
        among modes: [V4L2Mode],
        for request: SourceAddress.V4L2Request,
        preferring target: PictureSize,
        rate: Int
    ) -> V4L2Mode? {
        let size = request.size ?? target
        let frameRate = Double(request.frameRate ?? rate)
        return
            modes
            .filter { mode in
                guard let format = V4L2Format(fourCC: mode.fourCC) else { return false }
                return request.format == nil || request.format == format
            }
            .min { left, right in score(left, size, frameRate) < score(right, size, frameRate) }
    }

    /// Lower is better.
    private static func score(_ mode: V4L2Mode, _ size: PictureSize, _ rate: Double) -> (Int, Double, Int) {
        let difference = abs(mode.size.width - size.width) + abs(mode.size.height - size.height)
        let missing = mode.frameRate > 0 ? max(0, rate - mode.frameRate - 0.5) : 0
        let work =
            switch V4L2Format(fourCC: mode.fourCC) {
            case .mjpeg: 0
            case .yu12, .nv12, .nv21: 1
            case .yuyv, .uyvy: 2
            case .rgb24, .bgr24: 3
            case .h264: 4
            case .hevc: 5
            case .grey: 6
            case nil: 7
            }
        return (difference, missing, work)
    }
}
