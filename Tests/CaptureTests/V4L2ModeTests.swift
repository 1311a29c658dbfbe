// SPDX-License-Identifier: Apache-2.0
// The choice among what a V4L2 device offers.

import Bytes
import CShimLinux
import Config
import Media
import System
import Testing

@testable import Capture
@testable import Devices

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

    @Test("where the bus has no room, the least loss is tried that makes real room")
    func fallback() {
        let full = PictureSize(width: 1280, height: 720)
        let small = PictureSize(width: 640, height: 360)
        let yuyv = V4L2Mode(fourCC: V4L2Format.yuyv.fourCC, size: full, rates: [30, 15, 10])
        let mjpeg = V4L2Mode(fourCC: V4L2Format.mjpeg.fourCC, size: full, rates: [30])
        let tiny = V4L2Mode(fourCC: V4L2Format.yuyv.fourCC, size: small, rates: [30, 15])
        let grey = V4L2Mode(fourCC: V4L2Format.grey.fourCC, size: full, rates: [30])

        /// All that is tried when everything is refused.
        func tries(_ modes: [V4L2Mode], keeping format: V4L2Format? = nil) -> [String] {
            let wanted = V4L2Plan(modes[0], frameRate: 30)
            var plans: [V4L2Plan] = []
            while let next = wanted.next(after: plans.last ?? wanted, among: modes, keeping: format) {
                plans.append(next)
            }
            return plans.map(\.description)
        }

        #expect(tries([yuyv, mjpeg]) == ["mjpeg 1280x720 at 30 fps"])
        #expect(
            tries([yuyv, mjpeg], keeping: .yuyv) == ["yuyv 1280x720 at 15 fps", "mjpeg 1280x720 at 30 fps"]
        )
        #expect(
            tries([yuyv, tiny]) == [
                "yuyv 1280x720 at 15 fps", "yuyv 1280x720 at 10 fps", "yuyv 640x360 at 30 fps",
                "yuyv 640x360 at 15 fps",
            ]
        )
        #expect(tries([yuyv, grey]).first == "yuyv 1280x720 at 15 fps")
        #expect(tries([mjpeg]) == [])
    }

    @Test("a format that lists no rates is tried at half of what was wanted")
    func unlistedRates() {
        let size = PictureSize(width: 640, height: 480)
        let mode = V4L2Mode(fourCC: V4L2Format.yuyv.fourCC, size: size, rates: [])

        let next = V4L2Plan(mode, frameRate: 30).next(after: V4L2Plan(mode, frameRate: 30), among: [mode], keeping: nil)

        #expect(next?.frameRate == 15)
    }

    @Test("of a range, the size nearest to what is wanted is on its grid, and what the driver makes of it")
    func ranges() {
        func size(_ width: Int, _ height: Int) -> PictureSize { PictureSize(width: width, height: height) }
        let range = V4L2SizeRange(smallest: size(16, 16), largest: size(2592, 1944), step: size(16, 8))

        #expect(range.nearest(to: size(1640, 1232)) == size(1648, 1232))
        #expect(range.nearest(to: size(1024, 576)) == size(1024, 576))
        #expect(range.nearest(to: size(1, 1)) == size(16, 16))
        #expect(range.nearest(to: size(.max >> 8, 9999)) == size(2592, 1944))
        #expect(range.candidates(near: size(1680, 1050)) { _ in nil }.contains(size(1680, 1048)))
        #expect(range.candidates(near: size(1680, 1050)) { _ in size(1664, 1040) }.contains(size(1664, 1040)))

        let scaler = V4L2SizeRange(smallest: size(16, 16), largest: size(1280, 800), step: size(2, 1))
        let usual = [(1280, 720), (800, 600), (640, 480), (640, 360), (320, 240)].map { size($0.0, $0.1) }
        for (wanted, taken) in [(size(720, 575), size(720, 575)), (size(1282, 801), size(1280, 800))] {
            #expect(Set(scaler.candidates(near: wanted) { _ in nil }) == Set(usual + [taken]))
        }
        #expect(scaler.candidates(near: size(640, 480)) { _ in nil } == usual)

        let ends = V4L2SizeRange(smallest: size(640, 480), largest: size(2592, 1944), step: nil)
        #expect(ends.candidates(near: size(800, 600)) { _ in nil } == [size(2592, 1944), size(640, 480)])
        #expect(ends.candidates(near: size(800, 600)) { $0 }.contains(size(800, 600)))

        // A range that has no usual size, and ends that are the wrong way round.
        let odd = V4L2SizeRange(smallest: size(100, 100), largest: size(200, 200), step: size(1, 1))
        #expect(odd.candidates(near: nil) { _ in nil } == [size(200, 200), size(100, 100)])
        let wrong = V4L2SizeRange(smallest: size(200, 200), largest: size(100, 100), step: size(7, 7))
        #expect(wrong.nearest(to: size(150, 150)) == size(200, 200))
    }

    @Test("timings are alike whose rates are measured a little differently")
    func timings() {
        func timings(_ millihertz: UInt32, width: UInt32 = 1920) -> V4L2Timings {
            V4L2Timings(.init(width: width, height: 1080, is_interlaced: 0, millihertz: millihertz))
        }

        #expect(timings(60_000).isLike(timings(60_030)))
        #expect(!timings(60_000).isLike(timings(59_940)))
        #expect(!timings(60_000).isLike(timings(60_000, width: 1280)))
    }

    @Test("a picture whose planes are memory of their own is short if one of them is")
    func planes() {
        let size = PictureSize(width: 640, height: 360)
        func isWhole(_ format: V4L2Format, _ strides: [Int], _ counts: [Int]) -> Bool {
            var pictures = V4L2Pictures()
            let setting = V4L2Device.Setting(
                format: format,
                size: size,
                strides: strides,
                frameRate: Rational(30),
                isFullRange: false
            )
            let ranges = InlineArray<3, Range<Int>> { 0..<($0 < counts.count ? counts[$0] : 0) }
            let filled = V4L2Device.Filled(
                index: 0,
                ranges: ranges,
                sequence: 0,
                isDamaged: false,
                clock: .monotonic,
                isStart: false,
                time: .zero
            )
            return pictures.isWhole(filled, setting)
        }

        #expect(isWhole(.nv12, [640, 640], [640 * 360, 640 * 180]))
        #expect(!isWhole(.nv12, [640, 640], [640 * 360, 640 * 180 - 1]))
        #expect(!isWhole(.nv12, [640, 640], [640 * 360 - 1, 640 * 180]))
        // The last row needs no padding.
        #expect(isWhole(.nv12, [768, 768], [768 * 359 + 640, 768 * 179 + 640]))
        #expect(isWhole(.yu12, [640, 320, 320], [640 * 360, 320 * 180, 320 * 180]))
        #expect(!isWhole(.yu12, [640, 320, 320], [640 * 360, 320 * 180, 0]))
    }

    @Test("a rate that no camera has is not believed, and odd fractions of one are made handy")
    func rates() {
        #expect(V4L2Device.believable(30, 1) == Rational(30))
        #expect(V4L2Device.believable(30_000, 1001) == Rational(30_000, 1001))
        #expect(V4L2Device.believable(4_294_967_295, 143_165_576) == Rational(30_000, 1000))
        for (numerator, denominator) in [(UInt32.max, 1), (1, .max), (0, 1), (1, 0), (0, 0)] as [(UInt32, UInt32)] {
            #expect(V4L2Device.believable(numerator, denominator) == nil)
        }
    }

    @Test("of what is wrong with an input, the gravest is told")
    func inputs() {
        #expect(V4L2Input.fault(0) == nil)
        #expect(V4L2Input.fault(0x4) == nil)
        #expect(V4L2Input.fault(0x1 | 0x2 | 0x100) == "no power")
        #expect(V4L2Input.fault(0x2 | 0x1_0000) == "no signal")
        #expect(V4L2Input.fault(0x100) == "no sync")
        #expect(V4L2Input.fault(0x1_0000) == "no sync")
    }

    @Test("the USB device behind a capture node is the one above its interface")
    func usbDevice() throws {
        let root = "/tmp/apus-usb-\(Process.id)"
        // In sysfs the interface is a link; here it lies where the link is.
        let device = "\(root)/class/video4linux/video7"
        try File.makeDirectory("\(device)/device")
        defer {
            for name in ["busnum", "devnum"] { File.remove("\(device)/\(name)") }
            for path in [
                "/class/video4linux/video7/device", "/class/video4linux/video7", "/class/video4linux", "/class", "",
            ] {
                File.removeDirectory(root + path)
            }
        }
        try File.replace("\(device)/busnum", with: Array("1\n".utf8).span, mode: 0o600)
        try File.replace("\(device)/devnum", with: Array("23\n".utf8).span, mode: 0o600)

        #expect(USBDevice(behind: "/dev/video7", system: root)?.node == "/dev/bus/usb/001/023")
        #expect(USBDevice(behind: "/dev/video8", system: root) == nil)
        for text in ["", "x", "-1", "1000", "99999999999999999999"] {
            try File.replace("\(device)/devnum", with: Array(text.utf8).span, mode: 0o600)
            #expect(USBDevice(behind: "/dev/video7", system: root) == nil, "\(text)")
        }
    }
}
