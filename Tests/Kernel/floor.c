// SPDX-License-Identifier: Apache-2.0
// The least that a program has to do for a frame: waits for it, takes it, copies it, gives the buffer back.
//
// floor DEVICE FRAMES: tells of each frame the driver's time of it, and how long after that it was copied, both in ns.

#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

enum { buffers = 4, most = 10000 };

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int fail(const char *what) {
    perror(what);
    return 1;
}

int main(int count, char **words) {
    static long long taken[most], delay[most];
    int frames = count > 2 ? atoi(words[2]) : 0;
    if (frames < 1 || frames > most) return fail("floor DEVICE FRAMES");
    int device = open(words[1], O_RDWR | O_NONBLOCK);
    if (device < 0) return fail(words[1]);

    struct v4l2_requestbuffers request = {
        .count = buffers, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
    if (ioctl(device, VIDIOC_REQBUFS, &request)) return fail("REQBUFS");
    void *memory[buffers] = {0};
    size_t longest = 0;
    for (unsigned index = 0; index < request.count && index < buffers; index++) {
        struct v4l2_buffer buffer = {
            .index = index, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
        if (ioctl(device, VIDIOC_QUERYBUF, &buffer)) return fail("QUERYBUF");
        memory[index] = mmap(NULL, buffer.length, PROT_READ, MAP_SHARED, device, buffer.m.offset);
        if (memory[index] == MAP_FAILED) return fail("mmap");
        if (ioctl(device, VIDIOC_QBUF, &buffer)) return fail("QBUF");
        if (buffer.length > longest) longest = buffer.length;
    }
    char *copy = malloc(longest);
    if (!copy) return fail("malloc");
    enum v4l2_buf_type type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    if (ioctl(device, VIDIOC_STREAMON, &type)) return fail("STREAMON");

    struct pollfd wait = {.fd = device, .events = POLLIN};
    for (int frame = 0; frame < frames;) {
        if (poll(&wait, 1, 10000) != 1) return fail("poll");
        struct v4l2_buffer buffer = {.type = type, .memory = V4L2_MEMORY_MMAP};
        if (ioctl(device, VIDIOC_DQBUF, &buffer)) continue;
        if (buffer.index >= buffers || buffer.bytesused > longest) return fail("DQBUF");
        memcpy(copy, memory[buffer.index], buffer.bytesused);
        taken[frame] = buffer.timestamp.tv_sec * 1000000000LL + buffer.timestamp.tv_usec * 1000LL;
        delay[frame] = now() - taken[frame];
        frame++;
        if (ioctl(device, VIDIOC_QBUF, &buffer)) return fail("QBUF");
    }
    for (int frame = 0; frame < frames; frame++) printf("%lld %lld\n", taken[frame], delay[frame]);
    return 0;
}
