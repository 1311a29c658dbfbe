// SPDX-License-Identifier: Apache-2.0
// What the supervisor can be told for the HTTP API: the newest log lines, the configuration and changes to it.

import Bytes
import Config
import Control
import Daemon
import Log
import Loop
import Supervisor
import System
import Telemetry

extension Up {
    /// Between the answer to a change and its coming into force, so that the answer is not lost with a server.
    private static let changeDelay = Duration.milliseconds(200)

    /// Adds the verbs, and the events.
    func addInterfaceVerbs() {
        control.commands.add(EventKind("daemon", "A daemon became ready, ended, or waits for its restart."))
        control.commands.add(EventKind("config", "A changed configuration is in force."))
        control.commands.add(
            Verb(
                "logs",
                "Tells the newest lines that the daemons have logged.",
                [
                    Argument("after", .integer(0...(.max)), optional: true, "Only lines with a higher number."),
                    Argument("limit", .integer(1...LogRelay.Lines.maximumCount), optional: true, "So many at most."),
                ]
            ) { [unowned self] arguments in
                supervisor.drain()
                let lines = relay.lines
                let limit = arguments.integer("limit") ?? 100
                let newest = lines.newest(limit, after: min(arguments.integer("after") ?? 0, lines.last))
                let texts = newest.map { line -> JSON in ["number": JSON(line.number), "text": .string(line.text)] }
                return ["lines": .array(texts), "next": JSON(lines.last)]
            }
        )
        control.commands.add(
            Verb("processes", "Tells each daemon's processor time and memory, as the kernel has them.") {
                [unowned self] _ in
                let own = [(name: "supervisor", pid: Process.id)]
                let daemons = supervisor.reports.compactMap { report in report.pid.map { (name: report.name, pid: $0) }
                }
                return ["processes": .array((daemons + own).compactMap(process))]
            }
        )
        control.commands.add(
            Verb("shares-keep", "Keeps the share links that the web server has written into the run directory.") {
                [unowned self] _ throws(ControlError) in
                do throws(Failure) {
                    try DaemonCopies(directory: runDirectory).keepShares(configuration)
                    return [:]
                } catch {
                    throw ControlError(.failed, error.description)
                }
            }
        )
        control.commands.add(
            Verb("config-get", "Tells all keys with their values; passwords are ***.") {
                [unowned self] _ throws(ControlError) in
                try configurationKeys()
            }
        )
        control.commands.add(
            Verb(
                "config-set",
                "Sets keys in the configuration file and puts them in force.",
                [
                    Argument("set", .texts, "As for apus config set: rtsp.port=8555."),
                    Argument("dry_run", .boolean, optional: true, "True: only tells what would be done."),
                ]
            ) { [unowned self] arguments throws(ControlError) in
                try change(arguments.texts("set") ?? [], isDryRun: arguments.boolean("dry_run") ?? false)
            }
        )
        control.commands.add(
            Verb(
                "config-outcome",
                "Tells what has become of a change: pending, applied or failed, and what happened to the daemons.",
                [Argument("change", .integer(1...(.max)), "What config-set has called it.")]
            ) { [unowned self] arguments throws(ControlError) in
                let number = arguments.integer("change") ?? 0
                guard let outcome = outcomes.last(where: { $0.number == number }) else {
                    throw ControlError(.outOfRange, key: "change", "there is no change \(number), or it was long ago")
                }
                return outcome.json(supervisor.reports)
            }
        )
    }

    /// A process; nil if it is gone. Only the supervisor may look: the daemons' sandboxes hide others' memory.
    private func process(_ name: String, _ pid: Int32) -> JSON? {
        guard let sample = telemetry.process(pid, at: Clock.monotonic()) else { return nil }
        let reading = sample.reading
        return [
            "name": .string(name), "pid": JSON(pid), "cpu_seconds": JSON(reading.processorTime),
            "cpu": sample.usage.map { JSON(($0 * 1000).rounded() / 1000) } ?? .null,
            "memory": [
                "resident": JSON(reading.residentBytes),
                "pss": reading.proportionalBytes.map { JSON($0) } ?? .null,
                "private": reading.privateBytes.map { JSON($0) } ?? .null,
            ],
        ]
    }

    /// The daemon that a process is, nil if it is none; a daemon can neither leave its process group nor start others.
    private func daemon(_ process: Int32) -> String? {
        // One of another PID namespace is none of ours.
        guard process > 0 else { return nil }
        // Who is gone already cannot be told from a daemon.
        guard let group = Process.group(of: process) else { return "" }
        return supervisor.reports.first { $0.pid == group }?.name
    }

    /// Whether a process may ask the supervisor: of the daemons only the web server, which does so for administrators.
    func mayAsk(_ process: Int32) -> Bool { daemon(process).map { $0 == "http" } ?? true }

    /// Keys that decide what daemons may do to the machine: not for a daemon to change.
    private static let keysOfTheMachine = ["apus.sandbox", "apus.user", "apus.users", "http.unix_socket"]

    private func checkMayChange(_ keys: [ConfigKeyPath]) throws(ControlError) {
        guard let asker = control.asker, daemon(asker) != nil else { return }
        guard let key = keys.first(where: { Self.keysOfTheMachine.contains($0.text) }) else { return }
        throw ControlError(
            .outOfRange,
            key: key.text,
            "\(key.text) is not changed over the network: apus config set \(key.text)=…, on the machine itself"
        )
    }

