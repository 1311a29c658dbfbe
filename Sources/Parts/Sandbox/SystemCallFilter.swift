// SPDX-License-Identifier: Apache-2.0
// Which system calls a process may make from now on, by libseccomp.

import CSysSeccomp
import System

/// The kinds of sockets that a process may open.
package enum SocketFamily: UInt32, Sendable, CaseIterable {
    /// AF_UNIX: streams, datagrams, packets in order.
    case unix = 1
    /// AF_INET: TCP and UDP.
    case ipv4 = 2
    /// AF_INET6: TCP and UDP.
    case ipv6 = 10
    /// AF_NETLINK: the kernel's news of devices (NETLINK_KOBJECT_UEVENT).
    case netlink = 16

    /// What any daemon speaks.
    package static let network: Set<SocketFamily> = [.unix, .ipv4, .ipv6]
}

/// Forbids what no daemon has any business to do; what is forbidden fails with EPERM.
///
/// A list of what is forbidden, not of what is allowed: codecs, GPU drivers and each version of the C library call what
/// nobody can foresee, and a stream that ends in a call nobody thought of is worse than a call more. Executing,
/// tracing others, mounting, loading code into the kernel and its rarely tested corners are what matters.
@safe
struct SystemCallFilter: ~Copyable {
    private let context: scmp_filter_ctx

    /// Puts the filter in force, for good. Needs `Process.renouncePrivileges` before.
    static func enforce(families: Set<SocketFamily>, liberties: Sandbox.Liberties) throws(SystemError) {
        let filter = try SystemCallFilter()
        for name in SystemCalls.ofNobody { try filter.forbid(name) }
        if !liberties.contains(.drivers) { for name in SystemCalls.ofDrivers { try filter.forbid(name) } }
        if !liberties.contains(.rings) { for name in SystemCalls.ofRings { try filter.forbid(name) } }
        try filter.limitSockets(families)
        try filter.limitProcesses()
        try filter.limitDescriptors()
        if !liberties.contains(.drivers) { try filter.limitCode() }
        try filter.load()
    }

    private init() throws(SystemError) {
        // Safe: the context is checked, and released by deinit.
        guard let context = unsafe seccomp_init(Self.allow) else { throw SystemError("seccomp_init", code: 12) }
        unsafe self.context = unsafe context
    }

    deinit {
        // Safe: this is the only owner.
        unsafe seccomp_release(context)
    }

    /// Forbids a call where all comparisons hold; without any, always.
    private borrowing func forbid(
        _ name: String,
        _ comparisons: [scmp_arg_cmp] = [],
        _ action: UInt32 = SystemCallFilter.refuse
    ) throws(SystemError) {
        // Safe: the call reads a NUL-terminated name.
        let number = unsafe seccomp_syscall_resolve_name(name)
        // Not every architecture has every call.
        guard number >= 0 else { return }
        // Safe: the array lives for the call, and the library copies it.
        let result = unsafe seccomp_rule_add_array(context, action, number, UInt32(comparisons.count), comparisons)
        guard result == 0 else { throw SystemError("seccomp \(name)", code: -result) }
    }

    private borrowing func load() throws(SystemError) {
        // Safe: the context lives as long as self.
        let result = unsafe seccomp_load(context)
        guard result == 0 else { throw SystemError("seccomp load", code: -result) }
    }

    /// SCMP_ACT_ALLOW, which is a macro.
    private static let allow: UInt32 = 0x7FFF_0000
    /// SCMP_ACT_ERRNO(EPERM), which is a macro.
    private static let refuse: UInt32 = 0x0005_0000 | 1
    /// SCMP_ACT_ERRNO(ENOSYS): the C library does without.
    private static let deny: UInt32 = 0x0005_0000 | 38
}

// MARK: Calls whose arguments are looked at

extension SystemCallFilter {
    /// The highest number of a socket family that is looked at one by one; what is above is forbidden.
    private static let highestFamily: UInt64 = 64
    private static let stream: UInt64 = 1
    private static let datagram: UInt64 = 2
    private static let raw: UInt64 = 3
    private static let packets: UInt64 = 5

    /// The types and protocols of a family; other protocols are rarely tested, and loaded into the kernel on demand.
    private static func kinds(_ family: SocketFamily) -> [(type: UInt64, protocols: Set<UInt64>)] {
        switch family {
        case .unix: [(stream, [0, 1]), (datagram, [0, 1]), (packets, [0, 1])]
        // IPPROTO_TCP, IPPROTO_UDP
        case .ipv4, .ipv6: [(stream, [0, 6]), (datagram, [0, 17])]
        // NETLINK_KOBJECT_UEVENT
        case .netlink: [(raw, [15]), (datagram, [15])]
        }
    }

