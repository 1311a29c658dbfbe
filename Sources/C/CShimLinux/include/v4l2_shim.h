/* SPDX-License-Identifier: Apache-2.0 */
/* V4L2 capture with mapped buffers: the ioctls whose structures have unions, as plain structures. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* All functions return -1 and set errno on failure; a call that a signal interrupts is made again. */

/** Who the device is. `capabilities` are those of this node (V4L2_CAP_DEVICE_CAPS is looked through). */
struct apus_v4l2_identity {
    char driver[16];
    char card[32];
    char bus[32];
    uint32_t capabilities;
};
int apus_v4l2_identify(int fd, struct apus_v4l2_identity *identity);

/** How a device captures into mapped buffers, which is the `type` of the calls below: all planes in one piece, or each
 *  on its own (V4L2_BUF_TYPE_VIDEO_CAPTURE…); 0 if it does not. */
uint32_t apus_v4l2_capture_type(uint32_t capabilities);

/** The format with this index; EINVAL past the last. */
int apus_v4l2_format_at(int fd, uint32_t type, uint32_t index, uint32_t *fourcc);

/** A frame size offered: one size, or a range, whose driver may tell no step (0). */
struct apus_v4l2_sizes {
    uint32_t is_range;
    uint32_t min_width, max_width, step_width;
    uint32_t min_height, max_height, step_height;
};
int apus_v4l2_sizes_at(int fd, uint32_t fourcc, uint32_t index, struct apus_v4l2_sizes *sizes);

/** A picture has at most so many planes of its own here. */
enum { apus_v4l2_planes = 3 };

/** A format asked for, and then what the driver made of it. `stride` is in bytes, one for each of the `planes`. */
struct apus_v4l2_format {
    uint32_t fourcc, width, height, is_full_range, planes, stride[3];
};
int apus_v4l2_set_format(int fd, uint32_t type, struct apus_v4l2_format *format);
/** The same, but nothing is set: what the driver would make of it. ENOTTY if it does not tell. */
int apus_v4l2_try_format(int fd, uint32_t type, struct apus_v4l2_format *format);

/** The size that the device is set to. */
int apus_v4l2_get_size(int fd, uint32_t type, uint32_t *width, uint32_t *height);

/** Asks for a frame interval; gives what the driver made of it. ENOTSUP if the driver has none to set. */
int apus_v4l2_set_interval(int fd, uint32_t type, uint32_t *numerator, uint32_t *denominator);

/** Asks for so many mapped buffers (0 gives all back); gives how many there are. */
int apus_v4l2_request_buffers(int fd, uint32_t type, uint32_t *count);

/** Maps a plane of a buffer for reading; NULL on failure. Pairs with apus_v4l2_unmap(). */
void *apus_v4l2_map(int fd, uint32_t type, uint32_t index, uint32_t plane, size_t *length);
void apus_v4l2_unmap(void *start, size_t length);

/** How many buffers the driver wants at least (V4L2_CID_MIN_BUFFERS_FOR_CAPTURE); 0 if it does not say. */
uint32_t apus_v4l2_minimum_buffers(int fd);

/** V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME: a button. */
uint32_t apus_v4l2_keyframe_control(void);

/** Hands a buffer to the driver. */
int apus_v4l2_queue(int fd, uint32_t type, uint32_t index);

/** Which clock a frame's time is of. */
enum { apus_v4l2_clock_unknown, apus_v4l2_clock_monotonic, apus_v4l2_clock_copy };

/** A filled buffer: where its bytes are in each plane, and when it was filled by which clock; `is_start` if that is the
 *  start of its exposure, not its end. */
struct apus_v4l2_frame {
    uint32_t index, sequence, is_damaged, clock, is_start, start[3], length[3];
    int64_t time_ns;
};
int apus_v4l2_dequeue(int fd, uint32_t type, struct apus_v4l2_frame *frame);

/** Starts (1) or stops (0) the stream. */
int apus_v4l2_stream(int fd, uint32_t type, int on);
