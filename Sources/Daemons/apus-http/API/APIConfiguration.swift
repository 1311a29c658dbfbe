// SPDX-License-Identifier: Apache-2.0
// The API's configuration: reading it, changing it, and what a change would mean for those who watch.

import API
import Bytes
import Control
import Daemon
import HTTP
import Loop
import Metrics

extension Server {
    /// The addresses of the configuration.
    func configurationEndpoints() -> [Endpoint] {
        [
            Endpoint("getConfig") { [unowned self] exchange in
                exchange.wait(Asking())
                neighbours.ask("supervisor", "config-get") { answer in
                    switch answer {
                    case .success(let value): exchange.answer(value)
                    case .failure(let error): exchange.refuse(APIError(error, "supervisor"))
                    }
                }
            },
            Endpoint("changeConfig") { [unowned self] in changeConfiguration($0) },
        ]
    }

    private func changeConfiguration(_ exchange: Exchange) {
        exchange.attempt { () throws(APIError) in
            let isDryRun = try exchange.boolean("dry_run") ?? false
            var assignments: [JSON] = []
            for member in try exchange.members() {
                let value: String
                switch member.value {
                case .string(let text): value = text
                case .integer(let number): value = "\(number)"
                case .number(let number): value = "\(number)"
                case .boolean(let flag): value = flag ? "yes" : "no"
                case .null, .array, .object:
                    throw APIError(
                        .unprocessable,
                        "wrong-type",
                        key: member.name,
                        "a value is a text, number or boolean"
                    )
                }
                assignments.append(.string("\(member.name)=\(value)"))
            }
            exchange.wait(Asking())
            let arguments = [JSON.Member("set", .array(assignments)), JSON.Member("dry_run", .boolean(isDryRun))]
            // Who watches is looked at before anything changes.
            neighbours.gather { [unowned self] gathering in
                neighbours.ask("supervisor", "config-set", arguments) { [unowned self] answer in
                    switch answer {
                    case .success(let value):
                        if !isDryRun {
                            // The keys alone: values may be secrets.
                            let keys = assignments.compactMap { $0.string?.prefix { $0 != "=" } }
                            audit("configuration changed", exchange, keys.joined(separator: ","))
                        }
                        follow(value, exchange, gathering, until: loop.now + Self.patience)
                    case .failure(let error): exchange.refuse(APIError(error, "supervisor"))
                    }
                }
            }
        }
    }

    /// Answers once a change is in force, or time is up.
    private func follow(_ change: JSON, _ exchange: Exchange, _ gathering: Gathering, until end: Instant) {
        let daemons = change["daemons"]?.elements ?? []
        let endsItself = daemons.contains { $0["name"]?.string == context.shortName && $0["effect"] != "live" }
        // Whoever is going to end says goodbye before.
        guard let number = change["change"]?.integer, !endsItself, loop.now < end else {
            return tell(change, exchange, gathering, isInForce: change["change"]?.integer == nil ? .null : false)
        }
        loop.timer(after: Self.interval) { [unowned self] in
            neighbours.ask("supervisor", "config-outcome", [JSON.Member("change", JSON(number))]) {
                [unowned self] answer in
                // A supervisor that is busy with it answers later.
                let outcome = try? answer.get()
                switch outcome?["state"]?.string {
                case "failed":
                    let message = "the file is written, but not in force: \(outcome?["message"]?.string ?? "")"
                    let key = outcome?["key"]?.string
                    exchange.refuse(APIError(.unprocessable, "not-in-force", key: key, message))
                case "applied":
                    let members = change.members
                        .map { $0.name == "daemons" ? JSON.Member("daemons", outcome?["daemons"] ?? []) : $0 }
                    tell(.object(members), exchange, gathering, isInForce: true)
                default: follow(change, exchange, gathering, until: end)
                }
            }
        }
    }

    private func tell(_ change: JSON, _ exchange: Exchange, _ gathering: Gathering, isInForce: JSON) {
        let members = change.members.filter { $0.name != "change" } + [JSON.Member("in_force", isInForce)]
        exchange.answer(.object(members + effects(change, gathering)))
    }

    /// How long a change may take until it is answered anyway.
    private static let patience = Duration.seconds(8)
    /// How often the supervisor is asked what has become of it.
    private static let interval = Duration.milliseconds(150)

    /// Which streams a change interrupts, and how many viewers feel it.
    private func effects(_ change: JSON, _ gathering: Gathering) -> [JSON.Member] {
        var streams: Set<String> = []
        var viewers = 0
        let ended = (change["daemons"]?.elements ?? [])
            .filter { ["restart", "stop"].contains($0["effect"]?.string) }.compactMap { $0["name"]?.string }
        let cameras = ended.filter { $0.hasPrefix("video.") }.map { String($0.dropFirst(6)) }
        for camera in cameras { streams.formUnion(report.streamNames(of: camera).map { "\(camera)/\($0)" }) }
        var samples = gathering.samples
        samples[context.shortName] = self.samples()
        for (daemon, samples) in samples {
            for sample in samples.all where sample.metric == .viewers {
                guard case .number(let count) = sample.value, count > 0,
                    ended.contains(daemon) || cameras.contains(sample.labels[0])
                else { continue }
                viewers += Int(count)
                streams.insert("\(sample.labels[0])/\(sample.labels[1])")
            }
        }
        return [
            JSON.Member("interrupted", .array(streams.sorted().map(JSON.string))),
            JSON.Member("viewers", JSON(viewers)),
        ]
    }
}
