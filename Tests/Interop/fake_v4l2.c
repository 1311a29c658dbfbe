/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded into the programs of a test: /dev/apus-fake is a camera that does, and fails to do, what a shared page says.
 *
 * The system calls are answered inside of the program. One end of a TCP connection stands for the device, so that it can
 * be polled: a thread sends a byte for each frame, and an urgent one for an event. fake_camera.py is the other side. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { BUFFERS = 6, ROOM = 2 << 20, MODES = 16, RATES = 4 };
static const char path[] = "/dev/apus-fake";

/* The page: what the test wants, then what has happened. The order is that of fake_camera.py. */
static volatile struct page {
    int32_t stall;           /* 1: no frames until the stream starts anew; 2: until the device is opened anew; 3: none */
    int32_t damaged;         /* so many frames are marked as damaged */
    int32_t gap;             /* so many frames are counted, and never come */
    int32_t cut;             /* so many frames end in the middle */
    int32_t dequeue_error;   /* errno of the next `dequeue_errors` DQBUF */
    int32_t dequeue_errors;
    int32_t start_error;     /* errno of the next `start_errors` STREAMON */
    int32_t start_errors;
    int32_t bandwidth;       /* thousands of bytes a second that the bus carries; 0: any */
    int32_t signal;          /* errno of QUERY_DV_TIMINGS */
    int32_t width, height;   /* of the signal */
    int32_t events;          /* counted up for each event */
    int32_t clock_offset;    /* seconds that the driver's clock is off */
    int32_t clock_kind;      /* V4L2_BUF_FLAG_TIMESTAMP_… */
    int32_t unplugged;
    int32_t rival;           /* 1: another program has priority; 2: the driver knows no priority */
    int32_t fail_call;       /* the number of an ioctl … */
    int32_t fail_error;      /* … that answers this errno … */
    int32_t fail_times;      /* … so many times */
    int32_t parm_numerator, parm_denominator; /* what S_PARM answers; 0: what it was asked for */
    int32_t other_format, other_width, other_height; /* what S_FMT sets instead; 0: what it was asked for */
    int32_t flip;            /* the control "Vertical Flip", which is locked while frames are captured */
    /* What has happened. */
    int32_t opened, started, stopped, dequeued, claimed, keyframes, frames, tried;
} *page;

static struct mode {
    uint32_t fourcc, width, height, rates[RATES];
} modes[MODES];
static int mode_count;
/* Instead of the modes' sizes. A step of 0: only the ends. */
static struct v4l2_frmsize_stepwise range;
static const uint8_t *film;
static size_t film_size;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int camera = -1, peer = -1, memory = -1, events_sent, events_taken;
static uint8_t *pictures;
static uint32_t generation, queued, done[BUFFERS], done_count, fourcc, width, height, rate = 30, sequence, frame;
static struct v4l2_buffer filled[BUFFERS];
static int streaming;

static const void *map_file(const char *name, int protection, size_t *size) {
    const char *file = getenv(name);
    struct stat status;
    int fd = file ? (int)syscall(SYS_openat, AT_FDCWD, file, protection & PROT_WRITE ? O_RDWR : O_RDONLY) : -1;
    if (fd < 0 || fstat(fd, &status) < 0) return NULL;
    void *bytes = (void *)syscall(SYS_mmap, NULL, (size_t)status.st_size, protection, MAP_SHARED, fd, 0);
    close(fd);
    *size = (size_t)status.st_size;
    return bytes == MAP_FAILED ? NULL : bytes;
}

/* At the start, before a sandbox closes the files to us. FAKE_MODES is "MJPG 640 360 30 15 0 0;YUYV …". */
__attribute__((constructor)) static void begin(void) {
    size_t size;
    page = (volatile struct page *)map_file("FAKE_PAGE", PROT_READ | PROT_WRITE, &size);
    film = map_file("FAKE_FILM", PROT_READ, &film_size);
    for (const char *at = getenv("FAKE_MODES"); at && *at && mode_count < MODES; at = strchr(at, ';'), at += at != NULL) {
        struct mode *mode = &modes[mode_count];
        char name[5];
        uint32_t *rates = mode->rates;
        if (sscanf(at, "%4s %u %u %u %u %u %u", name, &mode->width, &mode->height, rates, rates + 1, rates + 2, rates + 3) < 7)
            break;
        mode->fourcc = v4l2_fourcc(name[0], name[1], name[2], name[3]);
        mode_count++;
    }
    if (getenv("FAKE_RANGE"))
        sscanf(getenv("FAKE_RANGE"), "%u %u %u %u %u %u", &range.min_width, &range.max_width, &range.step_width,
               &range.min_height, &range.max_height, &range.step_height);
}

