/* SPDX-License-Identifier: Apache-2.0 */
/* V4L2 controls and events, as plain structures. */
#include "v4l2_controls.h"

#include <errno.h>
#include <linux/videodev2.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

static int retry(int fd, unsigned long request, void *argument) {
    int result;
    do {
        result = ioctl(fd, request, argument);
    } while (result < 0 && errno == EINTR);
    return result;
}

static int query(int fd, uint32_t id, struct apus_v4l2_control *control) {
    struct v4l2_query_ext_ctrl found = {.id = id};
    if (retry(fd, VIDIOC_QUERY_EXT_CTRL, &found) < 0) return -1;
    *control = (struct apus_v4l2_control){.id = found.id, .type = found.type, .flags = found.flags,
                                          .minimum = found.minimum, .maximum = found.maximum,
                                          .step = (int64_t)found.step, .standard = found.default_value};
    memcpy(control->name, found.name, sizeof control->name);
    control->name[sizeof control->name - 1] = 0;
    return 0;
}

int apus_v4l2_control_after(int fd, uint32_t id, struct apus_v4l2_control *control) {
    return query(fd, id | V4L2_CTRL_FLAG_NEXT_CTRL | V4L2_CTRL_FLAG_NEXT_COMPOUND, control);
}

int apus_v4l2_control_at(int fd, uint32_t id, struct apus_v4l2_control *control) { return query(fd, id, control); }

int apus_v4l2_choice_at(int fd, uint32_t id, uint32_t index, int is_number, char name[32]) {
    struct v4l2_querymenu found = {.id = id, .index = index};
    if (retry(fd, VIDIOC_QUERYMENU, &found) < 0) return -1;
    if (is_number) {
        snprintf(name, 32, "%lld", (long long)found.value);
        return 0;
    }
    memcpy(name, found.name, sizeof found.name);
    name[sizeof found.name - 1] = 0;
    return 0;
}

static int transfer(int fd, unsigned long request, struct v4l2_ext_control *control) {
    struct v4l2_ext_controls list = {.which = V4L2_CTRL_WHICH_CUR_VAL, .count = 1, .controls = control};
    return retry(fd, request, &list);
}

int apus_v4l2_get_number(int fd, uint32_t id, int is_wide, int is_unsigned, int64_t *value) {
    struct v4l2_ext_control control = {.id = id};
    if (transfer(fd, VIDIOC_G_EXT_CTRLS, &control) < 0) return -1;
    *value = is_wide ? control.value64 : is_unsigned ? (int64_t)(uint32_t)control.value : control.value;
    return 0;
}

int apus_v4l2_set_number(int fd, uint32_t id, int is_wide, int64_t value) {
    struct v4l2_ext_control control = {.id = id};
    if (is_wide) {
        control.value64 = value;
    } else {
        control.value = (int32_t)value;
    }
    return transfer(fd, VIDIOC_S_EXT_CTRLS, &control);
}

int apus_v4l2_get_text(int fd, uint32_t id, char *text, uint32_t size) {
    struct v4l2_ext_control control = {.id = id, .size = size};
    control.string = text;
    return transfer(fd, VIDIOC_G_EXT_CTRLS, &control);
}

int apus_v4l2_set_text(int fd, uint32_t id, const char *text, uint32_t size) {
    struct v4l2_ext_control control = {.id = id, .size = size};
    control.string = (char *)text;
    return transfer(fd, VIDIOC_S_EXT_CTRLS, &control);
}

int apus_v4l2_subscribe(int fd, uint32_t id) {
    /* What is set through `fd` may change others, too: of those it is to hear. */
    struct v4l2_event_subscription wanted = {
        .type = V4L2_EVENT_CTRL, .id = id, .flags = V4L2_EVENT_SUB_FL_ALLOW_FEEDBACK};
    return retry(fd, VIDIOC_SUBSCRIBE_EVENT, &wanted);
}

void apus_v4l2_subscribe_stream(int fd) {
    struct v4l2_event_subscription change = {.type = V4L2_EVENT_SOURCE_CHANGE}, end = {.type = V4L2_EVENT_EOS};
    retry(fd, VIDIOC_SUBSCRIBE_EVENT, &change);
    retry(fd, VIDIOC_SUBSCRIBE_EVENT, &end);
}

int apus_v4l2_next_event(int fd, struct apus_v4l2_event *event) {
    struct v4l2_event found = {0};
    if (retry(fd, VIDIOC_DQEVENT, &found) < 0) return -1;
    *event = (struct apus_v4l2_event){.id = found.id, .kind = apus_v4l2_event_control};
    if (found.type == V4L2_EVENT_SOURCE_CHANGE) event->kind = apus_v4l2_event_source;
    if (found.type == V4L2_EVENT_EOS) event->kind = apus_v4l2_event_end;
    return 0;
}
