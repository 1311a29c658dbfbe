// SPDX-License-Identifier: Apache-2.0
// `apus memory` and `apus cpu`: what each daemon takes.

import Bytes
import Control
import Daemon
import Loop
import System

/// Memory and processor time of a running instance.
enum Figures {
    static let memoryCommand = Command(
        "memory",
        "Shows each daemon's memory; ring memory counts once.",
        options: [.json, .runDirectory],
        details: """
            private    what only this process has
            anonymous  the part of it that is no file's: what the daemon has allocated
            shared     what other processes have, too: libraries, programs
            """
    ) { arguments in
        let instance = try Instance(arguments.runDirectory)
        let figures = processes(instance).compactMap { name, pid in ProcessFigures(pid).map { (name, pid, $0) } }
        // Every process maps a ring; its pages are there once.
        var rings: [String: Int] = [:]
        for (_, _, figure) in figures { rings.merge(figure.rings) { max($0, $1) } }
        let ringBytes = rings.values.reduce(0, +)
        let total = figures.map { $0.2.privateBytes }.reduce(0, +) + ringBytes
        guard !arguments.has("--json") else {
            let daemons = figures.map { name, pid, figure in
                JSON.object([
                    JSON.Member("name", .string(name)), JSON.Member("pid", JSON(pid)),
                    JSON.Member("private", JSON(figure.privateBytes)),
                    JSON.Member("anonymous", JSON(figure.anonymousBytes)),
                    JSON.Member("shared", JSON(figure.sharedBytes)),
                ])
            }
            let answer: JSON = ["daemons": .array(daemons), "rings": JSON(ringBytes), "total": JSON(total)]
            try Terminal.write(answer.prettyText + "\n")
            return .success
        }
        var table = Table([["DAEMON", "PID", "PRIVATE", "ANONYMOUS", "SHARED"]])
        for (name, pid, figure) in figures {
            table.append([
                name, "\(pid)", Format.bytes(figure.privateBytes), Format.bytes(figure.anonymousBytes),
                Format.bytes(figure.sharedBytes),
            ])
        }
        table.append(["rings", "", Format.bytes(ringBytes)])
        table.append(["total", "", Format.bytes(total)])
        try Terminal.write(table.text)
        return .success
    }

    static let cpuCommand = Command(
        "cpu",
        "Shows each daemon's share of one processor core over a second.",
        options: [Option("--seconds", "N", "How long to look, 1 to 3600; else 1."), .json, .runDirectory]
    ) { arguments in
        let instance = try Instance(arguments.runDirectory)
        let seconds = try arguments.integer("--seconds", 1...3600) ?? 1
        let processes = processes(instance)
        let before = processes.map { ProcessFigures($0.pid)?.processorTime }
        let began = Clock.monotonic()
        try pause(.seconds(seconds))
        let elapsed = (Clock.monotonic() - began).seconds
        let shares = zip(processes, before)
            .compactMap { process, before -> (String, Int32, Double)? in
                guard let before, let after = ProcessFigures(process.pid)?.processorTime else { return nil }
                return (process.name, process.pid, (after - before).seconds / elapsed * 100)
            }
        let total = shares.map(\.2).reduce(0, +)
        guard !arguments.has("--json") else {
            let daemons = shares.map { name, pid, share in
                JSON.object([
                    JSON.Member("name", .string(name)), JSON.Member("pid", JSON(pid)),
                    JSON.Member("percent", JSON(share)),
                ])
            }
            try Terminal.write(
                JSON.object([
                    JSON.Member("daemons", .array(daemons)), JSON.Member("total", JSON(total)),
                ])
                .prettyText + "\n"
            )
            return .success
        }
        var table = Table([["DAEMON", "PID", "CPU"]])
        for (name, pid, share) in shares { table.append([name, "\(pid)", "\(Format.tenths(share)) %"]) }
        table.append(["total", "", "\(Format.tenths(total)) %"])
        try Terminal.write(table.text)
        return .success
    }

    /// Waits.
    static func pause(_ time: Duration) throws {
        let loop = try EventLoop()
        let end = Clock.monotonic() + time
        while Clock.monotonic() < end { try loop.turn(waitingUntil: end) }
    }

    /// The processes of an instance, the supervisor last.
    private static func processes(_ instance: Instance) -> [(name: String, pid: Int32)] {
        let daemons = instance.daemons.compactMap { daemon in
            daemon.pid.map { (daemon.title + (daemon.camera.map { " \($0)" } ?? ""), $0) }
        }
        return daemons + (instance.supervisorPid.map { [("apus up", $0)] } ?? [])
    }
}
