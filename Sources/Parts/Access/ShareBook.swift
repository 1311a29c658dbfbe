// SPDX-License-Identifier: Apache-2.0
// Share links in use: who came with one, and how many watch.

package import Bytes
import Crypto

/// Why a link was not made.
package enum ShareFault: Error, Sendable, Equatable {
    case tooMany
    case label(String)
    case viewers

    package var message: String {
        switch self {
        case .tooMany: "there are \(ShareList.capacity) share links; revoke some"
        case .label(let problem): problem
        case .viewers: "viewers must be 1 to \(Share.maximumViewers)"
        }
    }
}

/// The links, and the browsers that opened one.
package struct ShareBook {
    /// More browsers with a link at the same time replace the ones that were not seen for longest.
    package static let maximumVisits = 4096
    /// Who does not ask for anything for this long does not count as a viewer any more.
    package static let viewerPatience = Duration.seconds(10)
    /// A browser that was not seen for this long has to open the link again.
    package static let visitPatience = Duration.seconds(86_400)

    private struct Visit {
        let share: String
        var seen: Instant
        /// When it last watched.
        var watched: Instant?
    }

    package private(set) var list: ShareList
    private var visits: [SessionKey: Visit] = [:]
    private let random: (Int) -> [UInt8]

    /// Starts with links.
    ///
    /// - Parameter random: unpredictable bytes, for links and cookies.
    package init(_ list: ShareList, random: @escaping (Int) -> [UInt8] = SecureRandom.bytes) {
        self.list = list
        self.random = random
    }

    /// The links that are good; `utc` is in seconds since 1970.
    package func shares(at utc: Int64) -> [Share] { list.shares.filter { $0.isValid(at: utc) } }

    /// Takes other links; whose link is gone has to go.
    package mutating func replace(_ list: ShareList) { self.list = list }

    /// Makes a link.
    ///
    /// - Parameters:
    ///   - lifetime: in seconds; nil for ever.
    ///   - utc: seconds since 1970.
    /// - Returns: what is kept, and the link's token, which is shown once.
    package mutating func add(
        camera: String,
        lifetime: Int64?,
        viewers: Int,
        label: String,
        by user: String,
        utc: Int64
    ) throws(ShareFault) -> (share: Share, token: String) {
        if let problem = Share.problem(withLabel: label) { throw .label(problem) }
        guard (1...Share.maximumViewers).contains(viewers) else { throw .viewers }
        list.removeExpired(at: utc)
        let token = Ticket.make(random)
        var id = ""
        repeat {
            let bytes = random(4)
            id = Hexadecimal.text(bytes.span)
        } while list.shares.contains { $0.id == id }
        let share = Share(
            id: id,
            hash: Ticket.hash(token),
            camera: camera,
            expires: lifetime.map { utc.addingReportingOverflow($0).partialValue },
            viewers: viewers,
            by: user,
            made: utc,
            label: label
        )
        guard list.add(share) else { throw .tooMany }
        return (share, token)
    }

    /// Revokes a link; nil if there is none of that name.
    package mutating func revoke(_ id: String) -> Share? { list.remove(id) }

    /// Somebody opens a link.
    ///
    /// - Returns: the link and the cookie of the visit; nil for no link that is good.
    package mutating func open(_ token: String, utc: Int64, at now: Instant) -> (share: Share, cookie: String)? {
        guard token.utf8.count <= Ticket.maximumLength else { return nil }
        let hash = Ticket.hash(token)
        guard let share = list.shares.first(where: { $0.hash == hash && $0.isValid(at: utc) }) else { return nil }
        if visits.count >= Self.maximumVisits { makeRoom(at: now) }
        let cookie = Ticket.make(random)
        if let key = SessionKey(cookie: cookie) { visits[key] = Visit(share: share.id, seen: now, watched: nil) }
        return (share, cookie)
    }

    /// The link with which somebody came; nil once it is no good.
    package mutating func share(of key: SessionKey, utc: Int64, at now: Instant) -> Share? {
        guard let visit = visits[key], now - visit.seen <= Self.visitPatience,
            let share = list.shares.first(where: { $0.id == visit.share && $0.isValid(at: utc) })
        else {
            visits[key] = nil
            return nil
        }
        visits[key]?.seen = now
        return share
    }

    /// Notes that somebody watches; false if so many others do that he must not.
    package mutating func watch(_ key: SessionKey, _ share: Share, at now: Instant) -> Bool {
        guard let visit = visits[key], visit.share == share.id else { return false }
        guard isWatching(visit, at: now) || viewers(of: share.id, at: now) < share.viewers else { return false }
        visits[key]?.watched = now
        return true
    }

    /// How many watch with a link now.
    package func viewers(of id: String, at now: Instant) -> Int {
        visits.values.count { $0.share == id && isWatching($0, at: now) }
    }

    private func isWatching(_ visit: Visit, at now: Instant) -> Bool {
        visit.watched.map { now - $0 <= Self.viewerPatience } ?? false
    }

    private mutating func makeRoom(at now: Instant) {
        // A quarter at once, so that the search is paid for by many visits.
        let oldest = visits.sorted { $0.value.seen < $1.value.seen }.prefix(Self.maximumVisits / 4)
        for (key, _) in oldest { visits[key] = nil }
    }
}
