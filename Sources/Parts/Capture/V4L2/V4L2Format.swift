// SPDX-License-Identifier: Apache-2.0
// The pixel formats taken from V4L2 devices, and the choice among what a device offers.

package import Config
package import Encode
package import Media

/// A pixel format of a capture device.
package typealias V4L2Format = SourceAddress.V4L2Format

extension V4L2Format {
    /// The kernel's code: four characters, first lowest. MJPEG devices say MJPG or JPEG.
    package var fourCC: UInt32 {
        switch self {
        case .mjpeg: 0x4750_4A4D
        case .h264: 0x3436_3248
        case .yuyv: 0x5659_5559
        case .nv12: 0x3231_564E
        }
    }

    /// The format with this kernel code.
    package init?(fourCC: UInt32) {
        let plainJPEG: UInt32 = 0x4745_504A
        guard let match = Self.allCases.first(where: { $0.fourCC == fourCC || ($0 == .mjpeg && fourCC == plainJPEG) })
        else { return nil }
        self = match
    }

    /// The codec of its frames; nil if they are uncompressed.
    package var codec: Codec? {
        switch self {
        case .mjpeg: .jpeg
        case .h264: .h264
        case .yuyv, .nv12: nil
        }
    }

    /// How uncompressed frames are laid out.
    package var pixels: PixelFormat? {
        switch self {
        case .yuyv: .yuyv
        case .nv12: .nv12
        case .mjpeg, .h264: nil
        }
    }

    /// The bytes of one uncompressed frame.
    func frameLength(stride: Int, height: Int) -> Int {
        switch self {
        case .yuyv: stride * height
        case .nv12: stride * height * 3 / 2
        case .mjpeg, .h264: 0
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
            case .nv12: 1
            case .yuyv: 2
            case .h264: 3
            case nil: 4
            }
        return (difference, missing, work)
    }
}