    private func configurationKeys() throws(ControlError) -> JSON {
        let document: ConfigDocument
        do throws(Failure) {
            document = try source.load().document
        } catch {
            throw ControlError(.failed, error.description)
        }
        var keys: [JSON] = []
        for (pattern, _) in ConfigSchema.sections {
            let sections: [String] =
                switch pattern {
                case .fixed(let name): [name]
                case .camera, .stream: written.configuration.cameras.map { pattern.section(camera: $0.name) }
                }
            for section in sections {
                for key in ConfigSchema.keys where key.section == pattern {
                    keys.append(describe(key, section, document.value(section, key.name)))
                }
            }
        }
        return ["file": JSON(source.file), "keys": .array(keys)]
    }

    private func describe(_ key: ConfigKey, _ section: String, _ value: String?) -> JSON {
        [
            "key": .string("\(section).\(key.name)"), "value": .string(SourceScheme.redacted(value ?? key.standard)),
            "default": .string(key.standard), "is_set": .boolean(value != nil),
            "expects": .string(key.type.expectation), "effect": .string(key.effect.rawValue),
            "doc": .string(key.documentation),
        ]
    }

    private func change(_ texts: [String], isDryRun: Bool) throws(ControlError) -> JSON {
        guard let file = source.file else {
            throw ControlError(
                .unavailable,
                "the instance runs without a file; apus config save FILE writes one, and apus up --config FILE starts with it"
            )
        }
        var document: ConfigDocument
        var keys: [ConfigKeyPath] = []
        do {
            document = try ConfigDocument.load(file).document
            for text in texts {
                let assignment = try ConfigAssignment(text)
                guard assignment.value != SourceScheme.redacted(assignment.value) || !assignment.value.contains("***")
                else {
                    throw ControlError(
                        .outOfRange,
                        key: assignment.path.text,
                        "the value holds *** where its password was; say the password, or leave the key out"
                    )
                }
                let path = assignment.path
                let old = document.value(path.section, path.name) ?? path.key.standard
                if old != assignment.value { keys.append(path) }
                document.set(assignment)
            }
        } catch let error as ConfigKeyError {
            throw ControlError(.outOfRange, key: error.key, error.description)
        } catch let error as ControlError {
            throw error
        } catch {
            throw ControlError(.failed, "\(error)")
        }
        try checkMayChange(keys)
        let new: Configuration
        do throws(ConfigError) {
            new = try Configuration(document, issues: ConfigDocument.parse(document.text, name: document.name).issues)
        } catch {
            throw ControlError(.outOfRange, error.description)
        }
        let impacts = impacts(of: keys, (try? effective((document, new)).configuration) ?? new)
        var number: Int?
        if !isDryRun, !keys.isEmpty { number = try apply(document, keys) }
        return [
            "dry_run": .boolean(isDryRun), "change": number.map { JSON($0) } ?? .null,
            "changed": .array(keys.map { .string($0.text) }),
            "daemons": .array(impacts.map { ["name": .string($0.name), "effect": .string($0.impact.rawValue)] }),
        ]
    }

    /// Writes the file and has it read soon; returns the number of the change.
    private func apply(_ document: ConfigDocument, _ keys: [ConfigKeyPath]) throws(ControlError) -> Int {
        do throws(SystemError) {
            try document.save()
        } catch {
            throw ControlError(.failed, "cannot write \(document.name): \(error.reason)")
        }
        let number = (outcomes.last?.number ?? 0) + 1
        if outcomes.count == Self.maximumOutcomes { outcomes.removeFirst() }
        outcomes.append(ConfigOutcome(number: number, keys: keys))
        loop.timer(after: Self.changeDelay) { [unowned self] in
            var problem: String?
            do throws(Failure) {
                try reload()
            } catch {
                log.error("the configuration is not reloaded", ["error": error])
                problem = error.description
            }
            // What is read is the whole file: an earlier change is in force with it.
            for index in outcomes.indices where outcomes[index].effects == nil && outcomes[index].problem == nil {
                outcomes[index].effects = problem == nil ? effects : nil
                outcomes[index].problem = problem
            }
        }
        return number
    }

    /// So many changes are remembered.
    private static let maximumOutcomes = 16

    private func isOfDevices(_ configuration: Configuration, _ camera: String?) -> Bool {
        guard let source = camera.flatMap({ configuration.camera($0) })?.source else { return false }
        return (try? SourceAddress(parsing: source))?.isOfDevices ?? false
    }

    private func impacts(of keys: [ConfigKeyPath], _ new: Configuration) -> [(name: String, impact: ConfigImpact)] {
        var impacts: [(name: String, impact: ConfigImpact)] = []
        let plans = (try? self.plans(of: new)) ?? supervisor.plans
        // From one device to another a camera goes as it runs.
        let moved = keys.filter { path in
            path.name == "source"
                && [configuration, new].allSatisfy { isOfDevices($0, path.camera) }
        }
        let live = Set(moved.map(\.text))
        for plan in supervisor.plans {
            guard plans.contains(where: { $0.name == plan.name }) else {
                impacts.append((plan.name, .stop))
                continue
            }
            // A camera that a device has become by itself is set up as the one that says auto.
            let camera = camera(of: plan.name).map { devices.model(of: $0, written.configuration) }
            if let impact = ConfigImpact.of(keys, daemon: plan.name, camera: camera, live: live) {
                impacts.append((plan.name, impact))
            }
        }
        for plan in plans where !supervisor.plans.contains(where: { $0.name == plan.name }) {
            impacts.append((plan.name, .start))
        }
        if let impact = ConfigImpact.of(keys, daemon: "supervisor", camera: nil), impact == .live,
            keys.contains(where: { ["telemetry", "thermal"].contains($0.section) })
        {
            impacts.append(("supervisor", impact))
        }
        return impacts
    }
}
