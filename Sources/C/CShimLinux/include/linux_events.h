/* SPDX-License-Identifier: Apache-2.0 */
/* epoll, eventfd and signalfd. Every function returns -1 with errno set on failure, as the call it wraps. */
#pragma once
#include <stdint.h>

/// One readiness report: the epoll event bits and the token given when the descriptor was added.
/// (`struct epoll_event` itself holds a union, which Swift takes for unsafe.)
struct apus_event {
    uint32_t bits;
    uint64_t token;
};

/// epoll_create1(EPOLL_CLOEXEC).
int apus_epoll_create(void);
/// epoll_ctl with EPOLL_CTL_ADD (operation 0), MOD (1) or DEL (2).
int apus_epoll_control(int epoll, int operation, int fd, uint32_t bits, uint64_t token);
/// epoll_pwait2: waits at most `timeout_ns` nanoseconds, for ever if negative. `count` is at most 64.
int apus_epoll_wait(int epoll, struct apus_event *events, int count, int64_t timeout_ns);
/// eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK).
int apus_eventfd(void);
/// pipe2(O_CLOEXEC | O_NONBLOCK): the read end, then the write end.
int apus_pipe(int ends[2]);
/// Blocks the `count` signals in this thread and returns a non-blocking signalfd for them.
int apus_signalfd(const int *signals, int count);
/// Reads one pending signal number from a signalfd.
int apus_signalfd_read(int fd);
