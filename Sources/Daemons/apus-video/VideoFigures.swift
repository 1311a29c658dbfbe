// SPDX-License-Identifier: Apache-2.0
// What a camera's daemon tells of its figures and of its source's fortunes over the control socket.

import Capture
import Config
import Control
import Daemon
import Metrics

extension VideoService {
    /// Adds the verb for figures, and the events.
    func addFigureVerbs() {
        context.control.commands.add(Samples.verb { [unowned self] in samples() })
        context.control.commands.add(EventKind("source", "The source came, was lost, or has ended."))
    }

    /// Tells of the source's new state.
    func tellSource(_ state: CaptureState) {
        var members = [JSON.Member("camera", .string(camera.name))]
        switch state {
        case .starting: return
        case .live(let format):
            members += [JSON.Member("state", "live"), JSON.Member("device", .string(format.name))]
        case .lost(let reason):
            members += [JSON.Member("state", "lost"), JSON.Member("reason", .string(reason))]
        case .ended: members.append(JSON.Member("state", "ended"))
        }
        context.control.emit("source", members)
    }

    private func samples() -> Samples {
        var samples = Samples()
        let name = camera.name
        var isLive = false
        if case .live? = session?.state { isLive = true }
        samples.add(.cameraOnline, name, value: isLive ? 1 : 0)
        samples.add(.sourceLosses, name, count: session?.losses ?? 0)
        samples.add(.sourceDrops, name, count: (session?.dropped ?? 0) + newest.superseded)
        if let capture = session?.capture {
            for fault in V4L2Fault.allCases {
                samples.add(.captureFaults, name, fault.rawValue, count: capture.count(fault))
            }
            for recovery in V4L2Recovery.allCases {
                samples.add(.captureRecoveries, name, recovery.rawValue, count: capture.count(recovery))
            }
        }
        for stream in streams.video { stream.statistics.collect(into: &samples, name, stream.name) }
        streams.jpeg?.statistics.collect(into: &samples, name, "jpeg")
        return samples
    }
}

extension StreamStatistics {
    /// Adds the figures of a stream.
    fileprivate func collect(into samples: inout Samples, _ camera: String, _ stream: String) {
        samples.add(.streamFrames, camera, stream, count: frames)
        samples.add(.streamKeyframes, camera, stream, count: keyframes)
        samples.add(.streamBytes, camera, stream, count: bytes)
        samples.add(.streamSkips, camera, stream, count: skipped)
        samples.add(.streamFailures, camera, stream, count: failures)
        samples.add(encodeTimes, camera, stream)
    }
}
