// SPDX-License-Identifier: Apache-2.0
// Logging in and out with a browser, and who one is.

import Access
import Bytes
import Control
import FanOut
import HTTP
import Log
import Loop
import System

extension Server {
    /// The addresses of sessions.
    func loginEndpoints() -> [Endpoint] {
        [
            Endpoint("logIn") { [unowned self] in logIn($0) },
            Endpoint("logOut") { [unowned self] in logOut($0) },
            Endpoint("getSession") { [unowned self] in describeSession($0) },
        ]
    }

    // MARK: In

    private func logIn(_ exchange: Exchange) {
        let connection = exchange.client.connection
        guard gate.mayLogIn(over: (connection.isEncrypted, connection.peer.isLoopback)) else {
            return exchange.refuse(.forbidden, "log in over HTTPS, or set plain_login in [http]")
        }
        guard access.isRequired else { return exchange.respond(.json(.ok, session(exchange))) }
        let type = exchange.request.head.fields["content-type"] ?? ""
        let body = exchange.request.body
        do throws(RequestError) {
            let login = try Login(parsing: body.span, type: type)
            logIn(exchange, login, isForm: SitePolicy.mediaType(type) != "application/json")
        } catch {
            exchange.refuse(error.status, error.reason)
        }
    }

    private func logIn(_ exchange: Exchange, _ login: Login, isForm: Bool) {
        let host = exchange.client.access.host
        switch access.begin(user: login.user, password: login.password, host: host, at: loop.now) {
        case .right(let user): welcome(user, exchange, isForm: isForm)
        case .slowed(let until):
            hold(exchange, until) { [unowned self, unowned exchange] in logIn(exchange, login, isForm: isForm) }
        case .locked(let until): refuseLocked(exchange, until)
        case .check(let check):
            examine(check, exchange) { [unowned self, unowned exchange] verdict in
                switch verdict {
                case .right(let user): welcome(user, exchange, isForm: isForm)
                case .wrong:
                    let fields = [HeaderField("WWW-Authenticate", "Bearer realm=\"\(Access.realm)\"")]
                    exchange.refuse(.unauthorized, "the user or the password is wrong", fields)
                case .locked(let until): refuseLocked(exchange, until)
                }
            }
        }
    }

    /// Begins a session. What the client had before ends, so that nobody goes on with a cookie that he gave it.
    private func welcome(_ user: User, _ exchange: Exchange, isForm: Bool) {
        for key in sessionKeys(exchange) { gate.sessions.close(key) }
        let cookie = gate.sessions.open(user, at: loop.now)
        guard let key = SessionKey(cookie: cookie) else { return }
        exchange.grant = Grant(proof: .session(key), user: user)
        exchange.setSessionCookie(cookie)
        audit("login", exchange)
        if isForm { return exchange.respond(Response(.seeOther, fields: [HeaderField("Location", "/")])) }
        exchange.respond(.json(.ok, session(exchange)))
    }

    // MARK: Out

    private func logOut(_ exchange: Exchange) {
        let body = exchange.request.body
        let isEverywhere = (try? JSON(parsing: body.span))?["everywhere"]?.boolean ?? false
        if let user = exchange.user { audit(isEverywhere ? "logout everywhere" : "logout", exchange, user.name) }
        if isEverywhere, let user = exchange.user { _ = gate.sessions.closeAll(of: user.name) }
        for key in sessionKeys(exchange) { gate.sessions.close(key) }
        let names = exchange.gateCookies
        exchange.cookies = [names.session, names.share]
            .map {
                SetCookie($0, "", maximumAge: .zero, isSecure: names.isSecure)
            }
        exchange.respond(Response(.noContent))
        for client in clients.values { client.recheck() }
    }

    private func sessionKeys(_ exchange: Exchange) -> [SessionKey] {
        Cookies(exchange.request.head.fields)[exchange.gateCookies.session].compactMap { SessionKey(cookie: $0) }
    }

    // MARK: Who

    private func describeSession(_ exchange: Exchange) {
        // Who shows a password is told what it is good for.
        if access.isRequired, exchange.grant == nil, exchange.request.head.fields["authorization"] != nil {
            let isKnown = askForPassword(nil, exchange) { [unowned self, unowned exchange] in
                describeSession(exchange)
            }
            guard isKnown else { return }
        }
        exchange.respond(.json(.ok, session(exchange)))
    }

    /// What `/api/v1/session` answers.
    private func session(_ exchange: Exchange) -> JSON {
        let connection = exchange.client.connection
        let grant = exchange.grant ?? (access.isRequired ? nil : Grant(proof: .nothing, user: nil))
        let visible = cameraNames.filter { grant?.may(.view, $0) ?? false }
        let permissions = Permission.allCases
            .filter { permission in
                visible.contains { grant?.may(permission, $0) ?? false } || grant?.may(permission, nil) ?? false
            }
        var share = JSON.null
        if case .share(let link, _)? = grant?.proof {
            share = [
                "id": .string(link.id), "camera": .string(link.camera), "label": .string(link.label),
                "expires": link.expires.map { JSON($0) } ?? .null, "viewers": JSON(link.viewers),
            ]
        }
        return [
            "authenticated": .boolean(grant != nil), "users": .boolean(access.isRequired),
            "proof": JSON(grant?.proof.name), "user": JSON(grant?.user?.name), "role": JSON(grant?.user?.role.rawValue),
            "permissions": .array(permissions.map { .string($0.rawValue) }),
            "cameras": .array(visible.map { .string($0) }), "share": share,
            "encrypted": .boolean(connection.isEncrypted),
            "login": .boolean(
                access.isRequired && gate.mayLogIn(over: (connection.isEncrypted, connection.peer.isLoopback))
            ),
        ]
    }

    /// Writes down who did what.
    func audit(_ event: String, _ exchange: Exchange, _ what: String? = nil) {
        log.info(
            event,
            ["user": exchange.grant?.name ?? "-", "peer": exchange.client.connection.peer, "what": what ?? "-"]
        )
    }
}

extension Grant.Proof {
    /// The word for `/api/v1/session`.
    var name: String {
        switch self {
        case .nothing: "none"
        case .password: "password"
        case .session: "session"
        case .token: "token"
        case .share: "share"
        }
    }
}
