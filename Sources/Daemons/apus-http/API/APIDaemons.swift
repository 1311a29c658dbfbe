// SPDX-License-Identifier: Apache-2.0
// The API's daemons, machine and log lines.

import API
import Bytes
import Control
import Daemon
import HTTP
import Loop
import System
import Telemetry

extension Server {
    /// The addresses of daemons, machine and log lines.
    func daemonEndpoints() -> [Endpoint] {
        [
            Endpoint("listDaemons") { [unowned self] exchange in
                exchange.wait(Asking())
                neighbours.gather { [unowned self] in exchange.answer(["daemons": .array(daemons($0))]) }
            },
            Endpoint("getDaemon") { [unowned self] in describeDaemon($0) },
            Endpoint("tellDaemon") { [unowned self] in tellDaemon($0) },
            Endpoint("getSystem") { [unowned self] exchange in
                exchange.wait(Asking())
                neighbours.ask("supervisor", "machine") { [unowned self] answer in
                    exchange.answer((try? answer.get()) ?? system)
                }
            },
            Endpoint("listDevices") { [unowned self] exchange in
                exchange.wait(Asking())
                pass("supervisor", "devices", [], exchange)
            },
            Endpoint("listLogs") { [unowned self] exchange in
                exchange.attempt { () throws(APIError) in
                    let limit = try exchange.pageLimit()
                    let after = try exchange.integer("after", 0...(1 << 53)) ?? 0
                    exchange.wait(Asking())
                    pass("supervisor", "logs", [.init("after", JSON(after)), .init("limit", JSON(limit))], exchange)
                }
            },
        ]
    }

    /// Passes a daemon's answer on as it is.
    private func pass(_ daemon: String, _ verb: String, _ arguments: [JSON.Member], _ exchange: Exchange) {
        neighbours.ask(daemon, verb, arguments) { answer in
            switch answer {
            case .success(let value): exchange.answer(value)
            case .failure(let error): exchange.refuse(APIError(error, daemon))
            }
        }
    }

    /// The daemons as the supervisor knows them, with what the kernel says of their processes.
    private func daemons(_ gathering: Gathering) -> [JSON] {
        let supervisor = gathering.supervisor
        var daemons = supervisor?["daemons"]?.elements ?? []
        if let supervisor {
            daemons.append([
                "name": "supervisor", "program": "apus", "camera": nil, "state": "running",
                "pid": supervisor["pid"] ?? nil, "uptime": supervisor["uptime"] ?? nil, "restarts": 0, "last_end": nil,
            ])
        } else {
            // Nobody supervises: what answers, runs.
            daemons = (neighbours.names + [context.shortName]).filter { $0 != "supervisor" }
                .map { name in
                    let status = name == context.shortName ? JSON.null : gathering.statuses[name] ?? nil
                    let isThere = name == context.shortName || gathering.statuses[name] != nil
                    return [
                        "name": .string(name), "program": .string("apus-" + name.prefix { $0 != "." && $0 != "-" }),
                        "camera": JSON(name.hasPrefix("video.") ? String(name.dropFirst(6)) : nil),
                        "state": isThere ? "running" : "stopped",
                        "pid": name == context.shortName ? JSON(Process.id) : status["pid"] ?? nil,
                        "uptime": status["uptime"] ?? nil, "restarts": 0, "last_end": nil,
                    ]
                }
        }
        return daemons.map { daemon in
            let process = gathering.processes[daemon["name"]?.string ?? ""]
            return .object(
                daemon.members
                    + ["cpu", "cpu_seconds", "memory"].map { JSON.Member($0, process?[$0] ?? nil) }
            )
        }
    }

    private func describeDaemon(_ exchange: Exchange) {
        let name = exchange.parameters["daemon"] ?? ""
        guard neighbours.has(name) else {
            return exchange.refuse(APIError(.notFound, "not-found", "there is no daemon \(name)"))
        }
        exchange.wait(Asking())
        neighbours.ask(name, "status") { [unowned self] status in
            neighbours.ask(name, "help") { help in
                do throws(ControlClientError) {
                    let (status, help) = (try status.get(), try help.get())
                    exchange.answer([
                        "name": .string(name), "status": status, "verbs": help["verbs"] ?? [],
                        "events": help["events"] ?? [],
                    ])
                } catch {
                    exchange.refuse(APIError(error, name))
                }
            }
        }
    }

    /// Passes a verb on after a look into the daemon's own table.
    private func tellDaemon(_ exchange: Exchange) {
        let name = exchange.parameters["daemon"] ?? ""
        let verb = exchange.parameters["verb"] ?? ""
        guard neighbours.has(name) else {
            return exchange.refuse(APIError(.notFound, "not-found", "there is no daemon \(name)"))
        }
        exchange.attempt { () throws(APIError) in
            let arguments = try exchange.members()
            // What would be taken for the request's own members is no argument; events have an address of their own.
            guard verb != "subscribe", !arguments.contains(where: { ["id", "do"].contains($0.name) })
            else { throw APIError(.unprocessable, "unknown-key", "\(verb) cannot be passed on with these arguments") }
            exchange.wait(Asking())
            neighbours.ask(name, "help") { [unowned self] help in
                do throws(ControlClientError) {
                    let verbs = try help.get()["verbs"]?.elements ?? []
                    guard verbs.contains(where: { $0["name"]?.string == verb }) else {
                        return exchange.refuse(APIError(.notFound, "unknown-verb", "\(name) has no verb \"\(verb)\""))
                    }
                    pass(name, verb, arguments, exchange)
                } catch {
                    exchange.refuse(APIError(error, name))
                }
            }
        }
    }

    /// This machine as this daemon sees it, where nobody supervises.
    private var system: JSON {
        .object(telemetry.system(at: loop.now).members + [JSON.Member("warnings", []), JSON.Member("thermal", nil)])
    }
}
