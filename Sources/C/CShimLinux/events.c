/* SPDX-License-Identifier: Apache-2.0 */
/* epoll, eventfd and signalfd. */
#include "linux_events.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum { batch = 64 };

int apus_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int apus_epoll_control(int epoll, int operation, int fd, uint32_t bits, uint64_t token) {
    static const int operations[] = {EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL};
    struct epoll_event event = {.events = bits, .data.u64 = token};
    return epoll_ctl(epoll, operations[operation], fd, &event);
}

int apus_epoll_wait(int epoll, struct apus_event *events, int count, int64_t timeout_ns) {
    struct epoll_event raw[batch];
    struct timespec timeout = {timeout_ns / 1000000000, timeout_ns % 1000000000};
    int ready = epoll_pwait2(epoll, raw, count < batch ? count : batch, timeout_ns < 0 ? NULL : &timeout, NULL);
    for (int i = 0; i < ready; i++)
        events[i] = (struct apus_event){.bits = raw[i].events, .token = raw[i].data.u64};
    return ready;
}

int apus_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int apus_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC | O_NONBLOCK); }

int apus_signalfd(const int *signals, int count) {
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
    if ((errno = pthread_sigmask(SIG_BLOCK, &set, NULL))) return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int apus_signalfd_read(int fd) {
    struct signalfd_siginfo info;
    return read(fd, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : -1;
}
