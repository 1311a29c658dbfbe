// SPDX-License-Identifier: Apache-2.0
// What goes wrong with devices and other sources of frames.

/// Why a source cannot start or go on.
package struct CaptureError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What can be done about it.
    package enum Kind: Sendable {
        /// Nothing but to try again later.
        case other
        /// What is asked for can never be: somebody has to ask for something else.
        case wrong
        /// This program must not open it.
        case forbidden
        /// The device has been taken away: it is to be closed at once, so that its node can go.
        case gone
        /// The bus has no room for so many bytes a second: less is to be asked for.
        case noBandwidth
        /// It may work the next time.
        case transient
        /// The stream has ended: it is to be started anew.
        case ended
        /// Whoever feeds a loopback device is not there, or pauses: no failure, and worth a look every now and then.
        case unfed
    }

    package let description: String
    package let kind: Kind

    package init(_ description: String, kind: Kind = .other) {
        self.description = description
        self.kind = kind
    }
}