static int is_signal(void) { return page->width != 0; }

static uint32_t per_second(void) {
    const uint32_t bytes = fourcc == V4L2_PIX_FMT_MJPEG || fourcc == V4L2_PIX_FMT_H264 ? 3 : 20;
    return width * height / 1000 * rate * bytes / 10;
}

/* A picture's bytes: of a coded format the film's next, else grey that changes. */
static uint32_t fill(uint8_t *out) {
    if (fourcc == V4L2_PIX_FMT_YUYV) {
        memset(out, (int)(64 + frame++ % 128), width * height * 2);
        return width * height * 2;
    }
    static size_t at;
    uint32_t length;
    if (at + sizeof length >= film_size) at = 0;
    memcpy(&length, film + at, sizeof length);
    memcpy(out, film + at + sizeof length, length);
    at += sizeof length + length;
    return length;
}

static void make_frame(void) {
    if (page->gap > 0) sequence += (uint32_t)page->gap, page->gap = 0;
    sequence++;
    if (queued == 0) return;
    const uint32_t index = (uint32_t)__builtin_ctz(queued);
    queued &= ~(1U << index);
    struct v4l2_buffer *buffer = &filled[index];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    *buffer = (struct v4l2_buffer){.index = index, .sequence = sequence, .bytesused = fill(pictures + (size_t)ROOM * index)};
    buffer->flags = (uint32_t)page->clock_kind | V4L2_BUF_FLAG_TSTAMP_SRC_SOE;
    buffer->timestamp.tv_sec = now.tv_sec + page->clock_offset;
    buffer->timestamp.tv_usec = now.tv_nsec / 1000;
    if (page->damaged > 0) page->damaged--, buffer->flags |= V4L2_BUF_FLAG_ERROR;
    if (page->cut > 0) page->cut--, buffer->bytesused /= 2;
    done[done_count++] = index;
    page->frames++;
    send(peer, "f", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void *run(void *argument) {
    const uint32_t mine = (uint32_t)(uintptr_t)argument;
    for (;;) {
        struct timespec nap = {.tv_sec = rate < 2, .tv_nsec = rate < 2 ? 0 : 1000000000L / rate};
        nanosleep(&nap, NULL);
        pthread_mutex_lock(&lock);
        if (generation != mine) break;
        char end;
        if (recv(peer, &end, 1, MSG_DONTWAIT | MSG_PEEK) == 0) break;
        if (events_sent != page->events) events_sent = page->events, send(peer, "e", 1, MSG_OOB | MSG_NOSIGNAL);
        if (page->unplugged) send(peer, "u", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        else if (streaming && page->stall == 0) make_frame();
        pthread_mutex_unlock(&lock);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

static int connect_pair(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    int end = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bind(listener, (struct sockaddr *)&address, size);
    listen(listener, 1);
    getsockname(listener, (struct sockaddr *)&address, &size);
    if (connect(end, (struct sockaddr *)&address, size) < 0) return -1;
    if (peer >= 0) close(peer);
    peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    close(listener);
    setsockopt(peer, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof one);
    fcntl(end, F_SETFL, O_NONBLOCK);
    return end;
}

static int open_camera(void) {
    if (!page || page->unplugged) return errno = ENOENT, -1;
    pthread_mutex_lock(&lock);
    if (memory < 0) {
        memory = memfd_create("apus-fake", MFD_CLOEXEC);
        if (ftruncate(memory, (off_t)ROOM * BUFFERS) < 0) return -1;
        pictures = (uint8_t *)syscall(SYS_mmap, NULL, (size_t)ROOM * BUFFERS, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    }
    camera = connect_pair();
    streaming = 0, queued = 0, done_count = 0, rate = 30, events_sent = events_taken = page->events;
    if (page->stall == 2) page->stall = 0;
    generation++;
    page->opened++;
    pthread_t thread;
    pthread_create(&thread, NULL, run, (void *)(uintptr_t)generation);
    pthread_detach(thread);
    pthread_mutex_unlock(&lock);
    return camera;
}

static int start(void) {
    if (page->start_errors > 0) return page->start_errors--, errno = page->start_error, -1;
    if (page->bandwidth > 0 && per_second() > (uint32_t)page->bandwidth) return errno = ENOSPC, -1;
    streaming = 1, sequence = 0;
    page->started++;
    return 0;
}

static int stop(void) {
    streaming = 0, queued = 0, done_count = 0;
    if (page->stall == 1) page->stall = 0;
    char bytes[64];
    while (recv(camera, bytes, sizeof bytes, MSG_DONTWAIT) > 0) continue;
    page->stopped++;
    return 0;
}

static int take(struct v4l2_buffer *buffer) {
    char byte;
    if (recv(camera, &byte, 1, MSG_DONTWAIT) <= 0) return errno = EAGAIN, -1;
    if (page->dequeue_errors > 0) {
        // The frame stays, and so does the readiness.
        send(peer, "f", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        return page->dequeue_errors--, errno = page->dequeue_error, -1;
    }
    if (done_count == 0) return errno = EAGAIN, -1;
    *buffer = filled[done[0]];
    memmove(done, done + 1, sizeof *done * --done_count);
    buffer->type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    buffer->length = ROOM;
    page->dequeued++;
    return 0;
}

static void fill_format(struct v4l2_format *format) {
    struct v4l2_pix_format pixels = {.width = width, .height = height, .pixelformat = fourcc, .field = V4L2_FIELD_NONE,
                                     .bytesperline = fourcc == V4L2_PIX_FMT_YUYV ? width * 2 : 0, .sizeimage = ROOM};
    format->fmt.pix = pixels;
}

static uint32_t fit(uint32_t wanted, uint32_t min, uint32_t max, uint32_t step) {
    if (step == 0) return wanted < max ? min : max;
    return wanted < min ? min : wanted > max ? max : min + (wanted - min) / step * step;
}

/* TRY_FMT tells what S_FMT would set. */
static int set_format(struct v4l2_format *format, int is_try) {
    const uint32_t now[] = {fourcc, width, height};
    fourcc = page->other_format ? (uint32_t)page->other_format : format->fmt.pix.pixelformat;
    width = format->fmt.pix.width, height = format->fmt.pix.height;
    if (range.max_width > 0) {
        width = fit(width, range.min_width, range.max_width, range.step_width);
        height = fit(height, range.min_height, range.max_height, range.step_height);
    }
    if (is_signal()) width = (uint32_t)page->width, height = (uint32_t)page->height;
    if (page->other_width) width = (uint32_t)page->other_width, height = (uint32_t)page->other_height;
    fill_format(format);
    if (is_try) page->tried++, fourcc = now[0], width = now[1], height = now[2];
    return 0;
}

static int list_sizes(struct v4l2_frmsizeenum *wanted) {
    if (range.max_width > 0) {
        if (wanted->index > 0) return errno = EINVAL, -1;
        wanted->type = V4L2_FRMSIZE_TYPE_STEPWISE;
        wanted->stepwise = range;
        return 0;
    }
    if (is_signal()) return errno = ENOTTY, -1;
    uint32_t index = 0;
    for (int at = 0; at < mode_count; at++) {
        if (modes[at].fourcc != wanted->pixel_format || index++ != wanted->index) continue;
        wanted->type = V4L2_FRMSIZE_TYPE_DISCRETE;
        wanted->discrete = (struct v4l2_frmsize_discrete){modes[at].width, modes[at].height};
        return 0;
    }
    return errno = EINVAL, -1;
}

static int list_rates(struct v4l2_frmivalenum *wanted) {
    for (int at = 0; at < mode_count; at++) {
        const struct mode *mode = &modes[at];
        if (mode->fourcc != wanted->pixel_format || mode->width != wanted->width || mode->height != wanted->height) continue;
        if (wanted->index >= RATES || mode->rates[wanted->index] == 0) break;
        wanted->type = V4L2_FRMIVAL_TYPE_DISCRETE;
        wanted->discrete = (struct v4l2_fract){1, mode->rates[wanted->index]};
        return 0;
    }
    return errno = EINVAL, -1;
}

static int list_formats(struct v4l2_fmtdesc *wanted) {
    uint32_t index = 0;
    for (int at = 0; at < mode_count; at++) {
        int is_new = 1;
        for (int before = 0; before < at; before++) is_new &= modes[before].fourcc != modes[at].fourcc;
        if (!is_new || index++ != wanted->index) continue;
        wanted->pixelformat = modes[at].fourcc;
        return 0;
    }
    return errno = EINVAL, -1;
}

static int timings(struct v4l2_dv_timings *found) {
    memset(found, 0, sizeof *found);
    found->bt.width = (uint32_t)page->width;
    found->bt.height = (uint32_t)page->height;
    found->bt.pixelclock = (uint64_t)page->width * (uint64_t)page->height * 30;
    return 0;
}

static int describe_control(struct v4l2_query_ext_ctrl *control) {
    const uint32_t next = V4L2_CTRL_FLAG_NEXT_CTRL | V4L2_CTRL_FLAG_NEXT_COMPOUND;
    const uint32_t id = control->id & ~next;
    if (control->id & next ? id >= V4L2_CID_VFLIP : id != V4L2_CID_VFLIP) return errno = EINVAL, -1;
    *control = (struct v4l2_query_ext_ctrl){.id = V4L2_CID_VFLIP, .type = V4L2_CTRL_TYPE_BOOLEAN, .maximum = 1, .step = 1};
    strcpy(control->name, "Vertical Flip");
    if (streaming) control->flags = V4L2_CTRL_FLAG_GRABBED;
    return 0;
}

static int get_control(struct v4l2_ext_controls *list) {
    if (list->count != 1 || list->controls->id != V4L2_CID_VFLIP) return errno = EINVAL, -1;
    list->controls->value = page->flip;
    return 0;
}

static int set_control(struct v4l2_ext_controls *list) {
    if (list->count == 1 && list->controls->id == V4L2_CID_VFLIP) {
        if (streaming) return errno = EBUSY, -1;
        page->flip = list->controls->value;
        return 0;
    }
    if (list->count != 1 || list->controls->id != V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME) return errno = EINVAL, -1;
    page->keyframes++;
    return 0;
}

static int answer(unsigned long request, void *argument) {
    if (page->fail_times > 0 && _IOC_NR(request) == (unsigned)page->fail_call)
        return page->fail_times--, errno = page->fail_error, -1;
    switch (request) {
    case VIDIOC_QUERYCAP: {
        struct v4l2_capability *known = argument;
        memset(known, 0, sizeof *known);
        strcpy((char *)known->driver, "apus-fake");
        strcpy((char *)known->card, "Made up");
        known->capabilities = known->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
        known->capabilities |= V4L2_CAP_DEVICE_CAPS;
        return 0;
    }
    case VIDIOC_ENUM_FMT: return list_formats(argument);
    case VIDIOC_ENUM_FRAMESIZES: return list_sizes(argument);
    case VIDIOC_ENUM_FRAMEINTERVALS: return list_rates(argument);
    case VIDIOC_G_FMT:
        if (is_signal()) width = (uint32_t)page->width, height = (uint32_t)page->height;
        return fill_format(argument), 0;
    case VIDIOC_S_FMT: return set_format(argument, 0);
    case VIDIOC_TRY_FMT: return set_format(argument, 1);
    case VIDIOC_G_PARM:
    case VIDIOC_S_PARM: {
        struct v4l2_streamparm *known = argument;
        const struct v4l2_fract wanted = known->parm.capture.timeperframe;
        if (request == VIDIOC_S_PARM && wanted.numerator > 0) rate = wanted.denominator / wanted.numerator;
        known->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
        known->parm.capture.timeperframe = (struct v4l2_fract){1, rate};
        if (page->parm_denominator != 0)
            known->parm.capture.timeperframe =
                (struct v4l2_fract){(uint32_t)page->parm_numerator, (uint32_t)page->parm_denominator};
        return 0;
    }
    case VIDIOC_REQBUFS: {
        struct v4l2_requestbuffers *wanted = argument;
        if (wanted->count > BUFFERS) wanted->count = BUFFERS;
        return 0;
    }
    case VIDIOC_QUERYBUF: {
        struct v4l2_buffer *buffer = argument;
        buffer->length = ROOM;
        buffer->m.offset = (uint32_t)ROOM * buffer->index;
        return 0;
    }
    case VIDIOC_QBUF: return queued |= 1U << ((struct v4l2_buffer *)argument)->index, 0;
    case VIDIOC_DQBUF: return take(argument);
    case VIDIOC_STREAMON: return start();
    case VIDIOC_STREAMOFF: return stop();
    case VIDIOC_S_PRIORITY:
        if (page->rival) return errno = page->rival == 2 ? ENOTTY : EBUSY, -1;
        return page->claimed++, 0;
    case VIDIOC_G_INPUT: return is_signal() ? (*(int *)argument = 0, 0) : (errno = ENOTTY, -1);
    case VIDIOC_ENUMINPUT: {
        struct v4l2_input *input = argument;
        if (!is_signal() || input->index > 0) return errno = EINVAL, -1;
        strcpy((char *)input->name, "HDMI 0");
        input->capabilities = V4L2_IN_CAP_DV_TIMINGS;
        return 0;
    }
    case VIDIOC_QUERY_DV_TIMINGS:
        if (!is_signal()) return errno = ENOTTY, -1;
        return page->signal ? (errno = page->signal, -1) : timings(argument);
    case VIDIOC_G_DV_TIMINGS: return memset(argument, 0, sizeof(struct v4l2_dv_timings)), 0;
    case VIDIOC_S_DV_TIMINGS: return 0;
    case VIDIOC_QUERY_EXT_CTRL: return describe_control(argument);
    case VIDIOC_G_EXT_CTRLS: return get_control(argument);
    case VIDIOC_S_EXT_CTRLS: return set_control(argument);
    case VIDIOC_SUBSCRIBE_EVENT: return 0;
    case VIDIOC_DQEVENT: {
        char byte;
        recv(camera, &byte, 1, MSG_OOB | MSG_DONTWAIT);
        if (events_taken == page->events) return errno = ENOENT, -1;
        events_taken = page->events;
        memset(argument, 0, sizeof(struct v4l2_event));
        ((struct v4l2_event *)argument)->type = V4L2_EVENT_SOURCE_CHANGE;
        return 0;
    }
    default: return errno = ENOTTY, -1;
    }
}

int ioctl(int fd, unsigned long request, ...) {
    va_list list;
    va_start(list, request);
    void *argument = va_arg(list, void *);
    va_end(list);
    if (camera < 0 || fd != camera) return (int)syscall(SYS_ioctl, fd, request, argument);
    pthread_mutex_lock(&lock);
    // Some pass the number as a signed one.
    int result = page->unplugged ? (errno = ENODEV, -1) : answer(request & 0xFFFFFFFFUL, argument);
    int code = errno;
    pthread_mutex_unlock(&lock);
    errno = code;
    return result;
}

int access(const char *name, int mode) {
    if (strcmp(name, path) == 0) return page && !page->unplugged ? 0 : (errno = ENOENT, -1);
    return (int)syscall(SYS_faccessat, AT_FDCWD, name, mode);
}

int open(const char *name, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
    va_end(list);
    return strcmp(name, path) == 0 ? open_camera() : (int)syscall(SYS_openat, AT_FDCWD, name, flags, mode);
}

int open64(const char *name, int flags, ...) __attribute__((alias("open")));

int close(int fd) {
    if (fd >= 0 && fd == camera) camera = -1;
    return (int)syscall(SYS_close, fd);
}

void *mmap(void *address, size_t count, int protection, int flags, int fd, off_t offset) {
    int source = camera >= 0 && fd == camera ? memory : fd;
    return (void *)syscall(SYS_mmap, address, count, protection, flags, source, offset);
}

void *mmap64(void *, size_t, int, int, int, off_t) __attribute__((alias("mmap")));
