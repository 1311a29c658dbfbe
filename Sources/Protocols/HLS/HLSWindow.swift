// SPDX-License-Identifier: Apache-2.0
// Which frames are which part of which segment: what a playlist lists, and what it will list next.

package import Bytes

/// A picture that has come, as far as cutting asks.
package struct HLSFrame: Sendable, Hashable {
    /// Its number in its ring.
    package var sequence: UInt64
    package var captured: Instant
    package var isKeyframe: Bool
    /// How long it probably lasts; the next one's instant decides if it comes in time.
    package var duration: Duration
    /// When it was taken, in nanoseconds since 1970 UTC.
    package var utc: Int64
    /// One more than the number of the newest frame of sound that has come.
    package var soundEnd: UInt64

    package init(
        sequence: UInt64,
        captured: Instant,
        isKeyframe: Bool,
        duration: Duration,
        utc: Int64,
        soundEnd: UInt64 = 0
    ) {
        self.sequence = sequence
        self.captured = captured
        self.isKeyframe = isKeyframe
        self.duration = duration
        self.utc = utc
        self.soundEnd = soundEnd
    }
}

/// The segments of a live stream, of which the oldest go as new ones come.
///
/// Segments begin with a keyframe. A part is closed as soon as no other frame would fit, so it does not wait for the
/// next one.
package struct HLSWindow: Sendable {
    /// The longest list of segments.
    package static let segmentLimit = 64
    /// The most parts of a segment; then it ends, keyframe or not, for a source that makes none.
    package static let partLimit = 200

    package private(set) var settings: HLSSettings
    /// Oldest first; the last one may be incomplete.
    package private(set) var segments: [HLSSegment] = []
    /// How many breaks have left the list.
    package private(set) var discontinuitySequence: UInt64 = 0
    /// The longest segment and part so far: what a playlist promises may grow, never shrink.
    package private(set) var longestSegment: Duration
    package private(set) var longestPart: Duration

    private var nextNumber: UInt64
    private var map: UInt64 = 0
    /// True if the next segment does not go on from the last one.
    private var breaks = false
    private var open: OpenPart?
    private var soundStart: UInt64 = 0
    private var last: HLSFrame?

    private struct OpenPart {
        var first: UInt64
        var duration: Duration
        /// The part of the duration that is the last frame's, and only probable.
        var probable: Duration
        var isIndependent: Bool
    }

    /// Starts with the segment of that number.
    package init(_ settings: HLSSettings, firstNumber: UInt64) {
        self.settings = settings
        nextNumber = firstNumber
        longestSegment = settings.segment
        longestPart = settings.part
    }

    /// The number of the segment that is growing or comes next.
    package var currentNumber: UInt64 {
        if let last = segments.last, !last.isComplete { last.number } else { nextNumber }
    }

    /// Cuts in another way from here on; what the playlist has promised stays, as players hold on to it.
    package mutating func take(_ settings: HLSSettings) {
        self.settings = settings
        longestSegment = max(longestSegment, settings.segment)
        longestPart = max(longestPart, settings.part)
    }

    /// What comes next does not go on from what was, and needs the initialisation segment `map`; sound begins at
    /// `soundStart`.
    package mutating func begin(map: UInt64, soundStart: UInt64) {
        if let last { closePart(soundEnd: last.soundEnd) }
        closeSegment()
        breaks = !segments.isEmpty || breaks || last != nil
        self.map = map
        self.soundStart = soundStart
        last = nil
    }

    /// Takes the next picture; true if there is a new part. Pictures in front of the first keyframe are passed over.
    package mutating func append(_ frame: HLSFrame) -> Bool {
        let before = (segments.last?.number, segments.last?.parts.count, segments.last?.isComplete)
        measure(upTo: frame)
        if isSegmentOpen, let last {
            let isFull = segments[segments.count - 1].parts.count >= Self.partLimit
            if isFull || frame.isKeyframe && segmentDuration >= settings.segment * 0.75 {
                closePart(soundEnd: last.soundEnd)
                closeSegment()
            } else if let open, open.duration + frame.duration > settings.part {
                closePart(soundEnd: last.soundEnd)
            }
        }
        if !isSegmentOpen {
            guard frame.isKeyframe || last != nil else { return false }
            openSegment(frame)
        }
        add(frame)
        last = frame
        if let open, open.duration + frame.duration > settings.part { closePart(soundEnd: frame.soundEnd) }
        return before != (segments.last?.number, segments.last?.parts.count, segments.last?.isComplete)
    }

    /// Drops segments that begin before the picture `first` or are older than the window.
    package mutating func trim(before first: UInt64) {
        var listed = segments.reduce(Duration.zero) { $0 + $1.duration }
        var count = 0
        for segment in segments.dropLast() {
            let isGone = segment.map == map && (segment.pictures?.lowerBound ?? .max) < first
            let isOld = listed - segment.duration > settings.window || segments.count - count > Self.segmentLimit
            guard isGone || isOld || segment.map != map && isLeaving(segment) else { break }
            listed -= segment.duration
            count += 1
        }
        remove(count)
    }

    /// Drops all segments of another initialisation segment than the present one, whose frames are in no ring any more.
    package mutating func trimForeign() {
        remove(segments.prefix { $0.map != map }.count)
    }

    /// Drops everything; numbers go on.
    package mutating func removeAll() {
        closeSegment()
        open = nil
        remove(segments.count)
        breaks = true
        last = nil
    }

    // MARK: Looking

    /// The segment of a number; nil if it is not listed.
    package subscript(number: UInt64) -> HLSSegment? {
        guard let first = segments.first?.number, number >= first, number - first < UInt64(segments.count) else {
            return nil
        }
        return segments[Int(number - first)]
    }

    /// The part of that index, if it is listed.
    package func part(_ segment: UInt64, _ index: Int) -> HLSPart? {
        guard let parts = self[segment]?.parts, parts.indices.contains(index) else { return nil }
        return parts[index]
    }

    // MARK: Cutting

    private var isSegmentOpen: Bool { segments.last.map { !$0.isComplete } ?? false }

    private var segmentDuration: Duration { (segments.last?.duration ?? .zero) + (open?.duration ?? .zero) }

    /// Sets right how long the last picture lasted, if its part is still open.
    private mutating func measure(upTo frame: HLSFrame) {
        guard let last, var part = open, frame.captured > last.captured else { return }
        part.duration += frame.captured - last.captured - part.probable
        part.probable = .zero
        // A part that waited over a gap is not longer than it may be.
        if part.duration > max(settings.part, longestPart) { part.duration = settings.part }
        open = part
    }

    private mutating func openSegment(_ frame: HLSFrame) {
        segments.append(
            HLSSegment(number: nextNumber, map: map, isDiscontinuity: breaks, began: frame.utc)
        )
        nextNumber += 1
        breaks = false
    }

    private mutating func add(_ frame: HLSFrame) {
        guard var part = open else {
            open = OpenPart(
                first: frame.sequence,
                duration: frame.duration,
                probable: frame.duration,
                isIndependent: frame.isKeyframe
            )
            return
        }
        part.duration += frame.duration
        part.probable = frame.duration
        open = part
    }

    private mutating func closePart(soundEnd: UInt64) {
        guard let part = open, let last, isSegmentOpen else { return }
        open = nil
        let sound = soundStart..<max(soundStart, soundEnd)
        soundStart = sound.upperBound
        segments[segments.count - 1].parts
            .append(
                HLSPart(
                    pictures: part.first..<(last.sequence + 1),
                    sound: sound,
                    duration: part.duration,
                    isIndependent: part.isIndependent
                )
            )
        longestPart = max(longestPart, part.duration)
    }

    private mutating func closeSegment() {
        guard isSegmentOpen else { return }
        if segments[segments.count - 1].parts.isEmpty {
            // Nobody has seen it.
            breaks = breaks || segments[segments.count - 1].isDiscontinuity
            segments.removeLast()
            nextNumber -= 1
            return
        }
        segments[segments.count - 1].isComplete = true
        longestSegment = max(longestSegment, segments[segments.count - 1].duration)
    }

    private func isLeaving(_ segment: HLSSegment) -> Bool { segment.isComplete && segments.count > Self.segmentLimit }

    private mutating func remove(_ count: Int) {
        for segment in segments.prefix(count) where segment.isDiscontinuity { discontinuitySequence += 1 }
        segments.removeFirst(count)
    }
}
