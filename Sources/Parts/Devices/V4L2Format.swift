// SPDX-License-Identifier: Apache-2.0
// The pixel formats taken from V4L2 devices.

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
