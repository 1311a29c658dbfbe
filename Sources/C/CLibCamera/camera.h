/* SPDX-License-Identifier: Apache-2.0 */
/* The camera that is open: libcamera's objects, and what has happened to them. */
#pragma once

#include <libcamera/libcamera.h>

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

/* Everything but `completed` and the flags belongs to the caller's thread; libcamera's own thread only appends to
 * `completed`, sets flags, and signals. */
struct apus_libcamera {
    int signal = -1;
    libcamera::CameraManager manager;
    std::shared_ptr<libcamera::Camera> camera;
    std::unique_ptr<libcamera::CameraConfiguration> configuration;
    std::unique_ptr<libcamera::FrameBufferAllocator> allocator;
    libcamera::Stream *stream = nullptr;
    std::vector<std::unique_ptr<libcamera::Request>> requests;
    /* What the buffers' descriptors are mapped to. */
    std::map<int, std::pair<uint8_t *, size_t>> mappings;
    /* What the next request sets. */
    std::map<unsigned int, libcamera::ControlValue> wanted;
    bool isRunning = false;

    std::mutex mutex;
    std::deque<libcamera::Request *> completed;
    std::atomic<bool> isGone{false};
    std::atomic<bool> hasChanged{false};

    ~apus_libcamera();
    void wake();
    void requestCompleted(libcamera::Request *request);
    void disconnected();
    void listChanged(std::shared_ptr<libcamera::Camera>);
    int map(const libcamera::FrameBuffer &buffer);
    void sync(const libcamera::FrameBuffer &buffer, bool begins);
    void stop();
    void release();
};
