// SPDX-License-Identifier: Apache-2.0
// The choice among what a V4L2 device offers.

@testable import Capture
import Config
import Devices
import Testing

@Suite("V4L2 modes") struct V4L2ModeTests {
    @Test("of a device's modes, the one nearest to what is wanted is taken")
    func modes() {
        let mjpeg = V4L2Format.mjpeg.fourCC
        let yuyv = V4L2Format.yuyv.fourCC
        let full = PictureSize(width: 1920, height: 1080)
        let small = PictureSize(width: 640, height: 480)
        let modes = [
            V4L2Mode(fourCC: 0x3030_3030, size: full, frameRate: 60),
            V4L2Mode(fourCC: yuyv, size: full, frameRate: 5),
            V4L2Mode(fourCC: yuyv, size: small, frameRate: 30),
            V4L2Mode(fourCC: mjpeg, size: full, frameRate: 30),
            V4L2Mode(fourCC: mjpeg, size: small, frameRate: 30),
        ]

        func best(_ request: SourceAddress.V4L2Request) -> V4L2Mode? {
            V4L2Mode.best(among: modes, for: request, preferring: full, rate: 30)
        }

        #expect(best(.init()) == modes[3])
        #expect(best(.init(size: small)) == modes[4])
        #expect(best(.init(format: .yuyv)) == modes[1])
        #expect(best(.init(size: small, format: .yuyv)) == modes[2])
        #expect(best(.init(format: .nv12)) == nil)
    }

    @Test("every format has a code, and the codes of planes apart are known")
    func codes() {
        for format in V4L2Format.allCases {
            #expect(V4L2Format(fourCC: format.fourCC) == format)
            #expect((format.codec == nil) == (format.pixels != nil))
        }
        #expect(V4L2Format.mjpeg.fourCC == 0x4750_4A4D)
        #expect(V4L2Format(fourCC: 0x4745_504A) == .mjpeg)
        #expect(V4L2Format(fourCC: 0x3231_4D4E) == .nv12)
        #expect(V4L2Format(fourCC: 0x3231_4D59) == .yu12)
        #expect(V4L2Format(fourCC: 0) == nil)
    }
}
