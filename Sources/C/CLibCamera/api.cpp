/* SPDX-License-Identifier: Apache-2.0 */
/* The table of functions: libcamera with C's types, no exception crosses it. */
#include "apus_libcamera.h"

#if __has_include(<libcamera/libcamera.h>)
#include "camera.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

using namespace libcamera;

/* C++ may run out of memory, and must not unwind into Swift. */
template <typename Body> static int guarded(Body body) {
    try {
        return body();
    } catch (...) {
        return -ENOMEM;
    }
}

static void copy(char *target, size_t size, const std::string &text) { snprintf(target, size, "%s", text.c_str()); }

static const char *library() { return CameraManager::version().c_str(); }

static apus_libcamera *open_manager(int *result) {
    apus_libcamera *self = nullptr;
    *result = guarded([&] {
        /* It would write into whatever standard error is; what matters comes back as an error. */
        logSetTarget(LoggingTargetNone);
        self = new apus_libcamera;
        self->signal = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (self->signal < 0) return -errno;
        self->manager.cameraAdded.connect(self, &apus_libcamera::listChanged);
        self->manager.cameraRemoved.connect(self, &apus_libcamera::listChanged);
        return self->manager.start();
    });
    if (*result == 0) return self;
    delete self;
    return nullptr;
}

static void close_manager(apus_libcamera *self) { delete self; }

static int descriptor(apus_libcamera *self) { return self->signal; }

static int camera_at(apus_libcamera *self, uint32_t place, apus_libcamera_camera *found) {
    return guarded([&] {
        auto cameras = self->manager.cameras();
        if (place >= cameras.size()) return -ENOENT;
        copy(found->id, sizeof found->id, cameras[place]->id());
        auto model = cameras[place]->properties().get(properties::Model);
        copy(found->model, sizeof found->model, model ? std::string(*model) : std::string());
        return 0;
    });
}

static int acquire(apus_libcamera *self, const char *id) {
    return guarded([&] {
        self->release();
        auto camera = self->manager.get(id);
        if (!camera) return -ENOENT;
        if (int result = camera->acquire()) return result;
        self->camera = camera;
        camera->disconnected.connect(self, &apus_libcamera::disconnected);
        self->configuration = camera->generateConfiguration({StreamRole::VideoRecording});
        if (!self->configuration || self->configuration->empty()) return -EINVAL;
        return 0;
    });
}

static int format_at(apus_libcamera *self, uint32_t place, apus_libcamera_format *found) {
    return guarded([&] {
        if (!self->configuration) return -EINVAL;
        const auto &formats = self->configuration->at(0).formats();
        auto list = formats.pixelformats();
        if (place >= list.size()) return -ENOENT;
        Size largest;
        for (const auto &size : formats.sizes(list[place])) largest = std::max(largest, size);
        *found = {list[place].fourcc(), largest.width, largest.height, 0, 0};
        return 0;
    });
}

static int configure(apus_libcamera *self, apus_libcamera_format *format) {
    return guarded([&] {
        if (!self->configuration) return -EINVAL;
        auto &stream = self->configuration->at(0);
        if (format->fourcc) stream.pixelFormat = PixelFormat(format->fourcc);
        stream.size = Size(format->width, format->height);
        if (self->configuration->validate() == CameraConfiguration::Invalid) return -EINVAL;
        if (int result = self->camera->configure(self->configuration.get())) return result;
        self->stream = stream.stream();
        auto range = stream.colorSpace ? stream.colorSpace->range : ColorSpace::Range::Limited;
        *format = {stream.pixelFormat.fourcc(), stream.size.width, stream.size.height, stream.stride,
                   uint8_t(range == ColorSpace::Range::Full)};
        return 0;
    });
}

static void setFrameRate(apus_libcamera *self, ControlList &controls, uint32_t frame_rate) {
    if (!frame_rate || !self->camera->controls().count(controls::FRAME_DURATION_LIMITS)) return;
    const int64_t microseconds = 1000000 / frame_rate;
    controls.set(controls::FrameDurationLimits, Span<const int64_t, 2>({microseconds, microseconds}));
}

static int start(apus_libcamera *self, uint32_t frame_rate) {
    return guarded([&] {
        if (!self->stream) return -EINVAL;
        self->allocator = std::make_unique<FrameBufferAllocator>(self->camera);
        int count = self->allocator->allocate(self->stream);
        if (count < 0) return count;
        for (const auto &buffer : self->allocator->buffers(self->stream)) {
            if (int result = self->map(*buffer)) return result;
            auto request = self->camera->createRequest(self->requests.size());
            if (!request) return -ENOMEM;
            if (int result = request->addBuffer(self->stream, buffer.get())) return result;
            self->requests.push_back(std::move(request));
        }
        self->camera->requestCompleted.connect(self, &apus_libcamera::requestCompleted);
        ControlList controls(self->camera->controls());
        setFrameRate(self, controls, frame_rate);
        if (int result = self->camera->start(&controls)) return result;
        self->isRunning = true;
        for (const auto &request : self->requests)
            if (int result = self->camera->queueRequest(request.get())) return result;
        return 0;
    });
}

