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
    /// Directories in which sockets may be made and removed, and nothing else be changed.
    package var sockets: Set<String>
    /// Files that may be read as they are now, each with what tells it from others: one that takes its place is
    /// another.
    package private(set) var files: [String: String]
    package var families: Set<SocketFamily>
    package var liberties: Liberties
    /// What is left of root's rights.
    package var capabilities: Set<Capability>
    /// How much memory the process may write to, in bytes; nil: as much as there is.
    package var memoryLimit: Int?

    /// What some daemons may do beyond the others.
    package struct Liberties: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// Memory that becomes code, and what else drivers and codecs may call.
        package static let drivers = Liberties(rawValue: 1)
        /// Files in memory.
        package static let rings = Liberties(rawValue: 2)
    }

    package init(
        reads: Set<String> = [],
        writes: Set<String> = [],
        uses: Set<String> = [],
        nodes: Set<String> = [],
        lists: Set<String> = [],
        sockets: Set<String> = [],
        files: Set<String> = [],
        families: Set<SocketFamily>,
        liberties: Liberties = [],
        capabilities: Set<Capability> = [],
        memoryLimit: Int? = nil
    ) {
        self.reads = reads
        self.writes = writes
        self.uses = uses
        self.nodes = nodes
        self.lists = lists
        self.sockets = sockets
        self.files = [:]
        self.families = families
        self.liberties = liberties
        self.capabilities = capabilities
        self.memoryLimit = memoryLimit
        for file in files { read(file: file) }
    }

    /// Allows to read a file as it is now, there or not.
    package mutating func read(file path: String) { files[path] = File.identity(path) ?? "" }

    /// True if one of `files` has come, gone or been replaced: it cannot be read, and only a new process may.
    package var isOutdated: Bool { files.contains { ($0.value != (File.identity($0.key) ?? "")) } }

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

    /// What programs read while they run: libraries that are loaded late, certificates of authorities, the kernel's
    /// figures, random bytes.
    package static let system: Set<String> = [
        "/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/localtime",
        "/proc",
        "/sys", "/dev/urandom", "/dev/random",
    ]
    /// The files that the C library reads to look up names.
    package static let nameLookup: Set<String> = [
        "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/host.conf", "/etc/services",
        "/etc/protocols", "/etc/networks",
    ]
    /// Where those files may be links to, in directories that hold nothing else.
    package static let nameLookupDirectories: Set<String> = [
        "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager/resolv.conf",
    ]
    /// What settings of the system drivers of GPUs look for.
    package static let drivers: Set<String> = [
        "/etc/drirc", "/etc/libva.conf", "/etc/OpenCL", "/etc/vulkan", "/etc/glvnd",
    ]

    /// True if whoever has entered this one needs no other for `other`.
    package func covers(_ other: Sandbox) -> Bool {
        let used = writes.union(uses)
        let read = used.union(reads)
        return other.writes.isSubset(of: writes) && other.uses.isSubset(of: used) && other.reads.isSubset(of: read)
            && other.lists.isSubset(of: read.union(lists)) && other.nodes.isSubset(of: nodes)
            && other.sockets.isSubset(of: writes.union(sockets)) && other.families.isSubset(of: families)
            && other.files.allSatisfy { files[$0.key] == $0.value }
            && other.liberties.isSubset(of: liberties) && other.capabilities.isSubset(of: capabilities)
            && (other.memoryLimit ?? .max) <= (memoryLimit ?? .max)
    }

    /// Closes everything else to this process, for good.
    ///
    /// What the kernel does not know of is left out; the result says what. Paths that are not there are left out as
    /// well.
    package func enter() throws(SystemError) -> Enforcement {
        try Process.renouncePrivileges()
        try Process.keepCapabilities(capabilities)
        // A dump would show passwords; what writes without end fills a disk, and what grows without end the machine.
        try Process.lower(.core, to: 0)
        Process.ignore(.fileSize)
        try Process.lower(.file, to: Self.fileLimit)
        if let memoryLimit { try Process.lower(.data, to: memoryLimit) }
        var enforcement = Enforcement()
        if let landlock = Landlock() {
            for path in lists { allow(path, .list, landlock) }
            for path in reads { allow(path, .read, landlock) }
            for path in files.keys { allow(path, .read, landlock) }
            for path in sockets { allow(path, .sockets, landlock) }
            for path in uses.union(presentNodes) { allow(path, .use, landlock) }
            for path in writes { allow(path, .write, landlock) }
            try landlock.enforce()
            enforcement.landlock = landlock.version
        }
        do throws(SystemError) {
            try SystemCallFilter.enforce(families: families, liberties: liberties)
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

    /// Twice the largest ring, in bytes.
    package static let fileLimit = 2 << 30

    /// EINVAL, ENOSYS, EOPNOTSUPP, and what libseccomp makes of them: ECANCELED.
    private static let unknownCodes: Set<Int32> = [22, 38, 95, 125]
}
