/* SPDX-License-Identifier: Apache-2.0 */
/* V4L2 ioctls with unions, as plain structures. */
#include "v4l2_shim.h"

#include <errno.h>
#include <linux/videodev2.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "v4l2_controls.h"

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

uint32_t apus_v4l2_capture_type(uint32_t capabilities) {
    if (!(capabilities & V4L2_CAP_STREAMING)) return 0;
    if (capabilities & V4L2_CAP_VIDEO_CAPTURE) return V4L2_BUF_TYPE_VIDEO_CAPTURE;
    return capabilities & V4L2_CAP_VIDEO_CAPTURE_MPLANE ? V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE : 0;
}

int apus_v4l2_format_at(int fd, uint32_t type, uint32_t index, uint32_t *fourcc) {
    struct v4l2_fmtdesc found = {.index = index, .type = type};
    if (retry(fd, VIDIOC_ENUM_FMT, &found) < 0) return -1;
    *fourcc = found.pixelformat;
    return 0;
}

int apus_v4l2_sizes_at(int fd, uint32_t fourcc, uint32_t index, struct apus_v4l2_sizes *sizes) {
    struct v4l2_frmsizeenum found = {.index = index, .pixel_format = fourcc};
    if (retry(fd, VIDIOC_ENUM_FRAMESIZES, &found) < 0) return -1;
    if (found.type == V4L2_FRMSIZE_TYPE_DISCRETE) {
        *sizes = (struct apus_v4l2_sizes){0, found.discrete.width,  found.discrete.width,  0,
                                          found.discrete.height, found.discrete.height, 0};
        return 0;
    }
    *sizes = (struct apus_v4l2_sizes){1, found.stepwise.min_width,  found.stepwise.max_width,  found.stepwise.step_width,
                                      found.stepwise.min_height, found.stepwise.max_height, found.stepwise.step_height};
    return 0;
}

/* Left to its default, the range is full in JPEG's colour space (V4L2_MAP_QUANTIZATION_DEFAULT), and of grey. */
static uint32_t is_full_range(uint32_t fourcc, uint32_t colorspace, uint32_t quantization) {
    if (quantization != V4L2_QUANTIZATION_DEFAULT) return quantization == V4L2_QUANTIZATION_FULL_RANGE;
    return colorspace == V4L2_COLORSPACE_JPEG || fourcc == V4L2_PIX_FMT_GREY;
}

static int negotiate(int fd, unsigned long request, uint32_t type, struct apus_v4l2_format *format) {
    struct v4l2_format wanted = {.type = type};
    if (type == V4L2_BUF_TYPE_VIDEO_CAPTURE) {
        struct v4l2_pix_format *pixels = &wanted.fmt.pix;
        *pixels = (struct v4l2_pix_format){.width = format->width, .height = format->height, .field = V4L2_FIELD_ANY};
        pixels->pixelformat = format->fourcc;
        if (retry(fd, request, &wanted) < 0) return -1;
        const uint32_t is_full = is_full_range(pixels->pixelformat, pixels->colorspace, pixels->quantization);
        *format = (struct apus_v4l2_format){pixels->pixelformat, pixels->width, pixels->height, is_full, 1,
                                            {pixels->bytesperline, 0, 0}};
        return 0;
    }
    struct v4l2_pix_format_mplane *pixels = &wanted.fmt.pix_mp;
    *pixels = (struct v4l2_pix_format_mplane){.width = format->width, .height = format->height};
    pixels->pixelformat = format->fourcc;
    if (retry(fd, request, &wanted) < 0) return -1;
    if (pixels->num_planes < 1 || pixels->num_planes > apus_v4l2_planes) return errno = EINVAL, -1;
    const uint32_t is_full = is_full_range(pixels->pixelformat, pixels->colorspace, pixels->quantization);
    *format = (struct apus_v4l2_format){pixels->pixelformat, pixels->width, pixels->height, is_full,
                                        pixels->num_planes, {0}};
    for (int plane = 0; plane < pixels->num_planes; plane++)
        format->stride[plane] = pixels->plane_fmt[plane].bytesperline;
    return 0;
}

int apus_v4l2_set_format(int fd, uint32_t type, struct apus_v4l2_format *format) {
    return negotiate(fd, VIDIOC_S_FMT, type, format);
}

int apus_v4l2_try_format(int fd, uint32_t type, struct apus_v4l2_format *format) {
    return negotiate(fd, VIDIOC_TRY_FMT, type, format);
}

int apus_v4l2_get_size(int fd, uint32_t type, uint32_t *width, uint32_t *height) {
    struct v4l2_format found = {.type = type};
    if (retry(fd, VIDIOC_G_FMT, &found) < 0) return -1;
    const int is_plain = type == V4L2_BUF_TYPE_VIDEO_CAPTURE;
    *width = is_plain ? found.fmt.pix.width : found.fmt.pix_mp.width;
    *height = is_plain ? found.fmt.pix.height : found.fmt.pix_mp.height;
    return 0;
}

