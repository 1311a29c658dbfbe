// SPDX-License-Identifier: Apache-2.0
// The cameras that libcamera knows of, for `apus devices`.

import Control
import Devices
import LibCamera
import System

/// What libcamera sees now.
struct LibCameraReport {
    private var cameras: [LibCamera.Camera] = []
    private var version: String?
    private var problem: String?

    /// Looks; where the kernel has no media device, libcamera could have no camera, and is not asked.
    init() {
        problem = LibCamera.absence
        guard problem == nil, let names = try? File.list("/dev"), names.contains(where: { $0.hasPrefix("media") })
        else {
            return
        }
        do throws(CaptureError) {
            let device = try LibCameraDevice()
            version = device.version
            cameras = device.cameras
        } catch {
            problem = error.description
        }
    }

    var json: JSON {
        [
            "cameras": .array(
                cameras.map { camera -> JSON in
                    [
                        "id": .string(camera.id), "model": JSON(camera.model.isEmpty ? nil : camera.model),
                        "source": .string("libcamera:\(camera.id)"),
                    ]
                }
            ), "version": JSON(version), "problem": JSON(problem),
        ]
    }

    var text: String {
        if let problem { return "\nlibcamera: \(problem)\n" }
        guard !cameras.isEmpty else { return "" }
        return "\n" + Table([["LIBCAMERA", "SOURCE"]] + cameras.map { [$0.model, "libcamera:\($0.id)"] }).text
    }
}
