// SPDX-License-Identifier: Apache-2.0
// What is worth an event: other daemons' news, this one's viewers, and limits of the machine that are passed.

import Bytes
import Control
import FanOut
import Loop
import System
import Telemetry

/// Makes events of what happens, and remembers which limits are passed.
final class Watching {
    /// The machine is looked at so often.
    private static let interval = Duration.seconds(10)
    /// A firmware slows the machine down from there on (Raspberry Pi: 80 °C).
    private static let hot = 80.0
    /// Less of memory or disk than this part is little.
    private static let scarce = 0.05

    private unowned let server: Server
    private var passed: Set<String> = []

    init(_ server: Server) {
        self.server = server
        server.neighbours.onEvent = { [unowned self] daemon, kind, members in heard(daemon, kind, members) }
        server.loop.timer(every: Self.interval) { [unowned self] in look() }
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
        case "daemon", "config": server.journal.add(kind, camera: nil, members)
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

    private func look() {
        let reading = server.telemetry.system(at: server.loop.now).reading
        if let hottest = reading.hottest {
            note("temperature", hottest >= Self.hot, hottest, Self.hot)
        }
        if let throttling = reading.throttling {
            for (name, bit) in Throttling.reasons { note(name, throttling.contains(bit), nil, nil) }
        }
        if reading.memoryTotal > 0 {
            let available = Double(reading.memoryAvailable) / Double(reading.memoryTotal)
            note("memory", available < Self.scarce, available, Self.scarce)
        }
        for path in server.diskPaths {
            guard let space = File.space(path), space.total > 0 else { continue }
            let free = Double(space.free) / Double(space.total)
            note("disk \(path)", free < Self.scarce, free, Self.scarce)
        }
    }

    private func note(_ name: String, _ isPassed: Bool, _ value: Double?, _ limit: Double?) {
        guard isPassed != passed.contains(name) else { return }
        if isPassed { passed.insert(name) } else { passed.remove(name) }
        server.journal.add(
            "threshold",
            camera: nil,
            [
                JSON.Member("name", .string(name)), JSON.Member("active", .boolean(isPassed)),
                JSON.Member("value", value.map { JSON($0) } ?? .null),
                JSON.Member("limit", limit.map { JSON($0) } ?? .null),
            ]
        )
    }
}