/* What the buffer says of itself is not believed beyond what is mapped. */
static void describe(apus_libcamera *self, Request *request, apus_libcamera_frame *frame) {
    const FrameBuffer &buffer = *request->findBuffer(self->stream);
    const FrameMetadata &metadata = buffer.metadata();
    *frame = {};
    frame->index = uint32_t(request->cookie());
    frame->sequence = metadata.sequence;
    frame->monotonic_ns = int64_t(metadata.timestamp);
    frame->is_damaged = metadata.status != FrameMetadata::FrameSuccess;
    for (const auto &plane : buffer.planes()) {
        if (frame->planes == 3) break;
        const auto &[start, length] = self->mappings[plane.fd.get()];
        size_t offset = plane.offset == FrameBuffer::Plane::kInvalidOffset ? 0 : plane.offset;
        if (offset > length) offset = length;
        size_t used = plane.length;
        if (frame->planes < metadata.planes().size()) used = metadata.planes()[frame->planes].bytesused;
        frame->start[frame->planes] = start + offset;
        frame->length[frame->planes++] = uint32_t(std::min({used, size_t(plane.length), length - offset}));
    }
    self->sync(buffer, true);
}

static int next(apus_libcamera *self, apus_libcamera_frame *frame) {
    return guarded([&]() -> int {
        uint64_t count;
        /* Before looking, so that what comes after makes it readable again. */
        (void)!read(self->signal, &count, sizeof count);
        if (self->isGone.exchange(false)) return APUS_LIBCAMERA_GONE;
        if (self->hasChanged.exchange(false)) {
            self->wake();
            return APUS_LIBCAMERA_CHANGED;
        }
        Request *request = nullptr;
        {
            std::lock_guard<std::mutex> lock(self->mutex);
            if (self->completed.empty()) return APUS_LIBCAMERA_NOTHING;
            request = self->completed.front();
            self->completed.pop_front();
        }
        describe(self, request, frame);
        return APUS_LIBCAMERA_FRAME;
    });
}

static int give_back(apus_libcamera *self, uint32_t index) {
    return guarded([&] {
        if (index >= self->requests.size()) return -EINVAL;
        Request *request = self->requests[index].get();
        self->sync(*request->findBuffer(self->stream), false);
        request->reuse(Request::ReuseBuffers);
        for (const auto &[id, value] : self->wanted) request->controls().set(id, value);
        self->wanted.clear();
        return self->camera->queueRequest(request);
    });
}

static bool number(const ControlValue &value, double *result) {
    if (value.isNone() || value.isArray()) return false;
    switch (value.type()) {
    case ControlTypeBool: *result = value.get<bool>(); return true;
    case ControlTypeInteger32: *result = value.get<int32_t>(); return true;
    case ControlTypeInteger64: *result = double(value.get<int64_t>()); return true;
    case ControlTypeFloat: *result = value.get<float>(); return true;
    default: return false;
    }
}

static int control_at(apus_libcamera *self, uint32_t place, apus_libcamera_control *found) {
    return guarded([&] {
        if (!self->camera) return -EINVAL;
        for (const auto &[id, info] : self->camera->controls()) {
            apus_libcamera_control control = {};
            bool isNumber = number(info.min(), &control.minimum) && number(info.max(), &control.maximum);
            /* Rectangles and lists are nothing that is set here. */
            if (!isNumber || place-- > 0) continue;
            if (!number(info.def(), &control.standard)) control.standard = control.minimum;
            control.id = id->id();
            control.type = id->type() == ControlTypeBool    ? APUS_LIBCAMERA_BOOLEAN
                           : id->type() == ControlTypeFloat ? APUS_LIBCAMERA_FLOAT
                                                            : APUS_LIBCAMERA_INTEGER;
            copy(control.name, sizeof control.name, id->name());
            for (const auto &value : info.values()) {
                double choice = 0;
                if (control.choices == 32 || !number(value, &choice)) break;
                control.choice[control.choices++] = int32_t(choice);
            }
            *found = control;
            return 0;
        }
        return -ENOENT;
    });
}

static int set_control(apus_libcamera *self, uint32_t id, double value) {
    return guarded([&] {
        if (!self->camera || !self->camera->controls().count(id)) return -ENOENT;
        switch (self->camera->controls().idmap().at(id)->type()) {
        case ControlTypeBool: self->wanted[id] = ControlValue(value != 0); return 0;
        case ControlTypeInteger32: self->wanted[id] = ControlValue(int32_t(value)); return 0;
        case ControlTypeInteger64: self->wanted[id] = ControlValue(int64_t(value)); return 0;
        case ControlTypeFloat: self->wanted[id] = ControlValue(float(value)); return 0;
        default: return -EINVAL;
        }
    });
}

static const apus_libcamera_api api = {
    APUS_LIBCAMERA_VERSION, library, open_manager, close_manager, descriptor, camera_at, acquire,
    format_at, configure, start, next, give_back, control_at, set_control,
};

extern "C" const apus_libcamera_api *apus_libcamera_entry(void);
extern "C" const apus_libcamera_api *apus_libcamera_entry(void) { return &api; }
#else
extern "C" const apus_libcamera_api *apus_libcamera_entry(void);
extern "C" const apus_libcamera_api *apus_libcamera_entry(void) { return nullptr; }
#endif
