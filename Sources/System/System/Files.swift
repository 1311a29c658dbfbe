// SPDX-License-Identifier: Apache-2.0
// Files and directories.

import CShimLinux
import Glibc

/// Files and directories.
package enum File {
    /// How a file is opened.
    package enum Access: Sendable {
        case read
        case readWrite
        /// Made if missing, with the mode; emptied if there.
        case replace(mode: UInt32)
        /// Made, with the mode; EEXIST if anything is there, be it a link.
        case new(mode: UInt32)
        /// Made if missing, with the mode; kept if there. Opened for reading and writing.
        case create(mode: UInt32)
    }

    /// Opens a file; with `nonBlocking`, opening a FIFO or a device does not wait. C: `open`.
    package static func open(
        _ path: String,
        _ access: Access,
        nonBlocking: Bool = false
    ) throws(SystemError) -> FileDescriptor {
        var flags: Int32
        var mode: UInt32 = 0
        switch access {
        case .read: flags = O_RDONLY
        case .readWrite: flags = O_RDWR
        case .replace(let given): (flags, mode) = (O_WRONLY | O_CREAT | O_TRUNC, given)
        case .new(let given): (flags, mode) = (O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, given)
        case .create(let given): (flags, mode) = (O_RDWR | O_CREAT, given)
        }
        if nonBlocking { flags |= O_NONBLOCK }
        // Safe: the call reads a NUL-terminated path.
        return FileDescriptor(owning: try check("open \(path)") { unsafe apus_open(path, flags, mode) })
    }

    /// Reads a whole file of at most `limit` bytes; longer ones throw EFBIG. Works for /proc, too.
    package static func contents(_ path: String, limit: Int = 16 << 20) throws(SystemError) -> [UInt8] {
        let file = try open(path, .read)
        var bytes: [UInt8] = []
        while true {
            do throws(SystemError) {
                switch try read(file.raw, appendingTo: &bytes, atMost: 16384) {
                case .bytes: if bytes.count > limit { throw SystemError("read", code: EFBIG) }
                case .wouldBlock, .endOfStream: return bytes
                }
            } catch {
                throw SystemError("read \(path)", code: error.code)
            }
        }
    }

    /// Replaces a file at once or not at all: written beside it, synced, renamed over it.
    ///
    /// A file that is replaced keeps its owner and group, as far as this process may give them, and its mode unless
    /// `keepsMode` is false. A new one has `mode`; if root makes it, it belongs to whom its directory belongs to, so that
    /// a service whose files root edits can read them.
    package static func replace(
        _ path: String,
        with bytes: Span<UInt8>,
        mode: UInt32,
        keepsMode: Bool = true
    ) throws(SystemError) {
        let old = Ownership(ofFile: path)
        let wanted = old ?? (Process.user == 0 ? Ownership(ofDirectoryOf: path) : nil)
        let temporary = path + ".new"
        remove(temporary)
        // Who owns the directory could have a link there, to a file that only root can write.
        let file = try open(temporary, .new(mode: keepsMode ? old?.mode ?? mode : mode))
        do throws(SystemError) {
            try writeAll(file.raw, bytes)
            try wanted?.give(to: file.raw, mode: keepsMode ? old?.mode : nil)
            try check("fsync") { fsync(file.raw) }
        } catch {
            remove(temporary)
            throw SystemError("write \(temporary)", code: error.code)
        }
        // Safe: the call reads two NUL-terminated paths.
        try check("rename \(temporary)") { unsafe rename(temporary, path) }
    }

    /// Whose a file is, and who may do what with it.
    private struct Ownership {
        let user: uid_t
        let group: gid_t
        let mode: UInt32

        /// nil if there is no regular file; a link is none.
        init?(ofFile path: String) {
            var status = stat()
            // Safe: `status` is valid for the call.
            guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
            self.init(status)
        }

        init?(ofDirectoryOf path: String) {
            let slash = path.lastIndex(of: "/")
            let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
            var status = stat()
            // Safe: `status` is valid for the call.
            guard unsafe stat(directory, &status) == 0 else { return nil }
            self.init(status)
        }

        init(_ status: stat) { (user, group, mode) = (status.st_uid, status.st_gid, status.st_mode & 0o777) }

        /// Gives an open file the owner and group, and `mode` if there is one.
        func give(to fd: Int32, mode: UInt32?) throws(SystemError) {
            var status = stat()
            // Safe: `status` is valid for the call.
            try check("fstat") { unsafe fstat(fd, &status) }
            var mode = mode
            if (status.st_uid, status.st_gid) != (user, group), fchown(fd, user, group) != 0 {
                guard errno == EPERM || errno == EACCES else { throw SystemError("fchown", code: errno) }
                // What the old group was allowed is nothing for another one.
                if status.st_gid != group { mode = mode.map { $0 & ~0o070 } }
            }
            // The umask may have taken some of it.
            guard let mode, status.st_mode & 0o777 != mode else { return }
            try check("fchmod") { fchmod(fd, mode) }
        }
    }

    // Safe: both calls read a NUL-terminated path.

    /// Removes a file if it is there. C: `unlink`.
    @discardableResult
    package static func remove(_ path: String) -> Bool { unsafe unlink(path) == 0 }

    /// Removes an empty directory if it is there. C: `rmdir`.
    @discardableResult
    package static func removeDirectory(_ path: String) -> Bool { unsafe rmdir(path) == 0 }

    /// Makes a directory, and those above it that are missing; one that is there is kept. C: `mkdir`.
    package static func makeDirectory(_ path: String, mode: UInt32 = 0o750) throws(SystemError) {
        // Safe: the call reads a NUL-terminated path.
        if unsafe mkdir(path, mode) == 0 { return }
        let code = errno
        if code == EEXIST, isDirectory(path) { return }
        guard code == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
            throw SystemError("mkdir \(path)", code: code)
        }
        try makeDirectory(String(path[..<slash]), mode: mode)
        try check("mkdir \(path)") { unsafe mkdir(path, mode) }
    }

    /// The names in a directory, sorted, without `.` and `..`. C: `readdir`.
    package static func list(_ path: String) throws(SystemError) -> [String] {
        // Safe: the stream is checked and closed; each entry is copied before the next call.
        guard let directory = unsafe opendir(path) else { throw SystemError("opendir \(path)", code: errno) }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    // Safe: both calls read a NUL-terminated path.

    /// The path from the root on: a relative one is taken from the working directory. C: `readlink /proc/self/cwd`.
    package static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/"), let directory = linkTarget("/proc/self/cwd") else { return path }
        return directory == "/" ? "/" + path : directory + "/" + path
    }

    /// True if the path is there, whatever it is. C: `access`.
    package static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    /// True if the file may be executed. C: `access`.
    package static func isExecutable(_ path: String) -> Bool { unsafe access(path, X_OK) == 0 }

    /// True for a directory. C: `stat`.
    package static func isDirectory(_ path: String) -> Bool { mode(path).map { $0 & S_IFMT == S_IFDIR } ?? false }

    /// The size of a file in bytes, nil if it is not there. C: `stat`.
    package static func size(_ path: String) -> Int? {
        var status = stat()
        // Safe: `status` is valid for the call.
        return unsafe stat(path, &status) == 0 ? Int(status.st_size) : nil
    }

    /// The size of the file system that a path lies on, and what of it users may still fill, in bytes; nil if the path is
    /// not there. C: `statvfs`.
    package static func space(_ path: String) -> (total: Int, free: Int)? {
        var status = statvfs()
        // Safe: `status` is valid for the call.
        guard unsafe statvfs(path, &status) == 0 else { return nil }
        let block = Int(clamping: status.f_frsize)
        let (total, isTooLarge) = Int(clamping: status.f_blocks).multipliedReportingOverflow(by: block)
        // Where more is kept for root than is left, some file systems tell of less than nothing, as a huge number.
        let free = status.f_bavail <= status.f_blocks ? Int(clamping: status.f_bavail) * block : 0
        return isTooLarge ? nil : (total, free)
    }

    /// The user who owns a file or directory, nil if it is not there. C: `stat`.
    package static func owner(_ path: String) -> UInt32? {
        var status = stat()
        // Safe: `status` is valid for the call.
        return unsafe stat(path, &status) == 0 ? status.st_uid : nil
    }

    /// Gives a file or directory to a user and that user's group. C: `chown`.
    package static func give(_ path: String, toUser user: String) throws(SystemError) {
        // Safe: the call reads two NUL-terminated texts.
        try check("chown \(path)") { unsafe apus_give_to_user(path, user) }
    }

    /// Makes a symbolic link at `path`. C: `symlink`.
    package static func link(_ target: String, at path: String) throws(SystemError) {
        // Safe: the call reads two NUL-terminated paths.
        try check("symlink \(path)") { unsafe symlink(target, path) }
    }

    /// The target of a symbolic link, nil if it is none. C: `readlink`.
    package static func linkTarget(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        // Safe: the call writes at most `count` bytes.
        let length = unsafe readlink(path, &buffer, buffer.count)
        return length < 0 ? nil : String(decoding: buffer.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The path with all symbolic links followed, nil if it is not there. C: `realpath`.
    package static func resolved(_ path: String) -> String? {
        // Safe: the call allocates a NUL-terminated path, which is freed here.
        guard let real = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }

    /// Locks the file for this process until the descriptor closes. C: `flock(LOCK_EX | LOCK_NB)`.
    ///
    /// - Returns: false when another process holds the lock.
    package static func lock(_ fd: Int32) throws(SystemError) -> Bool {
        do throws(SystemError) {
            try check("flock") { apus_lock(fd) }
            return true
        } catch  where error.code == EWOULDBLOCK {
            return false
        }
    }

    /// A text that is another one once the file was written or replaced; nil if it is not there. C: `stat`.
    package static func stamp(_ path: String) -> String? {
        var status = stat()
        // Safe: `status` is valid for the call.
        guard unsafe stat(path, &status) == 0 else { return nil }
        let (written, changed) = (status.st_mtim, status.st_ctim)
        return
            "\(status.st_ino)-\(status.st_size)-\(written.tv_sec).\(written.tv_nsec)-\(changed.tv_sec).\(changed.tv_nsec)"
    }

    /// What tells a file from others, whatever is written into it; nil if it is not there. C: `stat`.
    package static func identity(_ path: String) -> String? {
        var status = stat()
        // Safe: `status` is valid for the call.
        return unsafe stat(path, &status) == 0 ? "\(status.st_dev)-\(status.st_ino)" : nil
    }

    /// The type and permissions of a file, nil if it is not there. C: `stat`.
    package static func mode(_ path: String) -> UInt32? {
        var status = stat()
        // Safe: `status` is valid for the call.
        return unsafe stat(path, &status) == 0 ? status.st_mode : nil
    }
}
