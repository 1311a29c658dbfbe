/* SPDX-License-Identifier: Apache-2.0 */
/* Files, memory files and locks. */
#include "linux_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

int apus_open(const char *path, int flags, unsigned mode) { return open(path, flags | O_CLOEXEC, mode); }

int apus_memfd(const char *name) { return memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING); }

int apus_memfd_seal(int fd) {
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
}

int apus_memfd_is_sealed(int fd) {
    int seals = fcntl(fd, F_GET_SEALS);
    return seals < 0 ? -1 : (seals & (F_SEAL_SHRINK | F_SEAL_GROW)) == (F_SEAL_SHRINK | F_SEAL_GROW);
}

int apus_set_nonblocking(int fd, int on) {
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 ? -1 : fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

int apus_lock(int fd) { return flock(fd, LOCK_EX | LOCK_NB); }

int64_t apus_file_size(int fd) {
    struct stat status;
    return fstat(fd, &status) < 0 ? -1 : status.st_size;
}

int apus_readable_bytes(int fd) {
    int count = 0;
    return ioctl(fd, FIONREAD, &count) < 0 ? -1 : count;
}
