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
                    let change = try ControlChange(wanted, controls, others: others)
                    set(change.assignments(controls)[...], exchange) { [unowned self] in finish(change, exchange) }
                }
            }
        }
    }

    /// Sets what has become active meanwhile, and answers with all controls as they are then.
    private func finish(_ change: ControlChange, _ exchange: Exchange) {
        controls(exchange) { [unowned self] controls in
            let rest = change.remainder(controls)
            guard !rest.isEmpty else { return exchange.answer(["controls": .array(controls)]) }
            set(rest[...], exchange) { [unowned self] in
                self.controls(exchange) { exchange.answer(["controls": .array($0)]) }
            }
        }
    }

    /// Sets one after the other, then calls `then`; the first that is refused is the answer.
    private func set(
        _ assignments: ArraySlice<ControlChange.Assignment>,
        _ exchange: Exchange,
        _ then: @escaping () -> Void
    ) {
        guard let first = assignments.first else { return then() }
        let daemon = daemon(exchange)
        var arguments = [JSON.Member("name", .string(first.name))]
        if first.value != .null { arguments.append(JSON.Member("value", first.value)) }
        neighbours.ask(daemon, "set-control", arguments) { [unowned self] answer in
            switch answer {
            case .success: set(assignments.dropFirst(), exchange, then)
            case .failure(.refused(let error)) where error.code == .unavailable && !first.isWanted:
                // A switch that was set just now has taken it over.
                set(assignments.dropFirst(), exchange, then)
            case .failure(.refused(let error)):
                let refusal = APIError(error)
                let status = error.code == .unavailable ? HTTP.Status.unprocessable : refusal.status
                exchange.refuse(APIError(status, refusal.code, key: first.name, refusal.message))
            case .failure(let error): exchange.refuse(APIError(error, daemon))
            }
        }
    }
}
