// SPDX-License-Identifier: Apache-2.0
// This process and others: starting, signalling, reaping.

import CShimLinux
import Glibc

/// The signals that Apus handles or sends.
package enum Signal: Int32, Sendable, CaseIterable {
    case hangUp = 1
    case interrupt = 2
    case kill = 9
    case pipe = 13
    case terminate = 15
    case child = 17
    case fileSize = 25
    case stop = 19
    case resume = 18
    case user1 = 10
}

/// How a process ended.
package enum ExitStatus: Equatable, Sendable {
    case exited(Int32)
    case killed(signal: Int32)
}

extension ExitStatus: CustomStringConvertible {
    package var description: String {
        switch self {
        case .exited(let code): "exit code \(code)"
        case .killed(let signal): "signal \(signal)"
        }
    }
}

/// One of root's rights: capabilities(7).
package enum Capability: UInt64, Sendable {
    /// CAP_DAC_OVERRIDE: files' modes do not count.
    case openAnyFile = 1
    /// CAP_DAC_READ_SEARCH: directories' modes do not count, nor whether files may be read.
    case searchAnyDirectory = 2
    /// CAP_NET_BIND_SERVICE: ports under 1024.
    case listenOnLowPorts = 10
}

/// What a process may use: getrlimit(2).
package enum Limit: Sendable {
    /// The size of a dump of its memory.
    case core
    /// The size of files that it writes, those in memory too.
    case file
    /// The memory that it writes to and shares with nobody.
    case data
}

