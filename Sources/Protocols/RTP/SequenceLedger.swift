// SPDX-License-Identifier: Apache-2.0
// Which RTP sequence numbers each frame of a stream has.

/// Remembers the first sequence number of each frame, so that an earlier frame's packets can be built again as they
/// were.
///
/// All clients of a stream share its sequence numbers. They are given out once, in the frames' order, whether a
/// client takes the frame or not.
package struct SequenceLedger: Sendable {
    private var frames: [UInt64]
    private var numbers: [UInt16]
    /// The frame that is numbered next; nil before the first.
    package private(set) var nextFrame: UInt64?
    /// The sequence number that comes next.
    package private(set) var nextNumber: UInt16

    /// Remembers the newest `capacity` frames; `firstNumber` is chosen at random (RFC 3550 §5.1).
    package init(capacity: Int, firstNumber: UInt16) {
        precondition(capacity > 0, "a ledger has room for a frame")
        frames = [UInt64](repeating: .max, count: capacity)
        numbers = [UInt16](repeating: 0, count: capacity)
        nextNumber = firstNumber
    }

    /// Forgets all frames and goes on with `frame`; the sequence numbers run on.
    package mutating func restart(at frame: UInt64) {
        for index in frames.indices { frames[index] = .max }
        nextFrame = frame
    }

    /// Numbers the packets of the next frame.
    package mutating func record(packets: Int) {
        guard let frame = nextFrame else { preconditionFailure("a ledger is restarted before frames are recorded") }
        let slot = Int(frame % UInt64(frames.count))
        frames[slot] = frame
        numbers[slot] = nextNumber
        nextNumber &+= UInt16(truncatingIfNeeded: packets)  // Wraps by definition (RFC 3550 §5.1).
        nextFrame = frame + 1
    }

    /// Passes over the next frame, whose packets nobody can get any more.
    package mutating func skip() { nextFrame = nextFrame.map { $0 + 1 } }

    /// The first sequence number of a frame; nil if it was not numbered or is forgotten.
    package func firstNumber(of frame: UInt64) -> UInt16? {
        let slot = Int(frame % UInt64(frames.count))
        return frames[slot] == frame ? numbers[slot] : nil
    }
}
