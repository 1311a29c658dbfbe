/* SPDX-License-Identifier: Apache-2.0 */
/* Landlock: which files a process may touch from now on. */
#include "linux_landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than the headers that we are built with. */
#define ACCESS_FS_REFER (1ULL << 13)    /* version 2 */
#define ACCESS_FS_TRUNCATE (1ULL << 14) /* version 3 */

/* Sockets without a path, version 6. Signals are left to seccomp: a parent's end must reach its helper. */
#define SCOPE_ABSTRACT_SOCKETS (1ULL << 0)

/* What makes sense for a file that is no directory. */
#define OF_FILES (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | ACCESS_FS_TRUNCATE)

/* Everything up to version 3: later ones tell apart what is done with files that are open. */
static uint64_t known(int version) {
    uint64_t access = (1ULL << 13) - 1;
    if (version >= 2) access |= ACCESS_FS_REFER;
    if (version >= 3) access |= ACCESS_FS_TRUNCATE;
    return access;
}

int apus_landlock_version(void) {
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return version < 0 ? 0 : (int)version;
}

int apus_landlock_create(int version) {
    const struct { uint64_t files, ports, scopes; } attributes = {.files = known(version), .scopes = SCOPE_ABSTRACT_SOCKETS};
    return (int)syscall(SYS_landlock_create_ruleset, &attributes, version >= 6 ? sizeof attributes : sizeof attributes.files, 0);
}

static uint64_t granted(int version, enum apus_access access) {
    const uint64_t list = LANDLOCK_ACCESS_FS_READ_DIR, read = list | LANDLOCK_ACCESS_FS_READ_FILE;
    const uint64_t use = read | LANDLOCK_ACCESS_FS_WRITE_FILE;
    switch (access) {
    case APUS_ACCESS_LIST: return list;
    case APUS_ACCESS_SOCKETS: return list | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE;
    case APUS_ACCESS_READ: return read;
    case APUS_ACCESS_USE: return use;
    case APUS_ACCESS_WRITE:
        return known(version) & (use | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE | ACCESS_FS_TRUNCATE);
    }
    return 0;
}

int apus_landlock_allow(int rules, int version, const char *path, enum apus_access access) {
    struct stat status;
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) return -1;
    uint64_t allowed = granted(version, access);
    if (fstat(fd, &status) == 0 && !S_ISDIR(status.st_mode)) allowed &= OF_FILES;
    struct landlock_path_beneath_attr rule = {.allowed_access = allowed, .parent_fd = fd};
    int result = (int)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    int error = errno;
    close(fd);
    errno = error;
    return result;
}

int apus_landlock_enforce(int rules) { return (int)syscall(SYS_landlock_restrict_self, rules, 0); }

int apus_try_socket(int family, int type) {
    int fd = socket(family, type | SOCK_CLOEXEC, 0);
    return fd < 0 ? -1 : close(fd);
}

int apus_no_new_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }
