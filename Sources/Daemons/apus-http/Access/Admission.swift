// SPDX-License-Identifier: Apache-2.0
// Whether a request is carried out: the name it is for, the page it comes from, who asks, what he may.

import Access
import Bytes
import FanOut
import HTTP
import Log
import Loop

extension Server {
    /// True if the request may be carried out; else it is answered, or held until it may be looked at.
    func mayProceed(_ exchange: Exchange, _ endpoint: Endpoint) -> Bool {
        let head = exchange.request.head
        // No browser comes to a Unix socket: a proxy does, with whatever name it was asked for.
        let isOurs = exchange.client.isOnUnixSocket || gate.site.isOurs(host: head.fields["host"])
        guard isOurs else {
            let name = SitePolicy.name(head.fields["host"] ?? "")
            log.warn("a name that is not ours", ["peer": exchange.client.connection.peer, "host": name])
            exchange.refuse(.misdirected, "\(name) is no name of this server: add it to hosts in [http] if it is one")
            return false
        }
        if let problem = gate.site.problem(
            with: head.method,
            head.fields,
            hasBody: !exchange.request.body.isEmpty,
            showsToken: exchange.bearerToken != nil,
            takesForm: endpoint.takesForm
        ) {
            exchange.refuse(problem.hasPrefix("Content-Type") ? .unsupportedMediaType : .forbidden, problem)
            return false
        }
        // The page of reCamera's clients is another server's, on this machine or not.
        let isElsewhere = exchange.client.isOnSocketPort
        if head.fields["upgrade"] != nil, !gate.site.mayOpenWebSocket(head.fields, fromAnyPort: isElsewhere) {
            exchange.refuse(.forbidden, "a page of another site asks for this; allow_origin in [http] lets a site in")
            return false
        }
        guard let permission = endpoint.permission else {
            if !access.isRequired { exchange.grant = Grant(proof: .nothing, user: nil) }
            if case .known(let grant) = identify(exchange) { exchange.grant = grant }
            return true
        }
        guard access.isRequired else {
            exchange.grant = Grant(proof: .nothing, user: nil)
            return true
        }
        switch identify(exchange) {
        case .known(let grant): return take(grant, permission, exchange)
        case .wrongToken:
            let fields = [HeaderField("WWW-Authenticate", "Bearer realm=\"\(Access.realm)\", error=\"invalid_token\"")]
            exchange.refuse(.unauthorized, "the token is none, or none any more", fields)
            return false
        case .unknown:
            return askForPassword(permission, exchange) { [unowned self, unowned exchange] in
                if mayProceed(exchange, endpoint) { endpoint.answer(exchange) }
            }
        }
    }

    /// Ends what who asks may not have any more.
    func recheck(_ exchange: Exchange) {
        guard exchange.state == .answering, exchange.activity != nil, let grant = exchange.grant,
            let permission = exchange.endpoint?.permission
        else { return }
        guard let renewed = renewed(grant), exchange.admits(renewed, permission) else {
            return exchange.abort("the client may not do this any more")
        }
        // It may be less than it was: events of fewer cameras.
        exchange.grant = renewed
    }

    /// What somebody who was let in may by now; nil for nothing. Whoever is still served has not gone away.
    private func renewed(_ grant: Grant) -> Grant? {
        switch grant.proof {
        case .nothing: return access.isRequired ? nil : grant
        case .password: return grant.user.flatMap { access.current($0) }.map { Grant(proof: .password, user: $0) }
        case .session(let key):
            return gate.sessions.use(key, access, at: loop.now).map { Grant(proof: grant.proof, user: $0) }
        case .token(let token):
            return access.owner(of: token, utc: Gate.utc).map { Grant(proof: grant.proof, user: $0) }
        case .share(_, let key):
            guard let share = gate.shares.share(of: key, utc: Gate.utc, at: loop.now) else { return nil }
            _ = gate.shares.watch(key, share, at: loop.now)
            return Grant(proof: .share(share, key), user: nil)
        }
    }

    // MARK: What was shown

    private enum Identity {
        case known(Grant)
        case wrongToken
        case unknown
    }

    /// Who asks, as far as tokens and cookies tell.
    private func identify(_ exchange: Exchange) -> Identity {
        let utc = Gate.utc
        if let token = exchange.bearerToken ?? exchange.queryToken {
            guard let found = access.bearer(token, utc: utc) else { return .wrongToken }
            return .known(Grant(proof: .token(found.token), user: found.user))
        }
        let cookies = Cookies(exchange.request.head.fields)
        for cookie in cookies[exchange.gateCookies.session] {
            guard let key = SessionKey(cookie: cookie),
                let user = gate.sessions.use(key, access, at: loop.now)
            else { continue }
            if gate.sessions.isRenewalDue(key, at: loop.now) { exchange.setSessionCookie(cookie) }
            return .known(Grant(proof: .session(key), user: user))
        }
        if let grant = shareGrant(exchange, cookies) { return .known(grant) }
        return .unknown
    }

    private func shareGrant(_ exchange: Exchange, _ cookies: Cookies) -> Grant? {
        for cookie in cookies[exchange.gateCookies.share] {
            guard let key = SessionKey(cookie: cookie),
                let share = gate.shares.share(of: key, utc: Gate.utc, at: loop.now)
            else { continue }
            return Grant(proof: .share(share, key), user: nil)
        }
        return nil
    }

