/* SPDX-License-Identifier: Apache-2.0 */
/* News of devices and files: kernel uevents and inotify. Every function returns -1 with errno set on failure. */
#pragma once
#include <stddef.h>
#include <sys/types.h>

/// Opens a node of a video device for reading and writing, without waiting; EACCES for any other file.
int apus_open_video_node(const char *path);
/// A netlink socket that hears the kernel's uevents (NETLINK_KOBJECT_UEVENT, group 1), with `room` bytes of buffer.
int apus_uevents(int room);
/// recvmsg of one uevent: its length, which is more than `size` if it was cut; 0 for one that the kernel did not send.
ssize_t apus_uevent_receive(int fd, void *data, size_t size);
/// inotify_init1(IN_CLOEXEC | IN_NONBLOCK).
int apus_inotify(void);
/// Watches a directory for files that come, go, are written, or get other permissions; and for its own end.
int apus_inotify_add(int fd, const char *path);
