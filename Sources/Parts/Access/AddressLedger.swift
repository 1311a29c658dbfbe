// SPDX-License-Identifier: Apache-2.0
// Failed attempts by address: slowed, then locked out, and forgotten again.

import Bytes

/// What an address has coming to it after failed attempts.
///
/// An IPv6 address counts by its /64, which is what one customer has. The list is bounded: the address that failed
/// longest ago makes room, so that many addresses cost memory for `capacity` of them and lock nobody else out.
struct AddressLedger: Sendable {
    /// Addresses that are remembered.
    static let capacity = 4096
    /// The longest wait between two attempts before the lock.
    static let longestWait = Duration.seconds(4)
    /// The first wait; it doubles with every failure.
    static let firstWait = Duration.milliseconds(250)

    enum Standing: Sendable, Equatable {
        case free
        /// The next attempt is looked at then.
        case slowed(until: Instant)
        case locked(until: Instant)
    }

    private struct Entry {
        var failures: Int
        var last: Instant
        /// Nothing is looked at before.
        var until: Instant
        var isLocked: Bool
        /// Who all attempts said they were; nil if they differed.
        var user: String?
    }

    private var entries: [String: Entry] = [:]

    /// How many addresses are remembered.
    var count: Int { entries.count }

    /// What holds for an address now.
    func standing(_ host: String, at now: Instant) -> Standing {
        guard let entry = entries[Self.key(host)], entry.until > now else { return .free }
        return entry.isLocked ? .locked(until: entry.until) : .slowed(until: entry.until)
    }

    /// Notes a failed attempt.
    ///
    /// - Returns: true if it is the one that locks the address.
    mutating func noteFailure(_ host: String, user: String, at now: Instant, limit: Int, lockout: Duration) -> Bool {
        let key = Self.key(host)
        var entry = entries[key] ?? Entry(failures: 0, last: now, until: now, isLocked: false, user: user)
        // What is long ago, or was atoned for, does not count any more.
        if entry.isLocked ? entry.until <= now : now - entry.last > lockout { entry.failures = 0 }
        if entry.failures == 0 { entry.user = user }
        if entry.user != user { entry.user = nil }
        entry.failures += 1
        entry.last = now
        entry.isLocked = entry.failures >= limit
        if entry.isLocked {
            entry.until = now + lockout
        } else {
            let doublings = min(entry.failures - 1, 8)
            entry.until = now + min(Self.longestWait, Self.firstWait * (1 << doublings))
        }
        if entries[key] == nil, entries.count >= Self.capacity { makeRoom(now, lockout) }
        entries[key] = entry
        return entry.isLocked
    }

    /// Notes that somebody at the address knew a password: having mistyped it before is forgiven.
    ///
    /// Attempts as other users are not, or one account would let its owner guess for ever.
    mutating func noteSuccess(_ host: String, user: String) {
        let key = Self.key(host)
        if entries[key]?.user == user { entries[key] = nil }
    }

    /// The addresses that are locked now, for reports.
    func locked(at now: Instant) -> [(host: String, until: Instant)] {
        entries.filter { $0.value.isLocked && $0.value.until > now }.map { ($0.key, $0.value.until) }
            .sorted { $0.host < $1.host }
    }

    private mutating func makeRoom(_ now: Instant, _ lockout: Duration) {
        entries = entries.filter { $0.value.until > now || now - $0.value.last <= lockout }
        guard entries.count >= Self.capacity else { return }
        // A quarter at once, so that the search is paid for by many failures.
        let oldest = entries.sorted { $0.value.last < $1.value.last }.prefix(Self.capacity / 4)
        for (key, _) in oldest { entries[key] = nil }
    }

    /// The address as it counts: IPv4 whole, of IPv6 the first 64 bits.
    static func key(_ host: String) -> String {
        guard host.contains(":") else { return host }
        let bare = host.prefix { $0 != "%" }
        let halves = bare.split(separator: ":", omittingEmptySubsequences: false)
        guard let gap = bare.firstRange(of: "::") else { return halves.prefix(4).joined(separator: ":") + "::/64" }
        let head = bare[..<gap.lowerBound].split(separator: ":")
        let tail = bare[gap.upperBound...].split(separator: ":")
        let zeros = max(0, 8 - head.count - tail.count)
        let groups = head.map(String.init) + Array(repeating: "0", count: zeros) + tail.map(String.init)
        return groups.prefix(4).joined(separator: ":") + "::/64"
    }
}
