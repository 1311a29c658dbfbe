// SPDX-License-Identifier: Apache-2.0
// A made-up V4L2 camera for a program that runs with this in LD_PRELOAD: /dev/apus-bench gives MJPEG, 1280×720 at 30 fps.
//
// Not a device: the system calls are answered inside of the program, a timerfd stands for the camera's interrupt and a
// memfd for its memory. Each picture is valid JPEG (grey), has exactly $APUS_BENCH_LENGTH bytes, and names the instant
// at which it was handed over in a comment at its end, as apus-bench reads it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { WIDTH = 1280, HEIGHT = 720, RATE = 30, BUFFERS = 8, STAMP = 10, TAIL = 4 + STAMP + 2 };

static const char path[] = "/dev/apus-bench";
static int camera = -1, memory = -1;
static size_t length, room;
static uint8_t *pictures;
static atomic_uint queued;
static unsigned sequence;

// A grey picture: one bit says that a block is as bright as the last one, another that it has no more coefficients.
static size_t write_picture(uint8_t *out) {
    static const uint8_t head[] = {0xFF, 0xD8};
    static const uint8_t frame[] = {0xFF, 0xC0, 0, 11, 8, HEIGHT >> 8, HEIGHT & 255, WIDTH >> 8, WIDTH & 255, 1, 1, 0x11, 0};
    static const uint8_t scan[] = {0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0};
    const size_t bits = 2 * (WIDTH / 8) * (HEIGHT / 8);
    uint8_t *at = out;
    memcpy(at, head, sizeof head);
    at += sizeof head;
    *at++ = 0xFF, *at++ = 0xDB, *at++ = 0, *at++ = 67, *at++ = 0;
    memset(at, 1, 64);
    at += 64;
    for (int kind = 0; kind < 2; kind++) {
        *at++ = 0xFF, *at++ = 0xC4, *at++ = 0, *at++ = 20, *at++ = (uint8_t)(kind << 4);
        memset(at, 0, 17);
        *at = 1;
        at += 17;
    }
    memcpy(at, frame, sizeof frame);
    at += sizeof frame;
    // Comments fill it up; none may be shorter than its own length field.
    size_t fixed = (size_t)(at - out) + sizeof scan + bits / 8 + TAIL;
    for (size_t rest = length > fixed ? length - fixed : 0; rest >= 4;) {
        size_t part = rest > 65000 ? 60000 : rest;
        *at++ = 0xFF, *at++ = 0xFE, *at++ = (uint8_t)((part - 2) >> 8), *at++ = (uint8_t)(part - 2);
        memset(at, 0xA5, part - 4);
        at += part - 4;
        rest -= part;
    }
    memcpy(at, scan, sizeof scan);
    at += sizeof scan;
    memset(at, 0, bits / 8);
    at += bits / 8;
    *at++ = 0xFF, *at++ = 0xFE, *at++ = 0, *at++ = 2 + STAMP;
    memset(at, 0x80, STAMP);
    at += STAMP;
    *at++ = 0xFF, *at++ = 0xD9;
    return (size_t)(at - out);
}

// Seven bits a byte, none of them 0, as apus-bench has them.
static struct timespec stamp(uint8_t *picture) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t value = now.tv_sec * 1000000000LL + now.tv_nsec;
    for (int index = 0; index < STAMP; index++)
        picture[length - 2 - STAMP + index] = (uint8_t)(0x80 | ((value >> (63 - 7 * index)) & 0x7F));
    return now;
}