    private func take(_ grant: Grant, _ permission: Permission, _ exchange: Exchange) -> Bool {
        exchange.grant = grant
        if case .share(let share, let key) = grant.proof, grant.may(permission, exchange.camera) {
            // Looking at what there is counts as nothing, watching does.
            guard !exchange.isMedia || gate.shares.watch(key, share, at: loop.now) else {
                let fields = [HeaderField("Retry-After", "10")]
                exchange.refuse(.tooManyRequests, "as many as may watch with this link do already", fields)
                return false
            }
            return true
        }
        if exchange.admits(grant, permission) { return true }
        log.info(
            "not allowed",
            [
                "peer": exchange.client.connection.peer, "user": grant.name ?? "-",
                "path": exchange.request.head.target.path, "needs": permission.rawValue,
            ]
        )
        exchange.refuse(.forbidden, "\(grant.user?.name ?? "this link") may not do this")
        return false
    }

    // MARK: Passwords

    /// True if the request shows the password of somebody who may do this; nil asks for no more than who it is.
    ///
    /// Else it is answered, or `again` is called once there is more to say.
    func askForPassword(_ permission: Permission?, _ exchange: Exchange, again: @escaping () -> Void) -> Bool {
        let head = exchange.request.head
        let decision = exchange.client.access.decide(
            AccessRequest(
                method: head.method.rawValue,
                uri: head.target.path,
                authorization: head.fields["authorization"],
                permission: permission ?? .view,
                camera: exchange.camera
            ),
            &access,
            at: loop.now
        )
        switch decision {
        case .granted(let user):
            exchange.grant = Grant(proof: user == nil ? .nothing : .password, user: user)
            return true
        case .challenge(let values): challenge(exchange, values)
        case .forbidden(let user):
            let grant = Grant(proof: .password, user: user)
            guard let permission else {
                exchange.grant = grant
                return true
            }
            return take(grant, permission, exchange)
        case .slowed(let until): hold(exchange, until, again)
        case .locked(let until): refuseLocked(exchange, until)
        case .checking(let check):
            examine(check, exchange) { [unowned self, unowned exchange] verdict in
                switch verdict {
                // What was right is remembered, so it is right at once this time.
                case .right: again()
                case .wrong: challenge(exchange, exchange.client.access.challenges(access, at: loop.now))
                case .locked(let until): refuseLocked(exchange, until)
                }
            }
        }
        return false
    }

    /// Looks at a password apart from the loop; calls `then` unless the client has gone meanwhile.
    func examine(_ check: PasswordCheck, _ exchange: Exchange, _ then: @escaping (PasswordVerdict) -> Void) {
        let wait = Examination()
        exchange.wait(wait)
        let peer = exchange.client.connection.peer
        let isTaken = gate.look(at: check) { [unowned self] isRight in
            let verdict = access.conclude(check, isRight: isRight, at: loop.now)
            switch verdict {
            case .right: break
            case .wrong: log.warn("login failed", ["user": check.user, "peer": peer])
            case .locked(let until):
                log.warn("login failed", ["user": check.user, "peer": peer])
                log.warn("locked out", ["peer": peer, "seconds": seconds(until)])
            }
            if !wait.isOver { then(verdict) }
        }
        guard !isTaken else { return }
        access.abandon(check)
        exchange.refuse(.unavailable, "too many log in at the moment", [HeaderField("Retry-After", "2")])
    }

    /// Goes on with an exchange at an instant, unless the client has gone by then.
    func hold(_ exchange: Exchange, _ until: Instant, _ goOn: @escaping () -> Void) {
        exchange.wait(Hold(loop, until: until, goOn))
    }

    /// Asks for a user: a browser in the middle of a page such that it shows no dialog of its own.
    private func challenge(_ exchange: Exchange, _ values: [String]) {
        let fields = exchange.request.head.fields
        let cookies = Cookies(fields)
        let names = exchange.gateCookies
        let isPage = Browser.isPage(fields, cookies: cookies[names.session] + cookies[names.share])
        let challenges = isPage ? ["Bearer realm=\"\(Access.realm)\""] : values
        exchange.refuse(
            .unauthorized,
            "a user and password are needed",
            challenges.map { HeaderField("WWW-Authenticate", $0) }
        )
    }

    /// Answers that an address is locked.
    func refuseLocked(_ exchange: Exchange, _ until: Instant) {
        let text = "too many failed attempts; try again in \(seconds(until)) s"
        exchange.refuse(.tooManyRequests, text, [HeaderField("Retry-After", "\(seconds(until))")])
    }

    private func seconds(_ until: Instant) -> Int { max(1, Int((until - loop.now).seconds.rounded(.up))) }
}

extension Exchange {
    /// The token of `Authorization: Bearer`; nil if there is none.
    var bearerToken: String? {
        guard let value = request.head.fields["authorization"] else { return nil }
        let bytes = Array(value.utf8)
        guard let field = try? AuthenticationField(credentials: bytes.span), field.scheme == "bearer" else {
            return nil
        }
        return field.token ?? ""
    }

    /// The token of `?token=`, for players and WebSockets that cannot be given a header.
    var queryToken: String? { isMedia ? query("token") : nil }

    /// True for what is watched or heard, as against what is asked of the API.
    var isMedia: Bool {
        let method = request.head.method
        return (method == .get || method == .head) && request.head.target.segments.first != "api"
    }

    /// Has the client keep its session's cookie, for as long as the session lasts without use.
    func setSessionCookie(_ value: String) {
        let cookie = SetCookie(
            gateCookies.session,
            value,
            maximumAge: server.gate.sessions.patience,
            isSecure: gateCookies.isSecure
        )
        cookies.append(cookie)
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

/// Waits until a password was looked at.
private final class Examination: Activity {
    let kind = "login"
    private(set) var isOver = false

    func ended(_ reason: String) { isOver = true }
}
