// SPDX-License-Identifier: Apache-2.0
// `apus status`: which daemons run, how they are, what they say of themselves.

import Bytes
import Control
import Daemon
import System

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
        var text = table.text
        for daemon in instance.daemons {
            guard let reason = daemon.reason else { continue }
            text += "\n\(daemon.name): \(reason)\n"
            if !daemon.lastWords.isEmpty { text += "  it said last\n" }
            for line in daemon.lastWords { text += "    \(line)\n" }
        }
        text += machine(instance)
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

    /// The machine: its readings in a line, then what is wrong with it.
    private static func machine(_ instance: Instance) -> String {
        guard let machine = try? Instance.request("supervisor", "machine", [], instance.runDirectory) else { return "" }
        var parts: [String] = []
        if let usage = machine["cpu"]?.number {
            let cores = machine["cpus"]?.elements.compactMap { $0["usage"]?.number } ?? []
            let each = cores.count > 1 ? " (\(cores.prefix(16).map(percent).joined(separator: ", ")))" : ""
            parts.append("processors \(percent(usage)) %\(each)")
        }
        let sensors = machine["temperatures"]?.elements.compactMap { $0["celsius"]?.number } ?? []
        if let hottest = sensors.max() { parts.append("\(Format.tenths(hottest)) °C") }
        parts += (machine["fans"]?.elements ?? []).compactMap { $0["rpm"]?.integer.map { "fan \($0) rpm" } }
        if let load = machine["load"]?.number { parts.append("load \(Format.tenths(load))") }
        if let disk = machine["disks"]?.elements.first, let free = disk["free"]?.integer {
            parts.append("disk \(Format.bytes(free)) of \(Format.bytes(disk["total"]?.integer ?? 0)) free")
        }
        parts += (machine["storage"]?.elements ?? []).compactMap(wear)
        if let total = machine["memory"]?["total"]?.integer, total > 0 {
            let available = machine["memory"]?["available"]?.integer ?? 0
            parts.append("memory \(Format.bytes(available)) of \(Format.bytes(total)) free")
        }
        let network = machine["network"]?.elements ?? []
        if !network.isEmpty {
            let sums = ["receive_rate", "send_rate"]
                .map { key in
                    Format.bytes(Int(network.compactMap { $0[key]?.number }.reduce(0, +)))
                }
            parts.append("network \(sums[0])/s in, \(sums[1])/s out")
        }
        var text = parts.isEmpty ? "" : "\nmachine  \(parts.joined(separator: ", "))\n"
        for warning in machine["warnings"]?.elements ?? [] {
            text += "warning  \(warning["message"]?.string ?? "")\n"
        }
        return text + thermal(machine["thermal"])
    }

    /// A part of 1 as a whole number of hundredths.
    private static func percent(_ part: Double) -> String { "\(Int((part * 100).rounded()))" }

    /// How worn a device is. A card that does not say so does by what was written to it; disks that say neither are left out.
    private static func wear(_ device: JSON) -> String? {
        let name = device["device"]?.string ?? ""
        if let wear = device["wear"]?.number { return "\(name) worn to at most \(Int((wear * 100).rounded())) %" }
        guard ["SD", "MMC"].contains(device["kind"]?.string), let written = device["written"]?.integer else {
            return nil
        }
        let rate = device["write_rate"]?.number.map { ", \(Format.bytes(Int($0)))/s" } ?? ""
        let amount = "\(Format.bytes(written)) written since the start\(rate)"
        guard let lifetime = device["lifetime_written"]?.integer else { return "\(name) wear unknown (\(amount))" }
        return "\(name) wear unknown (\(amount), \(Format.bytes(lifetime)) in its file systems' life)"
    }

    /// What encoders are held to; nothing if it is what is configured.
    private static func thermal(_ thermal: JSON?) -> String {
        guard let thermal, thermal["steps"]?.integer ?? 0 > 0 else { return "" }
        let parts = [("bitrate", "bitrate"), ("fps", "frame rate")]
            .compactMap { key, name -> String? in
                guard let share = thermal[key]?.number, share < 1 else { return nil }
                return "\(Int((share * 100).rounded())) % of the \(name)"
            }
        let untouched = thermal["untouched"]?.elements.compactMap(\.string) ?? []
        let rest = untouched.isEmpty ? "" : "; untouched, as they pass through: \(untouched.joined(separator: ", "))"
        return "hot      encoders are held to \(parts.joined(separator: " and "))\(rest)\n"
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
