/* SPDX-License-Identifier: Apache-2.0 */
/* The Apus frame ring, for readers in C and C++: its layout in shared memory, and a small library that attaches to a
 * ring and follows its frames. The layout is described in docs/reference/ring.md.
 *
 *     struct apus_ring ring;
 *     if (apus_ring_attach(&ring, "/run/apus/ring/cam.main.sock", APUS_RING_DEMAND) < 0) return perror("attach"), 1;
 *     uint64_t sequence = apus_ring_newest_keyframe(&ring);
 *     while (apus_ring_wait(&ring, sequence, 1000) >= 0) {
 *         struct apus_ring_frame frame;
 *         int found = apus_ring_read(&ring, sequence, &frame);
 *         if (found == APUS_RING_NOT_YET) continue;
 *         if (found == APUS_RING_OK) use(frame.data, frame.length);
 *         if (found != APUS_RING_OK || !apus_ring_is_valid(&ring, &frame)) sequence = apus_ring_newest_keyframe(&ring);
 *         else sequence++;
 *     }
 *     apus_ring_detach(&ring);
 *
 * One thread uses one `struct apus_ring`. Nothing is allocated; errors are in errno. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define APUS_RING_MAGIC UINT64_C(0x474E495253555041) /* the bytes "APUSRING" */
#define APUS_RING_VERSION 1u
#define APUS_RING_HEADER_SIZE 4096u
#define APUS_RING_SLOT_SIZE 64u
#define APUS_RING_CONFIGURATION_LIMIT 3072u

/* Codecs: four characters, the first in the lowest byte. */
#define APUS_RING_CODEC(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define APUS_RING_H264 APUS_RING_CODEC('H', '2', '6', '4')
#define APUS_RING_H265 APUS_RING_CODEC('H', '2', '6', '5')
#define APUS_RING_JPEG APUS_RING_CODEC('J', 'P', 'E', 'G')
#define APUS_RING_NV12 APUS_RING_CODEC('N', 'V', '1', '2')
#define APUS_RING_GREY APUS_RING_CODEC('G', 'R', 'E', 'Y')

/* Flags of a frame. */
#define APUS_RING_KEYFRAME (1u << 0)
#define APUS_RING_DISCONTINUITY (1u << 1)
#define APUS_RING_SLATE (1u << 2)

/* Flags of the header. */
#define APUS_RING_END_OF_STREAM (1u << 0)
#define APUS_RING_SLATE_NOW (1u << 1) /* the newest frames stand in for a source that is lost */

/* The first 4096 bytes. Fields marked (a) are read atomically. */
struct apus_ring_header {
    uint64_t magic;         /* 0 */
    uint32_t version;       /* 8 */
    uint32_t header_size;   /* 12 */
    uint64_t incarnation;   /* 16: another one after the producer was restarted */
    uint32_t slot_count;    /* 24 */
    uint32_t slot_size;     /* 28 */
    uint64_t slots_offset;  /* 32 */
    uint64_t data_offset;   /* 40 */
    uint64_t data_size;     /* 48 */
    uint32_t clock_id;      /* 56: 1 = CLOCK_MONOTONIC */
    uint32_t reserved_60;   /* 60 */
    uint64_t head;          /* 64 (a): position behind the newest frame */
    uint64_t tail;          /* 72 (a): frames that start before it are not whole any more */
    uint64_t newest;        /* 80 (a): sequence number of the newest frame, 0 before the first */
    uint64_t newest_keyframe; /* 88 (a) */
    uint32_t flags;         /* 96 (a) */
    uint32_t reserved_100[7]; /* 100 */
    uint32_t generation;    /* 128 (a): odd while the fields up to the configuration are being written */
    uint32_t codec;         /* 132 */
    uint32_t width;         /* 136 */
    uint32_t height;        /* 140 */
    uint32_t rate_numerator; /* 144 */
    uint32_t rate_denominator; /* 148 */
    uint32_t sample_rate;   /* 152 */
    uint32_t channels;      /* 156 */
    uint32_t configuration_size; /* 160 */
    uint32_t reserved_164[7]; /* 164 */
    uint32_t utc_generation; /* 192 (a): odd while the three fields below are being written */
    uint32_t reserved_196;  /* 196 */
    int64_t utc_offset;     /* 200: UTC minus monotonic, nanoseconds */
    int64_t utc_uncertainty; /* 208: nanoseconds */
    int64_t utc_measured;   /* 216: monotonic nanoseconds */
    uint8_t reserved_224[800]; /* 224 */
    uint8_t configuration[APUS_RING_CONFIGURATION_LIMIT]; /* 1024 */
};

