/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded into a daemon: does, from the inside, what somebody would who has taken it over, and writes down what came of it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

/* DEEDS_DIRECTORY holds the file `tries`, one deed with its path per line, as in "read /etc/shadow", and gets each program's
   report; DEEDS_STRANGER is a process that is none of the daemons'. */
static int report = -1;
static char tries[16384];
static int stranger;

static void tell(const char *deed, const char *object, long result) {
    char line[4352];
    const char *answer = result < 0 ? strerrorname_np(errno) : "DONE";
    int length = snprintf(line, sizeof line, "%s%s%s\t%s\n", deed, object ? " " : "", object ? object : "", answer);
    (void)!write(report, line, (size_t)length);
}

static int closed(int fd) { return fd < 0 ? -1 : close(fd); }

/* Those that need an object. */
static void try_path(char *line) {
    char *path = strchr(line, ' ');
    if (!path) return;
    *path++ = 0;
    const struct timeval times[2] = {{1, 0}, {1, 0}};
    if (!strcmp(line, "read")) tell(line, path, closed(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)));
    if (!strcmp(line, "write")) tell(line, path, closed(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)));
    if (!strcmp(line, "remove")) tell(line, path, unlink(path));
    if (!strcmp(line, "link")) tell(line, path, symlink("/etc/passwd", path));
    if (!strcmp(line, "chmod")) tell(line, path, chmod(path, 0777));
    if (!strcmp(line, "chown")) tell(line, path, chown(path, 1, 1));
    if (!strcmp(line, "setxattr")) tell(line, path, setxattr(path, "user.deed", "1", 1, 0));
    if (!strcmp(line, "utimes")) tell(line, path, utimes(path, times));
    if (!strcmp(line, "truncate")) tell(line, path, truncate(path, 0));
    if (!strcmp(line, "bind") || !strcmp(line, "connect")) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        size_t length = strlen(path);
        memcpy(address.sun_path, path, length < sizeof address.sun_path ? length : sizeof address.sun_path - 1);
        /* Each program's own: the name of another's is taken. */
        char *star = strchr(address.sun_path, '*');
        if (star) *star = program_invocation_short_name[5];
        /* An @ stands for a socket without a path. */
        socklen_t size = path[0] == '@' ? (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length) : sizeof address;
        if (path[0] == '@') address.sun_path[0] = 0;
        int result = *line == 'b' ? bind(fd, (struct sockaddr *)&address, size) : connect(fd, (struct sockaddr *)&address, size);
        tell(line, path, result);
        close(fd);
    }
    /* What the supervisor says to a request; nothing if it does not listen to us. */
    if (!strcmp(line, "ask")) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char *request = strchr(path, ' ');
        if (request) *request++ = 0;
        strncpy(address.sun_path, path, sizeof address.sun_path - 1);
        char answer[256] = "";
        ssize_t count = -1;
        if (request && connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
            (void)!send(fd, request, strlen(request), MSG_NOSIGNAL);
            (void)!send(fd, "\n", 1, MSG_NOSIGNAL);
            count = recv(fd, answer, sizeof answer - 1, 0);
            if (count == 0) { count = -1; errno = ECONNRESET; }
        }
        for (ssize_t i = 0; i < count; i++)
            if (answer[i] == '\n' || answer[i] == '\t') answer[i] = ' ';
        int error = errno;
        dprintf(report, "ask %s\t%s\n", request ? request : "", count < 0 ? strerrorname_np(error) : answer);
        close(fd);
    }
}

static void *nothing(void *argument) { return argument; }

static void try_sockets(void) {
    tell("packet socket of IPv4", NULL, closed(socket(AF_INET, SOCK_PACKET, 0x300)));
    tell("raw socket of IPv4", NULL, closed(socket(AF_INET, SOCK_RAW, 1)));
    tell("raw socket of IPv6", NULL, closed(socket(AF_INET6, SOCK_RAW, 58)));
    tell("ping socket", NULL, closed(socket(AF_INET, SOCK_DGRAM, 1)));
    tell("SCTP", NULL, closed(socket(AF_INET, SOCK_STREAM, 132)));
    tell("packet socket", NULL, closed(socket(AF_PACKET, SOCK_RAW, 0x300)));
    tell("Bluetooth", NULL, closed(socket(AF_BLUETOOTH, SOCK_RAW, 1)));
    tell("vsock", NULL, closed(socket(AF_VSOCK, SOCK_STREAM, 0)));
    tell("netlink of routes", NULL, closed(socket(AF_NETLINK, SOCK_RAW, 0)));
    tell("netlink of the firewall", NULL, closed(socket(AF_NETLINK, SOCK_RAW, 12)));
    tell("netlink of devices", NULL, closed(socket(AF_NETLINK, SOCK_DGRAM, 15)));
    int pair[2];
    tell("pair of TIPC", NULL, socketpair(AF_TIPC, SOCK_STREAM, 0, pair));
    tell("TCP", NULL, closed(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)));
    tell("UDP", NULL, closed(socket(AF_INET6, SOCK_DGRAM, 17)));
}

