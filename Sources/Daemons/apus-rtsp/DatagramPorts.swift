// SPDX-License-Identifier: Apache-2.0
// The pair of UDP ports that all clients share.

import Bytes
import FanOut
import Log
import Loop
import System

/// An even port for RTP and the next one for RTCP (RFC 3550 §11).
final class DatagramPorts {
    let rtpPort: UInt16
    let rtcpPort: UInt16
    /// What takes the datagrams that come from an address, and whose address it is.
    private var receivers: [SocketAddress.Key: (owner: ObjectIdentifier, receive: Receiver)] = [:]

    /// Called with who sends from an address that is nobody's.
    var onOther: ((SocketAddress) -> Void)?

    /// Takes a datagram; the first argument tells whether it came to the RTCP port.
    typealias Receiver = (_ isReport: Bool, Span<UInt8>) -> Void

    private let pair: Pair
    private let log: Logger
    private var watches: [Watch] = []
    private var buffer = [UInt8](repeating: 0, count: 2048)

    /// So many pairs are tried; ports next to a free one are nearly always free.
    private static let attempts = 64
    /// So many datagrams are taken in a turn.
    private static let batch = 64
    /// Bytes that the kernel may hold unsent for all clients together.
    private static let sendBuffer: Int32 = 4 << 20

    /// Bytes that may wait to be received from all publishers together.
    private static let receiveBuffer: Int32 = 4 << 20

    /// Binds a pair of free ports at `host`.
    init(host: SocketAddress, loop: EventLoop, log: Logger) throws(SystemError) {
        self.log = log
        pair = try Self.bindPair(host)
        rtpPort = pair.port
        rtcpPort = pair.port + 1
        Socket.setOption(pair.rtp.raw, .sendBuffer, Self.sendBuffer)
        Socket.setOption(pair.rtp.raw, .receiveBuffer, Self.receiveBuffer)
        // What players send to the RTP port opens the way through a firewall and is thrown away; publishers are heard.
        for (socket, isReport) in [(pair.rtp.raw, false), (pair.rtcp.raw, true)] {
            watches.append(try loop.watch(socket, .read) { [unowned self] _ in receive(socket, isReport: isReport) })
        }
    }

    /// Closes the ports.
    func close() {
        for watch in watches { watch.cancel() }
        watches.removeAll()
        receivers.removeAll()
        onOther = nil
    }

    /// How many routers multicast packets may pass, plus one.
    func setTimeToLive(_ limit: UInt8) {
        for socket in [pair.rtp.raw, pair.rtcp.raw] { Socket.setOption(socket, .multicastTimeToLive, Int32(limit)) }
    }

    /// True if no other client has the address: two clients of one host may name the same ports.
    func isFree(_ address: SocketAddress, for client: Client) -> Bool {
        receivers[address.key].map { $0.owner == ObjectIdentifier(client) } ?? true
    }

    /// Datagrams from `address`, which must be free for the client, go to `receiver`.
    func register(_ address: SocketAddress, for client: Client, _ receiver: @escaping Receiver) {
        precondition(isFree(address, for: client), "the address is another client's")
        receivers[address.key] = (ObjectIdentifier(client), receiver)
    }

    /// Ends what `register` began. Harmless when repeated.
    func unregister(_ address: SocketAddress, for client: Client) {
        if isFree(address, for: client) { receivers[address.key] = nil }
    }

    /// Sends packets of a frame; see `WireImage.sendPackets`.
    func send(_ image: WireImage, from first: Int, budget: Int, to address: SocketAddress) -> PacketsSent {
        do throws(SystemError) {
            return try image.sendPackets(pair.rtp.raw, to: address, from: first, budget: budget)
        } catch {
            log.debug("packets are not sent", ["address": address, "error": error])
            var lost = PacketsSent()
            lost.tried = image.packetCount - first
            return lost
        }
    }

    /// Sends an RTCP packet.
    func sendReport(_ bytes: [UInt8], to address: SocketAddress) {
        do throws(SystemError) {
            _ = try Socket.send(pair.rtcp.raw, bytes.span, to: address)
        } catch {
            log.debug("a report is not sent", ["address": address, "error": error])
        }
    }

    private func receive(_ socket: Int32, isReport: Bool) {
        // Taken out for the turn: a span cannot look into a class's property.
        var datagram: [UInt8] = []
        swap(&datagram, &buffer)
        defer { swap(&datagram, &buffer) }
        for _ in 0..<Self.batch {
            var sender = SocketAddress()
            var span = datagram.mutableSpan
            // An error is about an earlier datagram that did not arrive: the next may be good.
            guard let result = try? Socket.receive(socket, into: &span, from: &sender) else { continue }
            guard case .bytes(let count) = result else { return }
            if let receiver = receivers[sender.key] {
                receiver.receive(isReport, datagram.span.extracting(..<count))
            } else {
                onOther?(sender)
            }
        }
    }

    private struct Pair: ~Copyable {
        let rtp: FileDescriptor
        let rtcp: FileDescriptor
        let port: UInt16
    }

    private static func bindPair(_ host: SocketAddress) throws(SystemError) -> Pair {
        var failure = SystemError("bind a pair of UDP ports", code: 0)
        for _ in 0..<attempts {
            var address = host
            address.port = 0
            let first = try Socket.bindUDP(address)
            let port = try Socket.localAddress(first.raw).port
            guard port % 2 == 0 else { continue }
            address.port = port + 1
            do throws(SystemError) {
                return Pair(rtp: first, rtcp: try Socket.bindUDP(address), port: port)
            } catch {
                failure = error
            }
        }
        throw failure
    }
}
