/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets. */
#include "linux_sockets.h"

#include <linux/filter.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/ioctl.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

int apus_socket(int family, int kind) {
    static const int kinds[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    return socket(family, kinds[kind] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int apus_accept(int fd, struct sockaddr_storage *address, socklen_t *length) {
    *length = sizeof *address;
    return accept4(fd, (struct sockaddr *)address, length, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

int apus_set_option(int fd, int option, int value) {
    static const struct { int level, name; } options[] = {
        {SOL_SOCKET, SO_REUSEADDR}, {IPPROTO_TCP, TCP_NODELAY}, {SOL_SOCKET, SO_SNDBUF},   {SOL_SOCKET, SO_RCVBUF},
        {IPPROTO_IPV6, IPV6_V6ONLY}, {SOL_UDP, UDP_GRO}, {IPPROTO_TCP, TCP_NOTSENT_LOWAT}, {SOL_SOCKET, SO_KEEPALIVE},
    };
    if (option == apus_option_multicast_ttl) {
        if (setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &value, sizeof value) == 0) return 0;
        return setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &value, sizeof value);
    }
    if (option == apus_option_reuse_port) return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &value, sizeof value);
    return setsockopt(fd, options[option].level, options[option].name, &value, sizeof value);
}

int apus_share_by_address(int fd, unsigned count) {
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, SKF_NET_OFF),  /* version and header length */
        BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 2, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_NET_OFF + 12),  /* IPv4: the source */
        BPF_JUMP(BPF_JMP | BPF_JA, 5, 0, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_NET_OFF + 8),  /* IPv6: the source's network */
        BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 0x85EBCA6B),
        BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_NET_OFF + 12),
        BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
        BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 0x9E3779B1),  /* neighbours go apart */
        BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16),
        BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, count),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    struct sock_fprog all = {sizeof program / sizeof program[0], program};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &all, sizeof all);
}

int apus_peer(int fd, struct sockaddr_storage *address, socklen_t *length) {
    *length = sizeof *address;
    return getpeername(fd, (struct sockaddr *)address, length);
}

int apus_join_group(int fd, const struct sockaddr_storage *group, const struct sockaddr_storage *interface) {
    if (group->ss_family == AF_INET6) {
        struct ipv6_mreq request = {.ipv6mr_multiaddr = ((const struct sockaddr_in6 *)group)->sin6_addr};
        return setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof request);
    }
    struct ip_mreq request = {.imr_multiaddr = ((const struct sockaddr_in *)group)->sin_addr};
    if (interface->ss_family == AF_INET) request.imr_interface = ((const struct sockaddr_in *)interface)->sin_addr;
    return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request);
}

int apus_unsent_bytes(int fd) {
    int count = 0;
    return ioctl(fd, SIOCOUTQ, &count) < 0 ? -1 : count;
}

int apus_send_with_descriptors(int fd, const void *data, size_t length, const int *fds, int count) {
    union { char bytes[CMSG_SPACE(4 * sizeof(int))]; struct cmsghdr align; } control = {0};
    struct iovec part = {(void *)data, length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){.cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET,
                               .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(header), fds, count * sizeof(int));
    return (int)sendmsg(fd, &message, MSG_NOSIGNAL);
}

int apus_receive_with_descriptors(int fd, void *data, size_t length, int *fds, int capacity, int *count) {
    union { char bytes[CMSG_SPACE(4 * sizeof(int))]; struct cmsghdr align; } control = {0};
    struct iovec part = {data, length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = CMSG_SPACE((capacity < 4 ? capacity : 4) * sizeof(int))};
    ssize_t received = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    *count = 0;
    struct cmsghdr *header = received < 0 ? NULL : CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
        *count = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(fds, CMSG_DATA(header), *count * sizeof(int));
    }
    return (int)received;
}

ssize_t apus_send_gathered(int fd, const struct sockaddr_storage *address, socklen_t address_length,
                           const struct iovec *parts, int count, int segment) {
    union { char bytes[CMSG_SPACE(sizeof(uint16_t))]; struct cmsghdr align; } control = {0};
    struct msghdr message = {.msg_name = (void *)address, .msg_namelen = address ? address_length : 0,
                             .msg_iov = (struct iovec *)parts, .msg_iovlen = count};
    if (segment > 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        *header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(uint16_t)), .cmsg_level = SOL_UDP,
                                   .cmsg_type = UDP_SEGMENT};
        *(uint16_t *)CMSG_DATA(header) = (uint16_t)segment;
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

ssize_t apus_send_pair(int fd, const void *head, size_t head_length, const void *body, size_t body_length) {
    const struct iovec parts[] = {{(void *)head, head_length}, {(void *)body, body_length}};
    return apus_send_gathered(fd, NULL, 0, parts, 2, 0);
}

ssize_t apus_receive_segmented(int fd, void *data, size_t length, int *segment) {
    union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control = {0};
    struct iovec part = {data, length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = sizeof control.bytes};
    ssize_t received = recvmsg(fd, &message, 0);
    struct cmsghdr *header = received < 0 ? NULL : CMSG_FIRSTHDR(&message);
    *segment = header && header->cmsg_level == SOL_UDP && header->cmsg_type == UDP_GRO ? *(int *)CMSG_DATA(header) : 0;
    return received;
}

int apus_peer_credentials(int fd, int *pid, unsigned *uid, unsigned *gid) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return -1;
    *pid = peer.pid, *uid = peer.uid, *gid = peer.gid;
    return 0;
}

int apus_is_stream_listener(int fd) {
    int type = 0, listens = 0;
    socklen_t length = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0 || type != SOCK_STREAM) return 0;
    length = sizeof listens;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && listens;
}

int apus_socket_error(int fd) {
    int error = 0;
    socklen_t length = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0 ? -1 : error;
}
