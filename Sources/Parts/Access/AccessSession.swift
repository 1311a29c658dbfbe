// SPDX-License-Identifier: Apache-2.0
// One connection's side of authentication: its nonce, its user, and what its requests are answered.

package import Bytes
import Crypto
import HTTP

/// What a connection has shown of who it is.
package struct AccessSession: Sendable {
    /// A nonce is no good this long after it was issued or last used; the client gets another, marked stale.
    package static let nonceLifetime = Duration.seconds(300)

    private struct Nonce: Sendable {
        let text: String
        var used: Instant
        /// The highest `nc` so far.
        var count: UInt32 = 0
    }

    /// The peer's numeric address, without the port.
    package let host: String
    /// The address as it counts against limits: IPv4 whole, of IPv6 the first 64 bits.
    package let network: String
    /// Whether nobody between can read what is sent: TLS, or this machine.
    private let isPrivate: Bool
    /// False as soon as others may put requests on the connection, too: then each has to show its user.
    package var trustsConnection: Bool
    private var nonce: Nonce?
    /// Who the connection has shown to be; nil before, and where no users are asked for.
    package private(set) var user: User?

    /// Starts without a user.
    ///
    /// - Parameters:
    ///   - isPrivate: true over TLS and on loopback: the password itself may be sent, so Basic is offered.
    ///   - trustsConnection: true where a connection is one client's (RTSP): who has shown a password once need not do
    ///     so in every request. False where a proxy may put many clients' requests on one connection (HTTP).
    package init(host: String, isPrivate: Bool, trustsConnection: Bool) {
        self.host = host
        network = Self.network(of: host)
        self.isPrivate = isPrivate
        self.trustsConnection = trustsConnection
    }

    /// A numeric address as it counts against limits: IPv4 whole, of IPv6 the first 64 bits.
    package static func network(of host: String) -> String { AddressLedger.key(host) }

    /// Decides about a request.
    package mutating func decide(_ request: AccessRequest, _ access: inout Access, at now: Instant) -> AccessDecision {
        guard access.isRequired else {
            user = nil
            return .granted(nil)
        }
        // The file may have changed: a user who is gone has to show who he is now, one who was changed is.
        user = currentUser(access)
        if let user, trustsConnection, request.authorization == nil { return permit(user, request) }
        if user == nil {
            switch access.ledger.standing(host, at: now) {
            case .free: break
            case .locked(let until): return .locked(until: until)
            case .slowed(let until): if request.authorization != nil { return .slowed(until: until) }
            }
        }
        guard let authorization = request.authorization else { return challenge(access, isStale: false, at: now) }
        let bytes = Array(authorization.utf8)
        guard let field = try? AuthenticationField(credentials: bytes.span) else {
            return challenge(access, isStale: false, at: now)
        }
        switch verify(field, request, &access, at: now) {
        case .right(let name):
            guard let user = access.user(name) else { return challenge(access, isStale: false, at: now) }
            // Once a connection: what goes on with one who is in says nothing about who tries to get in.
            if self.user == nil { access.ledger.noteSuccess(host, user: name) }
            self.user = user
            return permit(user, request)
        case .stale: return challenge(access, isStale: true, at: now)
        case .unusable: return challenge(access, isStale: false, at: now)
        case .later(let decision): return decision
        case .wrong(let name):
            user = nil
            let limits = access.limits
            let isLocked = access.ledger.noteFailure(
                host,
                user: name,
                at: now,
                limit: limits.failures,
                lockout: limits.lockout
            )
            if isLocked { return .locked(until: now + limits.lockout) }
            return challenge(access, isStale: false, at: now)
        }
    }

    /// What another process needs to go on with this session, as three words.
    package var passport: String {
        let name = user?.name ?? "-"
        return "\(name) \(nonce?.text ?? "-") \(nonce?.count ?? 0)"
    }

    /// Goes on with a session of another process of this user's; a passport that makes no sense changes nothing.
    package mutating func resume(_ passport: String, _ access: Access, at now: Instant) {
        let words = passport.split(separator: " ").map(String.init)
        guard words.count == 3, let count = UInt32(words[2]) else { return }
        user = access.user(words[0])
        if words[1] != "-" { nonce = Nonce(text: words[1], used: now, count: count) }
    }

    /// The connection's user as the file has it now; nil if it is gone, or its password is another one.
    package func currentUser(_ access: Access) -> User? {
        user.flatMap { access.current($0) }
    }

    private func permit(_ user: User, _ request: AccessRequest) -> AccessDecision {
        user.may(request.permission, request.camera) ? .granted(user) : .forbidden(user)
    }

    // MARK: Credentials

    private enum Verdict {
        case right(String)
        /// The password is right, the nonce is not of use any more.
        case stale
        /// The password is not, or there is no such user.
        case wrong(String)
        /// Nothing was shown that could be right.
        case unusable
        /// Nothing can be said yet.
        case later(AccessDecision)
    }

    private mutating func verify(
        _ field: AuthenticationField,
        _ request: AccessRequest,
        _ access: inout Access,
        at now: Instant
    ) -> Verdict {
        if let digest = DigestCredentials(field) { return verify(digest, request, access, at: now) }
        guard isPrivate, let basic = BasicCredentials(field) else { return .unusable }
        switch access.begin(user: basic.user, password: basic.password, host: host, at: now) {
        case .right(let user): return .right(user.name)
        case .check(let check): return .later(.checking(check))
        case .slowed(let until): return .later(.slowed(until: until))
        case .locked(let until): return .later(.locked(until: until))
        }
    }

    private mutating func verify(
        _ digest: DigestCredentials,
        _ request: AccessRequest,
        _ access: Access,
        at now: Instant
    ) -> Verdict {
        guard digest.realm == Access.realm, DigestURI.fits(digest.uri, request.uri) else { return .unusable }
        let secrets = access.digest(digest.user)
        let expected = Digest.response(
            digest.algorithm,
            secret: digest.algorithm.isSHA256 ? secrets.sha256 : secrets.md5,
            nonce: digest.nonce,
            method: request.method,
            uri: digest.uri,
            digest.protection,
            Access.hashes
        )
        guard ConstantTime.areEqual(expected, digest.response), access.user(digest.user) != nil else {
            return .wrong(digest.user)
        }
        guard var nonce, nonce.text == digest.nonce, now - nonce.used <= Self.nonceLifetime else { return .stale }
        if digest.protection != nil {
            // RFC 7616 §5.5: a count that was there before is a replay.
            guard digest.count > nonce.count else { return .stale }
            nonce.count = digest.count
        }
        nonce.used = now
        self.nonce = nonce
        return .right(digest.user)
    }

    /// The `WWW-Authenticate` values for a client whose password was wrong.
    package mutating func challenges(_ access: Access, at now: Instant) -> [String] {
        user = nil
        guard case .challenge(let values) = challenge(access, isStale: false, at: now) else { return [] }
        return values
    }

    private mutating func challenge(_ access: Access, isStale: Bool, at now: Instant) -> AccessDecision {
        // A client may have asked twice before it answers: its nonce stays while it is unused and young.
        if isStale || nonce.map({ $0.count > 0 || now - $0.used > Self.nonceLifetime }) ?? true {
            nonce = Nonce(text: access.nonce(), used: now)
        }
        let tail =
            "realm=\"\(Access.realm)\", nonce=\"\(nonce?.text ?? "")\", qop=\"auth\", opaque=\"\(access.opaque)\""
            + (isStale ? ", stale=true" : "")
        // SHA-256 first, as RFC 7616 §3.7 wants the better one; clients that know one header only keep the last.
        var values = [DigestAlgorithm.sha256, .md5].map { "Digest \(tail), algorithm=\($0.rawValue)" }
        if isPrivate { values.append("Basic realm=\"\(Access.realm)\"") }
        return .challenge(values)
    }
}

/// The `uri` parameter beside the request's own.
enum DigestURI {
    /// True if both are about the same stream.
    ///
    /// Clients write the request's, or the path alone, or the stream's where a track is meant, or the other way round;
    /// what counts is that one path leads through the other.
    static func fits(_ parameter: String, _ request: String) -> Bool {
        let one = segments(parameter)
        let other = segments(request)
        return zip(one, other).allSatisfy { $0.elementsEqual($1) }
    }

    private static func segments(_ uri: String) -> [Substring.UTF8View] {
        var rest = uri[...].utf8
        if let scheme = uri.utf8.firstRange(of: "://".utf8) {
            rest = rest[scheme.upperBound...].drop { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
        }
        let path = rest.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
        return path.split(separator: UInt8(ascii: "/"))
            .filter { !$0.elementsEqual("*".utf8) }
    }
}