    private borrowing func limitSockets(_ families: Set<SocketFamily>) throws(SystemError) {
        for number in 0...Self.highestFamily {
            guard let family = SocketFamily(rawValue: UInt32(number)), families.contains(family) else {
                try forbid("socket", [Self.equal(0, number)])
                continue
            }
            let kinds = Self.kinds(family)
            // SOCK_TYPE_MASK is 15.
            for type in 0...UInt64(15) {
                let both = [Self.equal(0, number), Self.masked(1, 15, type)]
                guard let protocols = kinds.first(where: { $0.type == type })?.protocols else {
                    try forbid("socket", both)
                    continue
                }
                let highest = protocols.max() ?? 0
                for other in 0...highest where !protocols.contains(other) {
                    try forbid("socket", both + [Self.equal(2, other)])
                }
                try forbid("socket", both + [Self.above(2, highest)])
            }
        }
        try forbid("socket", [Self.above(0, Self.highestFamily)])
        try forbid("socketpair", [Self.other(0, UInt64(SocketFamily.unix.rawValue))])
    }

    /// No process but this one is started, signalled or set; no view of the system is made anew.
    private borrowing func limitProcesses() throws(SystemError) {
        // What it asks for is behind a pointer.
        try forbid("clone3", [], Self.deny)
        // CLONE_THREAD: a thread, not a process.
        try forbid("clone", [Self.masked(0, 0x1_0000, 0)])
        // CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
        for flag: UInt64 in [
            0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000,
        ] { try forbid("clone", [Self.masked(0, flag, flag)]) }
        let own = UInt64(Process.id)
        for name in ["kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"] {
            try forbid(name, [Self.other(0, own)])
        }
        // 0 is the process itself, or the thread.
        for name in ["prlimit64", "sched_setaffinity", "sched_setscheduler", "sched_setparam", "sched_setattr"] {
            try forbid(name, [Self.other(0, 0)])
        }
        // PRIO_PROCESS, IOPRIO_WHO_PROCESS
        for (name, process): (String, UInt64) in [("setpriority", 0), ("ioprio_set", 1)] {
            try forbid(name, [Self.other(0, process)])
            try forbid(name, [Self.other(1, 0)])
        }
    }

    /// No descriptor sends signals to others, and no terminal is typed into.
    private borrowing func limitDescriptors() throws(SystemError) {
        let word: UInt64 = 0xFFFF_FFFF
        for name in ["fcntl", "fcntl64"] {
            // F_SETOWN, F_SETSIG, F_SETOWN_EX
            for command: UInt64 in [8, 10, 15] { try forbid(name, [Self.masked(1, word, command)]) }
        }
        // FIOSETOWN, SIOCSPGRP, TIOCSTI, TIOCLINUX, TIOCSETD
        for request: UInt64 in [0x8901, 0x8902, 0x5412, 0x541C, 0x5423] {
            try forbid("ioctl", [Self.masked(1, word, request)])
        }
    }

    /// What is written never becomes code; libraries, which are files, still do: SRTP's loads others when it begins.
    private borrowing func limitCode() throws(SystemError) {
        // PROT_WRITE and PROT_EXEC; PROT_EXEC; MAP_ANONYMOUS
        let (both, code, anonymous): (UInt64, UInt64, UInt64) = (6, 4, 0x20)
        for name in ["mmap", "mmap2"] {
            try forbid(name, [Self.masked(2, both, both)])
            try forbid(name, [Self.masked(2, code, code), Self.masked(3, anonymous, anonymous)])
        }
        #if arch(arm64)
            // Libraries that mark where jumps may lead (BTI) are loaded in two steps.
            let later = both
        #else
            let later = code
        #endif
        for name in ["mprotect", "pkey_mprotect"] { try forbid(name, [Self.masked(2, later, later)]) }
    }

    private static func equal(_ argument: UInt32, _ value: UInt64) -> scmp_arg_cmp {
        scmp_arg_cmp(arg: argument, op: SCMP_CMP_EQ, datum_a: value, datum_b: 0)
    }

    private static func other(_ argument: UInt32, _ value: UInt64) -> scmp_arg_cmp {
        scmp_arg_cmp(arg: argument, op: SCMP_CMP_NE, datum_a: value, datum_b: 0)
    }

    private static func above(_ argument: UInt32, _ value: UInt64) -> scmp_arg_cmp {
        scmp_arg_cmp(arg: argument, op: SCMP_CMP_GT, datum_a: value, datum_b: 0)
    }

    private static func masked(_ argument: UInt32, _ mask: UInt64, _ value: UInt64) -> scmp_arg_cmp {
        scmp_arg_cmp(arg: argument, op: SCMP_CMP_MASKED_EQ, datum_a: mask, datum_b: value)
    }
}
