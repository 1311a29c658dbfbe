// SPDX-License-Identifier: Apache-2.0
// News of devices and files: the kernel's uevents by netlink, and inotify.

package import Bytes
import CShimLinux
import Glibc

/// Hears what the kernel says when devices come and go.
package enum KernelEventSocket {
    /// Room for so many bytes of events that nobody has read yet: some hundred.
    private static let room: Int32 = 256 << 10

    /// What a read came to.
    package enum Result: Equatable, Sendable {
        /// One event of so many bytes; more than the buffer has if it was cut.
        case event(Int)
        /// Something that was not the kernel's; to be passed over.
        case foreign
        /// Events were lost, as nobody read them in time: what is there has to be looked at anew.
        case lost
        case wouldBlock
    }

    /// Opens the socket; not everybody may, and containers have none. C: `socket`, `bind`.
    package static func open() throws(SystemError) -> FileDescriptor {
        FileDescriptor(owning: try check("kernel events") { apus_uevents(room) })
    }

    /// Reads one event. C: `recvmsg`.
    package static func receive(_ fd: Int32, into buffer: inout MutableSpan<UInt8>) throws(SystemError) -> Result {
        let length = unsafe buffer.withUnsafeMutableBufferPointer { pointer in
            // Safe: the pointer is valid for its count within this closure.
            unsafe apus_uevent_receive(fd, pointer.baseAddress, pointer.count)
        }
        let code = errno
        if length > 0 { return .event(length) }
        if length == 0 { return .foreign }
        switch code {
        case EAGAIN: return .wouldBlock
        case EINTR: return .foreign
        case ENOBUFS: return .lost
        default: throw SystemError("kernel events", code: code)
        }
    }
}

/// Hears what happens to the files of directories. C: `inotify`.
package final class DirectoryNews {
    /// A change of a file.
    package struct Change: Equatable, Sendable {
        /// Which directory it is in: what `add` has returned.
        package var directory: Int32
        package var flags: UInt32
        /// Empty if it is about the directory itself.
        package var name: String

        package init(directory: Int32, flags: UInt32, name: String) {
            self.directory = directory
            self.flags = flags
            self.name = name
        }

        /// The directory is watched no more: it is gone. IN_IGNORED.
        package var isEnd: Bool { flags & 0x8000 != 0 }
        /// Changes were lost. IN_Q_OVERFLOW.
        package var isOverflow: Bool { flags & 0x4000 != 0 }
        /// Somebody who might have written to the file has closed it. IN_CLOSE_WRITE.
        package var isClosing: Bool { flags & 0x8 != 0 }
    }

    /// Long enough for a change with the longest name, many times over.
    private static let bufferSize = 8192
    private let descriptor: FileDescriptor

    /// Watches nothing yet.
    package init() throws(SystemError) {
        descriptor = FileDescriptor(owning: try check("inotify_init1") { apus_inotify() })
    }

    /// Readable when there is news; stays this value's.
    package var raw: Int32 { descriptor.raw }

    /// Watches a directory, which may be watched already; the number by which changes name it.
    package func add(_ path: String) throws(SystemError) -> Int32 {
        // Safe: the call reads a NUL-terminated path.
        try check("inotify_add_watch \(path)") { unsafe apus_inotify_add(descriptor.raw, path) }
    }

    /// What has happened since; nothing if nothing has.
    package func changes() throws(SystemError) -> [Change] {
        var bytes: [UInt8] = []
        guard case .bytes = try read(descriptor.raw, appendingTo: &bytes, atMost: Self.bufferSize) else { return [] }
        do throws(WireError) {
            return try Self.parse(bytes.span)
        } catch {
            throw SystemError("inotify", code: EBADMSG)
        }
    }

    /// Takes changes apart: number, flags, cookie, length, name with NULs behind it.
    package static func parse(_ bytes: Span<UInt8>) throws(WireError) -> [Change] {
        var reader = ByteReader(bytes)
        var changes: [Change] = []
        while !reader.isAtEnd {
            let directory = Int32(bitPattern: try reader.littleEndian(UInt32.self))
            let flags = try reader.littleEndian(UInt32.self)
            try reader.skip(4)
            let length = try reader.littleEndian(UInt32.self)
            let field = try reader.span(Int(length))
            var name: [UInt8] = []
            for index in field.indices {
                if field[index] == 0 { break }
                name.append(field[index])
            }
            changes.append(Change(directory: directory, flags: flags, name: String(decoding: name, as: UTF8.self)))
        }
        return changes
    }
}
