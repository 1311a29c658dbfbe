// SPDX-License-Identifier: Apache-2.0
// What an HLS stream is cut into, and by which names (draft-pantos-hls-rfc8216bis).

/// How a stream is cut.
package struct HLSSettings: Sendable, Hashable {
    /// How long a part is at most; whole frames, so it is mostly a little shorter.
    ///
    /// The usual rates leave room for a camera's jitter: ten frames of 30 fps are 333 ms, and a tenth frame that comes
    /// late must not close the part in front of itself, as that part would be as late as it is.
    package var part: Duration
    /// How long a segment is about: it ends in front of the first keyframe after three quarters of this.
    package var segment: Duration
    /// How much of the past is listed at most, if the ring holds so much.
    package var window: Duration

    package init(
        part: Duration = .milliseconds(350),
        segment: Duration = .seconds(2),
        window: Duration = .seconds(30)
    ) {
        self.part = part
        self.segment = segment
        self.window = window
    }
}

/// A run of whole frames that is published before its segment is complete.
package struct HLSPart: Sendable, Hashable {
    /// Their numbers in the ring of pictures and in that of sound.
    package var pictures: Range<UInt64>
    package var sound: Range<UInt64>
    package var duration: Duration
    /// True if it begins with a keyframe.
    package var isIndependent: Bool
}

/// What begins with a keyframe and is what plain players load.
package struct HLSSegment: Sendable, Hashable {
    /// The media sequence number.
    package var number: UInt64
    /// The number of the initialisation segment that it needs.
    package var map: UInt64
    /// True if it does not go on from the one before.
    package var isDiscontinuity: Bool
    /// When its first picture was taken, in nanoseconds since 1970 UTC.
    package var began: Int64
    package var parts: [HLSPart] = []
    package var isComplete = false

    /// The sum of the parts'.
    package var duration: Duration { parts.reduce(.zero) { $0 + $1.duration } }
    /// The numbers of all its pictures; nil before the first part.
    package var pictures: Range<UInt64>? {
        guard let first = parts.first, let last = parts.last else { return nil }
        return first.pictures.lowerBound..<last.pictures.upperBound
    }
    /// The numbers of all its frames of sound.
    package var sound: Range<UInt64> {
        guard let first = parts.first, let last = parts.last else { return 0..<0 }
        return first.sound.lowerBound..<max(first.sound.lowerBound, last.sound.upperBound)
    }
}

/// The names of what a playlist lists; they are relative to the playlist's own.
package enum HLSName: Sendable, Hashable {
    case initialization(UInt64)
    case segment(UInt64)
    case part(segment: UInt64, index: Int)

    /// What a name of a request stands for; nil for no name of ours.
    package init?(_ name: String) {
        let pieces = name.split(separator: ".", omittingEmptySubsequences: false)
        guard (2...3).contains(pieces.count) else { return nil }
        if pieces.count == 2, pieces[1] == "mp4", pieces[0].hasPrefix("init-"),
            let number = Self.number(pieces[0].dropFirst(5))
        {
            self = .initialization(number)
        } else if pieces.last == "m4s", let segment = Self.number(pieces[0]) {
            if pieces.count == 2 {
                self = .segment(segment)
            } else if let index = Self.number(pieces[1]), index < 10_000 {
                self = .part(segment: segment, index: Int(index))
            } else {
                return nil
            }
        } else {
            return nil
        }
    }

    /// The name.
    package var text: String {
        switch self {
        case .initialization(let number): "init-\(number).mp4"
        case .segment(let number): "\(number).m4s"
        case .part(let segment, let index): "\(segment).\(index).m4s"
        }
    }

    /// Decimal digits and nothing else, as a name has to be the only one of its thing.
    static func number(_ text: Substring) -> UInt64? {
        guard (1...19).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return text.utf8.count > 1 && text.utf8.first == 0x30 ? nil : UInt64(text)
    }
}
