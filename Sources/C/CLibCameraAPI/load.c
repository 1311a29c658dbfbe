/* SPDX-License-Identifier: Apache-2.0 */
/* Loading the library that has libcamera in it. */
#include "apus_libcamera.h"

#include <dlfcn.h>
#include <unistd.h>

const struct apus_libcamera_api *apus_libcamera_load(const char *path, const char **problem) {
    *problem = NULL;
    if (access(path, F_OK) != 0) return NULL;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        *problem = dlerror();
        return NULL;
    }
    /* It is never unloaded: libcamera's threads may be in it. */
    apus_libcamera_entry_t entry = (apus_libcamera_entry_t)dlsym(library, APUS_LIBCAMERA_ENTRY);
    const struct apus_libcamera_api *api = entry ? entry() : NULL;
    if (!api) *problem = "it was compiled where libcamera was not installed";
    else if (api->version != APUS_LIBCAMERA_VERSION) *problem = "it belongs to another version of Apus";
    else return api;
    return NULL;
}
