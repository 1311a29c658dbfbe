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
    /// Where packets come from.
    private let address: SocketAddress
    private let ports: DatagramPorts
    private unowned let server: Server
    private var tracks: [Int: (track: PlayedTrack, listeners: Int)] = [:]
    private var reports: LoopTimer?
    /// Where listeners' reports come, and what reads them: by tracks' numbers.
    private var hearing: [Int: (socket: Hearing, watch: Watch)] = [:]
    /// Called with who reports of what it receives, so shows that it is there.
    private let onReport: (SocketAddress) -> Void

    private static let reportInterval = Duration.seconds(5)

    /// Binds the ports that packets come from.
    init(
        _ group: MulticastGroup,
        _ server: Server,
        onReport: @escaping (SocketAddress) -> Void
    ) throws(SystemError) {
        self.group = group
        self.server = server
        self.onReport = onReport
        // An address of the group's family: the server's own if it has one.
        let listen = server.configuration.listen
        let isIPv6 = group.address.contains(":")
        let host = SocketAddress(host: listen, port: 0).flatMap { $0.isIPv6 == isIPv6 ? listen : nil }
        let any = isIPv6 ? "::" : "0.0.0.0"
        guard let address = SocketAddress(host: host ?? any, port: 0) else {
            throw SystemError("multicast to \(group.address)", code: 0)
        }
        self.address = address
        ports = try DatagramPorts(host: address, loop: server.loop, log: server.log)
        ports.setTimeToLive(group.timeToLive)
        ports.onOther = onReport
    }

    deinit {
        reports?.cancel()
        for (_, watch) in hearing.values { watch.cancel() }
        ports.close()
    }

    /// Where a track's packets go, for the answer to SETUP.
    func transport(track number: Int) -> RTSPTransport.Group {
        let port = port(number)
        return .init(group.address, .init(port, port + 1), timeToLive: group.timeToLive)
    }

    /// Takes limits that have changed.
    func take(_ pace: Pace, maximumLatency: Duration) {
        for (track, _) in tracks.values { track.take(pace, maximumLatency: maximumLatency) }
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
        hear(rtcp, number)
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
        sayGoodbye(track)
        tracks[number] = nil
        hearing.removeValue(forKey: number)?.watch.cancel()
        if tracks.isEmpty {
            reports?.cancel()
            reports = nil
        }
    }

    /// Listens to the group for reports; without them listeners show that they are there by requests only.
    private func hear(_ rtcp: SocketAddress, _ number: Int) {
        do throws(SystemError) {
            let hearing = Hearing(socket: try Socket.bindGroup(rtcp, interface: address))
            let watch = try server.loop.watch(hearing.socket.raw, .read) { [unowned self] _ in
                hearing.receive(onReport)
            }
            self.hearing[number] = (hearing, watch)
        } catch {
            server.log.warn("listeners' reports are not heard", ["group": rtcp, "error": error])
        }
    }

    /// Tells listeners that nothing comes any more (RFC 3550 §6.6).
    private func sayGoodbye(_ track: PlayedTrack) {
        guard case .datagrams(let path) = track.delivery else { return }
        var bytes: [UInt8] = []
        RTCP.appendGoodbye(source: track.feed.source, name: server.canonicalName, to: &bytes)
        path.sendReport(bytes)
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

/// A socket on which a group is heard.
private final class Hearing {
    let socket: FileDescriptor
    private var buffer = [UInt8](repeating: 0, count: 1500)

    /// So many datagrams are taken in a turn.
    private static let batch = 64

    init(socket: consuming FileDescriptor) { self.socket = socket }

    /// Tells who has sent something.
    func receive(_ note: (SocketAddress) -> Void) {
        for _ in 0..<Self.batch {
            var sender = SocketAddress()
            var span = buffer.mutableSpan
            guard case .bytes? = try? Socket.receive(socket.raw, into: &span, from: &sender) else { return }
            note(sender)
        }
    }
}
