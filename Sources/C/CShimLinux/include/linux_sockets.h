/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets. Every function returns -1 with errno set on failure, as the call it wraps. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

/// socket() with SOCK_CLOEXEC | SOCK_NONBLOCK. `kind`: 0 stream, 1 datagram, 2 sequenced packets.
int apus_socket(int family, int kind);
/// accept4 with SOCK_CLOEXEC | SOCK_NONBLOCK.
int apus_accept(int fd, struct sockaddr_storage *address, socklen_t *length);
/// setsockopt for an integer option. `option`: see enum apus_option.
int apus_set_option(int fd, int option, int value);
enum apus_option {
    apus_option_reuse_address,
    apus_option_no_delay,
    apus_option_send_buffer,
    apus_option_receive_buffer,
    apus_option_v6_only,
    apus_option_udp_gro,
    apus_option_unsent_low_water,
    apus_option_keep_alive,
    /// Of either family, as the socket's is.
    apus_option_multicast_ttl,
    apus_option_reuse_port,
};
/// Lets listeners of `count` processes share a port (SO_ATTACH_REUSEPORT_CBPF): of those that listen, in the order of
/// their listening, a connection gets the one whose number its peer's address gives, of IPv6 the first 64 bits.
int apus_share_by_address(int fd, unsigned count);
/// Who is connected at the other end: getpeername().
int apus_peer(int fd, struct sockaddr_storage *address, socklen_t *length);
/// Joins a multicast group on the interface that has the address `interface` (of the same family; for IPv6 and for the
/// unspecified address the system chooses): IP_ADD_MEMBERSHIP, IPV6_JOIN_GROUP.
int apus_join_group(int fd, const struct sockaddr_storage *group, const struct sockaddr_storage *interface);
/// Bytes in the send queue that the kernel has not yet sent or not yet had acknowledged: ioctl(SIOCOUTQ).
int apus_unsent_bytes(int fd);
/// sendmsg of `data` with up to 4 descriptors as SCM_RIGHTS, MSG_NOSIGNAL.
int apus_send_with_descriptors(int fd, const void *data, size_t length, const int *fds, int count);
/// recvmsg of `data`; received descriptors (at most `capacity`, close-on-exec) go to `fds`, their number to `count`.
int apus_receive_with_descriptors(int fd, void *data, size_t length, int *fds, int capacity, int *count);
/// sendmsg with MSG_NOSIGNAL of gathered buffers to `address` (NULL: the connected peer); `segment` > 0 splits the
/// bytes into datagrams of that size (UDP_SEGMENT).
ssize_t apus_send_gathered(int fd, const struct sockaddr_storage *address, socklen_t address_length,
                           const struct iovec *parts, int count, int segment);
/// sendmsg with MSG_NOSIGNAL of `head` and, behind it, `body` to the connected peer.
ssize_t apus_send_pair(int fd, const void *head, size_t head_length, const void *body, size_t body_length);
/// recvmsg of datagrams that the kernel may have joined (UDP_GRO): `segment` gets the length of each but the last, or 0
/// if there is one datagram only.
ssize_t apus_receive_segmented(int fd, void *data, size_t length, int *segment);
/// The peer of a Unix socket: SO_PEERCRED.
int apus_peer_credentials(int fd, int *pid, unsigned *uid, unsigned *gid);
/// The pending error of a socket (SO_ERROR), 0 if none.
int apus_socket_error(int fd);
/// 1 if the descriptor is a stream socket that listens (SO_TYPE, SO_ACCEPTCONN), else 0.
int apus_is_stream_listener(int fd);
