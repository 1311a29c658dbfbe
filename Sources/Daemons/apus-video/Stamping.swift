// SPDX-License-Identifier: Apache-2.0
// Frames with their capture time inside, on their way into a ring.

import Bytes
import Media
import Ring
import System

/// Publishes access units with a stamp of their capture time.
struct Stamping {
    private var stamp: [UInt8] = []

    /// Publishes `unit`, captured at `captured`, with a stamp in front of its first slice.
    ///
    /// A unit that has a stamp keeps it: it is the first camera's word on when the picture was taken.
    mutating func publish(
        _ unit: Span<UInt8>,
        _ format: NALFormat,
        to writer: RingWriter,
        captured: Instant,
        flags: FrameFlags
    ) throws(RingError) {
        guard case .place(let place) = CaptureStamp.look(format, in: unit) else {
            try writer.publish(unit, captured: captured, flags: flags)
            return
        }
        stamp.removeAll(keepingCapacity: true)
        let utc = captured.nanoseconds + Clock.utcOffset().nanoseconds
        CaptureStamp.append(format, unixNanoseconds: utc, to: &stamp)
        let message = stamp
        try writer.publish(captured: captured, flags: flags, length: unit.count + message.count) { frame in
            frame.replace(at: 0, with: unit.extracting(..<place))
            frame.replace(at: place, with: message.span)
            frame.replace(at: place + message.count, with: unit.extracting(place...))
        }
    }
}
