// SPDX-License-Identifier: Apache-2.0
// Frames of a ring, found by time.

package import Bytes
import Media

extension RingView {
    /// The newest frame that had been taken by an instant; nil if all that are still there are younger.
    ///
    /// Frames lie in the order of decoding, so among pictures that refer to later ones this is one of the neighbours.
    package func newestFrame(takenBy instant: Instant) -> UInt64? {
        var sequence = newest
        while let info = info(sequence) {
            if info.captured <= instant { return sequence }
            guard sequence > 1 else { return nil }
            sequence -= 1
        }
        return nil
    }
}
