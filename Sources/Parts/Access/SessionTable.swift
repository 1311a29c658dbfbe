// SPDX-License-Identifier: Apache-2.0
// Sessions: who has logged in with a browser, known by a cookie.

package import Bytes
import Crypto

/// What a session is called inside: the hash of its cookie, so that no table of ours opens anything.
package struct SessionKey: Sendable, Hashable {
    let hash: String

    /// Of a cookie's value; nil for what is none of ours at first sight.
    package init?(cookie: String) {
        guard (1...Ticket.maximumLength).contains(cookie.utf8.count) else { return nil }
        hash = Ticket.hash(cookie)
    }
}

/// Everybody who has logged in.
package struct SessionTable {
    /// More sessions end the one that was not used for longest.
    package static let capacity = 1024
    /// More sessions of one user end his one that was not used for longest.
    package static let maximumPerUser = 32
    /// A session ends then, however much it is used.
    package static let lifetime = Duration.seconds(30 * 86_400)

    private struct Session {
        /// As it was when the session began: another password ends it.
        let user: User
        let began: Instant
        var used: Instant
        /// When the client was last told how long its cookie lasts.
        var renewed: Instant
    }

    /// A session that is not used for this long ends.
    package var patience: Duration
    private var sessions: [SessionKey: Session] = [:]
    private let random: (Int) -> [UInt8]

    /// Starts without sessions.
    ///
    /// - Parameter random: unpredictable bytes, for cookies.
    package init(patience: Duration, random: @escaping (Int) -> [UInt8] = SecureRandom.bytes) {
        self.patience = patience
        self.random = random
    }

    /// How many sessions there are.
    package var count: Int { sessions.count }

    /// Begins a session; its cookie is new, whatever the client had before.
    package mutating func open(_ user: User, at now: Instant) -> String {
        removeExpired(at: now)
        let own = sessions.filter { $0.value.user.name == user.name }
        if own.count >= Self.maximumPerUser { removeOldest(of: own) }
        if sessions.count >= Self.capacity { removeOldest(of: sessions) }
        let cookie = Ticket.make(random)
        if let key = SessionKey(cookie: cookie) {
            sessions[key] = Session(user: user, began: now, used: now, renewed: now)
        }
        return cookie
    }

    /// The session's user as the file has it now, and notes the use; nil once the session is over.
    package mutating func use(_ key: SessionKey, _ access: Access, at now: Instant) -> User? {
        guard var session = sessions[key] else { return nil }
        guard !isExpired(session, at: now), let user = access.current(session.user) else {
            sessions[key] = nil
            return nil
        }
        session.used = now
        sessions[key] = session
        return user
    }

    /// True once in a while: the client is to be told that its cookie lasts longer.
    package mutating func isRenewalDue(_ key: SessionKey, at now: Instant) -> Bool {
        guard let session = sessions[key], now - session.renewed > patience / 10 else { return false }
        sessions[key]?.renewed = now
        return true
    }

    /// Ends a session; the user whose it was.
    @discardableResult
    package mutating func close(_ key: SessionKey) -> User? { sessions.removeValue(forKey: key)?.user }

    /// Ends all sessions of a user; how many they were.
    package mutating func closeAll(of user: String) -> Int {
        let before = sessions.count
        sessions = sessions.filter { $0.value.user.name != user }
        return before - sessions.count
    }

    /// Ends the sessions of users who are gone or have another password.
    package mutating func usersChanged(_ access: Access) {
        sessions = sessions.filter { access.current($0.value.user) != nil }
    }

    /// Ends what was not used for too long.
    package mutating func removeExpired(at now: Instant) {
        sessions = sessions.filter { !isExpired($0.value, at: now) }
    }

    private func isExpired(_ session: Session, at now: Instant) -> Bool {
        now - session.used > patience || now - session.began > Self.lifetime
    }

    private mutating func removeOldest(of some: [SessionKey: Session]) {
        guard let oldest = some.min(by: { $0.value.used < $1.value.used }) else { return }
        sessions[oldest.key] = nil
    }
}
