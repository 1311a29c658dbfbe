// SPDX-License-Identifier: Apache-2.0
// The stream that benchmarks send: H.264 in shape, of a fixed rate, each frame stamped with when it was sent.

import Bytes
import Media

/// Makes frames of 1080p30 at a bitrate: a keyframe each second, four times as long as the others.
///
/// The pictures are noise; no client of a benchmark decodes them. The last bytes of a frame hold its instant.
struct BenchStream {
    static let framesPerSecond = 30
    static let interval = Duration.nanoseconds(1_000_000_000 / Int64(framesPerSecond))

    /// Real parameter sets of 1080p, so that servers can describe the stream.
    static let parameterSets: [UInt8] = [
        0, 0, 0, 1, 0x67, 0x64, 0x00, 0x28, 0xAC, 0xB4, 0x03, 0xC0, 0x11, 0x3F, 0x2E, 0x02, 0x20, 0x00, 0x00, 0x03,
        0x00,
        0x20, 0x00, 0x00, 0x07, 0x91, 0xE3, 0x06, 0x54, 0, 0, 0, 1, 0x68, 0xEF, 0x0F, 0xCB,
    ]

    /// The parameter sets as a session description names them.
    static var parameterSetTexts: [String] {
        let sets = parameterSets
        // Each behind a start code of four bytes; the first is up to the second's.
        let second = (4..<sets.count - 3).first { sets[$0..<($0 + 4)].elementsEqual([0, 0, 0, 1]) } ?? sets.count
        return [4..<second, (second + 4)..<sets.count].map { Base64.encode(Array(sets[$0]).span) }
    }

    static let description = StreamDescription(
        video: .h264,
        width: 1920,
        height: 1080,
        frameRate: Rational(UInt32(framesPerSecond)),
        configuration: parameterSets
    )

    private let length: Int
    private var number = 0

    /// A stream of so many bits a second.
    init(bitrate: Int) { length = bitrate / 8 / (Self.framesPerSecond + 3) }

    /// The next frame, stamped with `now`.
    mutating func next(_ now: Instant) -> (frame: [UInt8], isKeyframe: Bool) {
        let isKeyframe = number % Self.framesPerSecond == 0
        number += 1
        var frame = isKeyframe ? Self.parameterSets : []
        frame += [0, 0, 0, 1, isKeyframe ? 0x65 : 0x41, 0x88]
        let size = max(64, isKeyframe ? length * 4 : length) - Self.stampLength
        frame.append(contentsOf: repeatElement(0xA5, count: max(0, size - frame.count)))
        for shift in stride(from: 63, through: 0, by: -7) {
            frame.append(0x80 | UInt8(truncatingIfNeeded: now.nanoseconds >> Int64(shift)))
        }
        return (frame, isKeyframe)
    }

    /// Ten bytes of seven bits each, none of them 0, so that they look like no start code.
    static let stampLength = 10

    /// The instant at the end of a frame, nil if there is none.
    static func stamp(atEndOf bytes: Span<UInt8>) -> Instant? {
        guard bytes.count >= stampLength else { return nil }
        var value: Int64 = 0
        for index in (bytes.count - stampLength)..<bytes.count {
            guard bytes[index] & 0x80 != 0 else { return nil }
            value = value << 7 | Int64(bytes[index] & 0x7F)
        }
        return Instant(nanoseconds: value)
    }
}
