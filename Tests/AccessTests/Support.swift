// SPDX-License-Identifier: Apache-2.0
// A daemon's access with three users, and a client that asks it.

import Bytes
import HTTP

@testable import Access

/// An access whose random bytes are 1, 2, 3, …
func makeAccess(failures: Int = 4, lockout: Duration = .seconds(60)) throws -> Access {
    let users = try UserList(
        parsing: """
            anna role=admin password=a secret
            bob role=viewer cameras=front,yard password=builder
            cam role=publisher cameras=front password=film
            """,
        name: "users"
    )
    let counter = Counter()
    return Access(users, limits: .init(failures: failures, lockout: lockout)) { count in
        counter.value += 1
        return Array(repeating: counter.value, count: count)
    }
}

private final class Counter {
    var value: UInt8 = 0
}

extension Instant {
    /// That many seconds after the clock's start.
    static func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }
}

/// A connection with a client that may know a password.
final class Visitor {
    var session: AccessSession
    var client: AuthenticationClient
    private let name: String
    private let password: String

    init(_ user: String, _ password: String, from host: String = "192.0.2.1", isPrivate: Bool = false) {
        session = AccessSession(host: host, isPrivate: isPrivate, trustsConnection: true)
        client = AuthenticationClient(user: user, password: password, allowsBasic: false)
        name = user
        self.password = password
    }

    /// One request, with credentials if there was a challenge before.
    func ask(
        _ access: inout Access,
        _ seconds: Double,
        _ camera: String = "front",
        _ permission: Permission = .view
    ) -> AccessDecision {
        let uri = "rtsp://h/\(camera)"
        let authorization = client.authorization(method: "DESCRIBE", uri: uri, clientNonce: "c", Access.hashes)
        return send(&access, seconds, authorization, uri, camera, permission)
    }

    func send(
        _ access: inout Access,
        _ seconds: Double,
        _ authorization: String?,
        _ uri: String = "rtsp://h/front",
        _ camera: String = "front",
        _ permission: Permission = .view
    ) -> AccessDecision {
        session.decide(
            AccessRequest(
                method: "DESCRIBE",
                uri: uri,
                authorization: authorization,
                permission: permission,
                camera: camera
            ),
            &access,
            at: .at(seconds)
        )
    }

    /// A request with Basic, whose password is looked at if need be; the decision in the end.
    func basic(_ access: inout Access, _ seconds: Double, _ user: String, _ password: String) -> AccessDecision {
        let header = BasicCredentials(user: user, password: password).header
        let first = send(&access, seconds, header)
        guard let check = first.check else { return first }
        switch access.conclude(check, isRight: check.run(), at: .at(seconds)) {
        case .right: return send(&access, seconds, header)
        case .wrong: return .challenge(session.challenges(access, at: .at(seconds)))
        case .locked(let until): return .locked(until: until)
        }
    }

    /// Asks without credentials, takes the challenge, asks with them.
    func enter(
        _ access: inout Access,
        _ seconds: Double,
        _ camera: String = "front",
        _ permission: Permission = .view
    ) -> AccessDecision {
        let first = send(&access, seconds, nil, "rtsp://h/\(camera)", camera, permission)
        guard case .challenge(let values) = first else { return first }
        client = AuthenticationClient(user: name, password: password, allowsBasic: false)
        _ = client.take(AuthenticationField.challenges(in: values))
        return ask(&access, seconds, camera, permission)
    }
}

extension AccessDecision {
    var isChallenge: Bool {
        if case .challenge = self { true } else { false }
    }

    /// True for a challenge that says `stale=true`.
    var isStale: Bool {
        if case .challenge(let values) = self { values.contains { $0.contains("stale=true") } } else { false }
    }

    /// The password to look at on another thread; nil for any other decision.
    var check: PasswordCheck? {
        if case .checking(let check) = self { check } else { nil }
    }

    var user: String? {
        if case .granted(let user) = self { user?.name } else { nil }
    }
}

/// A client whose calls can stand in an expectation.
final class Caller {
    private var client: AuthenticationClient

    init(_ user: String, _ password: String, allowsBasic: Bool = false) {
        client = AuthenticationClient(user: user, password: password, allowsBasic: allowsBasic)
    }

    func take(_ challenges: [AuthenticationField]) -> Bool { client.take(challenges) }

    func answer(_ method: String = "GET", _ uri: String = "/") -> String? {
        client.authorization(method: method, uri: uri, clientNonce: "c", Access.hashes)
    }
}
