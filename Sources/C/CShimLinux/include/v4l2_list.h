/* SPDX-License-Identifier: Apache-2.0 */
/* What a V4L2 device offers, for lists: the ioctls whose structures have unions, as plain structures. */
#pragma once
#include <stdint.h>

/* All functions return -1 and set errno on failure; a call that a signal interrupts is made again. */

/** Frame intervals at a size, in seconds as fractions: one (`is_range` 0), or all between two. */
struct apus_v4l2_intervals {
    uint32_t shortest_numerator, shortest_denominator, longest_numerator, longest_denominator, is_range;
};
int apus_v4l2_intervals_at(
    int fd, uint32_t fourcc, uint32_t width, uint32_t height, uint32_t index, struct apus_v4l2_intervals *intervals);

/** The input that is selected; `status` is V4L2's (V4L2_IN_ST_…). ENOTTY if the device has none. */
struct apus_v4l2_input {
    char name[32];
    uint32_t status, has_timings;
};
int apus_v4l2_selected_input(int fd, struct apus_v4l2_input *input);

/** The signal that a digitiser sees now: VIDIOC_QUERY_DV_TIMINGS. ENOLINK: none; ENOLCK: unstable; ERANGE: not taken. */
struct apus_v4l2_signal {
    uint32_t width, height, millihertz;
};
int apus_v4l2_signal(int fd, struct apus_v4l2_signal *signal);
