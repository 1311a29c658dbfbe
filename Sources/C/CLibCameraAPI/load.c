/* SPDX-License-Identifier: Apache-2.0 */
/* Loading the library that has libcamera in it. */
#include "apus_libcamera.h"

#include <dlfcn.h>

const struct apus_libcamera_api *apus_libcamera_load(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) return NULL;
    apus_libcamera_entry_t entry = (apus_libcamera_entry_t)dlsym(library, APUS_LIBCAMERA_ENTRY);
    const struct apus_libcamera_api *api = entry ? entry() : NULL;
    /* It is never unloaded: libcamera's threads may be in it. */
    return api && api->version == APUS_LIBCAMERA_VERSION ? api : NULL;
}
