// SPDX-License-Identifier: Apache-2.0
// What goes wrong with devices and other sources of frames.

/// Why a source cannot start or go on.
package struct CaptureError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
