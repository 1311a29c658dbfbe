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
    /// Files, and directories with all that is below them, that may be read and written to, while none may be made,
    /// removed or cut: devices.
    package var uses: Set<String>
    /// What the names of such nodes in /dev begin with; they must be there when the sandbox is entered.
    package var nodes: Set<String>
    /// Directories whose names may be read, also of those below, and nothing else of them.
    package var lists: Set<String>
    package var families: Set<SocketFamily>

    package init(
        reads: Set<String> = [],
        writes: Set<String> = [],
        uses: Set<String> = [],
        nodes: Set<String> = [],
        lists: Set<String> = [],
        families: Set<SocketFamily>
    ) {
        self.reads = reads
        self.writes = writes
        self.uses = uses
        self.nodes = nodes
        self.lists = lists
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
        let used = writes.union(uses)
        let read = used.union(reads)
        return other.writes.isSubset(of: writes) && other.uses.isSubset(of: used) && other.reads.isSubset(of: read)
            && other.lists.isSubset(of: read.union(lists)) && other.nodes.isSubset(of: nodes)
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
            for path in lists { allow(path, .list, landlock) }
            for path in reads { allow(path, .read, landlock) }
            for path in uses.union(presentNodes) { allow(path, .use, landlock) }
            for path in writes { allow(path, .write, landlock) }
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

    private func allow(_ path: String, _ access: Landlock.Access, _ landlock: borrowing Landlock) {
        // Not there: then there is nothing to touch either.
        _ = try? landlock.allow(path, access)
    }

    private var presentNodes: [String] {
        guard !nodes.isEmpty, let names = try? File.list("/dev") else { return [] }
        return names.filter { name in nodes.contains { name.hasPrefix($0) } }.map { "/dev/\($0)" }
    }

    /// EINVAL, ENOSYS, EOPNOTSUPP, and what libseccomp makes of them: ECANCELED.
    private static let unknownCodes: Set<Int32> = [22, 38, 95, 125]
}
