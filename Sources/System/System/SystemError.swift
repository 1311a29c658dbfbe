// SPDX-License-Identifier: Apache-2.0
// The one error of the system layer: which call failed, on what, and why.

import Glibc

/// A failed system call.
package struct SystemError: Error, Equatable, Sendable {
    /// The call and what it was about, as in `open /dev/video0`.
    package var call: String
    /// The value of errno.
    package var code: Int32

    /// Records a failure with an errno taken earlier.
    package init(_ call: String, code: Int32) {
        self.call = call
        self.code = code
    }

    /// The system's text for the error code.
    package var reason: String {
        // Safe: strerror returns a string that stays valid until the next call in this thread, and it is copied here.
        unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
    }

    package var isPermissionDenied: Bool { code == EACCES || code == EPERM }
    package var isNotFound: Bool { code == ENOENT }
    package var isAddressInUse: Bool { code == EADDRINUSE }
    package var isConnectionRefused: Bool { code == ECONNREFUSED }
    package var isTryAgain: Bool { code == EAGAIN }
    package var isDeviceGone: Bool { code == ENODEV || code == ENXIO }
    package var isPeerGone: Bool { code == EPIPE || code == ECONNRESET }
    package var isBusy: Bool { code == EBUSY }
    package var isInvalidArgument: Bool { code == EINVAL }
}

extension SystemError: CustomStringConvertible {
    package var description: String { "\(call): \(reason)" }
}

/// The current thread's errno; to be read directly after the call that set it.
package var lastErrorCode: Int32 { errno }

/// Calls until the call is not interrupted by a signal, and throws on any other failure.
@discardableResult
@inline(never)
func check<T: SignedInteger>(_ name: @autoclosure () -> String, _ call: () -> T) throws(SystemError) -> T {
    while true {
        let result = call()
        if result >= 0 { return result }
        let code = errno
        if code != EINTR { throw SystemError(name(), code: code) }
    }
}

/// What a read or write on a non-blocking descriptor did.
package enum IOResult: Equatable, Sendable {
    /// So many bytes were moved, at least one.
    case bytes(Int)
    /// Nothing can be moved now.
    case wouldBlock
    /// The peer closed its side; nothing more will come.
    case endOfStream
}

/// Turns the result of a read or write into an `IOResult`.
@inline(never)
func transfer(_ name: @autoclosure () -> String, _ call: () -> Int) throws(SystemError) -> IOResult {
    while true {
        let result = call()
        if result > 0 { return .bytes(result) }
        if result == 0 { return .endOfStream }
        let code = errno
        if code == EAGAIN { return .wouldBlock }
        if code != EINTR { throw SystemError(name(), code: code) }
    }
}
