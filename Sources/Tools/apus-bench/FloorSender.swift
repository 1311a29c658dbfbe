// SPDX-License-Identifier: Apache-2.0
// The floor of a fan-out: the same bytes with the same system calls, and nothing else.

import Bytes
import FanOut
import Loop
import Media
import RTP
import System

/// A process that does only what no server can avoid: one send per frame and client.
enum FloorSender {
    /// Sends to `ports`, over so many connections to the first of them (tcp) or as datagrams to each (udp).
    ///
    /// - Parameter relays: the frames come on the standard input, each behind its length, and are not made here.
    static func run(transport: String, viewers: Int, bitrate: Int, ports: [UInt16], relays: Bool) throws {
        let loop = try EventLoop()
        guard var address = SocketAddress(host: "127.0.0.1", port: ports.first ?? 0) else { return }
        var sockets: [Int32] = []
        if transport == "tcp" {
            for _ in 0..<viewers {
                let socket = try Socket.connectTCP(address)
                Socket.setOption(socket.raw, .noDelay, 1)
                sockets.append(socket.release())
            }
        } else {
            sockets = [try Socket.bindUDP(SocketAddress(host: "127.0.0.1", port: 0) ?? address).release()]
            Socket.setOption(sockets[0], .sendBuffer, 4 << 20)
        }
        let addresses = ports.map { port in
            address.port = port
            return address
        }
        var stream = BenchStream(bitrate: bitrate)
        var packetizer = RTPPacketizer(.nal(.h264), payloadType: 96, source: 1, firstSequence: 0)
        var scratch = PacketImage()
        let send = { (frame: [UInt8], now: Instant) in
            guard (try? packetizer.packetize(frame.span, timestamp: 0, into: &scratch)) != nil else { return }
            let image = WireImage(
                scratch,
                info: FrameInfo(sequence: 1, captured: now, published: now, flags: [], length: frame.count)
            )
            if transport == "tcp" {
                for socket in sockets { _ = try? image.send(socket, from: 0) }
            } else {
                for address in addresses { _ = try? image.sendPackets(sockets[0], to: address) }
            }
        }
        if relays {
            var input: [UInt8] = []
            try loop.watch(0, .read) { _ in
                guard case .some(.bytes) = try? read(0, appendingTo: &input, atMost: 1 << 20) else { Process.exit(0) }
                while let frame = takeFrame(&input) { send(frame, Clock.monotonic()) }
            }
        } else {
            loop.timer(every: BenchStream.interval) {
                let now = Clock.monotonic()
                send(stream.next(now).frame, now)
            }
        }
        try loop.run()
    }

    /// Takes a frame off the front of `input`.
    private static func takeFrame(_ input: inout [UInt8]) -> [UInt8]? {
        guard input.count >= 4 else { return nil }
        let length = input[..<4].reduce(0) { $0 << 8 | Int($1) }
        guard input.count - 4 >= length else { return nil }
        defer { input.removeFirst(4 + length) }
        return Array(input[4..<(4 + length)])
    }
}