static int open_camera(void) {
    const char *text = getenv("APUS_BENCH_LENGTH");
    length = text ? strtoul(text, NULL, 10) : 0;
    room = (length + 0xFFFF) & ~(size_t)0xFFFF;
    memory = memfd_create("apus-bench", MFD_CLOEXEC);
    if (length < 8192 || memory < 0 || ftruncate(memory, (off_t)(room * BUFFERS)) < 0) return errno = ENODEV, -1;
    pictures = (uint8_t *)syscall(SYS_mmap, NULL, room * BUFFERS, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (pictures == MAP_FAILED) return -1;
    for (int index = 0; index < BUFFERS; index++)
        if (write_picture(pictures + room * (size_t)index) != length) return errno = ENODEV, -1;
    // The program waits by select(), for reading and for writing: a timer is never writable, as a camera.
    return camera = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
}

static int run(int on) {
    struct itimerspec time = {0};
    if (on) time.it_value.tv_nsec = time.it_interval.tv_nsec = 1000000000 / RATE;
    return timerfd_settime(camera, 0, &time, NULL);
}

static int fill_format(struct v4l2_format *format) {
    struct v4l2_pix_format pixels = {.width = WIDTH, .height = HEIGHT, .pixelformat = V4L2_PIX_FMT_MJPEG,
                                     .field = V4L2_FIELD_NONE, .sizeimage = (uint32_t)room,
                                     .colorspace = V4L2_COLORSPACE_JPEG};
    format->fmt.pix = pixels;
    return 0;
}

static int fill_buffer(struct v4l2_buffer *buffer) {
    if (buffer->index >= BUFFERS) return errno = EINVAL, -1;
    buffer->length = (uint32_t)room;
    buffer->m.offset = (uint32_t)(room * buffer->index);
    return 0;
}

static int take_buffer(struct v4l2_buffer *buffer) {
    uint64_t ticks;
    if (read(camera, &ticks, sizeof ticks) < 0) return -1;
    unsigned free = atomic_load(&queued);
    if (free == 0) return errno = EAGAIN, -1;
    buffer->index = (uint32_t)__builtin_ctz(free);
    atomic_fetch_and(&queued, ~(1U << buffer->index));
    struct timespec now = stamp(pictures + room * buffer->index);
    buffer->bytesused = (uint32_t)length;
    buffer->sequence = sequence++;
    buffer->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    buffer->timestamp.tv_sec = now.tv_sec;
    buffer->timestamp.tv_usec = now.tv_nsec / 1000;
    return fill_buffer(buffer);
}

static int answer(unsigned long request, void *argument) {
    switch (request) {
    case VIDIOC_QUERYCAP: {
        struct v4l2_capability *known = argument;
        memset(known, 0, sizeof *known);
        strcpy((char *)known->driver, "apus-bench");
        strcpy((char *)known->card, "made up");
        known->capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING | V4L2_CAP_DEVICE_CAPS;
        known->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
        return 0;
    }
    case VIDIOC_ENUM_FMT: {
        struct v4l2_fmtdesc *format = argument;
        if (format->index > 0) return errno = EINVAL, -1;
        format->pixelformat = V4L2_PIX_FMT_MJPEG;
        return 0;
    }
    case VIDIOC_G_FMT:
    case VIDIOC_S_FMT:
    case VIDIOC_TRY_FMT: return fill_format(argument);
    case VIDIOC_S_INPUT: return 0;
    case VIDIOC_G_PARM:
    case VIDIOC_S_PARM: {
        struct v4l2_streamparm *known = argument;
        known->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
        known->parm.capture.timeperframe = (struct v4l2_fract){1, RATE};
        return 0;
    }
    case VIDIOC_REQBUFS: {
        struct v4l2_requestbuffers *wanted = argument;
        if (wanted->count > BUFFERS) wanted->count = BUFFERS;
        return 0;
    }
    case VIDIOC_QUERYBUF: return fill_buffer(argument);
    case VIDIOC_QBUF: {
        struct v4l2_buffer *buffer = argument;
        if (buffer->index >= BUFFERS) return errno = EINVAL, -1;
        atomic_fetch_or(&queued, 1U << buffer->index);
        return 0;
    }
    case VIDIOC_DQBUF: return take_buffer(argument);
    case VIDIOC_STREAMON: return run(1);
    case VIDIOC_STREAMOFF: return run(0);
    default: return errno = ENOTTY, -1;
    }
}

int ioctl(int fd, unsigned long request, ...) {
    va_list list;
    va_start(list, request);
    void *argument = va_arg(list, void *);
    va_end(list);
    // Some pass the number as a signed one.
    if (camera >= 0 && fd == camera) return answer(request & 0xFFFFFFFFUL, argument);
    return (int)syscall(SYS_ioctl, fd, request, argument);
}

int access(const char *name, int mode) {
    return strcmp(name, path) == 0 ? 0 : (int)syscall(SYS_faccessat, AT_FDCWD, name, mode);
}

int open(const char *name, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
    va_end(list);
    return strcmp(name, path) == 0 ? open_camera() : (int)syscall(SYS_openat, AT_FDCWD, name, flags, mode);
}

int open64(const char *name, int flags, ...) __attribute__((alias("open")));

void *mmap(void *address, size_t count, int protection, int flags, int fd, off_t offset) {
    int source = camera >= 0 && fd == camera ? memory : fd;
    return (void *)syscall(SYS_mmap, address, count, protection, flags, source, offset);
}

void *mmap64(void *, size_t, int, int, int, off_t) __attribute__((alias("mmap")));