/* One entry of the index. Frame n is in slot n modulo slot_count. */
struct apus_ring_slot {
    uint64_t sequence;   /* 0 (a): 0 while the entry is being written */
    uint64_t position;   /* 8: the data lie at data_offset + position modulo data_size, in one piece */
    uint32_t length;     /* 16 */
    uint32_t flags;      /* 20 */
    int64_t captured;    /* 24: monotonic nanoseconds */
    int64_t published;   /* 32: monotonic nanoseconds */
    uint64_t keyframe;   /* 40: the newest keyframe up to and including this frame */
    uint32_t generation; /* 48: of the description that the frame belongs to */
    uint32_t reserved_52[3]; /* 52 */
};

/* A ring that is attached. The fields are the library's own. */
struct apus_ring {
    const struct apus_ring_header *header;
    size_t size;
    int socket;
    int event;
};

/* A frame in place: valid until apus_ring_is_valid says otherwise. */
struct apus_ring_frame {
    const uint8_t *data;
    size_t length;
    uint64_t sequence;
    uint64_t position;
    uint32_t flags;
    int64_t captured;
    int64_t published;
};

/* What a ring carries. */
struct apus_ring_description {
    uint32_t codec, width, height, rate_numerator, rate_denominator, sample_rate, channels;
    uint32_t configuration_size;
    uint8_t configuration[APUS_RING_CONFIGURATION_LIMIT];
};

enum {
    APUS_RING_OK = 0,
    APUS_RING_NOT_YET = 1,     /* not published yet */
    APUS_RING_OVERWRITTEN = 2, /* gone: go on at a newer frame */
};

/* Options of apus_ring_attach. */
enum { APUS_RING_WATCH = 0, APUS_RING_DEMAND = 1 };

/// Attaches to the ring at a socket path. With APUS_RING_DEMAND the producer makes frames for this reader; with
/// APUS_RING_WATCH it only sees those that others want. Returns 0, or -1 with errno (EPROTO: not a ring of this
/// version).
int apus_ring_attach(struct apus_ring *ring, const char *path, int option);
/// Lets go of the ring.
void apus_ring_detach(struct apus_ring *ring);
/// Waits until frame `sequence` is published, at most `timeout_ms` (-1: for ever). Returns 1 if it is, 0 when the time
/// is over, -1 with errno (EPIPE: the producer has gone; attach again).
int apus_ring_wait(struct apus_ring *ring, uint64_t sequence, int timeout_ms);
/// Finds a frame. Returns APUS_RING_OK, _NOT_YET or _OVERWRITTEN.
int apus_ring_read(const struct apus_ring *ring, uint64_t sequence, struct apus_ring_frame *frame);
/// Tells, after the frame's bytes have been used, whether they were the frame's all the time. If not, throw away what
/// was made of them.
int apus_ring_is_valid(const struct apus_ring *ring, const struct apus_ring_frame *frame);
/// The newest frame's sequence number, 0 before the first.
uint64_t apus_ring_newest(const struct apus_ring *ring);
/// The newest keyframe's sequence number; 1 before the first frame, so that it can be waited for.
uint64_t apus_ring_newest_keyframe(const struct apus_ring *ring);
/// Copies what the ring carries. Returns 0, or -1 with errno EAGAIN if it kept changing.
int apus_ring_describe(const struct apus_ring *ring, struct apus_ring_description *description);
/// UTC minus monotonic time, in nanoseconds.
int64_t apus_ring_utc_offset(const struct apus_ring *ring);
/// Asks the producer for a keyframe.
int apus_ring_request_keyframe(struct apus_ring *ring);

#ifdef __cplusplus
}
#endif
