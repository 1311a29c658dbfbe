// SPDX-License-Identifier: Apache-2.0
// `apus status`: which daemons run, how they are, what they say of themselves.

import Bytes
import Control
import Daemon
import System
import Telemetry

/// Shows a running instance.
enum Status {
    static let command = Command(
        "status",
        "Shows the daemons, and what the cameras and servers are doing.",
        options: [.json, .runDirectory]
    ) { arguments in
        let instance = try Instance(arguments.runDirectory)
        let details = instance.daemons.map { daemon in
            daemon.pid == nil
                ? JSON.null : (try? Instance.request(daemon.name, "status", [], instance.runDirectory)) ?? nil
        }
        if arguments.has("--json") {
            let daemons = zip(instance.status["daemons"]?.elements ?? [], details)
                .map { daemon, detail in
                    JSON.object(daemon.members + [JSON.Member("status", detail)])
                }
            let members = instance.status.members.filter { $0.name != "daemons" }
            try Terminal.write(JSON.object(members + [JSON.Member("daemons", .array(daemons))]).prettyText + "\n")
        } else {
            try Terminal.write(text(instance, details))
        }
        return .success
    }

    private static func text(_ instance: Instance, _ details: [JSON]) -> String {
        var table = Table([["DAEMON", "CAMERA", "STATE", "PID", "UPTIME", "RESTARTS", "CPU", "MEMORY"]])
        for daemon in instance.daemons {
            let figures = daemon.pid.flatMap { ProcessFigures($0) }
            let share = figures.flatMap { figures in
                daemon.uptime.map { figures.processorTime.seconds / max(0.01, $0) * 100 }
            }
            table.append([
                daemon.title, daemon.camera ?? "", daemon.state, daemon.pid.map { "\($0)" } ?? "",
                daemon.uptime.map(Format.duration) ?? "", "\(daemon.restarts)",
                share.map { "\(Format.tenths($0)) %" } ?? "", figures.map { Format.bytes($0.privateBytes) } ?? "",
            ])
        }
        var text = table.text + machine
        if let fingerprint = instance.status["certificate_sha256"]?.string {
            text += "\ncertificate  SHA-256 \(fingerprint)\n"
        }
        for (daemon, detail) in zip(instance.daemons, details) {
            let own = detail.members.filter { !common.contains($0.name) }
            guard !own.isEmpty else { continue }
            text += "\n\(daemon.title)\(daemon.camera.map { " \($0)" } ?? "")\n"
            text += Status.text("  ", .object(own))
        }
        return text
    }

    /// This machine in a line: temperature, load, memory.
    private static var machine: String {
        let reading = Telemetry().system(at: Clock.monotonic()).reading
        var parts: [String] = []
        if let hottest = reading.hottest { parts.append("\(Format.tenths(hottest)) °C") }
        if let load = reading.load { parts.append("load \(Format.tenths(load))") }
        if reading.memoryTotal > 0 {
            let (available, total) = (Format.bytes(reading.memoryAvailable), Format.bytes(reading.memoryTotal))
            parts.append("memory \(available) of \(total) free")
        }
        return parts.isEmpty ? "" : "\nmachine  \(parts.joined(separator: ", "))\n"
    }

    /// What every daemon says, and the table shows already.
    private static let common: Set<String> = [
        "daemon", "pid", "version", "ready", "uptime", "log_level", "camera",
    ]

    /// A value as lines of names and values. A list of objects is a table of what is simple in them; the rest is for
    /// `--json`.
    static func text(_ indentation: String, _ value: JSON) -> String {
        var text = ""
        var simple = Table([])
        for member in value.members {
            switch member.value {
            case .array(let elements) where elements.contains { !$0.members.isEmpty }:
                text += simple.text + "\(indentation)\(member.name)\n" + table(indentation + "  ", elements).text
                simple = Table([])
            case .object(let members) where members.contains { $0.value.isComposite }:
                text += simple.text + "\(indentation)\(member.name)\n" + Status.text(indentation + "  ", member.value)
                simple = Table([])
            default: simple.append([indentation + member.name, line(member.value)])
            }
        }
        return text + simple.text
    }

    /// Objects as rows, under the names of their simple members.
    private static func table(_ indentation: String, _ elements: [JSON]) -> Table {
        var names: [String] = []
        for element in elements {
            for member in element.members where !member.value.isComposite && !names.contains(member.name) {
                names.append(member.name)
            }
        }
        guard let first = names.first else { return Table([]) }
        var table = Table([[indentation + first] + names.dropFirst()])
        for element in elements {
            let cells = names.map { element[$0].map(line) ?? "" }
            table.append([indentation + (cells.first ?? "")] + cells.dropFirst())
        }
        return table
    }

    /// A value in one line: objects as `name=value`.
    private static func line(_ value: JSON) -> String {
        switch value {
        case .object(let members): members.map { "\($0.name)=\(line($0.value))" }.joined(separator: " ")
        case .array(let elements): elements.map(line).joined(separator: ",")
        case .string(let text): text
        case .null: "-"
        default: value.text
        }
    }
}

extension JSON {
    /// True for objects and arrays.
    fileprivate var isComposite: Bool {
        switch self {
        case .object, .array: true
        default: false
        }
    }
}
