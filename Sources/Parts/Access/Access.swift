// SPDX-License-Identifier: Apache-2.0
// Who may do what: the users of a daemon, and the answer to a request's Authorization.

package import Bytes
package import Config
import Crypto
import HTTP

/// What access depends on in a request.
package struct AccessRequest: Sendable {
    /// As it stands in the request line.
    package var method: String
    /// As it stands in the request line.
    package var uri: String
    /// The `Authorization` value; nil without one.
    package var authorization: String?
    /// What the request is to do, and with which camera; nil for a camera that does not exist.
    package var permission: Permission
    package var camera: String?

    package init(
        method: String,
        uri: String,
        authorization: String?,
        permission: Permission,
        camera: String?
    ) {
        self.method = method
        self.uri = uri
        self.authorization = authorization
        self.permission = permission
        self.camera = camera
    }
}

/// What becomes of a request.
package enum AccessDecision: Sendable, Equatable {
    /// It is carried out; nil for everybody, where no users are asked for.
    case granted(User?)
    /// It is answered 401 with these `WWW-Authenticate` values.
    case challenge([String])
    /// It is answered 403: the user may not do that.
    case forbidden(User)
    /// It is asked again then, and nothing of the connection is answered before: attempts from its address failed.
    case slowed(until: Instant)
    /// It is answered 403 with the rest of the time: too many attempts from its address failed.
    case locked(until: Instant)
    /// Its password is looked at on another thread; `Access.conclude` takes the result. If it is right, the request is
    /// decided again and the password is known.
    case checking(PasswordCheck)
}

/// The users of a daemon, and the addresses that failed to be one.
///
/// One for the whole daemon; each connection has an `AccessSession` beside it.
package struct Access {
    /// The realm of all passwords; the Digest hashes in the users' file depend on it.
    package static let realm = "Apus"

    static let hashes = DigestHashes(md5: { Hash.md5.hexDigest($0) }, sha256: { Hash.sha256.hexDigest($0) })

    /// When addresses are locked, and for how long.
    package struct Limits: Sendable, Equatable {
        /// So many failed attempts lock an address.
        package var failures: Int
        package var lockout: Duration

        package init(failures: Int, lockout: Duration) {
            self.failures = failures
            self.lockout = lockout
        }
    }

    package var limits: Limits
    /// Whether users are asked for at all.
    package private(set) var isRequired: Bool
    private var users: [String: User] = [:]
    var ledger = AddressLedger()
    var passwords: PasswordLedger
    /// crypt(3)'s setting of no password at all.
    let setting: String
    /// Users by the hash of their tokens.
    private var tokens: [String: (user: String, token: AccessToken)] = [:]
    /// The same in every challenge of this daemon.
    let opaque: String
    /// What no password matches, so that an unknown user costs as much time as a known one.
    private let nobody: Secret.DigestSecrets
    private let random: (Int) -> [UInt8]

    /// Starts with users; without any, or with authentication off, everybody is granted everything.
    ///
    /// - Parameter random: unpredictable bytes, for nonces.
    package init(
        _ users: UserList,
        mode: AuthenticationMode = .on,
        limits: Limits,
        random: @escaping (Int) -> [UInt8] = SecureRandom.bytes
    ) {
        self.limits = limits
        self.random = random
        opaque = Self.text(random(8))
        nobody = Secret.digest(user: "", password: Self.text(random(16)))
        setting = Crypt.setting(random(32))
        passwords = PasswordLedger(key: Self.text(random(32)))
        isRequired = false
        replace(users, mode: mode)
    }

    /// Takes other users; addresses that are locked stay so.
    package mutating func replace(_ users: UserList, mode: AuthenticationMode = .on) {
        self.users = Dictionary(users.users.map { ($0.name, $0) }) { first, _ in first }
        isRequired = mode == .on && !users.isEmpty
        tokens = [:]
        for user in users.users {
            for token in user.tokens { tokens[token.hash] = (user.name, token) }
        }
        let current = self.users
        passwords.known = passwords.known.filter { current[$0.key]?.secret == $0.value.secret }
    }

    /// Whose token this is; nil for none that is good at `utc`, in seconds since 1970.
    package func bearer(_ token: String, utc: Int64) -> (user: User, token: AccessToken)? {
        guard token.utf8.count <= Ticket.maximumLength, let found = tokens[Ticket.hash(token)],
            found.token.isValid(at: utc)
        else { return nil }
        return user(found.user).map { ($0, found.token) }
    }

    /// The owner of a token that was shown before, as the file has him now; nil once the token is no good.
    package func owner(of token: AccessToken, utc: Int64) -> User? {
        guard let found = tokens[token.hash], found.token.isValid(at: utc) else { return nil }
        return user(found.user)
    }

    /// The user of that name as it is now; nil if it is gone.
    package func user(_ name: String) -> User? { users[name] }

    /// A known user as the file has it now; nil if it is gone, or its password is another one.
    package func current(_ known: User) -> User? {
        user(known.name).flatMap { $0.secret.isSamePassword(as: known.secret) ? $0 : nil }
    }

    /// The addresses that are locked now, IPv6 by /64, and until when.
    package func locked(at now: Instant) -> [(host: String, until: Instant)] { ledger.locked(at: now) }

    /// What a user's password is checked with; nobody's for an unknown user, and for one who has no Digest hashes.
    func digest(_ name: String) -> Secret.DigestSecrets { users[name]?.secret.digest ?? nobody }

    func nonce() -> String { Self.text(random(16)) }

    private static func text(_ bytes: [UInt8]) -> String { Hexadecimal.text(bytes.span) }
}
