// SPDX-License-Identifier: Apache-2.0
// What a daemon may touch, and how the rest is closed to it.

package import System

/// What a process needs; `enter` closes everything else to it.
///
/// It is for the day on which somebody finds a fault in a parser: what runs then can serve cameras, and nothing more.
package struct Sandbox: Sendable, Equatable {
    /// Files, and directories with all that is below them, that may be read.
    package var reads: Set<String>
    /// Files, and directories with all that is below them, that may be changed as well.
    package var writes: Set<String>
    package var families: Set<SocketFamily>

    package init(reads: Set<String> = [], writes: Set<String> = [], families: Set<SocketFamily>) {
        self.reads = reads
        self.writes = writes
        self.families = families
    }

    /// What is in force.
    package struct Enforcement: Sendable, Equatable {
        /// The kernel's version of Landlock; 0: it has none, so files are not closed.
        package var landlock: Int32
        /// Whether system calls are filtered.
        package var filtersCalls: Bool

        package init(landlock: Int32 = 0, filtersCalls: Bool = false) {
            self.landlock = landlock
            self.filtersCalls = filtersCalls
        }
    }

    /// What programs read while they run: libraries that are loaded late, the kernel's figures, random bytes.
    package static let system: Set<String> = [
        "/usr", "/lib", "/lib64", "/etc/ssl", "/etc/localtime", "/proc", "/sys", "/dev/urandom", "/dev/random",
    ]
    /// What the C library reads to look up names; directories, as others replace the files in them.
    package static let nameLookup: Set<String> = ["/etc", "/run/systemd/resolve", "/run/resolvconf"]

    /// True if whoever has entered this one needs no other for `other`.
    package func covers(_ other: Sandbox) -> Bool {
        other.reads.isSubset(of: reads.union(writes)) && other.writes.isSubset(of: writes)
            && other.families.isSubset(of: families)
    }

    /// Closes everything else to this process, for good.
    ///
    /// What the kernel does not know of is left out; the result says what. Paths that are not there are left out as
    /// well.
    package func enter() throws(SystemError) -> Enforcement {
        try Process.renouncePrivileges()
        var enforcement = Enforcement()
        if let landlock = Landlock() {
            for path in reads { allow(path, writes: false, landlock) }
            for path in writes { allow(path, writes: true, landlock) }
            try landlock.enforce()
            enforcement.landlock = landlock.version
        }
        do throws(SystemError) {
            try SystemCallFilter.enforce(families: families)
            enforcement.filtersCalls = true
        } catch  where Self.unknownCodes.contains(error.code) {
            // A kernel without seccomp.
        }
        return enforcement
    }

    private func allow(_ path: String, writes: Bool, _ landlock: borrowing Landlock) {
        // Not there: then there is nothing to touch either.
        _ = try? landlock.allow(path, writes: writes)
    }

    /// EINVAL, ENOSYS, EOPNOTSUPP, and what libseccomp makes of them: ECANCELED.
    private static let unknownCodes: Set<Int32> = [22, 38, 95, 125]
}
