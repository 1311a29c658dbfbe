// SPDX-License-Identifier: Apache-2.0
// Landlock: which files this process may touch from now on (landlock(7)).

import CShimLinux

/// Rules for what this process may do with files; what no rule allows is forbidden once they are in force.
package struct Landlock: ~Copyable {
    /// What may be done with files; none to execute them.
    package enum Access: Sendable {
        /// The names in directories are read.
        case list
        /// Sockets are made and removed, too.
        case sockets
        /// Names and files are read.
        case read
        /// Files that are there are read and written to: devices.
        case use
        /// Files are made, removed and cut as well; no links, directories, devices or sockets.
        case write
    }

    /// The kernel's version of Landlock, 0 if it has none.
    package let version: Int32
    private let rules: FileDescriptor

    /// Begins without any rule; nil if the kernel has no Landlock.
    package init?() {
        version = apus_landlock_version()
        guard version > 0 else { return nil }
        let raw = apus_landlock_create(version)
        guard raw >= 0 else { return nil }
        rules = FileDescriptor(owning: raw)
    }

    /// Allows access to a file, or to all that is below a directory.
    ///
    /// - Throws: also if the path is not there.
    package borrowing func allow(_ path: String, _ access: Access) throws(SystemError) {
        let code =
            switch access {
            case .list: APUS_ACCESS_LIST
            case .sockets: APUS_ACCESS_SOCKETS
            case .read: APUS_ACCESS_READ
            case .use: APUS_ACCESS_USE
            case .write: APUS_ACCESS_WRITE
            }
        // Safe: the call reads a NUL-terminated path.
        _ = try check("landlock \(path)") { unsafe apus_landlock_allow(rules.raw, version, path, code) }
    }

    /// Puts the rules in force, for good. Needs `Process.renouncePrivileges` before.
    package borrowing func enforce() throws(SystemError) {
        _ = try check("landlock_restrict_self") { apus_landlock_enforce(rules.raw) }
    }
}

extension Socket {
    /// Makes a socket of any family and type, such as AF_PACKET and SOCK_RAW, and closes it again.
    package static func attempt(family: Int32, type: Int32) throws(SystemError) {
        try check("socket") { apus_try_socket(family, type) }
    }
}
