/* SPDX-License-Identifier: Apache-2.0 */
/* V4L2 ioctls with unions, as plain structures. */
#include "v4l2_shim.h"

#include <errno.h>
#include <linux/videodev2.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

static int retry(int fd, unsigned long request, void *argument) {
    int result;
    do {
        result = ioctl(fd, request, argument);
    } while (result < 0 && errno == EINTR);
    return result;
}

int apus_v4l2_identify(int fd, struct apus_v4l2_identity *identity) {
    struct v4l2_capability found = {0};
    if (retry(fd, VIDIOC_QUERYCAP, &found) < 0) return -1;
    memcpy(identity->driver, found.driver, sizeof identity->driver);
    memcpy(identity->card, found.card, sizeof identity->card);
    memcpy(identity->bus, found.bus_info, sizeof identity->bus);
    identity->driver[15] = identity->card[31] = identity->bus[31] = 0;
    identity->capabilities =
        found.capabilities & V4L2_CAP_DEVICE_CAPS ? found.device_caps : found.capabilities;
    return 0;
}

int apus_v4l2_can_capture(uint32_t capabilities) {
    const uint32_t needed = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
    return (capabilities & needed) == needed;
}

int apus_v4l2_format_at(int fd, uint32_t index, uint32_t *fourcc) {
    struct v4l2_fmtdesc found = {.index = index, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    if (retry(fd, VIDIOC_ENUM_FMT, &found) < 0) return -1;
    *fourcc = found.pixelformat;
    return 0;
}

int apus_v4l2_sizes_at(int fd, uint32_t fourcc, uint32_t index, struct apus_v4l2_sizes *sizes) {
    struct v4l2_frmsizeenum found = {.index = index, .pixel_format = fourcc};
    if (retry(fd, VIDIOC_ENUM_FRAMESIZES, &found) < 0) return -1;
    if (found.type == V4L2_FRMSIZE_TYPE_DISCRETE) {
        *sizes = (struct apus_v4l2_sizes){found.discrete.width,  found.discrete.width,  0,
                                          found.discrete.height, found.discrete.height, 0};
        return 0;
    }
    *sizes = (struct apus_v4l2_sizes){found.stepwise.min_width,  found.stepwise.max_width,  found.stepwise.step_width,
                                      found.stepwise.min_height, found.stepwise.max_height, found.stepwise.step_height};
    return 0;
}

int apus_v4l2_interval_at(
    int fd, uint32_t fourcc, uint32_t width, uint32_t height, uint32_t index, uint32_t *numerator,
    uint32_t *denominator) {
    struct v4l2_frmivalenum found = {.index = index, .pixel_format = fourcc, .width = width, .height = height};
    if (retry(fd, VIDIOC_ENUM_FRAMEINTERVALS, &found) < 0) return -1;
    const struct v4l2_fract shortest =
        found.type == V4L2_FRMIVAL_TYPE_DISCRETE ? found.discrete : found.stepwise.min;
    *numerator = shortest.numerator;
    *denominator = shortest.denominator;
    return 0;
}

int apus_v4l2_set_format(int fd, struct apus_v4l2_format *format) {
    struct v4l2_format wanted = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    struct v4l2_pix_format *pixels = &wanted.fmt.pix;
    *pixels = (struct v4l2_pix_format){.width = format->width, .height = format->height, .field = V4L2_FIELD_ANY};
    pixels->pixelformat = format->fourcc;
    if (retry(fd, VIDIOC_S_FMT, &wanted) < 0) return -1;
    *format = (struct apus_v4l2_format){pixels->pixelformat, pixels->width, pixels->height, pixels->bytesperline,
                                        pixels->sizeimage, pixels->quantization == V4L2_QUANTIZATION_FULL_RANGE};
    return 0;
}

int apus_v4l2_set_interval(int fd, uint32_t *numerator, uint32_t *denominator) {
    struct v4l2_streamparm wanted = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    if (retry(fd, VIDIOC_G_PARM, &wanted) < 0) return -1;
    if (!(wanted.parm.capture.capability & V4L2_CAP_TIMEPERFRAME)) return errno = ENOTSUP, -1;
    wanted.parm.capture.timeperframe = (struct v4l2_fract){*numerator, *denominator};
    if (retry(fd, VIDIOC_S_PARM, &wanted) < 0) return -1;
    *numerator = wanted.parm.capture.timeperframe.numerator;
    *denominator = wanted.parm.capture.timeperframe.denominator;
    return 0;
}

int apus_v4l2_request_buffers(int fd, uint32_t *count) {
    struct v4l2_requestbuffers wanted = {
        .count = *count, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
    if (retry(fd, VIDIOC_REQBUFS, &wanted) < 0) return -1;
    *count = wanted.count;
    return 0;
}

void *apus_v4l2_map(int fd, uint32_t index, size_t *length) {
    struct v4l2_buffer buffer = {.index = index, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
    if (retry(fd, VIDIOC_QUERYBUF, &buffer) < 0) return NULL;
    void *start = mmap(NULL, buffer.length, PROT_READ, MAP_SHARED, fd, buffer.m.offset);
    // Some drivers map for writing only together with reading.
    if (start == MAP_FAILED) start = mmap(NULL, buffer.length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, buffer.m.offset);
    *length = buffer.length;
    return start == MAP_FAILED ? NULL : start;
}

void apus_v4l2_unmap(void *start, size_t length) { munmap(start, length); }

int apus_v4l2_queue(int fd, uint32_t index) {
    struct v4l2_buffer buffer = {.index = index, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
    return retry(fd, VIDIOC_QBUF, &buffer);
}

int apus_v4l2_dequeue(int fd, struct apus_v4l2_frame *frame) {
    struct v4l2_buffer buffer = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
    if (retry(fd, VIDIOC_DQBUF, &buffer) < 0) return -1;
    const int is_monotonic = (buffer.flags & V4L2_BUF_FLAG_TIMESTAMP_MASK) == V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    const int64_t seconds = buffer.timestamp.tv_sec, microseconds = buffer.timestamp.tv_usec;
    *frame = (struct apus_v4l2_frame){buffer.index, buffer.bytesused, buffer.sequence,
                                      (buffer.flags & V4L2_BUF_FLAG_ERROR) != 0,
                                      is_monotonic ? seconds * 1000000000 + microseconds * 1000 : -1};
    return 0;
}

int apus_v4l2_stream(int fd, int on) {
    int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    return retry(fd, on ? VIDIOC_STREAMON : VIDIOC_STREAMOFF, &type);
}
