// SPDX-License-Identifier: Apache-2.0
// A stream's capture instants, kept in order whatever its source says.

package import Bytes

/// Sees to it that a stream's instants rise, over losses and restarts of its source.
///
/// Only frames that are coded out of the order of presentation (B-frames) go back, to their place in it, and never in
/// front of the last break.
package struct Timeline: Sendable {
    /// Frames are not further out of the order of presentation.
    package static let reorderLimit = Duration.seconds(1)
    /// Two frames are at least this far apart where an instant has to be moved: players count in milliseconds.
    package static let step = Duration.milliseconds(1)
    /// Instants that are closer are one: a tick of RTP's 90 kHz is 11 µs.
    package static let resolution = Duration.microseconds(20)

    /// The newest instant so far.
    package private(set) var newest: Instant
    /// The newest instant before the last break.
    private var floor: Instant

    /// Begins behind `instant`: whoever continues a stream after a restart names the present, so that frames which were
    /// sent before, and come again, are not older than those.
    package init(after instant: Instant = .zero) {
        newest = instant
        floor = instant
    }

    /// Where a frame goes that was captured at `captured`.
    ///
    /// `mayGoBack` is true for frames that can be coded out of order: neither keyframes nor frames of a codec that has
    /// nothing else.
    package mutating func place(_ captured: Instant, mayGoBack: Bool = false) -> Instant {
        if mayGoBack, captured < newest, newest - captured < Self.reorderLimit, captured > floor { return captured }
        newest = captured >= newest + Self.resolution ? captured : newest + Self.step
        return newest
    }

    /// What comes next does not go on from what was.
    package mutating func breakOff() { floor = newest }
}
