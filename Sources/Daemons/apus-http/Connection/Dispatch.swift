// SPDX-License-Identifier: Apache-2.0
// From a request to what answers it: the address, then the right to it.

import Access
import Bytes
import Control
import FanOut
import HTTP
import Log
import Loop

extension Server {
    /// Answers a request, at once or later.
    func answer(_ exchange: Exchange) {
        let head = exchange.request.head
        exchange.client.hasAsked = true
        log.debug(
            "request",
            ["client": exchange.client.id, "method": head.method.rawValue, "path": head.target.pathWithoutSecrets]
        )
        if exchange.client.isTurnedAway {
            let fields = [HeaderField("Retry-After", "10"), HeaderField("Connection", "close")]
            return exchange.refuse(.unavailable, "there are too many clients", fields)
        }
        if redirects(exchange) { return }
        if exchange.client.isOnSocketPort { return answerOnSocketPort(exchange) }
        let names = cameraNames
        switch endpoints.match(head.method, head.target, isCamera: names.contains) {
        case .found(let endpoint, let parameters):
            exchange.route(endpoint, parameters)
            if mayProceed(exchange, endpoint) { endpoint.answer(exchange) }
        case .otherMethods(let methods):
            let status: Status = head.method == .options ? .noContent : .methodNotAllowed
            exchange.respond(Response(status, fields: [HeaderField("Allow", EndpointTable.allow(methods))]))
        case .nothing:
            if head.target.isServer, head.method == .options {
                return exchange.respond(
                    Response(.noContent, fields: [HeaderField("Allow", EndpointTable.allow([.get]))])
                )
            }
            exchange.refuse(.notFound, "there is nothing at this address")
        }
    }
}
