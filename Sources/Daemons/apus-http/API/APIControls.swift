// SPDX-License-Identifier: Apache-2.0
// The API's controls: what can be set of a camera while it runs.

import API
import Control
import HTTP

extension Server {
    /// The addresses of controls.
    func controlEndpoints() -> [Endpoint] {
        [
            Endpoint("listControls") { [unowned self] exchange in
                exchange.wait(Asking())
                controls(exchange) { exchange.answer(["controls": .array($0)]) }
            },
            Endpoint("changeControls") { [unowned self] in change($0, others: false) },
            Endpoint("replaceControls") { [unowned self] in change($0, others: true) },
        ]
    }

    private func daemon(_ exchange: Exchange) -> String { "video.\(exchange.camera ?? "")" }

    private func controls(_ exchange: Exchange, _ then: @escaping ([JSON]) -> Void) {
        let daemon = daemon(exchange)
        neighbours.ask(daemon, "controls") { answer in
            switch answer {
            case .success(let value): then(value["controls"]?.elements ?? [])
            case .failure(let error): exchange.refuse(APIError(error, daemon))
            }
        }
    }

    /// Sets what the body says; with `others`, everything else goes back to its default.
    private func change(_ exchange: Exchange, others: Bool) {
        exchange.attempt { () throws(APIError) in
            let wanted = try exchange.members()
            exchange.wait(Asking())
            controls(exchange) { [unowned self] controls in
                exchange.attempt { () throws(APIError) in
                    set(try Self.assignments(wanted, controls, others: others)[...], exchange)
                }
            }
        }
    }

    /// What has to be set, in the order of the controls: a switch stands before what it frees.
    private static func assignments(
        _ wanted: [JSON.Member],
        _ controls: [JSON],
        others: Bool
    ) throws(APIError) -> [JSON.Member] {
        for member in wanted {
            guard let control = controls.first(where: { $0["name"]?.string == member.name }) else {
                throw APIError(
                    .unprocessable,
                    "unknown-key",
                    key: member.name,
                    "there is no control \"\(member.name)\""
                )
            }
            if let problem = problem(with: member.value, control) {
                throw APIError(.unprocessable, problem.code, key: member.name, "\(member.name) \(problem.message)")
            }
        }
        var assignments: [JSON.Member] = []
        for control in controls {
            guard let name = control["name"]?.string else { continue }
            if let member = wanted.first(where: { $0.name == name }) {
                assignments.append(member)
            } else if others, control["read_only"] != true, control["active"] != false,
                let standard = control["default"], standard != .null, standard != control["value"]
            {
                assignments.append(JSON.Member(name, standard))
            }
        }
        return assignments
    }

    /// Why a control cannot take a value; checked for all before the first one is set.
    private static func problem(with value: JSON, _ control: JSON) -> (code: String, message: String)? {
        if control["read_only"] == true { return ("out-of-range", "cannot be set, it only tells") }
        switch control["type"]?.string {
        case "boolean": return value.boolean == nil ? ("wrong-type", "must be true or false") : nil
        case "menu", "integer-menu":
            let known = control["choices"]?.elements.contains { $0["value"] == value || $0["label"] == value } ?? false
            return known ? nil : ("out-of-range", "must be the value of one of its choices")
        case "integer" where value.integer == nil: return ("wrong-type", "must be a whole number")
        case "number" where value.number == nil: return ("wrong-type", "must be a number")
        case "integer", "number":
            guard let number = value.number, let minimum = control["minimum"]?.number,
                let maximum = control["maximum"]?.number
            else { return nil }
            let range = "must be from \(control["minimum"]?.text ?? "") to \(control["maximum"]?.text ?? "")"
            return number >= minimum && number <= maximum ? nil : ("out-of-range", range)
        default: return nil
        }
    }

    private func set(_ assignments: ArraySlice<JSON.Member>, _ exchange: Exchange) {
        guard let first = assignments.first else {
            return controls(exchange) { exchange.answer(["controls": .array($0)]) }
        }
        let daemon = daemon(exchange)
        var arguments = [JSON.Member("name", .string(first.name))]
        if first.value != .null { arguments.append(JSON.Member("value", first.value)) }
        neighbours.ask(daemon, "set-control", arguments) { [unowned self] answer in
            switch answer {
            case .success: set(assignments.dropFirst(), exchange)
            case .failure(.refused(let error)):
                let refusal = APIError(error)
                let status = error.code == .unavailable ? HTTP.Status.unprocessable : refusal.status
                exchange.refuse(APIError(status, refusal.code, key: first.name, refusal.message))
            case .failure(let error): exchange.refuse(APIError(error, daemon))
            }
        }
    }
}
