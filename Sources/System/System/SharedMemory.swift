// SPDX-License-Identifier: Apache-2.0
// Memory files and their mappings, and event descriptors.

import CShimLinux
import Glibc

/// Memory shared by a descriptor.
package enum MemoryFile {
    /// Makes a zero-filled memory file of `size` bytes. C: `memfd_create`, `ftruncate`.
    package static func create(_ name: String, size: Int) throws(SystemError) -> FileDescriptor {
        // Safe: the call reads a NUL-terminated name.
        let file = FileDescriptor(owning: try check("memfd_create \(name)") { unsafe apus_memfd(name) })
        try check("ftruncate memfd \(name) to \(size) bytes") { ftruncate(file.raw, off_t(size)) }
        return file
    }

    /// Forbids for ever that the file changes its size or that anybody maps it writable from now on.
    /// C: `fcntl(F_ADD_SEALS)`.
    package static func seal(_ fd: Int32) throws(SystemError) {
        try check("fcntl F_ADD_SEALS") { apus_memfd_seal(fd) }
    }

    /// True if the file can neither shrink nor grow, so that a mapping of it never faults.
    package static func isSealed(_ fd: Int32) -> Bool { apus_memfd_is_sealed(fd) == 1 }

    /// The file's size in bytes. C: `fstat`.
    package static func size(_ fd: Int32) throws(SystemError) -> Int {
        Int(try check("fstat") { apus_file_size(fd) })
    }
}

/// Owns a shared mapping and unmaps it when it goes.
@safe
package struct MappedRegion: ~Copyable {
    /// The first byte; valid as long as this value.
    package let base: UnsafeMutableRawPointer
    package let size: Int

    /// Maps the first `size` bytes of a file. Writing to a region mapped for reading is a fault. C: `mmap`.
    package init(_ fd: Int32, size: Int, writable: Bool) throws(SystemError) {
        let protection = writable ? PROT_READ | PROT_WRITE : PROT_READ
        // Safe: a fresh mapping of whole pages; the result is checked before use.
        let address = unsafe mmap(nil, size, protection, MAP_SHARED, fd, 0)
        guard let address = unsafe address, unsafe address != MAP_FAILED else {
            throw SystemError("mmap \(size) bytes", code: errno)
        }
        unsafe base = address
        self.size = size
    }

    deinit { unsafe munmap(base, size) }
}

/// A counter in the kernel that makes a descriptor readable. C: `eventfd`.
package enum EventDescriptor {
    /// Makes one, non-blocking, counting from 0.
    package static func create() throws(SystemError) -> FileDescriptor {
        FileDescriptor(owning: try check("eventfd") { apus_eventfd() })
    }

    /// Makes the descriptor readable; never waits.
    package static func signal(_ fd: Int32) { add(fd, 1) }

    /// Adds to the counter, which makes the descriptor readable; never waits.
    package static func add(_ fd: Int32, _ value: UInt64) {
        var value = value
        // Safe: eight valid bytes. A full counter fails with EAGAIN and is readable anyway.
        _ = unsafe Glibc.write(fd, &value, 8)
    }

    /// Makes the descriptor unreadable until the next signal, and tells whether it was readable.
    @discardableResult
    package static func clear(_ fd: Int32) -> Bool { take(fd) != nil }

    /// Takes the counter and sets it to 0; nil if it was 0.
    package static func take(_ fd: Int32) -> UInt64? {
        var count: UInt64 = 0
        // Safe: room for eight bytes.
        return unsafe Glibc.read(fd, &count, 8) == 8 ? count : nil
    }
}

/// Wakes another process through a pipe, whatever that process does with its end.
///
/// An eventfd is lighter, but both sides share its flags: a receiver could make it blocking, fill it, and so stop the
/// sender for ever. The two ends of a pipe have flags of their own.
package struct WakePipe: ~Copyable {
    /// For the receiver: readable after `wake`, until it has been drained. This side keeps it open, too, so that a
    /// receiver's death is no SIGPIPE here.
    package let receiver: FileDescriptor
    private let sender: FileDescriptor

    /// Makes one. C: `pipe2`.
    package init() throws(SystemError) {
        var ends: [Int32] = [-1, -1]
        // Safe: the call writes two descriptors.
        try check("pipe2") { unsafe apus_pipe(&ends) }
        receiver = FileDescriptor(owning: ends[0])
        sender = FileDescriptor(owning: ends[1])
    }

    /// Makes the receiver readable; never waits. A pipe that is full is readable anyway.
    package func wake() {
        var one: UInt8 = 1
        // Safe: one valid byte; the descriptor is non-blocking, and nobody else has it.
        _ = unsafe Glibc.write(sender.raw, &one, 1)
    }

    /// Takes what has gathered in a receiver, which is then unreadable until the next `wake`.
    package static func drain(_ receiver: Int32) {
        var sink: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0, 0)
        // Safe: room for 64 bytes; more than those make the loop come back at once.
        _ = unsafe Glibc.read(receiver, &sink, 64)
    }
}
