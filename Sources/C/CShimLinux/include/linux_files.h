/* SPDX-License-Identifier: Apache-2.0 */
/* Files, memory files and locks. Every function returns -1 with errno set on failure, as the call it wraps. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/// open(path, flags | O_CLOEXEC, mode).
int apus_open(const char *path, int flags, unsigned mode);
/// memfd_create with MFD_CLOEXEC | MFD_ALLOW_SEALING.
int apus_memfd(const char *name);
/// Seals a memfd against shrinking, growing and future writable mappings, and against further seals.
/// Mappings that are writable already stay so.
int apus_memfd_seal(int fd);
/// True (1) if the memfd can neither shrink nor grow.
int apus_memfd_is_sealed(int fd);
/// Sets or clears O_NONBLOCK.
int apus_set_nonblocking(int fd, int on);
/// Takes an exclusive advisory lock without waiting: flock(LOCK_EX | LOCK_NB).
int apus_lock(int fd);
/// Size in bytes of the file behind `fd`.
int64_t apus_file_size(int fd);
/// How many bytes wait to be read from `fd`: ioctl(FIONREAD).
int apus_readable_bytes(int fd);
