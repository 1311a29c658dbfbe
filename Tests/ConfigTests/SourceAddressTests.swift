// SPDX-License-Identifier: Apache-2.0
// Source strings: what they mean, and what is said of wrong ones.

import Config
import Media
import Testing

@Suite("source strings") struct SourceAddressTests {
    private typealias Case = (text: String, address: SourceAddress)

    @Test("each scheme and option is understood")
    func good() throws {
        let cases: [Case] = [
            ("auto", .auto),
            ("v4l2:/dev/video0", .v4l2(device: "/dev/video0", .init())),
            ("libcamera:", .libcamera(nil, .init())),
            (
                "libcamera:/base/soc/i2c0mux/i2c@1/imx219@10?size=1280x720&fps=30&format=nv12",
                .libcamera(
                    "/base/soc/i2c0mux/i2c@1/imx219@10",
                    .init(size: PictureSize(width: 1280, height: 720), frameRate: 30, format: .nv12)
                )
            ),
            (
                "v4l2:/dev/video0?input=2&standard=NTSC&priority=shared",
                .v4l2(device: "/dev/video0", .init(input: 2, standard: .ntsc, priority: .shared))
            ),
            (
                "v4l2:usb-046d:0892-5A3F77-if00-index0@1-1.4?fps=5",
                .v4l2(device: "usb-046d:0892-5A3F77-if00-index0@1-1.4", .init(frameRate: 5))
            ),
            (
                "v4l2:/dev/v4l/by-id/usb-Cam-index0?size=1280x720&fps=30&format=mjpeg",
                .v4l2(
                    device: "/dev/v4l/by-id/usb-Cam-index0",
                    .init(size: PictureSize(width: 1280, height: 720), frameRate: 30, format: .mjpeg)
                )
            ),
            ("file:/a clip.mp4", .file(path: "/a clip.mp4", loops: true)),
            ("file:/a?loop", .file(path: "/a", loops: true)),
            ("file:/a?loop=0", .file(path: "/a", loops: false)),
            ("file:/what?.mp4?loop=1", .file(path: "/what?.mp4", loops: true)),
            ("file:relative.mkv", .file(path: "relative.mkv", loops: true)),
            ("stdin:mjpeg", .stdin(.jpeg)),
            ("stdin:h264", .stdin(.h264)),
            ("publish:", .publish),
            ("pattern:", .pattern(size: nil, frameRate: nil)),
            ("pattern:?size=640x480", .pattern(size: PictureSize(width: 640, height: 480), frameRate: nil)),
            ("pattern:?fps=15&size=64x36", .pattern(size: PictureSize(width: 64, height: 36), frameRate: 15)),
        ]
        for (text, expected) in cases {
            let parsed = try SourceAddress(parsing: text)
            #expect(parsed == expected, "\(text)")
        }
    }

    @Test("an RTSP source is taken apart, and never printed with its password")
    func rtsp() throws {
        let text = "rtsps://me:se%40cret@camera/live?channel=1&transport=udp&verify=no"

        let address = try SourceAddress(parsing: text)

        guard case .rtsp(let location) = address else {
            Issue.record("\(address) is no RTSP source")
            return
        }
        #expect(location.transport == .udp)
        #expect(location.trust == .anybody)
        #expect(location.target.credentials?.password == "se@cret")
        #expect(location.target.url == "rtsps://camera/live?channel=1")
        #expect(address.description == "rtsps://me:***@camera/live?channel=1")
        #expect(
            SourceScheme.redacted("cam=" + text) == "cam=rtsps://me:***@camera/live?channel=1&transport=udp&verify=no"
        )
        #expect(SourceScheme.redacted("rtsp://camera/a@b") == "rtsp://camera/a@b")
    }

    @Test(
        "each mistake is named, with what was probably meant",
        arguments: [
            ("", "unknown source"), ("patern:", "did you mean \"pattern:\"?"),
            ("pattern", "did you mean \"pattern:\"?"), ("aut", "did you mean \"auto\"?"),
            ("auto:", "stands alone"), ("http://x", "unknown source \"http\""),
            ("rtsp:camera", "no URL like"), ("rtsp://u:p@camera/a?transport=tpc", "none of auto, tcp, udp"),
            ("rtsp://camera/a?verify=no", "rtsps:// only"), ("rtsps://camera/?fingerprint=12", "SHA-256"),
            ("publish:cam", "stands alone"),
            ("cvmmap://zed", "not supported yet"), ("/dev/video0", "write v4l2:/dev/video0"),
            ("libcamera:?format=h264", "has no format h264"), ("libcamera:?sise=1x1", "did you mean \"size\"?"),
            ("/clip.mp4", "write file:/clip.mp4"), ("v4l2:", "needs a device"), ("v4l2:video0", "needs a device"),
            ("v4l2:/dev/video0?input=64", "input=64 is not a whole number of 0 to 63"),
            ("v4l2:/dev/video0?standard=pal", "none of PAL, NTSC, SECAM"),
            ("v4l2:/dev/video0?priority=none", "none of record, shared"),
            ("v4l2:/dev/video0?sise=640x480", "did you mean \"size\"?"),
            ("v4l2:/dev/video0?format=mpjeg", "did you mean \"mjpeg\"?"),
            ("v4l2:/dev/video0?format=mjpg", "did you mean \"mjpeg\"?"),
            ("v4l2:/dev/video0?fps=0", "not a whole number"),
            ("v4l2:/dev/video0?fps=abc", "not a whole number"), ("v4l2:/dev/video0?fps=9&fps=9", "given twice"),
            ("file:", "needs a path"), ("file:/a?loop=maybe", "neither 1 nor 0"), ("stdin:", "takes mjpeg or h264"),
            ("stdin:mpjeg", "did you mean \"mjpeg\"?"), ("stdin:mjpeg?fps=3", "takes no options"),
            ("pattern:x", "takes options only"), ("pattern:?size=641x480", "even sides"),
            ("pattern:?size=10x10", "even sides"), ("pattern:?size=99999x2", "even sides"),
            ("pattern:?size=x", "even sides"), (String(repeating: "a", count: 5000), "longer than"),
        ]
    )
    func bad(text: String, part: String) {
        let error = #expect(throws: SourceAddressError.self) { try SourceAddress(parsing: text) }
        #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
    }
}
