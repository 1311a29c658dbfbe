/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs, standards, timings, priority of V4L2, and the reset of USB, as plain structures. */
#include "v4l2_signal.h"

#include <errno.h>
#include <linux/usbdevice_fs.h>
#include <linux/videodev2.h>
#include <string.h>
#include <sys/ioctl.h>

#include "v4l2_controls.h"

static int retry(int fd, unsigned long request, void *argument) {
    int result;
    do {
        result = ioctl(fd, request, argument);
    } while (result < 0 && errno == EINTR);
    return result;
}

int apus_v4l2_input_at(int fd, uint32_t index, struct apus_v4l2_input *input) {
    struct v4l2_input found = {.index = index};
    if (retry(fd, VIDIOC_ENUMINPUT, &found) < 0) return -1;
    *input = (struct apus_v4l2_input){.index = index, .status = found.status, .capabilities = found.capabilities};
    memcpy(input->name, found.name, sizeof input->name);
    input->name[sizeof input->name - 1] = 0;
    return 0;
}

int apus_v4l2_get_input(int fd, uint32_t *index) {
    int found = 0;
    if (retry(fd, VIDIOC_G_INPUT, &found) < 0) return -1;
    *index = (uint32_t)found;
    return 0;
}

int apus_v4l2_set_input(int fd, uint32_t index) {
    int wanted = (int)index;
    return retry(fd, VIDIOC_S_INPUT, &wanted);
}

int apus_v4l2_query_standard(int fd, uint64_t *standards) {
    v4l2_std_id found = 0;
    if (retry(fd, VIDIOC_QUERYSTD, &found) < 0) return -1;
    *standards = found;
    return 0;
}

int apus_v4l2_get_lines(int fd, uint32_t *lines) {
    v4l2_std_id found = 0;
    if (retry(fd, VIDIOC_G_STD, &found) < 0) return -1;
    *lines = found & V4L2_STD_525_60 ? 525 : found & V4L2_STD_625_50 ? 625 : 0;
    return 0;
}

int apus_v4l2_set_standard(int fd, uint64_t standards) {
    v4l2_std_id wanted = standards;
    return retry(fd, VIDIOC_S_STD, &wanted);
}

uint64_t apus_v4l2_pal(void) { return V4L2_STD_PAL; }
uint64_t apus_v4l2_ntsc(void) { return V4L2_STD_NTSC; }
uint64_t apus_v4l2_secam(void) { return V4L2_STD_SECAM; }

static void describe(const struct v4l2_dv_timings *found, struct apus_v4l2_timings *timings) {
    const struct v4l2_bt_timings *bt = &found->bt;
    const uint64_t frame = (uint64_t)V4L2_DV_BT_FRAME_WIDTH(bt) * V4L2_DV_BT_FRAME_HEIGHT(bt);
    *timings = (struct apus_v4l2_timings){bt->width, bt->height, bt->interlaced != 0, 0};
    if (frame > 0 && bt->pixelclock < UINT64_MAX / 1000) timings->millihertz = (uint32_t)(bt->pixelclock * 1000 / frame);
}

int apus_v4l2_query_timings(int fd, struct apus_v4l2_timings *timings) {
    struct v4l2_dv_timings found = {0};
    if (retry(fd, VIDIOC_QUERY_DV_TIMINGS, &found) < 0) return -1;
    describe(&found, timings);
    return 0;
}

int apus_v4l2_adopt_timings(int fd) {
    struct v4l2_dv_timings seen = {0}, set = {0};
    if (retry(fd, VIDIOC_QUERY_DV_TIMINGS, &seen) < 0) return -1;
    if (retry(fd, VIDIOC_G_DV_TIMINGS, &set) == 0 && memcmp(&seen.bt, &set.bt, sizeof seen.bt) == 0) return 0;
    return retry(fd, VIDIOC_S_DV_TIMINGS, &seen);
}

int apus_v4l2_timings_at(int fd, uint32_t index, struct apus_v4l2_timings *timings) {
    struct v4l2_enum_dv_timings found = {.index = index};
    if (retry(fd, VIDIOC_ENUM_DV_TIMINGS, &found) < 0) return -1;
    describe(&found.timings, timings);
    return 0;
}

int apus_v4l2_powered_inputs(int fd, int64_t *inputs) {
    return apus_v4l2_get_number(fd, V4L2_CID_DV_RX_POWER_PRESENT, 0, 1, inputs);
}

int apus_v4l2_claim(int fd) {
    int wanted = V4L2_PRIORITY_RECORD;
    // The ioctl takes the number itself by pointer.
    return retry(fd, VIDIOC_S_PRIORITY, &wanted);
}

int apus_usb_reset(int fd) { return retry(fd, USBDEVFS_RESET, NULL); }
