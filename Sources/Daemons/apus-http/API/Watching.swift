// SPDX-License-Identifier: Apache-2.0
// What is worth an event: other daemons' news, and this one's viewers.

import Control
import FanOut

/// Makes events of what happens.
final class Watching {
    private unowned let server: Server

    init(_ server: Server) {
        self.server = server
        server.neighbours.onEvent = { [unowned self] daemon, kind, members in heard(daemon, kind, members) }
    }

    private func heard(_ daemon: String, _ kind: String, _ event: JSON) {
        let members = event.members.filter { $0.name != "event" }
        let camera = event["camera"]?.string
        switch kind {
        case "source":
            let name = event["state"] == "live" ? "camera-online" : "camera-offline"
            server.journal.add(name, camera: camera, members)
        case "viewer-joined", "viewer-left":
            server.journal.add(kind, camera: camera, [JSON.Member("daemon", .string(daemon))] + members)
        case "control":
            // A camera's process leaves out which one it is of.
            guard daemon.hasPrefix("video.") else { return }
            let camera = String(daemon.dropFirst("video.".count))
            server.journal.add(kind, camera: camera, [JSON.Member("camera", .string(camera))] + members)
        case "daemon", "config", "device", "threshold", "thermal": server.journal.add(kind, camera: nil, members)
        default: break
        }
    }

    /// Tells of a viewer of this daemon's.
    func viewer(_ traffic: Traffic, hasJoined: Bool) {
        server.journal.add(
            hasJoined ? "viewer-joined" : "viewer-left",
            camera: traffic.camera,
            [
                JSON.Member("daemon", "http"), JSON.Member("camera", .string(traffic.camera)),
                JSON.Member("stream", .string(traffic.stream)), JSON.Member("transport", .string(traffic.transport)),
                JSON.Member("viewers", JSON(traffic.viewers)),
            ]
        )
    }
}
