// SPDX-License-Identifier: Apache-2.0
// Checking a password with crypt(3), which takes a tenth of a second: on another thread, a few at once, and remembered.

package import Bytes
import Crypto

/// A password that somebody says is a user's; looked at on another thread.
package struct PasswordCheck: Sendable, Equatable {
    package let user: String
    /// The address that it comes from.
    package let host: String
    fileprivate let password: String
    /// The user's hash, or one that nothing matches: an unknown user takes as long as a known one.
    fileprivate let crypt: String
    /// The user's verifiers; nil for an unknown user.
    fileprivate let secret: Secret?

    /// True if it is the password. Takes a tenth of a second by intent: not for the event loop's thread.
    package func run() -> Bool {
        let isRight = Crypt.matches(password, crypt)
        guard let secret else { return false }
        // A password that stands in the clear in the file has no crypt(3) hash.
        return secret.crypt.isEmpty ? secret.digest?.matches(user: user, password: password) ?? false : isRight
    }
}

/// What became of a password.
package enum PasswordVerdict: Sendable, Equatable {
    case right(User)
    case wrong
    /// It was the one too many.
    case locked(until: Instant)
}

/// What is to be done with a password before anything is known of it.
package enum PasswordStep: Sendable {
    /// It is looked at on another thread; `Access.conclude` takes the result.
    case check(PasswordCheck)
    /// It is known to be right since it was looked at before.
    case right(User)
    /// It is asked again then.
    case slowed(until: Instant)
    case locked(until: Instant)
}

/// What is under way and what was found.
struct PasswordLedger: Sendable {
    /// More checks wait: each takes a tenth of a second and 16 MB.
    static let maximumChecks = 4
    /// How long somebody waits whose address has a check under way.
    static let patience = Duration.milliseconds(100)

    /// Addresses with a check under way: one each, or guesses at once would outrun the slowing.
    var pending: Set<String> = []
    /// What was right, by user: the verifiers it was right for, and a keyed hash of the password.
    var known: [String: (secret: Secret, tag: String)] = [:]
    let key: String

    func tag(_ user: String, _ password: String) -> String { Hash.sha256.hexDigest("\(key):\(user):\(password)") }
}

extension Access {
    /// Begins to look at a password.
    package mutating func begin(user name: String, password: String, host: String, at now: Instant) -> PasswordStep {
        switch ledger.standing(host, at: now) {
        case .free: break
        case .slowed(let until): return .slowed(until: until)
        case .locked(let until): return .locked(until: until)
        }
        let user = user(name)
        if let user, let known = passwords.known[name], known.secret == user.secret,
            ConstantTime.areEqual(known.tag, passwords.tag(name, password))
        {
            ledger.noteSuccess(host, user: name)
            return .right(user)
        }
        let network = AddressLedger.key(host)
        guard passwords.pending.count < PasswordLedger.maximumChecks, !passwords.pending.contains(network) else {
            return .slowed(until: now + PasswordLedger.patience)
        }
        passwords.pending.insert(network)
        let crypt = user?.secret.crypt ?? ""
        return .check(
            PasswordCheck(
                user: name,
                host: host,
                password: password,
                crypt: crypt.isEmpty ? setting : crypt,
                secret: user?.secret
            )
        )
    }

    /// Forgets a check that nobody can carry out.
    package mutating func abandon(_ check: PasswordCheck) {
        passwords.pending.remove(AddressLedger.key(check.host))
    }

    /// Takes what `check.run()` found; called once for each check that `begin` gave.
    package mutating func conclude(_ check: PasswordCheck, isRight: Bool, at now: Instant) -> PasswordVerdict {
        passwords.pending.remove(AddressLedger.key(check.host))
        // The file may have changed meanwhile.
        if isRight, let user = user(check.user), check.secret == user.secret {
            passwords.known[user.name] = (user.secret, passwords.tag(user.name, check.password))
            ledger.noteSuccess(check.host, user: user.name)
            return .right(user)
        }
        let isLocked = ledger.noteFailure(
            check.host,
            user: check.user,
            at: now,
            limit: limits.failures,
            lockout: limits.lockout
        )
        return isLocked ? .locked(until: now + limits.lockout) : .wrong
    }
}
