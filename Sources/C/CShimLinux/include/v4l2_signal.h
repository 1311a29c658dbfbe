/* SPDX-License-Identifier: Apache-2.0 */
/* What is connected to a capture device: inputs, television standards, timings; who may change it; its USB device. */
#pragma once
#include <stdint.h>

/* All functions return -1 and set errno on failure; a call that a signal interrupts is made again. */

/** An input; `status` and `capabilities` are V4L2's (V4L2_IN_ST_…, V4L2_IN_CAP_…), the name ends with a NUL. */
struct apus_v4l2_input {
    uint32_t index, status, capabilities;
    char name[32];
};
int apus_v4l2_input_at(int fd, uint32_t index, struct apus_v4l2_input *input);
int apus_v4l2_get_input(int fd, uint32_t *index);
int apus_v4l2_set_input(int fd, uint32_t index);

/** The television standards that the signal may have, as bits (V4L2_STD_…); 0: none is seen. */
int apus_v4l2_query_standard(int fd, uint64_t *standards);
int apus_v4l2_set_standard(int fd, uint64_t standards);
/** The lines of the standard that the input is set to: 525 or 625; 0: neither. */
int apus_v4l2_get_lines(int fd, uint32_t *lines);

/** The bits of a standard's family. */
uint64_t apus_v4l2_pal(void);
uint64_t apus_v4l2_ntsc(void);
uint64_t apus_v4l2_secam(void);

/** Timings of a digital signal: visible size, whether in fields, and frames in 1000 seconds. */
struct apus_v4l2_timings {
    uint32_t width, height, is_interlaced, millihertz;
};

/** The timings that the device sees. ENOLINK: no signal; ENOLCK: none that it can lock to; ERANGE: of a kind that it does
 *  not take; ENODATA or ENOTTY: the input has no timings. */
int apus_v4l2_query_timings(int fd, struct apus_v4l2_timings *timings);
/** Sets the device to the timings that it sees, unless it is; EBUSY while it has buffers. */
int apus_v4l2_adopt_timings(int fd);
/** The timings with this index of those that the input takes; EINVAL past the last. */
int apus_v4l2_timings_at(int fd, uint32_t index, struct apus_v4l2_timings *timings);

/** Inputs whose cable carries power, as bits: V4L2_CID_DV_RX_POWER_PRESENT. */
int apus_v4l2_powered_inputs(int fd, int64_t *inputs);

/** Has nobody else change the device while it captures (V4L2_PRIORITY_RECORD); EBUSY if another has that. */
int apus_v4l2_claim(int fd);

/** Resets the USB device behind an open node of usbfs, as if it were plugged in anew. */
int apus_usb_reset(int fd);
