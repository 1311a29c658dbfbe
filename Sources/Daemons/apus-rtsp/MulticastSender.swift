// SPDX-License-Identifier: Apache-2.0
// One stream sent to a multicast group: once, whatever the number of listeners.

import Bytes
import Config
import FanOut
import Log
import Loop
import RTP
import RTSP
import System

/// Sends the tracks of a stream that somebody listens to.
final class MulticastSender {
    let group: MulticastGroup
    private let ports: DatagramPorts
    private unowned let server: Server
    private var tracks: [Int: (track: PlayedTrack, listeners: Int)] = [:]
    private var reports: LoopTimer?

    private static let reportInterval = Duration.seconds(5)

    /// Binds the ports that packets come from.
    init(_ group: MulticastGroup, _ server: Server) throws(SystemError) {
        self.group = group
        self.server = server
        // An address of the group's family: the server's own if it has one.
        let listen = server.configuration.listen
        let isIPv6 = group.address.contains(":")
        let host = SocketAddress(host: listen, port: 0).flatMap { $0.isIPv6 == isIPv6 ? listen : nil }
        let any = isIPv6 ? "::" : "0.0.0.0"
        guard let address = SocketAddress(host: host ?? any, port: 0) else {
            throw SystemError("multicast to \(group.address)", code: 0)
        }
        ports = try DatagramPorts(host: address, loop: server.loop, log: server.log)
        ports.setTimeToLive(group.timeToLive)
    }

    deinit {
        reports?.cancel()
        ports.close()
    }

    /// Where a track's packets go, for the answer to SETUP.
    func transport(track number: Int) -> RTSPTransport.Group {
        let port = port(number)
        return .init(group.address, .init(port, port + 1), timeToLive: group.timeToLive)
    }

    /// Somebody listens to a track from now on.
    func join(_ number: Int, _ feed: Feed) {
        if let (track, listeners) = tracks[number] {
            tracks[number] = (track, listeners + 1)
            // Who comes later cannot be sent what is past: the next keyframe is its first picture.
            feed.requestKeyframe()
            return
        }
        guard let rtp = SocketAddress(host: group.address, port: port(number)),
            let rtcp = SocketAddress(host: group.address, port: port(number) + 1)
        else { return }
        let path = DatagramPath(ports, rtp: rtp, rtcp: rtcp)
        let track = PlayedTrack(number, feed, .datagrams(path), server)
        tracks[number] = (track, 1)
        path.sendReport(track.senderReport(name: server.canonicalName))
        track.start(at: feed.start(notBefore: nil))
        track.framesPublished()
        if reports == nil {
            reports = server.loop.timer(every: Self.reportInterval) { [unowned self] in sendReports() }
        }
    }

    /// Somebody listens no more; pairs with `join`.
    func leave(_ number: Int) {
        guard let (track, listeners) = tracks[number] else { return }
        if listeners > 1 {
            tracks[number] = (track, listeners - 1)
            return
        }
        track.stop()
        tracks[number] = nil
        if tracks.isEmpty {
            reports?.cancel()
            reports = nil
        }
    }

    /// Each track has two ports of its own.
    private func port(_ number: Int) -> UInt16 { group.port + 2 * UInt16(number) }

    private func sendReports() {
        for (track, _) in tracks.values {
            guard case .datagrams(let path) = track.delivery else { continue }
            path.sendReport(track.senderReport(name: server.canonicalName))
        }
    }
}
