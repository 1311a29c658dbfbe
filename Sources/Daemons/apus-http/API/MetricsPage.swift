// SPDX-License-Identifier: Apache-2.0
// `/metrics`, `/healthz`, `/readyz`: the figures of all daemons on one page, and whether all is well.

import API
import Bytes
import Control
import Daemon
import FanOut
import HTTP
import Loop
import Metrics
import Telemetry

extension Server {
    /// The suite's version.
    static var version: String { apusVersion }

    /// The addresses of figures and health.
    func metricsEndpoints() -> [Endpoint] {
        [
            Endpoint("getMetrics") { [unowned self] exchange in
                exchange.wait(Asking())
                neighbours.gather { [unowned self] in
                    let format = Exposition(accept: exchange.request.head.fields["accept"])
                    let fields = [
                        HeaderField("Content-Type", format.contentType), HeaderField("Cache-Control", "no-store"),
                    ]
                    exchange.respond(Response(.ok, fields: fields, body: .bytes(format.text(figures($0)))))
                }
            },
            // Who supervises the daemon has no password.
            Endpoint("getHealth") { [unowned self] in $0.respond(report.health()) },
            Endpoint("getReadiness") { [unowned self] exchange in
                exchange.wait(Asking())
                neighbours.gather { [unowned self] gathering in
                    let waiting = cameraNames.filter { gathering.statuses["video.\($0)"]?["ready"] != true }
                    exchange.respond(
                        Response(
                            waiting.isEmpty ? .ok : .unavailable,
                            json: [
                                "ready": .boolean(waiting.isEmpty),
                                // Who may not see a camera is not told its name.
                                "waiting": .array(waiting.filter(exchange.maySee).map(JSON.string)),
                            ]
                        )
                    )
                }
            },
        ]
    }

    /// This daemon's own figures.
    func samples() -> Samples {
        var samples = Samples()
        samples.add(.connections, context.shortName, count: clients.count)
        traffic.collect(into: &samples)
        return samples
    }

    /// The figures of all daemons and of the machine.
    private func figures(_ gathering: Gathering) -> Samples {
        var samples = Samples()
        samples.add(.buildInformation, Self.version, value: 1)
        samples.add(.up, context.shortName, value: 1)
        for name in neighbours.names {
            samples.add(.up, name, value: gathering.statuses[name] == nil ? 0 : 1)
        }
        for daemon in gathering.supervisor?["daemons"]?.elements ?? [] {
            guard let name = daemon["name"]?.string else { continue }
            samples.add(.restarts, name, count: daemon["restarts"]?.integer ?? 0)
            if let uptime = daemon["uptime"]?.number { samples.add(.uptime, name, value: uptime) }
        }
        for (name, process) in gathering.processes.sorted(by: { $0.key < $1.key }) {
            if let seconds = process["cpu_seconds"]?.number { samples.add(.processTime, name, value: seconds) }
            for kind in ["resident", "pss", "private"] {
                guard let bytes = process["memory"]?[kind]?.integer else { continue }
                samples.add(.processMemory, name, kind, count: bytes)
            }
        }
        samples.add(self.samples())
        // Nobody supervises: then nobody else looks at the machine.
        if gathering.samples["supervisor"] == nil { telemetry.system(at: loop.now).collect(into: &samples) }
        // Where a camera's daemon does not answer, its source gives nothing.
        for camera in cameraNames where gathering.samples["video.\(camera)"] == nil {
            samples.add(.cameraOnline, camera, value: 0)
        }
        for (_, others) in gathering.samples.sorted(by: { $0.key < $1.key }) { samples.add(others) }
        return samples
    }
}
