/* SPDX-License-Identifier: Apache-2.0 */
/* Landlock: which files a process may touch from now on (landlock(7)). */
#pragma once

#include <stdint.h>

/// The kernel's Landlock version, 0 if it has none or it is switched off.
int apus_landlock_version(void);
/// A rule set that forbids everything up to version 3, and others' abstract sockets; a descriptor, or -1 with errno set.
int apus_landlock_create(int version);
/// What may be done with what is at or below a path.
enum apus_access {
    /// Names of directories read.
    APUS_ACCESS_LIST,
    /// Names read, sockets made and removed.
    APUS_ACCESS_SOCKETS,
    /// Names and files read.
    APUS_ACCESS_READ,
    /// The same, and files written to that are there.
    APUS_ACCESS_USE,
    /// The same, and files made, removed and cut.
    APUS_ACCESS_WRITE,
};
/// Allows `access` to what is at or below `path`. Returns -1 with errno set, also when the path is not there.
int apus_landlock_allow(int rules, int version, const char *path, enum apus_access access);
/// Puts the rules in force for this process and its children, for good; -1 with errno set.
int apus_landlock_enforce(int rules);
/// Makes a socket of any family and type and closes it again; -1 with errno set if that is not allowed.
int apus_try_socket(int family, int type);
/// Executed files give no privileges from now on: PR_SET_NO_NEW_PRIVS.
int apus_no_new_privileges(void);
