// SPDX-License-Identifier: Apache-2.0
// How frames lie in WebSocket messages, and reCamera's channels.

import Bytes
import Config
import Media
import Testing

@testable import apus_http

@Suite("Frames in messages")
struct FrameMessageTests {
    private static let sets: [UInt8] = [0, 0, 0, 1, 0x67, 0x64, 0, 0x1E, 0xAC, 0, 0, 0, 1, 0x68, 0xEF]
    private static let slice: [UInt8] = [0x65, 0x88, 0x84, 0x21]
    /// 2026-11-21 10:00:00.123456 UTC.
    private static let time: Int64 = 1_795_255_200_123_456

    private func message(
        _ frame: [UInt8],
        _ codec: Codec = .h264,
        _ flags: FrameFlags = [],
        _ form: FrameMessage.Form = .recamera,
        time: Int64 = FrameMessageTests.time
    ) -> [UInt8] {
        let unit = FrameMessage.Unit(
            codec: codec,
            flags: flags,
            sequence: 0x1_0000_0102,
            unixMicroseconds: time,
            configuration: Self.sets
        )
        var output: [UInt8] = []
        FrameMessage.write(frame.span, unit, form, into: &output)
        return output
    }

    @Test("the access unit is followed by milliseconds since 1970, lowest byte first")
    func suffix() {
        let frame: [UInt8] = [0, 0, 0, 1, 0x41, 0x9A]
        let milliseconds = UInt64(1_795_255_200_123)

        let bytes = message(frame)

        #expect(Array(bytes.dropLast(8)) == frame)
        #expect(bytes.suffix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) } == milliseconds)
    }

    @Test("a keyframe without parameter sets gets the stream's in front")
    func setsInFront() {
        let bytes = message([0, 0, 0, 1] + Self.slice, .h264, .keyframe)

        #expect(Array(bytes.dropLast(8)) == Self.sets + [0, 0, 0, 1] + Self.slice)
    }

    @Test("a keyframe with parameter sets keeps its own")
    func ownSets() {
        let frame = Self.sets + [0, 0, 0, 1] + Self.slice

        #expect(Array(message(frame, .h264, .keyframe).dropLast(8)) == frame)
    }

    @Test("delimiters go, short start codes in front of the first slice grow, zeros at the end go")
    func cleaning() {
        let frame: [UInt8] = [0, 0, 0, 1, 9, 0xF0, 0, 0, 1, 6, 5, 1, 0, 0x80, 0, 0, 1] + Self.slice + [0, 0, 0]

        let bytes = message(frame)

        #expect(Array(bytes.dropLast(8)) == [0, 0, 0, 1, 6, 5, 1, 0, 0x80, 0, 0, 0, 1] + Self.slice)
    }

    @Test("all slices of a picture are in its message")
    func slices() {
        let frame: [UInt8] = [0, 0, 0, 1, 0x41, 0x9A, 1, 0, 0, 1, 0x41, 0x02, 2]

        #expect(Array(message(frame).dropLast(8)) == frame)
    }

    @Test("H.265 loses its delimiter and keeps the rest")
    func h265() {
        let sets: [UInt8] = [0, 0, 0, 1, 0x40, 1, 0x0C, 0, 0, 0, 1, 0x42, 1, 1, 0, 0, 0, 1, 0x44, 1, 0xC0]
        let slice: [UInt8] = [0, 0, 0, 1, 0x26, 1, 0xAF]

        let bytes = message([0, 0, 0, 1, 0x46, 1, 0x50] + sets + slice, .h265, .keyframe)

        #expect(Array(bytes.dropLast(8)) == sets + slice)
    }

    @Test("AV1 and JPEG are sent as they are", arguments: [Codec.av1, .jpeg])
    func asTheyAre(codec: Codec) {
        let frame: [UInt8] = [0x12, 0, 0, 0, 1, 9, 0, 0]

        #expect(Array(message(frame, codec, .keyframe).dropLast(8)) == frame)
    }

    @Test("a frame of any bytes keeps its end, and nothing overflows", arguments: 0..<12)
    func truncated(length: Int) {
        let frame: [UInt8] = [0, 0, 0, 1, 9, 0xF0, 0, 0, 1, 0x65, 0x88, 7]

        let bytes = message(Array(frame.prefix(length)), .h264, [], time: -5)

        #expect(bytes.count >= 8)
        #expect(bytes.suffix(8).allSatisfy { $0 == 0 })
    }

    @Test("a chunk begins with flags, number and microseconds")
    func chunk() {
        let frame: [UInt8] = [0, 0, 0, 1] + Self.slice

        let bytes = message(frame, .h264, [.keyframe, .discontinuity], .chunks)

        #expect(Array(bytes[0..<8]) == [3, 0, 0, 0, 2, 1, 0, 0])
        #expect(bytes[8..<16].reversed().reduce(0) { $0 << 8 | Int64($1) } == Self.time)
        #expect(Array(bytes[16...]) == Self.sets + frame)
    }

    @Test(
        "the channel is a number that exists",
        arguments: [
            (nil, .plain), ("0", .numbered(0)), ("2", .numbered(2)), ("3", .none), ("", .none), ("-1", .none),
            ("+1", .none), ("01", .none), ("1 ", .none), ("256", .none), ("x", .none),
        ] as [(String?, SocketChannel.Choice)]
    )
    func channels(text: String?, expected: SocketChannel.Choice) {
        #expect(SocketChannel.choice(text, count: 3) == expected)
    }

    @Test(
        "a single camera has the three channels of a reCamera, several have those that they are",
        arguments: [
            ("a/main a/sub", 3), ("a/main", 3), ("a/sub", 3), ("", 0), ("a/main b/main", 2), ("a/main a/sub b/sub", 3),
        ]
    )
    func customary(names: String, expected: Int) {
        let channels = names.split(separator: " ").map { $0.split(separator: "/").map(String.init) }
            .map { SocketChannel(camera: $0[0], stream: $0[1]) }

        #expect(SocketChannel.count(channels) == expected)
    }

    @Test("channels are all cameras in order, main before sub")
    func order() throws {
        let text = "[camera.a]\nsource = pattern:\n[camera.b]\nsource = pattern:\n[camera.b.main]\nenabled = no\n"
        let document = ConfigDocument.parse(text, name: "test").document

        let channels = try SocketChannel.all(Configuration(document).cameras)

        #expect(channels.map { "\($0.camera)/\($0.stream)" } == ["a/main", "a/sub", "b/sub"])
    }
}
