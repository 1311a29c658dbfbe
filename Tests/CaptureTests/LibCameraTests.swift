// SPDX-License-Identifier: Apache-2.0
// What can be said of libcamera without a camera: names, choices, and that it is told why there is none.

import Config
import Devices
import Loop
import System
import Testing

@testable import Capture
@testable import LibCamera

@Suite("libcamera", .serialized)
struct LibCameraTests {
    private let cameras = [
        LibCamera.Camera(id: "/base/soc/i2c0mux/i2c@1/imx219@10", model: "imx219"),
        LibCamera.Camera(id: "/base/soc/i2c0mux/i2c@0/imx708@1a", model: "imx708"),
        LibCamera.Camera(id: "0", model: ""),
    ]

    @Test("a camera is named by its id, its place, its model, or a part of its id that no other has")
    func choosing() {
        func choose(_ wanted: String?) -> String? { LibCameraSource.choose(wanted, among: cameras)?.id }

        #expect(choose(nil) == cameras[0].id)
        #expect(choose(cameras[1].id) == cameras[1].id)
        #expect(choose("0") == "0")
        #expect(choose("1") == cameras[1].id)
        #expect(choose("imx708") == cameras[1].id)
        #expect(choose("imx") == nil)
        #expect(choose("9") == nil)
        #expect(LibCameraSource.choose(nil, among: []) == nil)
    }

    @Test("the format that costs least here is taken, unless one is asked for")
    func formats() {
        #expect(LibCameraSource.best([.yuyv, .mjpeg, .nv12], .init()) == .nv12)
        #expect(LibCameraSource.best([.yuyv, .mjpeg], .init()) == .mjpeg)
        #expect(LibCameraSource.best([.yuyv, .mjpeg], .init(format: .yuyv)) == .yuyv)
        #expect(LibCameraSource.best([.yuyv, .mjpeg], .init(format: .nv12)) == nil)
        #expect(LibCameraSource.best([], .init()) == nil)
    }

    @Test("DRM's codes are V4L2's formats, and 24-bit pixels the other way round")
    func codes() {
        func code(_ text: String) -> UInt32 { text.utf8.reversed().reduce(0) { $0 << 8 | UInt32($1) } }
        #expect(LibCameraDevice.format(code("NV12")) == .nv12)
        #expect(LibCameraDevice.format(code("RG24")) == .bgr24)
        #expect(LibCameraDevice.format(code("BG24")) == .rgb24)
        #expect(LibCameraDevice.format(code("XR24")) == nil)
        for format in [V4L2Format.nv12, .yu12, .mjpeg, .grey] {
            #expect(LibCameraDevice.format(LibCameraDevice.code(format)) == format)
        }
        #expect(LibCameraDevice.code(.h264) == 0)
    }

    @Test("controls have the names that all cameras' have")
    func names() {
        #expect(LibCameraDevice.name(of: "Brightness") == "brightness")
        #expect(LibCameraDevice.name(of: "AeExposureMode") == "ae_exposure_mode")
        #expect(LibCameraDevice.name(of: "FocusFoM") == "focus_fo_m")
        #expect(LibCameraDevice.name(of: "") == "")
    }

    @Test("the library is compiled in, and a camera that is not there is waited for with the reason")
    func absence() throws {
        #expect(LibCamera.absence == nil)
        let loop = try EventLoop()
        var states: [CaptureState] = []
        let session = CaptureSession(
            loop: loop,
            address: try SourceAddress(parsing: "libcamera:no-such-camera"),
            target: CaptureTarget(name: "cam"),
            events: CaptureEvents(picture: { _, _ in }, unit: { _, _ in }, state: { states.append($0) })
        )
        session.start()
        defer { session.stop() }

        guard case .lost(let reason)? = states.last else {
            Issue.record("the state is \(String(describing: states.last))")
            return
        }
        #expect(reason.contains("has no camera \"no-such-camera\""))
        #expect(session.losses == 0)
    }
}
