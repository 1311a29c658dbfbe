// SPDX-License-Identifier: Apache-2.0
// The two UDP ports of one track.

import Bytes
import Loop
import System

/// An even port for RTP and the next one for RTCP (RFC 3550 §11), for one server.
final class PortPair {
    /// So many pairs are tried; ports next to a free one are nearly always free.
    private static let attempts = 64
    /// Datagrams taken in a turn of the loop.
    private static let batch = 256
    /// Bytes that the kernel may hold of a burst: a keyframe of a big picture.
    private static let receiveBuffer: Int32 = 4 << 20

    let rtpPort: UInt16
    var rtcpPort: UInt16 { rtpPort + 1 }
    /// Called with each datagram of the server's: whether it came to the RTCP port, and the bytes.
    var onDatagram: ((Bool, Span<UInt8>) -> Void)?
    /// Called after the datagrams of one turn.
    var onBatch: (() -> Void)?
    /// Where the server's RTP and RTCP go; only its host is believed, as the ports may be translated.
    var rtpPeer: SocketAddress
    var rtcpPeer: SocketAddress

    private let rtp: FileDescriptor
    private let rtcp: FileDescriptor
    private var watches: [Watch] = []
    private var buffer = [UInt8](repeating: 0, count: 65_536)

    /// Binds a pair of free ports at `local`, to talk with `server`.
    init(loop: EventLoop, local: SocketAddress, server: SocketAddress) throws(SystemError) {
        rtpPeer = server
        rtcpPeer = server
        var found: Pair?
        var failure = SystemError("bind a pair of UDP ports", code: 0)
        for _ in 0..<Self.attempts where found == nil {
            var address = local
            address.port = 0
            let first = try Socket.bindUDP(address)
            let port = try Socket.localAddress(first.raw).port
            guard port % 2 == 0 else { continue }
            address.port = port + 1
            do throws(SystemError) {
                found = Pair(rtp: first, rtcp: try Socket.bindUDP(address), port: port)
            } catch {
                failure = error
            }
        }
        guard let pair = found else { throw failure }
        rtpPort = pair.port
        rtp = pair.rtp
        rtcp = pair.rtcp
        Socket.setOption(rtp.raw, .receiveBuffer, Self.receiveBuffer)
        for (fd, isControl) in [(rtp.raw, false), (rtcp.raw, true)] {
            watches.append(try loop.watch(fd, .read) { [unowned self] _ in receive(fd, isControl) })
        }
    }

    private struct Pair: ~Copyable {
        let rtp: FileDescriptor
        let rtcp: FileDescriptor
        let port: UInt16
    }

    deinit { for watch in watches { watch.cancel() } }

    /// Closes the ports; nothing is called any more.
    func close() {
        for watch in watches { watch.cancel() }
        watches.removeAll()
        onDatagram = nil
        onBatch = nil
    }

    /// Sends an RTP packet; what does not go is lost, as on the way.
    func sendPacket(_ bytes: Span<UInt8>) { _ = try? Socket.send(rtp.raw, bytes, to: rtpPeer) }

    /// Sends an RTCP packet.
    func sendReport(_ bytes: Span<UInt8>) { _ = try? Socket.send(rtcp.raw, bytes, to: rtcpPeer) }

    private func receive(_ fd: Int32, _ isControl: Bool) {
        var datagram: [UInt8] = []
        swap(&datagram, &buffer)
        for _ in 0..<Self.batch {
            var sender = SocketAddress()
            var span = datagram.mutableSpan
            // An error is about an earlier datagram of ours that did not arrive: the next may be good.
            guard let result = try? Socket.receive(fd, into: &span, from: &sender) else { continue }
            guard case .bytes(let count) = result else { break }
            // Anybody can send to a port.
            guard sender.hasSameHost(as: rtpPeer) else { continue }
            onDatagram?(isControl, datagram.span.extracting(..<count))
            if onDatagram == nil { break }
        }
        swap(&datagram, &buffer)
        onBatch?()
    }
}
