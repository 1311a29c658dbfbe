// SPDX-License-Identifier: Apache-2.0
// Where a client stands in a stream, and what it skips when it cannot keep up.

package import Bytes
import Media
package import Ring

/// Why a client did not get a frame.
package enum DropReason: String, Sendable, CaseIterable {
    /// The client was further behind than its latency limit, and went on at a newer keyframe.
    case tooSlow = "too-slow"
    /// The frame left the ring before the client came to it.
    case overwritten
    /// The client only wants the newest frame, and a newer one was there.
    case superseded
    /// Frames before the first keyframe cannot be decoded.
    case awaitingKeyframe = "awaiting-keyframe"
}

/// How many frames a client did not get, by reason. Lies in place, so that a cursor is copied without allocating.
package struct DropCounts: Sendable, Hashable {
    private var tooSlow: UInt64 = 0
    private var overwritten: UInt64 = 0
    private var superseded: UInt64 = 0
    private var awaitingKeyframe: UInt64 = 0

    package init() {}

    /// The frames dropped for one reason.
    package subscript(reason: DropReason) -> UInt64 {
        get {
            switch reason {
            case .tooSlow: tooSlow
            case .overwritten: overwritten
            case .superseded: superseded
            case .awaitingKeyframe: awaitingKeyframe
            }
        }
        set {
            switch reason {
            case .tooSlow: tooSlow = newValue
            case .overwritten: overwritten = newValue
            case .superseded: superseded = newValue
            case .awaitingKeyframe: awaitingKeyframe = newValue
            }
        }
    }

    /// The frames dropped for any reason.
    package var total: UInt64 { tooSlow + overwritten + superseded + awaitingKeyframe }

    /// The reasons that occurred, with their counts.
    package var byReason: [(reason: DropReason, frames: UInt64)] {
        DropReason.allCases.map { ($0, self[$0]) }.filter { $0.1 > 0 }
    }
}

/// A client's place in a ring: the whole of its send queue.
package struct FrameCursor: Sendable {
    /// What a client that falls behind is given.
    package enum Policy: Sendable, Hashable {
        /// Every frame, until it is `maxLatency` behind; then it goes on at the newest keyframe.
        case everyFrame(maxLatency: Duration)
        /// Always the newest frame; for streams in which every frame is a keyframe.
        case newestFrame
    }

    /// How many frames the client did not get, by reason.
    package private(set) var drops = DropCounts()

    /// May change on the way; the client keeps its place.
    package var policy: Policy
    private var incarnation: UInt64 = 0
    private var state = State.joining
    /// When there was nothing left to send for the last time.
    package private(set) var caughtUp: Instant

    private enum State {
        /// Starts at the newest keyframe there is, or at the next.
        case joining
        /// Takes the first keyframe after that frame.
        case awaitingKeyframe(after: UInt64)
        case next(UInt64)
    }

    /// A client that joins now.
    package init(_ policy: Policy, at now: Instant) {
        self.policy = policy
        caughtUp = now
    }

    /// True while the client waits for a keyframe which the ring does not hold; then one should be requested.
    package var needsKeyframe: Bool {
        switch state {
        case .joining, .awaitingKeyframe: true
        case .next: false
        }
    }

    /// The number of the frame to send next, published or not; nil while the client waits for a keyframe.
    package var position: UInt64? {
        if case .next(let sequence) = state { sequence } else { nil }
    }

    /// The frame to send next, nil if there is none now. Ask again after `sent`, or when frames were published.
    package mutating func nextFrame(in view: RingView, at now: Instant) -> UInt64? {
        if view.incarnation != incarnation {
            incarnation = view.incarnation
            state = .joining
            caughtUp = now
        }
        let newest = view.newest
        guard newest > 0 else { return nil }
        switch state {
        case .joining: state = start(in: view, newest: newest)
        case .awaitingKeyframe(let after): resume(in: view, after: after, newest: newest)
        case .next: break
        }
        guard case .next(let wanted) = state else { return nil }
        guard wanted <= newest else {
            caughtUp = now
            return nil
        }
        return choose(wanted, in: view, newest: newest, at: now)
    }

    /// Moves on after a frame has been sent.
    package mutating func sent(_ sequence: UInt64) { state = .next(sequence + 1) }

    /// Starts over at the newest keyframe, as after a pause.
    package mutating func rejoin(at now: Instant) {
        state = .joining
        caughtUp = now
    }

    /// Starts over at a frame that the owner knows can be decoded.
    package mutating func begin(at sequence: UInt64, in view: RingView, now: Instant) {
        incarnation = view.incarnation
        state = .next(sequence)
        caughtUp = now
    }

    private func start(in view: RingView, newest: UInt64) -> State {
        if case .newestFrame = policy { return .next(newest) }
        let keyframe = view.newestKeyframe
        guard keyframe > 0, view.info(keyframe) != nil else { return .awaitingKeyframe(after: newest) }
        return .next(keyframe)
    }

    private mutating func resume(in view: RingView, after: UInt64, newest: UInt64) {
        let keyframe = view.newestKeyframe
        guard keyframe > after, view.info(keyframe) != nil else { return }
        count(keyframe - after - 1, .awaitingKeyframe)
        state = .next(keyframe)
    }

    private mutating func choose(_ wanted: UInt64, in view: RingView, newest: UInt64, at now: Instant) -> UInt64? {
        switch policy {
        case .newestFrame:
            count(newest - wanted, .superseded)
            state = .next(newest)
            return newest
        case .everyFrame(let maxLatency):
            guard let frame = view.info(wanted) else {
                return skip(from: wanted, in: view, newest: newest, .overwritten)
            }
            // A client that has just joined at a keyframe starts behind and is not slow for that.
            guard now - caughtUp > maxLatency, now - frame.published > maxLatency else { return wanted }
            caughtUp = now
            return skip(from: wanted, in: view, newest: newest, .tooSlow)
        }
    }

    private mutating func skip(from wanted: UInt64, in view: RingView, newest: UInt64, _ reason: DropReason) -> UInt64?
    {
        let keyframe = view.newestKeyframe
        guard keyframe > wanted, view.info(keyframe) != nil else {
            count(newest - wanted + 1, reason)
            state = .awaitingKeyframe(after: newest)
            return nil
        }
        count(keyframe - wanted, reason)
        state = .next(keyframe)
        return keyframe
    }

    private mutating func count(_ frames: UInt64, _ reason: DropReason) {
        drops[reason] += frames
    }
}
