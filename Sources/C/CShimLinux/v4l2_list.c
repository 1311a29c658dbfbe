/* SPDX-License-Identifier: Apache-2.0 */
/* What a V4L2 device offers, for lists. */
#include "v4l2_list.h"

#include <errno.h>
#include <linux/videodev2.h>
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
