// SPDX-License-Identifier: Apache-2.0
// Pairs the two connections of each HTTP tunnel by its cookie.

package import Bytes

/// Why half a tunnel is refused.
package enum TunnelRefusal: Error, Sendable, Hashable {
    /// A POST whose cookie belongs to no GET from that address.
    case unknown
    /// A GET whose cookie is in use.
    case taken
    /// More tunnels wait for their POST than the limit allows.
    case tooMany
}

/// The HTTP tunnels of a server: which connection's requests come in on which other one.
///
/// A client chooses its cookie, so a cookie counts together with the address that it came from: nobody can put requests
/// into the tunnel of another host.
package struct TunnelTable: Sendable {
    /// Tunnels of one address that may wait for their POST at a time.
    package static let halfOpenLimitPerHost = 8
    /// How long a tunnel may wait for its first POST.
    package static let patience = Duration.seconds(10)

    /// Numbers a connection.
    package typealias ConnectionNumber = Int

    private struct Key: Hashable {
        var cookie: String
        var host: String
    }

    private struct Tunnel {
        var output: ConnectionNumber
        var input: ConnectionNumber?
        /// Until when the first POST has to come; nil when it has.
        var deadline: Instant?
    }

    private let halfOpenLimit: Int
    private var tunnels: [Key: Tunnel] = [:]
    private var keys: [ConnectionNumber: Key] = [:]

    /// At most `halfOpenLimit` tunnels may wait for their POST at a time.
    package init(halfOpenLimit: Int = 64) { self.halfOpenLimit = halfOpenLimit }

    /// True if there is a tunnel with that cookie from that address.
    package func contains(cookie: String, host: String) -> Bool { tunnels[Key(cookie: cookie, host: host)] != nil }

    /// Opens a tunnel on the connection that a GET came on.
    package mutating func open(
        cookie: String,
        host: String,
        output: ConnectionNumber,
        at now: Instant
    ) throws(TunnelRefusal) {
        let key = Key(cookie: cookie, host: host)
        guard tunnels[key] == nil, keys[output] == nil else { throw .taken }
        let waiting = tunnels.filter { $0.value.deadline != nil }
        guard waiting.count < halfOpenLimit, waiting.count(where: { $0.key.host == host }) < Self.halfOpenLimitPerHost
        else { throw .tooMany }
        tunnels[key] = Tunnel(output: output, deadline: now + Self.patience)
        keys[output] = key
    }

    /// Joins the connection that a POST came on to its tunnel.
    ///
    /// - Returns: the connection of the GET, and that of an earlier POST, which the new one replaces.
    package mutating func join(
        cookie: String,
        host: String,
        input: ConnectionNumber
    ) throws(TunnelRefusal) -> (output: ConnectionNumber, replaced: ConnectionNumber?) {
        let key = Key(cookie: cookie, host: host)
        guard var tunnel = tunnels[key], tunnel.output != input, keys[input] == nil else { throw .unknown }
        let replaced = tunnel.input
        if let replaced { keys[replaced] = nil }
        tunnel.input = input
        tunnel.deadline = nil
        tunnels[key] = tunnel
        keys[input] = key
        return (tunnel.output, replaced)
    }

    /// Forgets a connection that has ended; a tunnel ends with its GET, and outlives its POST.
    ///
    /// - Returns: the connection of the POST that has to be closed too.
    package mutating func remove(_ connection: ConnectionNumber) -> ConnectionNumber? {
        guard let key = keys.removeValue(forKey: connection), let tunnel = tunnels[key] else { return nil }
        guard tunnel.output == connection else {
            tunnels[key]?.input = nil
            return nil
        }
        tunnels[key] = nil
        if let input = tunnel.input { keys[input] = nil }
        return tunnel.input
    }

    /// The tunnels whose POST has not come in time, by the connection of their GET.
    package func expired(at now: Instant) -> [ConnectionNumber] {
        tunnels.values.filter { tunnel in tunnel.deadline.map { now >= $0 } ?? false }.map(\.output)
    }
}
