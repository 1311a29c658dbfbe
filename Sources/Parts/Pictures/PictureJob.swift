// SPDX-License-Identifier: Apache-2.0
// What apus-http asks of apus-video when a picture is to be made, and what it gets: lines of words, and pictures behind their length.

package import Bytes

/// A picture to be made: a frame of a ring, scaled and encoded anew.
package struct PictureJob: Sendable, Hashable {
    /// The largest width and height, in pixels.
    package static let sideLimit = 4096

    /// Which frame.
    package enum Frame: Sendable, Hashable {
        /// This one, of that life of the ring.
        case number(UInt64, incarnation: UInt64)
        /// The newest that had been taken by then.
        case takenBy(Instant)
    }

    package var camera: String
    /// Of `jpeg`, or a coded stream, of which what leads to the frame is decoded.
    package var stream: String
    package var frame: Frame
    /// In pixels; nil follows from the other one, or is the frame's own.
    package var width: Int?
    package var height: Int?
    /// 1 to 100; nil for the usual one.
    package var quality: Int?

    package init(
        camera: String,
        stream: String,
        frame: Frame,
        width: Int? = nil,
        height: Int? = nil,
        quality: Int? = nil
    ) {
        self.camera = camera
        self.stream = stream
        self.frame = frame
        self.width = width
        self.height = height
        self.quality = quality
    }

    /// Reads a line without its end; nil if it is none.
    package init?(_ line: some Sequence<UInt8>) {
        let words = String(decoding: Array(line), as: UTF8.self).split(separator: " ").map(String.init)
        guard words.count == 7, let first = UInt64(words[2]), let second = Int64(words[3]), let width = Int(words[4]),
            let height = Int(words[5]), let quality = Int(words[6]),
            (0...Self.sideLimit).contains(width), (0...Self.sideLimit).contains(height), (0...100).contains(quality)
        else { return nil }
        self.init(
            camera: words[0],
            stream: words[1],
            frame: first > 0
                ? .number(first, incarnation: UInt64(bitPattern: second)) : .takenBy(Instant(nanoseconds: second)),
            width: width > 0 ? width : nil,
            height: height > 0 ? height : nil,
            quality: quality > 0 ? quality : nil
        )
    }

    /// The line, with its end.
    package var line: [UInt8] {
        let (first, second): (UInt64, Int64) =
            switch frame {
            case .number(let number, let incarnation): (number, Int64(bitPattern: incarnation))
            case .takenBy(let instant): (0, instant.nanoseconds)
            }
        return Array("\(camera) \(stream) \(first) \(second) \(width ?? 0) \(height ?? 0) \(quality ?? 0)\n".utf8)
    }

    /// The size to make of a picture: sides that are not asked for keep its shape, all are even.
    package func size(of width: Int, _ height: Int) -> (width: Int, height: Int) {
        func even(_ side: Int) -> Int { min(Self.sideLimit, max(2, side & ~1)) }
        switch (self.width, self.height) {
        case (let wanted?, let other?): return (even(wanted), even(other))
        case (let wanted?, nil): return (even(wanted), even((height * wanted + width / 2) / max(1, width)))
        case (nil, let wanted?): return (even((width * wanted + height / 2) / max(1, height)), even(wanted))
        case (nil, nil): return (even(width), even(height))
        }
    }
}

/// What became of a job.
package enum PictureReply: Sendable, Equatable {
    /// What is known of a picture that was made.
    package struct Facts: Sendable, Equatable {
        package var sequence: UInt64
        package var captured: Instant
        package var published: Instant
        package var width: Int
        package var height: Int
        /// True if it is of the slate, not of the camera.
        package var isSlate: Bool

        package init(
            sequence: UInt64,
            captured: Instant,
            published: Instant,
            width: Int,
            height: Int,
            isSlate: Bool
        ) {
            self.sequence = sequence
            self.captured = captured
            self.published = published
            self.width = width
            self.height = height
            self.isSlate = isSlate
        }
    }

    /// The largest picture that is taken, in bytes.
    package static let pictureLimit = 64 << 20
    /// The longest line in front of it.
    package static let lineLimit = 512

    case picture(Facts, [UInt8])
    /// The ring has no such frame, or not any more.
    case gone(String)
    case failed(String)

    /// The line, and the picture behind it.
    package var bytes: [UInt8] {
        func text(_ word: String, _ reason: String) -> [UInt8] {
            let line = String(reason.map { $0.isNewline ? " " : $0 }.prefix(Self.lineLimit / 4))
            return Array("\(word) \(line)\n".utf8)
        }
        switch self {
        case .picture(let facts, let picture):
            let line =
                "picture \(picture.count) \(facts.sequence) \(facts.captured.nanoseconds) "
                + "\(facts.published.nanoseconds) \(facts.width) \(facts.height) \(facts.isSlate ? 1 : 0)\n"
            return Array(line.utf8) + picture
        case .gone(let reason): return text("gone", reason)
        case .failed(let reason): return text("failed", reason)
        }
    }

    /// Takes a reply off the front of `input`; nil while it is not whole.
    ///
    /// - Throws: when it is none.
    package static func take(_ input: inout [UInt8]) throws(WireError) -> PictureReply? {
        guard let end = input.firstIndex(of: UInt8(ascii: "\n")) else {
            guard input.count <= lineLimit else { throw .limit(field: "picture reply", limit: lineLimit) }
            return nil
        }
        let words = String(decoding: input[..<end], as: UTF8.self)
            .split(
                separator: " ",
                maxSplits: 1,
                omittingEmptySubsequences: false
            )
        let rest = words.count > 1 ? String(words[1]) : ""
        switch words.first {
        case "gone":
            input.removeFirst(end + 1)
            return .gone(rest)
        case "failed":
            input.removeFirst(end + 1)
            return .failed(rest)
        case "picture":
            let numbers = rest.split(separator: " ").compactMap { Int64($0) }
            guard numbers.count == 7, let length = Int(exactly: numbers[0]), (0...pictureLimit).contains(length),
                numbers[1] >= 0
            else { throw .invalid(field: "picture reply", value: UInt64(input.count)) }
            guard input.count - end - 1 >= length else { return nil }
            let facts = Facts(
                sequence: UInt64(numbers[1]),
                captured: Instant(nanoseconds: numbers[2]),
                published: Instant(nanoseconds: numbers[3]),
                width: Int(numbers[4]),
                height: Int(numbers[5]),
                isSlate: numbers[6] != 0
            )
            let picture = Array(input[(end + 1)..<(end + 1 + length)])
            input.removeFirst(end + 1 + length)
            return .picture(facts, picture)
        default: throw .invalid(field: "picture reply", value: UInt64(input.count))
        }
    }
}
