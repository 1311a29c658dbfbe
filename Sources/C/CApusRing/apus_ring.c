/* SPDX-License-Identifier: Apache-2.0 */
/* The reader's side of the Apus frame ring. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* memfd seals */
#endif
#include "apus_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

_Static_assert(sizeof(struct apus_ring_header) == APUS_RING_HEADER_SIZE, "the header's layout");
_Static_assert(offsetof(struct apus_ring_header, head) == 64, "the header's layout");
_Static_assert(offsetof(struct apus_ring_header, generation) == 128, "the header's layout");
_Static_assert(offsetof(struct apus_ring_header, utc_generation) == 192, "the header's layout");
_Static_assert(offsetof(struct apus_ring_header, utc_offset) == 200, "the header's layout");
_Static_assert(offsetof(struct apus_ring_header, configuration) == 1024, "the header's layout");
_Static_assert(sizeof(struct apus_ring_slot) == APUS_RING_SLOT_SIZE, "an entry's layout");
_Static_assert(offsetof(struct apus_ring_slot, keyframe) == 40, "an entry's layout");

/* A packet on the ring's socket. */
struct message {
    uint32_t magic;
    uint16_t version, kind;
    uint32_t value, zero;
};
enum { reader_magic = 0x48525041, writer_magic = 0x57525041, attach = 1, keyframe = 3 };

#define relaxed(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define acquire(field) __atomic_load_n(&(field), __ATOMIC_ACQUIRE)

static int tell(int socket, uint16_t kind, uint32_t value) {
    struct message message = {reader_magic, APUS_RING_VERSION, kind, value, 0};
    return send(socket, &message, sizeof message, MSG_NOSIGNAL) == sizeof message ? 0 : -1;
}

/* Waits for the writer's answer and takes the two descriptors that come with it. */
static int answered(int socket, int fds[2]) {
    struct message message = {0};
    union { char bytes[CMSG_SPACE(2 * sizeof(int))]; struct cmsghdr align; } control = {0};
    struct iovec part = {&message, sizeof message};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                            .msg_controllen = sizeof control.bytes};
    ssize_t length = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    if (length < 0) return -1;
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    if (!rights || rights->cmsg_type != SCM_RIGHTS || rights->cmsg_len != CMSG_LEN(2 * sizeof(int))) return errno = EPROTO, -1;
    memcpy(fds, CMSG_DATA(rights), 2 * sizeof(int));
    if (length == sizeof message && message.magic == writer_magic && message.version == APUS_RING_VERSION) return 0;
    close(fds[0]), close(fds[1]);
    return errno = EPROTO, -1;
}

/* Maps the memory, which must be sealed so that it cannot shrink under us, and checks the sizes once. */
static int map(struct apus_ring *ring, int memory) {
    struct stat status;
    int seals = fcntl(memory, F_GET_SEALS);
    if (fstat(memory, &status) < 0 || seals < 0) return -1;
    if (!(seals & F_SEAL_SHRINK) || status.st_size < APUS_RING_HEADER_SIZE) return errno = EPROTO, -1;
    ring->size = (size_t)status.st_size;
    const struct apus_ring_header *header = mmap(NULL, ring->size, PROT_READ, MAP_SHARED, memory, 0);
    if (header == MAP_FAILED) return -1;
    ring->header = header;
    uint64_t size = ring->size;
    if (acquire(header->magic) == APUS_RING_MAGIC && header->version == APUS_RING_VERSION &&
        header->slot_size == APUS_RING_SLOT_SIZE && header->slot_count > 0 && header->slots_offset <= size &&
        (uint64_t)header->slot_count * APUS_RING_SLOT_SIZE <= size - header->slots_offset &&
        header->data_size > 0 && header->data_offset <= size && header->data_size <= size - header->data_offset)
        return 0;
    munmap((void *)header, ring->size);
    return errno = EPROTO, -1;
}

int apus_ring_attach(struct apus_ring *ring, const char *path, int option) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fds[2], error;
    *ring = (struct apus_ring){.socket = -1, .event = -1};
    if (strlen(path) >= sizeof address.sun_path) return errno = ENAMETOOLONG, -1;
    strcpy(address.sun_path, path);
    ring->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (ring->socket < 0) return -1;
    if (connect(ring->socket, (struct sockaddr *)&address, sizeof address) == 0 &&
        tell(ring->socket, attach, option == APUS_RING_DEMAND) == 0 && answered(ring->socket, fds) == 0) {
        ring->event = fds[1];
        int mapped = map(ring, fds[0]);
        close(fds[0]);
        if (mapped == 0) return 0;
    }
    error = errno;
    ring->header = NULL;
    apus_ring_detach(ring);
    return errno = error, -1;
}

