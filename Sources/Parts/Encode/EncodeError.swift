// SPDX-License-Identifier: Apache-2.0
// What went wrong in a codec library, in the library's own words.

import CSysFFmpeg

/// A failed call of libav*, libswscale or libjpeg-turbo.
package struct EncodeError: Error, Sendable, Equatable {
    /// What was tried, such as "open encoder libx264".
    package var operation: String
    /// What the library said of it.
    package var reason: String

    package init(_ operation: String, _ reason: String) {
        self.operation = operation
        self.reason = reason
    }

    /// Takes the text of a libav* error code, and what the library logged on the way there. C: av_strerror()
    init(_ operation: String, code: Int32) {
        // Safe: the call gets the buffer's true size and always ends its text with a NUL.
        let text = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer -> String in
            unsafe av_strerror(code, buffer.baseAddress, buffer.count)
            return unsafe buffer.baseAddress.map { unsafe String(cString: $0) } ?? "error \(code)"
        }
        let logged = LibraryLog.takeCause()
        self.init(operation, logged.map { "\($0) (\(text))" } ?? text)
    }
}

extension EncodeError: CustomStringConvertible {
    package var description: String { "\(operation): \(reason)" }
}

/// Throws unless a libav* call succeeded; passes its result through.
@discardableResult
func check(_ code: Int32, _ operation: @autoclosure () -> String) throws(EncodeError) -> Int32 {
    guard code >= 0 else { throw EncodeError(operation(), code: code) }
    return code
}
