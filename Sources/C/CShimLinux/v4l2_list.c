/* SPDX-License-Identifier: Apache-2.0 */
/* What a V4L2 device offers, for lists. */
#include "v4l2_list.h"

#include <errno.h>
#include <linux/videodev2.h>
#include <string.h>
#include <sys/ioctl.h>

static int retry(int fd, unsigned long request, void *argument) {
    int result;
    do {
        result = ioctl(fd, request, argument);
    } while (result < 0 && errno == EINTR);
    return result;
}

int apus_v4l2_intervals_at(
    int fd, uint32_t fourcc, uint32_t width, uint32_t height, uint32_t index, struct apus_v4l2_intervals *intervals) {
    struct v4l2_frmivalenum found = {.index = index, .pixel_format = fourcc, .width = width, .height = height};
    if (retry(fd, VIDIOC_ENUM_FRAMEINTERVALS, &found) < 0) return -1;
    const int is_range = found.type != V4L2_FRMIVAL_TYPE_DISCRETE;
    const struct v4l2_fract shortest = is_range ? found.stepwise.min : found.discrete;
    const struct v4l2_fract longest = is_range ? found.stepwise.max : found.discrete;
    *intervals = (struct apus_v4l2_intervals){shortest.numerator, shortest.denominator, longest.numerator,
                                              longest.denominator, is_range};
    return 0;
}

int apus_v4l2_selected_input(int fd, struct apus_v4l2_input *input) {
    int index = 0;
    if (retry(fd, VIDIOC_G_INPUT, &index) < 0) return -1;
    struct v4l2_input found = {.index = (uint32_t)index};
    if (retry(fd, VIDIOC_ENUMINPUT, &found) < 0) return -1;
    memcpy(input->name, found.name, sizeof input->name);
    input->name[sizeof input->name - 1] = 0;
    input->status = found.status;
    input->has_timings = (found.capabilities & V4L2_IN_CAP_DV_TIMINGS) != 0;
    return 0;
}

int apus_v4l2_signal(int fd, struct apus_v4l2_signal *signal) {
    struct v4l2_dv_timings found = {0};
    if (retry(fd, VIDIOC_QUERY_DV_TIMINGS, &found) < 0) return -1;
    const struct v4l2_bt_timings *bt = &found.bt;
    const uint64_t pixels = (uint64_t)V4L2_DV_BT_FRAME_WIDTH(bt) * V4L2_DV_BT_FRAME_HEIGHT(bt);
    *signal = (struct apus_v4l2_signal){bt->width, bt->height,
                                        pixels ? (uint32_t)(bt->pixelclock * 1000 / pixels) : 0};
    return 0;
}