void apus_ring_detach(struct apus_ring *ring) {
    if (ring->header) munmap((void *)ring->header, ring->size);
    if (ring->event >= 0) close(ring->event);
    if (ring->socket >= 0) close(ring->socket);
    *ring = (struct apus_ring){.socket = -1, .event = -1};
}

int apus_ring_wait(struct apus_ring *ring, uint64_t sequence, int timeout_ms) {
    char bytes[64];
    while (acquire(ring->header->newest) < sequence) {
        struct pollfd ready[] = {{.fd = ring->event, .events = POLLIN}, {.fd = ring->socket, .events = 0}};
        int result = poll(ready, 2, timeout_ms);
        if (result < 0 && errno == EINTR) continue;
        if (result <= 0) return result;
        if (ready[0].revents & POLLIN) (void)!read(ring->event, bytes, sizeof bytes);
        else return errno = EPIPE, -1; /* either end has hung up, and nothing is left to read */
    }
    return 1;
}

int apus_ring_read(const struct apus_ring *ring, uint64_t sequence, struct apus_ring_frame *frame) {
    const struct apus_ring_header *header = ring->header;
    if (sequence == 0 || sequence > acquire(header->newest)) return APUS_RING_NOT_YET;
    const struct apus_ring_slot *slot =
        (const struct apus_ring_slot *)((const char *)header + header->slots_offset) + sequence % header->slot_count;
    if (acquire(slot->sequence) != sequence) return APUS_RING_OVERWRITTEN;
    uint64_t position = relaxed(slot->position), offset = position % header->data_size;
    *frame = (struct apus_ring_frame){.data = (const uint8_t *)header + header->data_offset + offset,
                                      .length = relaxed(slot->length), .sequence = sequence, .position = position,
                                      .flags = relaxed(slot->flags), .captured = relaxed(slot->captured),
                                      .published = relaxed(slot->published)};
    __atomic_thread_fence(__ATOMIC_ACQUIRE); /* pairs with the release fence of the writer's index */
    if (relaxed(slot->sequence) != sequence || frame->length > header->data_size - offset) return APUS_RING_OVERWRITTEN;
    return apus_ring_is_valid(ring, frame) ? APUS_RING_OK : APUS_RING_OVERWRITTEN;
}

int apus_ring_is_valid(const struct apus_ring *ring, const struct apus_ring_frame *frame) {
    __atomic_thread_fence(__ATOMIC_ACQUIRE); /* pairs with the release fence after the writer moves the tail */
    return frame->position >= relaxed(ring->header->tail);
}

uint64_t apus_ring_newest(const struct apus_ring *ring) { return acquire(ring->header->newest); }

uint64_t apus_ring_newest_keyframe(const struct apus_ring *ring) {
    uint64_t sequence = apus_ring_newest(ring) ? relaxed(ring->header->newest_keyframe) : 0;
    return sequence ? sequence : apus_ring_newest(ring) + 1;
}

int apus_ring_describe(const struct apus_ring *ring, struct apus_ring_description *description) {
    const struct apus_ring_header *header = ring->header;
    for (int tries = 0; tries < 1000; tries++) {
        uint32_t generation = acquire(header->generation), size = relaxed(header->configuration_size);
        if (generation & 1 || size > APUS_RING_CONFIGURATION_LIMIT) continue;
        memcpy(description, &header->codec, 8 * sizeof(uint32_t)); /* codec … configuration_size, in this order */
        memcpy(description->configuration, header->configuration, size);
        __atomic_thread_fence(__ATOMIC_ACQUIRE); /* pairs with the release fence before the description changes */
        if (relaxed(header->generation) == generation) return 0;
    }
    return errno = EAGAIN, -1;
}

int64_t apus_ring_utc_offset(const struct apus_ring *ring) {
    for (;;) {
        uint32_t generation = acquire(ring->header->utc_generation);
        int64_t offset = relaxed(ring->header->utc_offset);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (!(generation & 1) && relaxed(ring->header->utc_generation) == generation) return offset;
    }
}

int apus_ring_request_keyframe(struct apus_ring *ring) { return tell(ring->socket, keyframe, 1); }
