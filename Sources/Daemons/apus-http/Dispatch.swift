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
        log.debug("request", ["client": exchange.client.id, "method": head.method.rawValue, "path": head.target.path])
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

    /// Adds to an answer what all answers have.
    func decorated(_ response: Response, for exchange: Exchange) -> Response { response }

    /// True if the request may be carried out; else it is answered, or held until it may be looked at.
    private func mayProceed(_ exchange: Exchange, _ endpoint: Endpoint) -> Bool {
        guard let permission = endpoint.permission else { return true }
        let head = exchange.request.head
        let decision = exchange.client.access.decide(
            AccessRequest(
                method: head.method.rawValue,
                uri: head.target.path,
                authorization: head.fields["authorization"],
                permission: permission,
                camera: exchange.camera
            ),
            &access,
            at: loop.now
        )
        switch decision {
        case .granted(let user):
            exchange.user = user
            return true
        case .challenge(let values):
            let fields = values.map { HeaderField("WWW-Authenticate", $0) }
            exchange.refuse(.unauthorized, "a user and password are needed", fields)
        case .forbidden(let user): exchange.refuse(.forbidden, "\(user) may not do this")
        case .slowed(let until):
            exchange.wait(
                Hold(loop, until: until) { [unowned self, unowned exchange] in
                    if mayProceed(exchange, endpoint) { endpoint.answer(exchange) }
                }
            )
        case .locked(let until):
            let seconds = max(1, Int((until - loop.now).seconds.rounded(.up)))
            log.warn(
                "locked out",
                ["client": exchange.client.id, "peer": exchange.client.connection.peer, "seconds": seconds]
            )
            exchange.refuse(
                .tooManyRequests,
                "too many failed attempts; try again in \(seconds) s",
                [HeaderField("Retry-After", "\(seconds)")]
            )
        }
        return false
    }
}

/// Waits until credentials are looked at, since attempts from their address failed.
private final class Hold: Activity {
    let kind = "held"
    private var timer: LoopTimer?

    init(_ loop: EventLoop, until: Instant, _ goOn: @escaping () -> Void) {
        timer = loop.timer(after: until - loop.now, goOn)
    }

    func ended(_ reason: String) { timer?.cancel() }
}
