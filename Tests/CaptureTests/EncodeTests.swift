// SPDX-License-Identifier: Apache-2.0
// Encoders, decoders and the scaler, with the real libraries.

import Bytes
import Encode
import Media
import Testing

@Suite("encoding") struct EncodeTests {
    private static let settings = EncoderSettings(width: 320, height: 240, bitrate: 800_000, gop: 10)

    @Test("what was encoded decodes to nearly the same picture", arguments: [Codec.h264, .h265])
    func roundTrip(codec: Codec) throws {
        var settings = Self.settings
        settings.codec = codec
        let encoder = try VideoEncoder(settings, kind: .software)
        let decoder = try VideoDecoder(codec: codec)

        var results: [(Instant, Double)] = []
        for number in 0..<25 {
            let picture = try Picture.sample(number)
            let captured = Instant(nanoseconds: Int64(number) * 33_333_333)
            var unit: [UInt8] = []
            try encoder.encode(picture, captured: captured) { info, bytes in
                #expect(info.captured == captured)
                #expect(info.isKeyframe == (number % 10 == 0))
                unit = [UInt8](bytes)
            }
            #expect(unit.starts(with: [0, 0, 0, 1]), "one unit comes out for each picture, at once")
            try decoder.decode(unit.span, captured: captured) { decoded, instant in
                results.append((instant, Picture.psnr(decoded, try! Picture.sample(results.count))))
            }
        }

        #expect(results.count >= 24)
        #expect(results.map(\.0) == results.map(\.0).sorted())
        #expect(results.map(\.1).min() ?? 0 > 30)
    }

    @Test("a machine begins with what it can do: more threads, then less work, for more pixels and for smaller cores")
    func machine() {
        func effort(_ cores: Int, small: Bool, _ height: Int, fps: UInt32 = 30, _ codec: Codec = .h264) -> EncoderEffort
        {
            EncoderMachine(cores: cores, isSmall: small)
                .effort(
                    EncoderSettings(
                        codec: codec,
                        width: height * 16 / 9,
                        height: height,
                        frameRate: Rational(fps),
                        bitrate: 4_000_000,
                        gop: 60
                    )
                )
        }
        // A Raspberry Pi 5.
        #expect(EncoderMachine(cores: 4, isSmall: true).threads == 3)
        #expect(effort(4, small: true, 720) == .normal)
        #expect(effort(4, small: true, 1080) == .threaded)
        #expect(effort(4, small: true, 1080, fps: 60) == .least)
        #expect(effort(4, small: true, 720, .h265) == .least)
        // A PC.
        #expect(effort(8, small: false, 1080) == .normal)
        #expect(effort(8, small: false, 2160) == .threaded)
        #expect(effort(2, small: false, 2160) == .least)
        #expect(EncoderMachine(cores: 32, isSmall: false).threads == 4)
        #expect(EncoderMachine(cores: 1, isSmall: false).threads == 1)
        #expect(EncoderMachine(cores: 0, isSmall: false).threads == 1)
    }

    @Test("any effort makes one unit for each picture", arguments: EncoderEffort.allCases)
    func efforts(effort: EncoderEffort) throws {
        var settings = Self.settings
        settings.effort = effort
        let encoder = try VideoEncoder(settings, kind: .software)
        let decoder = try VideoDecoder(codec: .h264)
        for number in 0..<12 {
            var unit: [UInt8] = []
            try encoder.encode(Picture.sample(number), captured: .zero) { _, bytes in unit = [UInt8](bytes) }
            var pictures = 0
            try decoder.decode(unit.span, captured: .zero) { _, _ in pictures += 1 }
            #expect(pictures == 1)
        }
    }

    @Test("a requested keyframe is the very next frame, with parameter sets")
    func keyframeOnRequest() throws {
        let encoder = try VideoEncoder(Self.settings, kind: .software)
        var keys: [Bool] = []
        for number in 0..<8 {
            if number == 5 { encoder.requestKeyframe() }
            try encoder.encode(Picture.sample(number), captured: Instant(nanoseconds: Int64(number))) { info, bytes in
                keys.append(info.isKeyframe)
                guard info.isKeyframe else { return }
                let sets = ParameterSets(.h264, annexB: bytes)
                #expect(sets.isComplete)
                #expect(sets.annexB == encoder.configuration)
            }
        }
        #expect(keys == [true, false, false, false, false, true, false, false])
    }

    @Test("bitrate and GOP change without a new encoder; size and rate do not")
    func reconfiguration() throws {
        let encoder = try VideoEncoder(Self.settings, kind: .software)
        var changed = Self.settings
        changed.bitrate = 200_000
        changed.gop = 3
        #expect(encoder.reconfigure(to: changed))
        var keys: [Bool] = []
        for number in 0..<7 {
            try encoder.encode(Picture.sample(number), captured: .zero) { info, _ in keys.append(info.isKeyframe) }
        }
        #expect(keys == [true, false, false, true, false, false, true])
        changed.frameRate = Rational(15)
        #expect(!encoder.reconfigure(to: changed))
    }

    @Test("a lower bitrate makes a smaller stream, live")
    func liveBitrate() throws {
        let encoder = try VideoEncoder(Self.settings, kind: .software)
        var sizes: [Int] = []
        for number in 0..<120 {
            if number == 60 {
                var lower = Self.settings
                lower.bitrate = 100_000
                #expect(encoder.reconfigure(to: lower))
            }
            try encoder.encode(Picture.noise(number), captured: .zero) { _, bytes in sizes.append(bytes.count) }
        }
        let before: Int = sizes[20..<60].reduce(0, +)
        let after: Int = sizes[80..<120].reduce(0, +)
        #expect(after * 3 < before)
    }

