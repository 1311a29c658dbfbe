// SPDX-License-Identifier: Apache-2.0
// The floor of motion JPEG: the same bytes with the same system calls, and nothing else.

import Bytes
import FanOut
import HTTP
import Loop
import Media
import System

/// A process that sends each picture to each connection with one call, and the rest when there is room.
final class PictureFloor {
    private final class Client {
        let socket: Int32
        var image: WireImage?
        var sent = 0
        var watch: Watch?

        init(_ socket: Int32) { self.socket = socket }
    }

    private let loop: EventLoop
    private var clients: [Client] = []
    private var newest: WireImage?

    /// Sends pictures of `length` bytes over so many connections to `port`, thirty a second.
    static func run(port: UInt16, viewers: Int, length: Int) throws {
        let floor = PictureFloor(try EventLoop())
        try floor.connect(port, viewers)
        floor.loop.timer(every: BenchStream.interval) { floor.send(BenchPicture.make(length, Clock.monotonic())) }
        try floor.loop.run()
    }

    private init(_ loop: EventLoop) { self.loop = loop }

    private func connect(_ port: UInt16, _ viewers: Int) throws(SystemError) {
        guard let address = SocketAddress(host: "127.0.0.1", port: port) else { return }
        let head = Array("HTTP/1.1 200 OK\r\n\r\n".utf8) + Multipart.opening
        for _ in 0..<viewers {
            let socket = try Socket.connectTCP(address)
            // As apus-http has them.
            Socket.setOption(socket.raw, .noDelay, 1)
            Socket.setOption(socket.raw, .sendBuffer, 256 << 10)
            Socket.setOption(socket.raw, .unsentLowWater, 128 << 10)
            let client = Client(socket.release())
            client.watch = try loop.watch(client.socket, .read) { [unowned self, unowned client] readiness in
                if readiness.contains(.writable) { flush(client) }
            }
            _ = try Socket.send(client.socket, head.span)
            clients.append(client)
        }
    }

    private func send(_ picture: [UInt8]) {
        var packets = PacketImage()
        Multipart.writeFields(length: picture.count, capturedMicroseconds: 0, into: &packets.bytes)
        packets.bytes += picture
        packets.bytes += Multipart.delimiter
        let now = Clock.monotonic()
        let info = FrameInfo(sequence: 1, captured: now, published: now, flags: [], length: picture.count)
        let image = WireImage(packets, info: info)
        for client in clients where client.image == nil {
            client.image = image
            client.sent = 0
            flush(client)
        }
    }

    private func flush(_ client: Client) {
        guard let image = client.image else { return }
        while client.sent < image.count {
            guard case .bytes(let count)? = try? image.send(client.socket, from: client.sent) else {
                try? client.watch?.modify([.read, .write])
                return
            }
            client.sent += count
        }
        client.image = nil
        try? client.watch?.modify(.read)
    }
}
