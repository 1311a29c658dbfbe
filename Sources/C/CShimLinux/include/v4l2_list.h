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