int apus_v4l2_set_interval(int fd, uint32_t type, uint32_t *numerator, uint32_t *denominator) {
    struct v4l2_streamparm wanted = {.type = type};
    if (retry(fd, VIDIOC_G_PARM, &wanted) < 0) return -1;
    if (!(wanted.parm.capture.capability & V4L2_CAP_TIMEPERFRAME)) return errno = ENOTSUP, -1;
    wanted.parm.capture.timeperframe = (struct v4l2_fract){*numerator, *denominator};
    if (retry(fd, VIDIOC_S_PARM, &wanted) < 0) return -1;
    *numerator = wanted.parm.capture.timeperframe.numerator;
    *denominator = wanted.parm.capture.timeperframe.denominator;
    return 0;
}

int apus_v4l2_request_buffers(int fd, uint32_t type, uint32_t *count) {
    struct v4l2_requestbuffers wanted = {.count = *count, .type = type, .memory = V4L2_MEMORY_MMAP};
    if (retry(fd, VIDIOC_REQBUFS, &wanted) < 0) return -1;
    *count = wanted.count;
    return 0;
}

/* A buffer; `planes` has VIDEO_MAX_PLANES, which the kernel fills in for devices with planes of their own. */
static struct v4l2_buffer describe(uint32_t type, uint32_t index, struct v4l2_plane *planes) {
    struct v4l2_buffer buffer = {.index = index, .type = type, .memory = V4L2_MEMORY_MMAP};
    if (type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE) {
        buffer.m.planes = planes;
        buffer.length = VIDEO_MAX_PLANES;
    }
    return buffer;
}

void *apus_v4l2_map(int fd, uint32_t type, uint32_t index, uint32_t plane, size_t *length) {
    struct v4l2_plane planes[VIDEO_MAX_PLANES] = {0};
    struct v4l2_buffer buffer = describe(type, index, planes);
    if (retry(fd, VIDIOC_QUERYBUF, &buffer) < 0) return NULL;
    const int is_plain = type == V4L2_BUF_TYPE_VIDEO_CAPTURE;
    const uint32_t offset = is_plain ? buffer.m.offset : planes[plane].m.mem_offset;
    *length = is_plain ? buffer.length : planes[plane].length;
    void *start = mmap(NULL, *length, PROT_READ, MAP_SHARED, fd, offset);
    // Some drivers map for writing only together with reading.
    if (start == MAP_FAILED) start = mmap(NULL, *length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
    return start == MAP_FAILED ? NULL : start;
}

void apus_v4l2_unmap(void *start, size_t length) { munmap(start, length); }

uint32_t apus_v4l2_minimum_buffers(int fd) {
    int64_t count = 0;
    if (apus_v4l2_get_number(fd, V4L2_CID_MIN_BUFFERS_FOR_CAPTURE, 0, 0, &count) < 0) return 0;
    return count > 0 && count <= VIDEO_MAX_FRAME ? (uint32_t)count : 0;
}

uint32_t apus_v4l2_keyframe_control(void) { return V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME; }

int apus_v4l2_queue(int fd, uint32_t type, uint32_t index) {
    struct v4l2_plane planes[VIDEO_MAX_PLANES] = {0};
    struct v4l2_buffer buffer = describe(type, index, planes);
    return retry(fd, VIDIOC_QBUF, &buffer);
}

static uint32_t clock_of(uint32_t flags) {
    switch (flags & V4L2_BUF_FLAG_TIMESTAMP_MASK) {
    case V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC: return apus_v4l2_clock_monotonic;
    case V4L2_BUF_FLAG_TIMESTAMP_COPY: return apus_v4l2_clock_copy;
    default: return apus_v4l2_clock_unknown;
    }
}

int apus_v4l2_dequeue(int fd, uint32_t type, struct apus_v4l2_frame *frame) {
    struct v4l2_plane planes[VIDEO_MAX_PLANES] = {0};
    struct v4l2_buffer buffer = describe(type, 0, planes);
    if (retry(fd, VIDIOC_DQBUF, &buffer) < 0) return -1;
    const int64_t seconds = buffer.timestamp.tv_sec, microseconds = buffer.timestamp.tv_usec;
    *frame = (struct apus_v4l2_frame){.index = buffer.index, .sequence = buffer.sequence,
                                      .is_damaged = (buffer.flags & V4L2_BUF_FLAG_ERROR) != 0,
                                      .clock = clock_of(buffer.flags),
                                      .is_start = (buffer.flags & V4L2_BUF_FLAG_TSTAMP_SRC_MASK) ==
                                                  V4L2_BUF_FLAG_TSTAMP_SRC_SOE,
                                      .time_ns = seconds * 1000000000 + microseconds * 1000};
    if (type == V4L2_BUF_TYPE_VIDEO_CAPTURE) {
        frame->length[0] = buffer.bytesused;
        return 0;
    }
    for (int plane = 0; plane < apus_v4l2_planes; plane++) {
        frame->start[plane] = planes[plane].data_offset;
        if (planes[plane].bytesused > planes[plane].data_offset)
            frame->length[plane] = planes[plane].bytesused - planes[plane].data_offset;
    }
    return 0;
}

int apus_v4l2_stream(int fd, uint32_t type, int on) {
    int buffers = (int)type;
    return retry(fd, on ? VIDIOC_STREAMON : VIDIOC_STREAMOFF, &buffers);
}
