// SPDX-License-Identifier: Apache-2.0
// Who watches by HLS: a player makes one request after the other, over as many connections as it likes.

import Access
import Bytes
import FanOut
import HTTP
import Loop
import System

/// One who watches a stream by HLS.
final class HLSSession {
    let camera: String
    let stream: String
    let since: Instant
    let meter: ViewerMeter
    fileprivate(set) var seen: Instant
    /// The connections that it came by last.
    fileprivate var clients: Set<Int> = []

    fileprivate init(_ feed: MovieFeed, _ meter: ViewerMeter) {
        camera = feed.camera
        stream = feed.stream
        since = feed.loop.now
        seen = since
        self.meter = meter
    }
}

/// All who watch by HLS, told apart by address, by who they are, and by the stream.
final class HLSSessions {
    /// Who asks for nothing for this long watches no more.
    static let patience = Duration.seconds(10)
    /// Who was sent away is not served for this long: a player would just ask for the next segment.
    static let banishment = Duration.seconds(30)
    /// More are served, but not counted.
    static let maximumCount = 1024

    private var sessions: [String: HLSSession] = [:]
    /// Until when they are not served.
    private var banished: [String: Instant] = [:]

    /// What a request belongs to.
    enum Visit {
        /// A viewer; nil if there are too many to be counted.
        case viewer(HLSSession?)
        /// Somebody who was sent away, for so long yet.
        case banished(Duration)
    }

    /// Takes a request as a sign of life.
    func visit(_ exchange: Exchange, _ feed: MovieFeed) -> Visit {
        let now = feed.loop.now
        let who = exchange.grant?.name ?? ""
        let key = "\(exchange.client.connection.peer.host) \(who) \(feed.name)"
        if let end = banished[key], end > now { return .banished(end - now) }
        if let session = sessions[key] {
            session.seen = now
            session.clients.insert(exchange.client.id)
            return .viewer(session)
        }
        guard sessions.count < Self.maximumCount else { return .viewer(nil) }
        let session = HLSSession(feed, exchange.server.meter(feed.camera, feed.stream, "hls"))
        session.clients.insert(exchange.client.id)
        sessions[key] = session
        return .viewer(session)
    }

    /// Who watches over a connection; nil for nobody.
    func session(of client: Client) -> HLSSession? { sessions.values.first { $0.clients.contains(client.id) } }

    /// Ends those who have not asked for anything for a while. Called once a second.
    func expire(at now: Instant) {
        for (key, session) in sessions where now - session.seen > Self.patience { end(key, session) }
        for (key, end) in banished where end <= now { banished[key] = nil }
    }

    /// A connection has ended; its viewer may come by another one.
    func closed(_ client: Client) {
        for session in sessions.values { session.clients.remove(client.id) }
    }

    /// Sends away who watches over a connection, if anybody does; returns all connections of theirs.
    func banish(_ client: Client, at now: Instant) -> Set<Int> {
        var clients: Set<Int> = []
        for (key, session) in sessions where session.clients.contains(client.id) {
            clients.formUnion(session.clients)
            if banished.count < Self.maximumCount { banished[key] = now + Self.banishment }
            end(key, session)
        }
        return clients
    }

    private func end(_ key: String, _ session: HLSSession) {
        session.meter.leave()
        sessions[key] = nil
    }
}