    @Test("auto finds an encoder that works, and says what stood against the others")
    func automaticChoice() throws {
        LibraryLog.install()
        let selection = try #require(EncoderSelection(parsing: "auto"))
        let (encoder, report) = try selection.open(Self.settings)
        var units = 0
        try encoder.encode(Picture.sample(0), captured: .zero) { _, _ in units += 1 }
        #expect(units == 1)
        #expect(report.refused.allSatisfy { !$0.reason.isEmpty })
        print("auto chose \(report.chosen);", report.refused.map { "\($0.name): \($0.reason)" }.joined(separator: "; "))
    }

    @Test("a kind that something stands against is not tried, and the reason is told")
    func objection() throws {
        LibraryLog.install()
        let selection = try #require(EncoderSelection(parsing: "auto"))
        selection.objection = { $0 == .software ? nil : "not now" }

        let (_, report) = try selection.open(Self.settings)

        #expect(report.kind == .software)
        #expect(Set(report.refused.map(\.reason)) == ["not now"])
    }

    @Test("a word that names no encoder is refused") func unknownEncoder() {
        #expect(EncoderSelection(parsing: "nvidia") == nil)
        #expect(EncoderSelection(parsing: "libx264")?.candidates == [.software])
    }

    @Test("JPEG keeps the picture, also from limited to full range") func jpegRoundTrip() throws {
        let encoder = try JPEGEncoder(quality: 90)
        let decoder = try JPEGDecoder()
        let picture = try Picture.sample(3)
        picture.range = .full
        var psnr = 0.0
        try encoder.encode(picture) { image in
            #expect(image[0] == 0xFF && image[1] == 0xD8 && image[image.count - 1] == 0xD9)
            if let decoded = try? decoder.decode(image) { psnr = Picture.psnr(decoded, picture) }
        }
        #expect(psnr > 30)

        let grey = try PictureBuffer(width: 64, height: 64)
        for plane in 0..<3 { grey.withPlane(plane) { $0.update(repeating: plane == 0 ? 235 : 128) } }
        try encoder.encode(grey) { image in
            let white = (try? decoder.decode(image))?.withReadOnlyPlane(0) { $0[1000] } ?? 0
            #expect(white >= 253)
        }
    }

    @Test("a truncated or foreign image is an error, never a crash") func brokenJPEG() throws {
        let encoder = try JPEGEncoder(quality: 50)
        let decoder = try JPEGDecoder()
        var image: [UInt8] = []
        try encoder.encode(Picture.sample(1)) { image = [UInt8]($0) }
        for length in stride(from: 0, to: image.count, by: 37) {
            _ = try? decoder.decode(image.span.extracting(first: length))
        }
        #expect(throws: EncodeError.self) { try decoder.decode([UInt8](repeating: 7, count: 100).span) }
    }

    @Test("the scaler keeps what is to be seen") func scaling() throws {
        var scaler = Scaler()
        let source = try Picture.sample(2)
        let small = try PictureBuffer(width: 160, height: 120)
        let back = try PictureBuffer(width: 320, height: 240)
        try scaler.scale(source, into: small)
        try scaler.scale(small, into: back)
        let psnr = Picture.psnr(source, back)
        #expect(psnr > 28)
    }
}

/// Pictures to encode, and how alike two are.
enum Picture {
    /// A smooth picture that moves with `number`.
    static func sample(_ number: Int, width: Int = 320, height: Int = 240) throws -> PictureBuffer {
        let picture = try PictureBuffer(width: width, height: height)
        for plane in 0..<3 {
            let stride = picture.stride(ofPlane: plane)
            picture.withPlane(plane) { bytes in
                for row in 0..<picture.rows(ofPlane: plane) {
                    for column in 0..<(plane == 0 ? width : width / 2) {
                        bytes[row * stride + column] = UInt8(
                            40 + (column + row * 2 + number * 3 + plane * 50) % 400 / 2
                        )
                    }
                }
            }
        }
        return picture
    }

    /// A picture that no encoder can make small.
    static func noise(_ number: Int) throws -> PictureBuffer {
        let picture = try sample(number)
        var state = UInt32(number + 1)
        picture.withPlane(0) { bytes in
            for index in bytes.indices {
                state = state &* 1_664_525 &+ 1_013_904_223
                bytes[index] = UInt8(truncatingIfNeeded: 60 + (state >> 25))
            }
        }
        return picture
    }

    /// Luma's peak signal-to-noise ratio in dB.
    static func psnr(_ left: PictureBuffer, _ right: PictureBuffer) -> Double {
        guard left.width == right.width, left.height == right.height else { return 0 }
        let strides = (left.stride(ofPlane: 0), right.stride(ofPlane: 0))
        var sum = 0.0
        left.withReadOnlyPlane(0) { a in
            right.withReadOnlyPlane(0) { b in
                for row in 0..<left.height {
                    for column in 0..<left.width {
                        let difference = Double(a[row * strides.0 + column]) - Double(b[row * strides.1 + column])
                        sum += difference * difference
                    }
                }
            }
        }
        let error = sum / Double(left.width * left.height)
        return error == 0 ? 100 : 10 * logarithm(255 * 255 / error)
    }

    /// The decimal logarithm, to two places: enough for decibels.
    private static func logarithm(_ value: Double) -> Double {
        var rest = value
        var result = 0.0
        while rest >= 10 {
            rest /= 10
            result += 1
        }
        while rest >= 1.023_293 {
            rest /= 1.023_293
            result += 0.01
        }
        return result
    }
}
