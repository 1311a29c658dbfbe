// SPDX-License-Identifier: Apache-2.0
// Where the bytes of an answer come from: pulled as the peer's windows and the socket allow.

import Bytes

/// The body of an answer.
package protocol HTTP2Body: AnyObject {
    /// Sees to it that there is something to send; gives how many bytes can be taken, 0 for none now.
    ///
    /// Call `HTTP2Session.resume` when there are some again.
    func prepare() -> Int
    /// True if nothing comes behind the bytes that `prepare` told of.
    var isComplete: Bool { get }
    /// Appends exactly so many bytes, of those that `prepare` told of.
    func take(_ count: Int, into output: inout [UInt8])
}

/// A body that is there as a whole.
final class WholeBody: HTTP2Body {
    private let bytes: [UInt8]
    private var taken = 0
    let isComplete = true

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func prepare() -> Int { bytes.count - taken }

    func take(_ count: Int, into output: inout [UInt8]) {
        output += bytes[taken..<taken + count]
        taken += count
    }
}

/// How much of something a peer may do: so much at once, and so much a second.
struct Budget {
    private let burst: Double
    private let rate: Double
    private var left: Double
    private var filled: Instant

    /// Starts full at `now`.
    init(burst: Double, perSecond rate: Double, at now: Instant) {
        self.burst = burst
        self.rate = rate
        left = burst
        filled = now
    }

    /// Spends one; false if there is nothing left.
    mutating func spend(at now: Instant) -> Bool {
        left = min(burst, left + max(0, (now - filled).seconds) * rate)
        filled = now
        guard left >= 1 else { return false }
        left -= 1
        return true
    }
}
