// SPDX-License-Identifier: Apache-2.0
// The test pattern, and the time that can be read out of it.

import Bytes
import Encode
import Media
import Testing

@testable import Capture

@Suite("test pattern") struct PatternTests {
    private static let utc: Int64 = 1_795_232_096_789_000_000

    @Test("the stamp is read from the picture", arguments: [(1920, 1080), (640, 360), (640, 480), (320, 180)])
    func stamp(width: Int, height: Int) throws {
        let painter = try PatternPainter(width: width, height: height, frameRate: 30, name: "cam")
        for number in 1..<20 {
            let utc = Self.utc + Int64(number) * 33_333_333
            let picture = try painter.paint(.init(utc: utc, number: UInt64(number), elapsed: Double(number) / 30))
            #expect(Self.read(picture)?.milliseconds == UInt64(utc / 1_000_000))
        }
    }

    @Test("the stamp survives encoding at a low rate and scaling to a third")
    func compressedStamp() throws {
        let painter = try PatternPainter(width: 1920, height: 1080, frameRate: 30, name: "cam")
        let settings = EncoderSettings(width: 640, height: 360, bitrate: 300_000, gop: 30)
        let encoder = try VideoEncoder(settings, kind: .software)
        let decoder = try VideoDecoder(codec: .h264)
        var scaler = Scaler()
        let small = try PictureBuffer(width: 640, height: 360)
        var read: [UInt64?] = []

        for number in 0..<10 {
            let utc = Self.utc + Int64(number) * 33_333_333
            let picture = try painter.paint(.init(utc: utc, number: UInt64(number), elapsed: Double(number) / 30))
            try scaler.scale(picture, into: small)
            var unit: [UInt8] = []
            try encoder.encode(small, captured: .zero) { _, bytes in unit = [UInt8](bytes) }
            try decoder.decode(unit.span, captured: .zero) { decoded, _ in
                read.append(Self.read(decoded)?.milliseconds)
            }
        }

        #expect(read == read.indices.map { UInt64((Self.utc + Int64($0) * 33_333_333) / 1_000_000) })
    }

    @Test("a picture without a stamp has none") func noStamp() throws {
        let picture = try Picture.sample(0)
        #expect(Self.read(picture) == nil)
        #expect(PatternStamp(luma: [UInt8]().span, stride: 0, width: 0, height: 0) == nil)
    }

    @Test("a picture that is still held is not painted over") func held() throws {
        let painter = try PatternPainter(width: 320, height: 180, frameRate: 30, name: "cam")
        let first = try painter.paint(.init(utc: Self.utc, number: 1, elapsed: 0))
        let second = try painter.paint(.init(utc: Self.utc + 1_000_000_000, number: 2, elapsed: 1))
        #expect(first !== second)
        #expect(Self.read(first)?.milliseconds == UInt64(Self.utc / 1_000_000))
    }

    @Test(
        "any size from smallest to odd ratios is painted without fault",
        arguments: [
            (16, 16), (64, 36), (90, 1080), (1920, 32), (720, 1280),
        ]
    )
    func sizes(width: Int, height: Int) throws {
        let painter = try PatternPainter(width: width, height: height, frameRate: 25, name: "a name longer than others")
        for number in 0..<60 {
            _ = try painter.paint(.init(utc: Self.utc, number: UInt64(number), elapsed: Double(number) / 10))
        }
    }

    @Test("brightness and contrast change the bars, and leave the stamp readable") func tone() throws {
        let painter = try PatternPainter(width: 320, height: 180, frameRate: 30, name: "cam")
        let moment = PatternPainter.Moment(utc: Self.utc, number: 1, elapsed: 0)
        let level = { (picture: PictureBuffer) in picture.withReadOnlyPlane(0) { $0[100] } }
        let normal = level(try painter.paint(moment))

        painter.look.brightness = 20
        let bright = try painter.paint(moment)
        painter.look.brightness = 0
        painter.look.contrast = 0
        let flat = level(try painter.paint(moment))
        painter.look.contrast = 100

        #expect(level(bright) == normal + 20)
        #expect(Self.read(bright)?.milliseconds == UInt64(Self.utc / 1_000_000))
        #expect(flat == 128)
        #expect(level(try painter.paint(moment)) == normal)
    }

    private static func read(_ picture: PictureBuffer) -> PatternStamp? {
        picture.withReadOnlyPlane(0) { luma in
            PatternStamp(
                luma: luma,
                stride: picture.stride(ofPlane: 0),
                width: picture.width,
                height: picture.height
            )
        }
    }
}
