/* SPDX-License-Identifier: Apache-2.0 */
/* libcamera's objects: what its thread tells, buffers mapped and kept coherent, everything given back in order. */
#if __has_include(<libcamera/libcamera.h>)
#include "camera.h"

#include <linux/dma-buf.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <set>

using namespace libcamera;

apus_libcamera::~apus_libcamera() {
    release();
    manager.cameraAdded.disconnect(this);
    manager.cameraRemoved.disconnect(this);
    manager.stop();
    if (signal >= 0) close(signal);
}

void apus_libcamera::wake() {
    const uint64_t one = 1;
    /* It fails only if it is readable already. */
    if (write(signal, &one, sizeof one) < 0) return;
}

void apus_libcamera::requestCompleted(Request *request) {
    if (request->status() == Request::RequestCancelled) return;
    {
        std::lock_guard<std::mutex> lock(mutex);
        completed.push_back(request);
    }
    wake();
}

void apus_libcamera::disconnected() {
    isGone = true;
    wake();
}

void apus_libcamera::listChanged(std::shared_ptr<Camera>) {
    hasChanged = true;
    wake();
}

/* Planes of a buffer may share a descriptor: each is mapped once, as far as any of them reaches. */
int apus_libcamera::map(const FrameBuffer &buffer) {
    std::map<int, size_t> lengths;
    for (const auto &plane : buffer.planes()) {
        size_t end = size_t(plane.offset == FrameBuffer::Plane::kInvalidOffset ? 0 : plane.offset) + plane.length;
        auto &length = lengths[plane.fd.get()];
        length = std::max(length, end);
    }
    for (const auto &[descriptor, length] : lengths) {
        if (mappings.count(descriptor)) continue;
        void *start = mmap(nullptr, length, PROT_READ, MAP_SHARED, descriptor, 0);
        if (start == MAP_FAILED) return -errno;
        mappings[descriptor] = {static_cast<uint8_t *>(start), length};
    }
    return 0;
}

/* Buffers out of a cache: the kernel is told before they are read, and after. C: ioctl(DMA_BUF_IOCTL_SYNC) */
void apus_libcamera::sync(const FrameBuffer &buffer, bool begins) {
    struct dma_buf_sync sync = {};
    sync.flags = DMA_BUF_SYNC_READ | (begins ? DMA_BUF_SYNC_START : DMA_BUF_SYNC_END);
    std::set<int> descriptors;
    for (const auto &plane : buffer.planes()) {
        /* What is no dmabuf needs none of it. */
        if (descriptors.insert(plane.fd.get()).second) (void)ioctl(plane.fd.get(), DMA_BUF_IOCTL_SYNC, &sync);
    }
}

void apus_libcamera::stop() {
    if (!camera) return;
    if (isRunning) camera->stop();
    isRunning = false;
    camera->requestCompleted.disconnect(this);
    {
        std::lock_guard<std::mutex> lock(mutex);
        completed.clear();
    }
    requests.clear();
    for (const auto &[descriptor, mapping] : mappings) munmap(mapping.first, mapping.second);
    mappings.clear();
    allocator.reset();
}

void apus_libcamera::release() {
    if (!camera) return;
    stop();
    camera->disconnected.disconnect(this);
    configuration.reset();
    camera->release();
    camera.reset();
    stream = nullptr;
    wanted.clear();
    isGone = false;
}
#endif