static void try_processes(void) {
    char *arguments[] = {"true", NULL};
    struct rlimit limit;
    cpu_set_t set;
    pthread_t thread;
    const struct sched_param parameter = {0};
    tell("execve", NULL, execve("/bin/true", arguments, environ));
    tell("execveat", NULL, syscall(SYS_execveat, AT_FDCWD, "/bin/true", arguments, environ, 0));
    long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) _exit(0);
    tell("fork", NULL, pid);
    pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) _exit(0);
    tell("clone into a namespace", NULL, pid);
    tell("clone3", NULL, syscall(SYS_clone3, NULL, 0));
    tell("unshare", NULL, unshare(CLONE_NEWUSER));
    tell("thread", NULL, pthread_create(&thread, NULL, nothing, NULL) ? -1 : pthread_join(thread, NULL));
    tell("signal to a stranger", NULL, kill(stranger, SIGCONT));
    tell("signal to the parent", NULL, kill(getppid(), 0));
    tell("signal to init", NULL, kill(1, 0));
    tell("signal to the group", NULL, kill(0, SIGCONT));
    tell("signal to itself", NULL, kill(getpid(), 0));
    tell("queued signal", NULL, syscall(SYS_rt_sigqueueinfo, stranger, SIGCONT, &(siginfo_t){.si_code = SI_QUEUE}));
    tell("tkill", NULL, syscall(SYS_tkill, stranger, SIGCONT));
    tell("pidfd", NULL, closed((int)syscall(SYS_pidfd_open, stranger, 0)));
    tell("ptrace", NULL, ptrace(PTRACE_SEIZE, stranger, 0, 0));
    tell("prlimit of a stranger", NULL, prlimit(stranger, RLIMIT_CORE, NULL, &limit));
    tell("own limits", NULL, getrlimit(RLIMIT_NOFILE, &limit));
    tell("priority of a stranger", NULL, setpriority(PRIO_PROCESS, (id_t)stranger, 1));
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    tell("processors of a stranger", NULL, sched_setaffinity(stranger, sizeof set, &set));
    tell("scheduling of a stranger", NULL, sched_setscheduler(stranger, SCHED_BATCH, &parameter));
    tell("group of its own", NULL, setpgid(0, 0));
    tell("session of its own", NULL, setsid());
    tell("owner of a socket's signals", NULL, fcntl(report, F_SETOWN, stranger));
    tell("io_uring", NULL, syscall(SYS_io_uring_setup, 1, NULL));
    tell("bpf", NULL, syscall(SYS_bpf, 0, NULL, 0));
    tell("keyring", NULL, syscall(SYS_add_key, "user", "deed", "1", 1, -3));
}

static void try_memory(void) {
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    tell("memory that is written and run", NULL, page == MAP_FAILED ? -1 : 0);
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    tell("data that becomes code", NULL, mprotect(page, 4096, PROT_READ | PROT_EXEC));
    page = mmap(NULL, (size_t)3 << 29, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    tell("1.5 GB of memory", NULL, page == MAP_FAILED ? -1 : munmap(page, (size_t)3 << 29));
    int fd = memfd_create("deed", MFD_CLOEXEC);
    tell("file in memory", NULL, fd);
    if (fd < 0) return;
    tell("file in memory of 3 GB", NULL, ftruncate(fd, (off_t)3 << 30));
    page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    tell("file in memory that is run", NULL, page == MAP_FAILED ? -1 : 0);
    close(fd);
}

static int began;

/* A daemon waits for events once it is set up: from here on it is in its sandbox. */
int epoll_pwait2(int epoll, struct epoll_event *events, int maximum, const struct timespec *timeout, const sigset_t *mask) {
    static int (*real)(int, struct epoll_event *, int, const struct timespec *, const sigset_t *);
    if (!real) real = (int (*)(int, struct epoll_event *, int, const struct timespec *, const sigset_t *))dlsym(RTLD_NEXT, "epoll_pwait2");
    if (report >= 0 && !began++) {
        for (char *line = strtok(tries, "\n"); line; line = strtok(NULL, "\n")) try_path(line);
        try_sockets();
        try_processes();
        try_memory();
        tell("all", NULL, 0);
    }
    return real(epoll, events, maximum, timeout, mask);
}

__attribute__((constructor)) static void begin(void) {
    const char *directory = getenv("DEEDS_DIRECTORY"), *id = getenv("DEEDS_STRANGER");
    if (!directory || !id || strncmp(program_invocation_short_name, "apus-", 5)) return;
    stranger = atoi(id);
    char path[4096];
    snprintf(path, sizeof path, "%s/tries", directory);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, tries, sizeof tries - 1) < 0) tries[0] = 0;
    if (fd >= 0) close(fd);
    snprintf(path, sizeof path, "%s/report.%s", directory, program_invocation_short_name);
    /* Once: not again in a process that takes the place of the first one. */
    report = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
}
