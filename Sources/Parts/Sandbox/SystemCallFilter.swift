// SPDX-License-Identifier: Apache-2.0
// Which system calls a process may make from now on, by libseccomp.

import CSysSeccomp
import System

/// The kinds of sockets that a process may open.
package enum SocketFamily: UInt32, Sendable, CaseIterable {
    /// AF_UNIX
    case unix = 1
    /// AF_INET
    case ipv4 = 2
    /// AF_INET6
    case ipv6 = 10
    /// AF_NETLINK: the kernel's news of devices.
    case netlink = 16

    /// What any daemon speaks.
    package static let network: Set<SocketFamily> = [.unix, .ipv4, .ipv6]
}

/// Forbids what no daemon has any business to do; what is forbidden fails with EPERM.
///
/// A list of what is forbidden, not of what is allowed: codecs, GPU drivers and each version of the C library call what
/// nobody can foresee, and a stream that ends in a call nobody thought of is worse than a call more. Executing,
/// tracing others, mounting, loading code into the kernel and its rarely tested corners are what matters.
enum SystemCallFilter {
    /// Nothing of these is ever called on purpose.
    static let forbidden = [
        // Programs, and the insides of other processes.
        "execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp",
        "pidfd_getfd", "userfaultfd", "personality",
        // The tree of files, and other views of the system.
        "mount", "umount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen", "fsmount",
        "fsconfig", "fspick", "mount_setattr", "setns", "unshare", "mknod", "mknodat", "open_by_handle_at",
        "name_to_handle_at", "quotactl", "quotactl_fd", "acct",
        // The kernel itself.
        "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "swapon", "swapoff",
        "bpf", "perf_event_open", "iopl", "ioperm", "modify_ldt", "syslog", "lookup_dcookie", "vhangup", "nfsservctl",
        "io_uring_setup", "io_uring_enter", "io_uring_register", "add_key", "request_key", "keyctl",
        // The clock and the name of the machine.
        "settimeofday", "clock_settime", "clock_settime64", "adjtimex", "clock_adjtime", "clock_adjtime64",
        "sethostname", "setdomainname",
        // Who the process is.
        "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid", "setgroups",
        "capset",
    ]

    /// The highest number of a socket family that is looked at one by one; what is above is forbidden.
    private static let highestFamily: UInt32 = 64

    /// Puts the filter in force, for good. Needs `Process.renouncePrivileges` before.
    static func enforce(families: Set<SocketFamily>) throws(SystemError) {
        // Safe: the context is used and released here, and the library copies what it is given.
        guard let context = unsafe seccomp_init(allow) else { throw SystemError("seccomp_init", code: 12) }
        defer { unsafe seccomp_release(context) }
        for name in forbidden {
            let number = unsafe seccomp_syscall_resolve_name(name)
            // Not every architecture has every call.
            guard number >= 0 else { continue }
            try add(unsafe seccomp_rule_add_array(context, refuse, number, 0, nil), name)
        }
        let socket = unsafe seccomp_syscall_resolve_name("socket")
        func forbid(_ comparison: scmp_arg_cmp) throws(SystemError) {
            let comparisons = [comparison]
            // Safe: the array lives for the call.
            try add(unsafe seccomp_rule_add_array(context, refuse, socket, 1, comparisons), "socket")
        }
        for family in 0...highestFamily where SocketFamily(rawValue: family).map({ !families.contains($0) }) ?? true {
            try forbid(scmp_arg_cmp(arg: 0, op: SCMP_CMP_EQ, datum_a: UInt64(family), datum_b: 0))
        }
        try forbid(scmp_arg_cmp(arg: 0, op: SCMP_CMP_GT, datum_a: UInt64(highestFamily), datum_b: 0))
        // Raw sockets forge other machines' packets; netlink's are called raw, too, and forge nothing.
        for family in families.subtracting([.netlink]) {
            let comparisons = [
                scmp_arg_cmp(arg: 0, op: SCMP_CMP_EQ, datum_a: UInt64(family.rawValue), datum_b: 0),
                scmp_arg_cmp(arg: 1, op: SCMP_CMP_MASKED_EQ, datum_a: 0xF, datum_b: rawSocket),
            ]
            // Safe: the array lives for the call.
            try add(unsafe seccomp_rule_add_array(context, refuse, socket, 2, comparisons), "socket")
        }
        try add(unsafe seccomp_load(context), "load")
    }

    private static func add(_ result: Int32, _ what: String) throws(SystemError) {
        guard result == 0 else { throw SystemError("seccomp \(what)", code: -result) }
    }

    /// SCMP_ACT_ALLOW, which is a macro.
    private static let allow: UInt32 = 0x7FFF_0000
    /// SCMP_ACT_ERRNO(EPERM), which is a macro.
    private static let refuse: UInt32 = 0x0005_0000 | 1
    /// SOCK_RAW
    private static let rawSocket: UInt64 = 3
}
