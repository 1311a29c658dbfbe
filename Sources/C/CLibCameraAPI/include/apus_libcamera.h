/* SPDX-License-Identifier: Apache-2.0 */
/* libcamera in C: a table of functions out of a library of its own, which is loaded only for cameras that need it. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The number of this interface; a library with another one is not used.
enum { APUS_LIBCAMERA_VERSION = 1 };

/// What next() has found.
enum { APUS_LIBCAMERA_NOTHING = 0, APUS_LIBCAMERA_FRAME = 1, APUS_LIBCAMERA_GONE = 2, APUS_LIBCAMERA_CHANGED = 3 };

/// The type of a control.
enum { APUS_LIBCAMERA_BOOLEAN = 1, APUS_LIBCAMERA_INTEGER = 2, APUS_LIBCAMERA_FLOAT = 3 };

/// A camera as it is listed; texts end with a NUL.
struct apus_libcamera_camera {
    char id[256];
    char model[64];
};

/// What is asked for, and what the camera makes of it. The FourCC is that of DRM; 0 takes the first one.
struct apus_libcamera_format {
    uint32_t fourcc, width, height;
    /// Bytes from one row to the next of the first plane.
    uint32_t stride;
    uint8_t is_full_range;
};

/// A filled buffer, the library's until it is given back; planes beyond `planes` are empty.
struct apus_libcamera_frame {
    uint32_t index, sequence, planes;
    const uint8_t *start[3];
    uint32_t length[3];
    /// CLOCK_MONOTONIC; 0 if the camera does not tell.
    int64_t monotonic_ns;
    uint8_t is_damaged;
};

/// Something that can be set of an acquired camera; a menu has choices.
struct apus_libcamera_control {
    uint32_t id, type;
    char name[64];
    double minimum, maximum, standard;
    uint32_t choices;
    int32_t choice[32];
};

struct apus_libcamera;

/// All functions; those that can fail return 0, or an errno with its sign changed. One thread calls them.
struct apus_libcamera_api {
    uint32_t version;
    /// What libcamera calls its own version.
    const char *(*library)(void);
    /// Starts looking for cameras; NULL if that fails, with the reason in `result`. At most one may be open.
    struct apus_libcamera *(*open)(int *result);
    void (*close)(struct apus_libcamera *);
    /// Readable when next() has something to say; stays the library's.
    int (*descriptor)(struct apus_libcamera *);
    /// The camera at a place in the list; -ENOENT beyond the last.
    int (*camera_at)(struct apus_libcamera *, uint32_t place, struct apus_libcamera_camera *);
    /// Takes a camera for this process.
    int (*acquire)(struct apus_libcamera *, const char *id);
    /// A format that the acquired camera offers, and its largest size; -ENOENT beyond the last.
    int (*format_at)(struct apus_libcamera *, uint32_t place, struct apus_libcamera_format *);
    /// Sets the format as near as the camera gets.
    int (*configure)(struct apus_libcamera *, struct apus_libcamera_format *);
    /// Starts at so many frames per second, if that can be set.
    int (*start)(struct apus_libcamera *, uint32_t frame_rate);
    /// What has happened; of a frame, fills it in.
    int (*next)(struct apus_libcamera *, struct apus_libcamera_frame *);
    /// Gives a frame back.
    int (*give_back)(struct apus_libcamera *, uint32_t index);
    /// A control of the acquired camera; -ENOENT beyond the last.
    int (*control_at)(struct apus_libcamera *, uint32_t place, struct apus_libcamera_control *);
    /// Sets a control with the next frame.
    int (*set_control)(struct apus_libcamera *, uint32_t id, double value);
};

/// Loads the library at `path`; NULL if that cannot be done. Then `problem` says why, a text that stays until the next
/// call, or is NULL if there is no file of that name. C: dlopen(), dlsym()
const struct apus_libcamera_api *apus_libcamera_load(const char *path, const char **problem);

/// What the library exports; NULL if it was built without libcamera.
typedef const struct apus_libcamera_api *(*apus_libcamera_entry_t)(void);
#define APUS_LIBCAMERA_ENTRY "apus_libcamera_entry"

#ifdef __cplusplus
}
#endif
