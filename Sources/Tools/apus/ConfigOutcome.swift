// SPDX-License-Identifier: Apache-2.0
// What has become of a change of the configuration that was asked for over the control socket.

import Config
import Control
import Supervisor

/// A change on its way into force.
struct ConfigOutcome {
    /// Which change it is, from 1.
    let number: Int
    /// What was changed.
    let keys: [ConfigKeyPath]
    /// What has happened to the daemons; nil while nothing has.
    var effects: [(name: String, impact: ConfigImpact)]?
    /// Why it is not in force; nil unless that is so.
    var problem: String?

    /// What `config-outcome` answers, as the daemons are now.
    func json(_ reports: [ChildReport]) -> JSON {
        if let problem { return failed(problem, keys.first) }
        guard let effects else { return ["state": "pending", "waiting": []] }
        var waiting: [JSON] = []
        for (name, impact) in effects where impact == .restart || impact == .start {
            guard let report = reports.first(where: { $0.name == name }) else { continue }
            switch report.state {
            case .running: break
            case .starting, .stopping: waiting.append(.string(name))
            case .waiting, .failing, .stopped:
                let end = report.lastEnd.map { "\($0)" } ?? "it did not start"
                let key = keys.first { ConfigImpact.of([$0], daemon: name, camera: camera(of: name)) != nil }
                return failed("\(name) ended: \(end); its log says why", key)
            }
        }
        guard waiting.isEmpty else { return ["state": "pending", "waiting": .array(waiting)] }
        // All read the file again, also those whom it does not concern.
        let daemons = effects.filter { $0.impact != .live || isConcerned($0.name) }
            .map { effect -> JSON in
                ["name": .string(effect.name), "effect": .string(effect.impact.rawValue)]
            }
        return ["state": "applied", "daemons": .array(daemons)]
    }

    private func isConcerned(_ daemon: String) -> Bool {
        ConfigImpact.of(keys, daemon: daemon, camera: camera(of: daemon)) != nil
    }

    private func failed(_ problem: String, _ key: ConfigKeyPath?) -> JSON {
        ["state": "failed", "key": JSON(key?.text), "message": .string(problem)]
    }
}
