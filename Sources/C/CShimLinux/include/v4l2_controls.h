/* SPDX-License-Identifier: Apache-2.0 */
/* V4L2 controls and events: the ioctls whose structures have unions, as plain structures. */
#pragma once
#include <stdint.h>

/* All functions return -1 and set errno on failure; a call that a signal interrupts is made again. */

/** What a control is; `type` and `flags` are V4L2's (V4L2_CTRL_TYPE_…, V4L2_CTRL_FLAG_…). */
struct apus_v4l2_control {
    uint32_t id, type, flags;
    char name[32];
    int64_t minimum, maximum, step, standard;
};

/** The control with the next greater id, compound ones too; EINVAL past the last. Start with 0. */
int apus_v4l2_control_after(int fd, uint32_t id, struct apus_v4l2_control *control);

/** The control with this id. */
int apus_v4l2_control_at(int fd, uint32_t id, struct apus_v4l2_control *control);

/** An entry of a menu, its text ended by a NUL, or of a menu of numbers, written into `name` as digits. EINVAL if the
 *  entry is left out. */
int apus_v4l2_choice_at(int fd, uint32_t id, uint32_t index, int is_number, char name[32]);

/** The present value of a number; `is_wide` for 64 bits, `is_unsigned` for bits. */
int apus_v4l2_get_number(int fd, uint32_t id, int is_wide, int is_unsigned, int64_t *value);
int apus_v4l2_set_number(int fd, uint32_t id, int is_wide, int64_t value);

/** The present value of a text: `size` bytes with the NUL behind it. */
int apus_v4l2_get_text(int fd, uint32_t id, char *text, uint32_t size);
int apus_v4l2_set_text(int fd, uint32_t id, const char *text, uint32_t size);

/** Asks for events of one control. */
int apus_v4l2_subscribe(int fd, uint32_t id);

/** Asks for events of changes of the source, and of the stream's end; a device that has none is as good as one where
 *  nothing happens. */
void apus_v4l2_subscribe_stream(int fd);

/** An event: of which kind, and of a control its id. */
enum { apus_v4l2_event_control, apus_v4l2_event_source, apus_v4l2_event_end };
struct apus_v4l2_event {
    uint32_t kind, id;
};
int apus_v4l2_next_event(int fd, struct apus_v4l2_event *event);
