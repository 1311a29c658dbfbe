// SPDX-License-Identifier: Apache-2.0
// From an address, or a device that was found, to the source that captures from it.

import Bytes
import Config
import Devices
import Loop

/// Makes a session's sources, one after another, and keeps what outlives each of them.
struct SourceMaker {
    let loop: EventLoop
    let target: CaptureTarget
    /// What `stdin:` reads from.
    let standardInput: Int32
    /// The socket of each of the camera's rings.
    let ring: (String) -> String
    /// How this program is called in front of servers.
    let agent: String
    let mayResetUSB: Bool
    let note: (String, String) -> Void
    /// What is remembered of a V4L2 camera over its openings.
    let camera: V4L2Memory
    private let pulled = PullMemory()

    init(
        loop: EventLoop,
        target: CaptureTarget,
        standardInput: Int32,
        ring: @escaping (String) -> String,
        agent: String,
        mayResetUSB: Bool,
        note: @escaping (String, String) -> Void
    ) {
        self.loop = loop
        self.target = target
        self.standardInput = standardInput
        self.ring = ring
        self.agent = agent
        self.mayResetUSB = mayResetUSB
        self.note = note
        camera = V4L2Memory(note: note)
    }

    /// The source that an address names; of devices, which have to be found first, the pattern that stands in for them.
    func source(_ address: SourceAddress) -> any Source {
        switch address {
        case .auto, .v4l2: pattern(nil, nil)
        case .libcamera(let camera, let request):
            LibCameraSource(
                loop: loop,
                wanted: camera,
                request: request,
                target: target.size,
                frameRate: target.frameRate
            )
        case .file(let path, let loops): FileSource(loop: loop, path: path, loops: loops)
        case .stdin(let codec): PipeSource(loop: loop, descriptor: standardInput, codec: codec)
        case .pattern(let size, let frameRate): pattern(size, frameRate)
        case .rtsp(let location):
            PullSource(loop: loop, location: location, agent: agent, memory: pulled, note: note)
        case .publish: PublishSource(loop: loop, video: ring("publish"), audio: ring("publish-audio"))
        }
    }

    /// The source of a device where it is plugged in now.
    ///
    /// - Throws: `CaptureError` if a simulated device has not what is asked for; a real one finds out when it starts.
    func device(
        at place: DeviceFinder.Found,
        _ request: SourceAddress.V4L2Request
    ) throws(CaptureError) -> any Source {
        switch place {
        case .node(let path):
            return V4L2Source(
                loop: loop,
                path: path,
                request: request,
                target: target,
                memory: camera,
                mayResetUSB: mayResetUSB
            )
        case .simulated(let id, _):
            if let lack = Simulation.lack(of: request) { throw CaptureError("\(id): \(lack)") }
            return pattern(request.size, request.frameRate, device: "\(id), a simulated camera")
        }
    }

    /// The test pattern, in the size and rate that are aimed for if nothing else is said.
    func pattern(_ size: PictureSize?, _ frameRate: Int?, device: String = "test pattern") -> PatternSource {
        PatternSource(
            loop: loop,
            size: size ?? target.size,
            frameRate: frameRate ?? target.frameRate,
            name: target.name,
            device: device
        )
    }
}
