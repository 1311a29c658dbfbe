// SPDX-License-Identifier: Apache-2.0
// The choice among what a V4L2 device offers.

import Bytes
import Config
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

    @Test("of a range of sizes, the one that is wanted is among those that are looked at, if the device has it")
    func range() {
        func chosen(_ width: Int, _ height: Int) -> [PictureSize] {
            V4L2Device.chosen(16...1280, 16...800, steps: (2, 1), [PictureSize(width: width, height: height)])
        }
        let usual = [(1280, 720), (800, 600), (640, 480), (640, 360), (320, 240)]
            .map { PictureSize(width: $0.0, height: $0.1) }

        #expect(chosen(720, 575) == [PictureSize(width: 720, height: 575)] + usual)
        #expect(Set(chosen(640, 480)) == Set(usual))
        #expect(chosen(721, 576) == usual)
        #expect(chosen(1282, 720) == usual)
        #expect(chosen(1280, 801) == usual)
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
