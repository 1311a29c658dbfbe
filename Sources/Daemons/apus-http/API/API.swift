// SPDX-License-Identifier: Apache-2.0
// The API's endpoints: the table of operations, each with what answers it.

import API
import Access
import Control
import HTTP
import Loop
import System

extension Endpoint {
    /// An operation of the API's table.
    init(_ id: String, _ answer: @escaping (Exchange) -> Void) {
        let operation = Operation.named(id)
        self.init(
            operation.method,
            operation.path,
            needs: operation.permission,
            ofEachCamera: operation.isOfEachCamera,
            takesForm: operation.takesForm,
            operation.summary,
            !operation.isList
                ? answer
                : { exchange in
                    exchange.attempt { () throws(APIError) in
                        try exchange.checkQuery(operation)
                        answer(exchange)
                    }
                }
        )
    }
}

extension Server {
    /// The addresses of the API.
    func apiEndpoints() -> [Endpoint] {
        let endpoints =
            cameraEndpoints() + controlEndpoints() + clientEndpoints() + daemonEndpoints() + configurationEndpoints()
            + metricsEndpoints() + compatibilityEndpoints() + loginEndpoints() + shareEndpoints()
        for operation in Operation.all {
            precondition(endpoints.contains { $0.paths == [operation.path] && $0.method == operation.method })
        }
        return endpoints
    }

    private func cameraEndpoints() -> [Endpoint] {
        [
            Endpoint("listCameras") { [unowned self] exchange in
                exchange.attempt { () throws(APIError) in
                    let limit = try exchange.pageLimit()
                    exchange.wait(Asking())
                    neighbours.gather { [unowned self] in
                        exchange.answer(
                            report.cameras($0, exchange.maySee, after: exchange.query("after"), limit: limit)
                        )
                    }
                }
            },
            Endpoint("getCamera") { [unowned self] in answerCamera($0) { $0 } },
            Endpoint("listStreams") { [unowned self] in answerCamera($0) { ["streams": $0["streams"] ?? []] } },
            Endpoint("getTime") { $0.answer(["utc_ms": JSON(Clock.realtimeNanoseconds() / 1_000_000)]) },
            Endpoint("getDocument") { $0.answer(OpenAPI.document(version: Server.version)) },
            Endpoint("listEvents") { [unowned self] exchange in
                guard exchange.request.head.method != .head else { return exchange.respond(Response(.ok)) }
                guard journal.subscribe(exchange) else {
                    return exchange.refuse(APIError(.unavailable, "unavailable", "too many subscribers"))
                }
            },
        ]
    }

    private func answerCamera(_ exchange: Exchange, _ pick: @escaping (JSON) -> JSON) {
        exchange.wait(Asking())
        neighbours.gather { [unowned self] gathering in
            guard let camera = exchange.camera.flatMap({ report.camera($0, gathering) }) else {
                return exchange.refuse(APIError(.notFound, "not-found", "there is no such camera"))
            }
            exchange.answer(pick(camera))
        }
    }
}

/// Waits for another daemon's answer.
final class Asking: Activity {
    let kind = "asking"
}
