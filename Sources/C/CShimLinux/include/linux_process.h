/* SPDX-License-Identifier: Apache-2.0 */
/* Starting and watching processes. Every function returns -1 with errno set on failure. */
#pragma once
#include <stdint.h>

/// What a child process starts with.
struct apus_spawn {
    const char *path;
    char *const *arguments;
    char *const *environment;
    /// Descriptors that become 0, 1 and 2; -1 leaves the parent's.
    int standard[3];
    /// Non-zero: the child leads a process group of its own.
    int own_group;
    /// The signal the child gets when its parent dies; 0 for none.
    int death_signal;
    /// Descriptors that the child keeps under their numbers.
    const int *kept;
    int kept_count;
};

/// Forks and executes; signal masks and dispositions are the defaults in the child.
/// Returns the process id, or -1 with the errno of fork or exec.
int apus_spawn_process(const struct apus_spawn *spawn);
/// Forks a helper that has nothing of its parent but `socket`, as descriptor 0, and that ends with it, not by signals of a
/// terminal. Returns 0 in the helper, the helper's id or -1 in the parent. To be called while there is one thread.
int apus_fork_helper(int socket, const char *name);
/// pidfd_open: a descriptor that turns readable when the process ends.
int apus_pidfd(int pid);
/// waitpid without blocking: 1 if the process has ended (its status in `status`), 0 if it runs.
int apus_reap(int pid, int *status);
/// 1 if the child is stopped by a signal now, 0 if it runs or has ended.
int apus_is_stopped(int pid);
/// Becomes the user for good, with the groups that it has; -1 with errno set, ENOENT if there is no such user.
int apus_become_user(const char *name);
/// Gives a file or directory to the user, and to the user's group.
int apus_give_to_user(const char *path, const char *name);
/// Lets the process have as many descriptors as it may; the number, or -1.
long apus_raise_descriptor_limit(void);
/// Gives up all capabilities but those whose bits are set, for good: capset.
int apus_keep_capabilities(uint64_t kept);
/// What a process may use: RLIMIT_CORE, RLIMIT_FSIZE, RLIMIT_DATA.
enum apus_limit {
    /// The size of a dump of its memory.
    APUS_LIMIT_CORE,
    /// The size of files that it writes, those in memory too.
    APUS_LIMIT_FILE,
    /// The memory that it writes to and shares with nobody.
    APUS_LIMIT_DATA,
};
/// Lowers a limit to at most `bytes`, for good.
int apus_lower_limit(enum apus_limit limit, uint64_t bytes);
/// The process group of a process: getpgid.
int apus_process_group(int pid);
/// Makes orphaned descendants children of this process: PR_SET_CHILD_SUBREAPER.
int apus_become_subreaper(void);
/// Asks for `signal` when the parent dies: PR_SET_PDEATHSIG.
int apus_die_with_parent(int signal);
