/* SPDX-License-Identifier: Apache-2.0 */
/* News of devices and files. */
#include "linux_devices.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

/* Documentation/admin-guide/devices.txt: video4linux, and nothing else. */
enum { VIDEO_MAJOR = 81 };

/* The file that was looked at is the one that is opened, whatever happens to the path meanwhile. */
static int open_checked(int node) {
    char path[32];
    struct stat status;
    if (fstat(node, &status) < 0) return -1;
    if (!S_ISCHR(status.st_mode) || major(status.st_rdev) != VIDEO_MAJOR) return errno = EACCES, -1;
    snprintf(path, sizeof path, "/proc/self/fd/%d", node);
    return open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

int apus_open_video_node(const char *path) {
    int node = open(path, O_PATH | O_CLOEXEC);
    if (node < 0) return -1;
    int fd = open_checked(node), error = errno;
    close(node);
    errno = error;
    return fd;
}

int apus_uevents(int room) {
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    close(fd);
    return -1;
}

ssize_t apus_uevent_receive(int fd, void *data, size_t size) {
    struct sockaddr_nl sender = {0};
    struct iovec part = {data, size};
    struct msghdr message = {.msg_name = &sender, .msg_namelen = sizeof sender, .msg_iov = &part, .msg_iovlen = 1};
    ssize_t length = recvmsg(fd, &message, MSG_TRUNC);
    return length > 0 && (message.msg_namelen != sizeof sender || sender.nl_pid != 0) ? 0 : length;
}

int apus_inotify(void) { return inotify_init1(IN_CLOEXEC | IN_NONBLOCK); }

int apus_inotify_add(int fd, const char *path) {
    return inotify_add_watch(fd, path, IN_CREATE | IN_DELETE | IN_MOVE | IN_ATTRIB | IN_CLOSE_WRITE | IN_DELETE_SELF |
                                           IN_MOVE_SELF | IN_ONLYDIR);
}
