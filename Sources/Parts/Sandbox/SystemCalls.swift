// SPDX-License-Identifier: Apache-2.0
// The system calls that are forbidden whatever their arguments are.

/// Lists of system calls by name; not every architecture and kernel has every one.
enum SystemCalls {
    /// Nothing of these is ever called on purpose by any daemon.
    static let ofNobody = [
        // Programs and processes; threads come by clone, whose arguments are looked at.
        "execve", "execveat", "fork", "vfork", "setsid", "setpgid",
        // The insides of other processes, and signals to them by other ways than kill.
        "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease", "kcmp",
        "pidfd_getfd", "pidfd_send_signal", "tkill", "userfaultfd", "personality",
        // The tree of files, and other views of the system.
        "mount", "umount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "open_tree_attr", "fsopen",
        "fsmount", "fsconfig", "fspick", "mount_setattr", "setns", "unshare", "mknod", "mknodat", "open_by_handle_at",
        "name_to_handle_at", "quotactl", "quotactl_fd", "acct", "fanotify_init", "fanotify_mark",
        // Whose files are, who may do what with them, and when they were written: Landlock does not look at that.
        "chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "chown32", "fchown32",
        "lchown32", "setxattr", "lsetxattr", "fsetxattr", "setxattrat", "removexattr", "lremovexattr", "fremovexattr",
        "removexattrat", "file_setattr", "utime", "utimes", "utimensat", "utimensat_time64", "futimesat", "truncate",
        "truncate64", "link", "linkat", "symlink", "symlinkat",
        // The kernel itself.
        "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "swapon", "swapoff",
        "bpf", "perf_event_open", "iopl", "ioperm", "modify_ldt", "syslog", "lookup_dcookie", "vhangup", "nfsservctl",
        "io_uring_setup", "io_uring_enter", "io_uring_register", "add_key", "request_key", "keyctl", "uselib", "sysfs",
        "ustat", "_sysctl", "lsm_set_self_attr",
        // The clock and the name of the machine.
        "settimeofday", "clock_settime", "clock_settime64", "adjtimex", "clock_adjtime", "clock_adjtime64",
        "sethostname", "setdomainname",
        // Who the process is.
        "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid", "setgroups",
        "setuid32", "setgid32", "setreuid32", "setregid32", "setresuid32", "setresgid32", "setfsuid32", "setfsgid32",
        "setgroups32", "capset",
    ]
    /// What drivers and codecs may want: memory that is shared by numbers, and where memory is; and how the end of the
    /// opener of devices is awaited.
    static let ofDrivers = [
        "pidfd_open",
        "shmget", "shmat", "shmctl", "semget", "semop", "semtimedop", "semctl", "msgget", "msgsnd", "msgrcv", "msgctl",
        "mq_open", "mq_unlink", "mbind", "set_mempolicy", "set_mempolicy_home_node", "move_pages", "migrate_pages",
        "remap_file_pages", "mlock", "mlock2", "mlockall", "vmsplice", "tee", "memfd_secret", "pkey_alloc",
    ]
    /// What rings are made of.
    static let ofRings = ["memfd_create"]
}
