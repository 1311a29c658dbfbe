/* SPDX-License-Identifier: Apache-2.0 */
/* Starting and watching processes. */
#include "linux_process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child, between fork and exec: async-signal-safe calls only. */
static void start_child(const struct apus_spawn *spawn, pid_t parent) {
    sigset_t none;
    sigemptyset(&none);
    for (int signal = 1; signal < SIGRTMIN; signal++) (void)sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (spawn->own_group && setpgid(0, 0) < 0) return;
    if (spawn->death_signal && prctl(PR_SET_PDEATHSIG, spawn->death_signal) < 0) return;
    if (spawn->death_signal && getppid() != parent) _exit(127); /* the parent died before prctl */
    for (int i = 0; i < 3; i++)
        if (spawn->standard[i] >= 0 && dup2(spawn->standard[i], i) < 0) return;
    for (int i = 0; i < spawn->kept_count; i++)
        if (fcntl(spawn->kept[i], F_SETFD, 0) < 0) return;
    execve(spawn->path, spawn->arguments, spawn->environment);
}

int apus_spawn_process(const struct apus_spawn *spawn) {
    int report[2], error = 0;
    if (pipe2(report, O_CLOEXEC) < 0) return -1;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        start_child(spawn, parent);
        (void)!write(report[1], &errno, sizeof errno);
        _exit(127);
    }
    close(report[1]);
    /* The pipe closes at exec; an errno in it means that the child never got there. */
    if (pid > 0 && read(report[0], &error, sizeof error) == sizeof error) waitpid(pid, NULL, 0);
    close(report[0]);
    if (error) errno = error;
    return error ? -1 : pid;
}

/* Whoever stops the parent in order stops the helper by its socket's end; kill -9 reaches it by PDEATHSIG. */
static int become_helper(int socket, const char *name, pid_t parent) {
    const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    int null = open("/dev/null", O_RDWR);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || prctl(PR_SET_NAME, name) < 0) return -1;
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) signal(ignored[i], SIG_IGN);
    if (dup2(socket, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0) return -1;
    return close_range(3, ~0U, 0);
}

int apus_fork_helper(int socket, const char *name) {
    pid_t parent = getpid(), pid = fork();
    if (pid == 0 && become_helper(socket, name, parent) < 0) _exit(1);
    return pid;
}

int apus_pidfd(int pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int apus_reap(int pid, int *status) {
    int result = waitpid(pid, status, WNOHANG);
    return result > 0 ? 1 : result;
}

int apus_is_stopped(int pid) {
    siginfo_t info = {0};
    /* WNOWAIT: asking changes nothing, and it is the present state that counts. */
    if (waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOHANG | WNOWAIT) < 0) return -1;
    return info.si_pid == pid;
}

static const struct passwd *user_called(const char *name) {
    errno = 0;
    const struct passwd *user = getpwnam(name);
    if (!user && errno == 0) errno = ENOENT;
    return user;
}

int apus_become_user(const char *name) {
    const struct passwd *user = user_called(name);
    if (!user || initgroups(name, user->pw_gid) < 0 || setgid(user->pw_gid) < 0) return -1;
    return setuid(user->pw_uid);
}

int apus_give_to_user(const char *path, const char *name) {
    const struct passwd *user = user_called(name);
    return user ? chown(path, user->pw_uid, user->pw_gid) : -1;
}

long apus_raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -1;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) return -1;
    return (long)limit.rlim_cur;
}

int apus_keep_capabilities(uint64_t kept) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0) return -1;
    uint32_t given = 0;
    for (int i = 0; i < 2; i++) {
        given |= data[i].permitted;
        data[i].permitted &= (uint32_t)(kept >> (32 * i));
        data[i].effective = data[i].permitted;
        data[i].inheritable = 0;
    }
    /* Who has none needs no leave to give them up. */
    return given ? (int)syscall(SYS_capset, &header, data) : 0;
}

int apus_lower_limit(enum apus_limit limit, uint64_t bytes) {
    const int resources[] = {RLIMIT_CORE, RLIMIT_FSIZE, RLIMIT_DATA};
    struct rlimit bounds;
    if (getrlimit(resources[limit], &bounds) < 0) return -1;
    if (bounds.rlim_max > bytes) bounds.rlim_max = bytes;
    if (bounds.rlim_cur > bounds.rlim_max) bounds.rlim_cur = bounds.rlim_max;
    return setrlimit(resources[limit], &bounds);
}

int apus_process_group(int pid) { return getpgid(pid); }

int apus_become_subreaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1); }

int apus_die_with_parent(int signal) { return prctl(PR_SET_PDEATHSIG, signal); }
