// SPDX-License-Identifier: Apache-2.0
// What the codec library calls the pixel formats of devices.

import Config
import Devices
import Encode

extension V4L2Format {
    /// How uncompressed frames are laid out.
    var pixels: PixelFormat? {
        switch self {
        case .mjpeg, .h264, .hevc: nil
        case .yuyv: .yuyv
        case .uyvy: .uyvy
        case .nv12: .nv12
        case .nv21: .nv21
        case .yu12: .yuv420
        case .grey: .grey
        case .rgb24: .rgb24
        case .bgr24: .bgr24
        }
    }
}
