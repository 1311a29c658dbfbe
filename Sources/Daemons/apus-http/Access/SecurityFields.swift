// SPDX-License-Identifier: Apache-2.0
// What every answer tells a browser: what may run, who may frame and read it, which cookies to keep.

import Access
import HTTP

extension Server {
    /// Adds to an answer what all answers have; what a handler has set stays.
    func decorated(_ response: Response, for exchange: Exchange) -> Response {
        var response = response.forPrograms(exchange.request.head.target)
        func has(_ name: String) -> Bool { response.fields.contains { $0.name.lowercased() == name } }
        func add(_ name: String, _ value: String) {
            if !has(name.lowercased()) { response.fields.append(HeaderField(name, value)) }
        }
        add("X-Content-Type-Options", "nosniff")
        // Addresses of share links and tokens are secrets.
        add("Referrer-Policy", "no-referrer")
        if let value = strictTransport(exchange) { add("Strict-Transport-Security", value) }
        let head = exchange.request.head
        let type = SitePolicy.mediaType(response.fields.first { $0.name.lowercased() == "content-type" }?.value)
        if type == "text/html" {
            add("Content-Security-Policy", policy(head))
            add("Permissions-Policy", Self.permissions)
            add("Cross-Origin-Opener-Policy", "same-origin")
            if gate.site.origins.isEmpty { add("X-Frame-Options", "DENY") }
        }
        if head.target.segments.first == "api" {
            add("Cache-Control", "no-store")
            if gate.site.origins.isEmpty { add("Cross-Origin-Resource-Policy", "same-origin") }
        }
        response.fields += exchange.cookies.map(\.field)
        allowOrigin(head, &response)
        return response
    }

    /// Only what this server sends may run; nothing in a page's own text does.
    private func policy(_ head: RequestHead) -> String {
        // Not all browsers count WebSockets of the same host as 'self'. The host has harmless letters only.
        let sockets = head.fields["host"].map { " ws://\($0) wss://\($0)" } ?? ""
        let friends = gate.site.origins.filter { $0 != "*" && !$0.contains { $0 == ";" || $0 == "'" } }
        let frames = friends.isEmpty ? "'none'" : friends.joined(separator: " ")
        return "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; "
            + "img-src 'self' blob: data:; media-src 'self' blob:; worker-src 'self'; manifest-src 'self'; "
            + "connect-src 'self'\(sockets); base-uri 'none'; form-action 'self'; frame-ancestors \(frames)"
    }

    /// The page speaks to cameras and shows them in full; it has no use for the rest.
    private static let permissions =
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), "
        + "microphone=(self), midi=(), payment=(), usb=(), autoplay=(self), fullscreen=(self), "
        + "picture-in-picture=(self), screen-wake-lock=(self)"

    /// Lets pages of the sites that are configured read the answer (CORS); cookies do not go along with their requests.
    private func allowOrigin(_ head: RequestHead, _ response: inout Response) {
        guard !gate.site.origins.isEmpty else { return }
        response.fields.append(HeaderField("Vary", "Origin"))
        guard let origin = head.fields["origin"], gate.site.friend(origin.lowercased()) != nil else { return }
        response.fields.append(HeaderField("Access-Control-Allow-Origin", origin))
        guard head.method == .options, head.fields["access-control-request-method"] != nil,
            let allow = response.fields.first(where: { $0.name == "Allow" })?.value
        else { return }
        response.fields += [
            HeaderField("Access-Control-Allow-Methods", allow),
            HeaderField("Access-Control-Allow-Headers", "Authorization, Content-Type, Range, If-None-Match"),
            HeaderField("Access-Control-Max-Age", "600"),
        ]
    }
}

extension Target {
    /// The path for logs: what opens something is left out.
    var pathWithoutSecrets: String { segments.first == "s" && segments.count > 1 ? "/s/…" : path }
}
