// SPDX-License-Identifier: Apache-2.0
// Cuts the buffers of a camera that codes H.264 or H.265 itself into access units.

import Bytes
import Media

/// Takes each buffer for one or more whole access units, as nearly all cameras have it, so that none waits for the next.
///
/// A buffer that begins in the middle of one shows that the camera fills buffers as they come: from then on access units
/// are cut where the next one begins, a buffer later.
struct UnitCutter {
    /// An access unit: what it is, when the buffer came in which it began, its bytes.
    typealias Emit = (FrameFlags, Instant, Span<UInt8>) -> Void

    private var splitter: AccessUnitSplitter
    /// When the unit began that is being collected.
    private var began: Instant?
    /// The buffer before: when it came, and how many units it had.
    private var last: Instant?
    private var lastCount = 1
    /// A longer gap is one.
    private static let longestInterval = Duration.seconds(1)
    /// True if units are split over buffers.
    private(set) var isSplit = false

    init(_ format: NALFormat) { splitter = AccessUnitSplitter(format) }

    /// Takes a buffer that came at `captured`.
    mutating func push(_ bytes: Span<UInt8>, captured: Instant, emit: Emit) {
        if !isSplit, !begins(bytes) { isSplit = true }
        guard isSplit else { return pushWhole(bytes, captured, emit) }
        var start = began ?? captured
        splitter.push(bytes) { flags, unit in
            emit(flags, start, unit)
            start = captured
        }
        began = start
    }

    /// Units of one buffer lie evenly between it and the one before; there will be as many as there were then.
    private mutating func pushWhole(_ bytes: Span<UInt8>, _ captured: Instant, _ emit: Emit) {
        let expected = lastCount
        let interval = last.map { min(max(captured - $0, .zero), Self.longestInterval) } ?? .zero
        var count = 0
        func place(_ flags: FrameFlags, _ unit: Span<UInt8>) {
            count += 1
            emit(flags, captured - interval * max(0, expected - count) / max(1, expected), unit)
        }
        splitter.push(bytes) { flags, unit in place(flags, unit) }
        splitter.finish { flags, unit in place(flags, unit) }
        lastCount = count
        last = captured
    }

    /// What is collected is all that comes: the stream was interrupted.
    mutating func finish(emit: Emit) {
        let start = began ?? .zero
        splitter.finish { flags, unit in emit(flags, start, unit) }
        began = nil
    }

    /// True if the buffer begins with the first NAL unit of an access unit.
    private func begins(_ bytes: Span<UInt8>) -> Bool {
        // Three or four bytes of start code.
        guard let code = AnnexB.startCode(in: bytes, from: 0), code <= 1, code == 0 || bytes[0] == 0 else {
            return false
        }
        return splitter.format.startsAccessUnit(bytes.extracting((code + 3)...))
    }
}