/// This process and its children.
package enum Process {
    /// What a child is started with.
    package struct Launch: Sendable {
        package var path: String
        /// Arguments without the program's own name.
        package var arguments: [String]
        /// `NAME=value` strings.
        package var environment: [String]
        /// Descriptors that become 0, 1 and 2; nil passes this process's own.
        package var standardInput: Int32?
        package var standardOutput: Int32?
        package var standardError: Int32?
        /// Descriptors that the child keeps under their numbers, though they close in other children.
        package var keptDescriptors: [Int32] = []
        /// Whether the child leads a process group of its own, so that terminal signals do not reach it.
        package var ownGroup = true
        /// The signal that the child gets when this process dies, nil for none.
        package var deathSignal: Signal? = .kill

        package init(path: String, arguments: [String], environment: [String] = Process.environment) {
            self.path = path
            self.arguments = arguments
            self.environment = environment
        }
    }

    /// Starts a child. C: `fork`, `execve`.
    ///
    /// - Returns: its process id; to be reaped by `reap`.
    /// - Throws: also when the program cannot be executed.
    package static func spawn(_ launch: Launch) throws(SystemError) -> Int32 {
        let arguments = CStrings([launch.path] + launch.arguments)
        let environment = CStrings(launch.environment)
        // Safe: all strings live until the call returns, by `extendLifetime`, and so do the descriptors.
        let pid = unsafe launch.path.withCString { path in
            unsafe launch.keptDescriptors.withUnsafeBufferPointer { kept in
                var spawn = unsafe CShimLinux.apus_spawn(
                    path: path,
                    arguments: arguments.pointers,
                    environment: environment.pointers,
                    standard: (launch.standardInput ?? -1, launch.standardOutput ?? -1, launch.standardError ?? -1),
                    own_group: launch.ownGroup ? 1 : 0,
                    death_signal: launch.deathSignal?.rawValue ?? 0,
                    kept: kept.baseAddress,
                    kept_count: Int32(clamping: kept.count)
                )
                return unsafe apus_spawn_process(&spawn)
            }
        }
        let code = errno
        extendLifetime(arguments)
        extendLifetime(environment)
        guard pid >= 0 else { throw SystemError("start \(launch.path)", code: code) }
        return pid
    }

    /// A descriptor that turns readable when the process ends. C: `pidfd_open`.
    package static func watch(_ pid: Int32) throws(SystemError) -> FileDescriptor {
        FileDescriptor(owning: try check("pidfd_open") { apus_pidfd(pid) })
    }

    /// How the child ended, nil while it runs. C: `waitpid(WNOHANG)`.
    package static func reap(_ pid: Int32) throws(SystemError) -> ExitStatus? {
        var status: Int32 = 0
        // Safe: `status` is valid for the call.
        guard try check("waitpid", { unsafe apus_reap(pid, &status) }) == 1 else { return nil }
        return status & 0x7F == 0 ? .exited(status >> 8 & 0xFF) : .killed(signal: status & 0x7F)
    }

    /// True if the child is stopped by a signal now. C: `waitid(WSTOPPED | WNOWAIT)`.
    package static func isStopped(_ pid: Int32) -> Bool { apus_is_stopped(pid) == 1 }

    /// Reaps one ended child of which nobody knows, as a subreaper must; nil when there is none.
    package static func reapAny() -> (pid: Int32, status: ExitStatus)? {
        var status: Int32 = 0
        // Safe: `status` is valid for the call.
        let pid = unsafe waitpid(-1, &status, WNOHANG)
        guard pid > 0 else { return nil }
        return (pid, status & 0x7F == 0 ? .exited(status >> 8 & 0xFF) : .killed(signal: status & 0x7F))
    }

    /// Sends a signal to a process. C: `kill`.
    package static func signal(_ signal: Signal, to pid: Int32) throws(SystemError) {
        try check("kill \(pid)") { kill(pid, signal.rawValue) }
    }

    /// Sends a signal to a process group. C: `killpg`.
    package static func signal(_ signal: Signal, toGroup group: Int32) throws(SystemError) {
        try check("killpg \(group)") { killpg(group, signal.rawValue) }
    }

    /// True while a process of that id exists. C: `kill(pid, 0)`.
    package static func isRunning(_ pid: Int32) -> Bool { kill(pid, 0) == 0 || errno == EPERM }

    /// Makes orphaned descendants children of this process. C: `prctl(PR_SET_CHILD_SUBREAPER)`.
    package static func becomeSubreaper() throws(SystemError) { try check("prctl") { apus_become_subreaper() } }

    /// Asks for a signal when the parent dies. C: `prctl(PR_SET_PDEATHSIG)`.
    package static func dieWithParent(_ signal: Signal) throws(SystemError) {
        try check("prctl") { apus_die_with_parent(signal.rawValue) }
    }

    /// Nothing that is executed from now on gives privileges. C: `prctl(PR_SET_NO_NEW_PRIVS)`.
    package static func renouncePrivileges() throws(SystemError) { try check("prctl") { apus_no_new_privileges() } }

    /// Gives up all of root's rights but these, for good. C: `capset`.
    package static func keepCapabilities(_ capabilities: Set<Capability>) throws(SystemError) {
        try check("capset") { apus_keep_capabilities(capabilities.reduce(0) { $0 | 1 << $1.rawValue }) }
    }

    /// Lowers what this process may use to so many bytes, for good. C: `setrlimit`.
    package static func lower(_ limit: Limit, to bytes: Int) throws(SystemError) {
        let code =
            switch limit {
            case .core: APUS_LIMIT_CORE
            case .file: APUS_LIMIT_FILE
            case .data: APUS_LIMIT_DATA
            }
        try check("setrlimit") { apus_lower_limit(code, UInt64(max(0, bytes))) }
    }

    /// The process group of a process; nil if there is no such process. C: `getpgid`.
    package static func group(of pid: Int32) -> Int32? {
        let group = apus_process_group(pid)
        return group < 0 ? nil : group
    }

    /// Becomes another user for good, with that user's groups. C: `initgroups`, `setgid`, `setuid`.
    ///
    /// - Throws: ENOENT if there is no such user.
    package static func become(user: String) throws(SystemError) {
        // Safe: the call reads a NUL-terminated name.
        try check("become user \(user)") { unsafe apus_become_user(user) }
    }

    /// Lets the process have as many open descriptors as it may. C: `setrlimit(RLIMIT_NOFILE)`.
    @discardableResult
    package static func raiseDescriptorLimit() -> Int { apus_raise_descriptor_limit() }

    /// Ignores a signal from now on. C: `signal(SIG_IGN)`.
    package static func ignore(_ signal: Signal) { _ = Glibc.signal(signal.rawValue, SIG_IGN) }

    /// This process's id.
    package static var id: Int32 { getpid() }
    /// The parent's process id.
    package static var parent: Int32 { getppid() }
    /// The effective user id.
    package static var user: UInt32 { geteuid() }

    /// Ends the process at once with the exit code, standard output flushed.
    package static func exit(_ code: Int32) -> Never { Glibc.exit(code) }

    /// The value of an environment variable.
    package static func environment(_ name: String) -> String? {
        // Safe: the string is copied at once; nobody changes the environment.
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }

    /// The whole environment as `NAME=value` strings.
    package static var environment: [String] {
        var strings: [String] = []
        // Safe: `environ` is a NULL-terminated array that nobody changes.
        var entry = unsafe environ
        while let string = unsafe entry.pointee {
            strings.append(unsafe String(cString: string))
            unsafe entry += 1
        }
        return strings
    }

    /// The path of the running program. C: `readlink /proc/self/exe`.
    package static var executablePath: String { File.linkTarget("/proc/self/exe") ?? "" }

    /// True if the descriptor is a terminal. C: `isatty`.
    package static func isTerminal(_ fd: Int32) -> Bool { isatty(fd) == 1 }
}

/// Random bytes for identifiers and keys.
package enum Random {
    /// Unpredictable bytes from the kernel. C: `getrandom`.
    package static func uint64() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }

    /// `count` unpredictable bytes.
    package static func bytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }
}

/// Owns a NULL-terminated array of C strings.
@safe
private final class CStrings {
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    init(_ strings: [String]) {
        count = strings.count
        // Safe: one place for each string and one for the closing NULL, all filled here.
        unsafe pointers = .allocate(capacity: count + 1)
        for (index, string) in strings.enumerated() { unsafe (pointers + index).initialize(to: strdup(string)) }
        unsafe (pointers + count).initialize(to: nil)
    }

    deinit {
        for index in 0..<count { unsafe free(pointers[index]) }
        unsafe pointers.deallocate()
    }
}
