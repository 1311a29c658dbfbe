// SPDX-License-Identifier: Apache-2.0
// Owned descriptors, and reading and writing through them.

import Bytes
import CShimLinux
import Glibc

/// Owns a descriptor and closes it when it goes.
package struct FileDescriptor: ~Copyable {
    /// The descriptor's number, for calls that borrow it.
    package let raw: Int32

    /// Takes over `raw`, which nobody else closes.
    package init(owning raw: Int32) { self.raw = raw }

    deinit { close(raw) }

    /// Gives the descriptor away without closing it.
    package consuming func release() -> Int32 {
        let raw = self.raw
        discard self
        return raw
    }

    /// Duplicates a descriptor. C: `fcntl(F_DUPFD_CLOEXEC)`.
    package static func duplicating(_ raw: Int32) throws(SystemError) -> FileDescriptor {
        FileDescriptor(owning: try check("fcntl F_DUPFD_CLOEXEC") { fcntl(raw, F_DUPFD_CLOEXEC, 0) })
    }
}

/// Sets whether calls on the descriptor wait. C: `fcntl(O_NONBLOCK)`.
package func setNonBlocking(_ fd: Int32, _ on: Bool = true) throws(SystemError) {
    try check("fcntl O_NONBLOCK") { apus_set_nonblocking(fd, on ? 1 : 0) }
}

/// Reads into `buffer`, at most its length. C: `read`.
package func read(_ fd: Int32, into buffer: inout MutableSpan<UInt8>) throws(SystemError) -> IOResult {
    guard !buffer.isEmpty else { return .bytes(0) }
    return unsafe try buffer.withUnsafeMutableBufferPointer { pointer throws(SystemError) in
        // Safe: the pointer is valid for its count within this closure.
        try transfer("read") { unsafe Glibc.read(fd, pointer.baseAddress, pointer.count) }
    }
}

/// Appends at most `count` bytes read to `buffer`. C: `read`.
package func read(_ fd: Int32, appendingTo buffer: inout [UInt8], atMost count: Int) throws(SystemError) -> IOResult {
    let filled = buffer.count
    buffer.append(contentsOf: repeatElement(0, count: count))
    var result = IOResult.wouldBlock
    defer {
        if case .bytes(let added) = result {
            buffer.removeLast(count - added)
        } else {
            buffer.removeLast(count)
        }
    }
    var span = buffer.mutableSpan
    var tail = span._mutatingExtracting(filled...)
    result = try read(fd, into: &tail)
    return result
}

/// Writes from the front of `bytes`. C: `write`.
package func write(_ fd: Int32, _ bytes: Span<UInt8>) throws(SystemError) -> IOResult {
    guard !bytes.isEmpty else { return .bytes(0) }
    return unsafe try bytes.withUnsafeBufferPointer { pointer throws(SystemError) in
        // Safe: the pointer is valid for its count within this closure.
        try transfer("write") { unsafe Glibc.write(fd, pointer.baseAddress, pointer.count) }
    }
}

/// Writes all of `bytes`; for blocking descriptors. C: `write`.
package func writeAll(_ fd: Int32, _ bytes: Span<UInt8>) throws(SystemError) {
    var offset = 0
    while offset < bytes.count {
        switch try write(fd, bytes.extracting(offset...)) {
        case .bytes(let count): offset += count
        case .wouldBlock: throw SystemError("write", code: EAGAIN)
        case .endOfStream: throw SystemError("write", code: EPIPE)
        }
    }
}

/// Waits until the descriptor can be read (or written), or the time is over; for blocking clients, not for loops.
///
/// - Returns: false when the time is over. C: `poll`.
package func waitUntilReady(_ fd: Int32, toWrite: Bool = false, timeout: Duration) throws(SystemError) -> Bool {
    var entry = pollfd(fd: fd, events: Int16(toWrite ? POLLOUT : POLLIN), revents: 0)
    let milliseconds = Int32(clamping: max(0, timeout.nanoseconds + 999_999) / 1_000_000)
    // Safe: one entry, valid for the call.
    return try check("poll") { unsafe poll(&entry, 1, milliseconds) } > 0
}
