// SPDX-License-Identifier: Apache-2.0
// Connections with TLS: the same order of images and replies, a slow peer, plain bytes, a goodbye.

import Bytes
import Crypto
import FanOut
import Loop
import Media
import System
import Testing

/// A connection with TLS on one end of a pair of sockets, and a client on the other.
private final class SecurePair {
    let loop: EventLoop
    let connection: Connection
    let client: TLSEngine
    let peer: FileDescriptor
    var heard: [UInt8] = []
    var reasons: [CloseReason] = []

    init() throws {
        let folder = "/tmp/apus-fanout-test-\(Random.uint64())"
        try File.makeDirectory(folder, mode: 0o700)
        let made = try SelfSignedCertificate(names: ["localhost"], days: 1)
        try File.replace(folder + "/crt", with: Array(made.certificate.utf8).span, mode: 0o600)
        try File.replace(folder + "/key", with: Array(made.key.utf8).span, mode: 0o600)
        let context = try TLSContext.server(certificate: folder + "/crt", key: folder + "/key")
        for name in ["/crt", "/key"] { File.remove(folder + name) }
        File.removeDirectory(folder)
        client = try TLSEngine(.client(trust: .anybody))
        loop = try EventLoop()
        let pair = try Socket.pair(.stream)
        peer = try FileDescriptor.duplicating(pair.second.raw)
        connection = Connection(
            ConnectionHub(loop: loop),
            socket: pair.takeFirst(),
            peer: SocketAddress(),
            tls: try TLSEngine(context)
        )
        connection.onClose = { [unowned self] in reasons.append($0) }
    }

    /// Lets both sides work once; the client takes at most `count` bytes. False when the connection has ended.
    func turn(atMost count: Int = 1 << 16) throws -> Bool {
        let words = client.takeOutput()
        if !words.isEmpty { _ = try Socket.send(peer.raw, words.span) }
        try loop.turn(waitingUntil: Clock.monotonic())
        var bytes: [UInt8] = []
        if case .endOfStream = try read(peer.raw, appendingTo: &bytes, atMost: count) { return false }
        if client.state != .ended { try client.receive(bytes.span, into: &heard) }
        return true
    }
}

@Suite("Secure connection")
struct SecureConnectionTests {
    private func makeImage(_ byte: UInt8, _ length: Int) -> WireImage {
        var image = PacketImage()
        image.bytes = [UInt8](repeating: byte, count: length)
        return WireImage(
            image,
            info: FrameInfo(sequence: 1, captured: .zero, published: .zero, flags: [], length: length)
        )
    }

    @Test("replies never cut into an image, and a slow peer holds one record only")
    func order() throws {
        let pair = try SecurePair()
        let connection = pair.connection
        var images = [makeImage(1, 2_000_000), makeImage(2, 0), makeImage(3, 500_000)]
        connection.nextImage = { images.isEmpty ? nil : images.removeFirst() }
        try connection.start()
        connection.pump()
        #expect(connection.isShakingHands && images.count == 3)

        connection.send([9, 9, 9])
        while connection.isShakingHands, try pair.turn() {}
        while pair.heard.count < 2_500_003, try pair.turn(atMost: 50_000) {
            let image = pair.heard.count < 2_000_003 ? 2_000_000 : 500_000
            #expect(connection.pendingBytes <= image + 3 + (17 << 10))
        }

        let runs = pair.heard.reduce(into: [(byte: UInt8, count: Int)]()) { runs, byte in
            if runs.last?.byte == byte { runs[runs.count - 1].count += 1 } else { runs.append((byte, 1)) }
        }
        #expect(runs.map(\.byte) == [9, 1, 3])
        #expect(runs.map(\.count) == [3, 2_000_000, 500_000])
        #expect(connection.pendingBytes == 0 && connection.isOpen)
    }

    @Test("what the peer says is heard decrypted, and its goodbye ends the connection")
    func input() throws {
        let pair = try SecurePair()
        let connection = pair.connection
        try connection.start()
        while pair.client.state == .handshaking, try pair.turn() {}
        try pair.client.send(Array("OPTIONS".utf8).span)
        pair.client.close()
        var heard: [UInt8] = []
        connection.onInput = {
            heard += connection.input
            connection.input = []
        }

        while pair.reasons.isEmpty, try pair.turn() {}

        #expect(heard == Array("OPTIONS".utf8))
        #expect(pair.reasons == [.peer])
    }

    @Test("plain bytes end the connection without reaching its owner")
    func plain() throws {
        let pair = try SecurePair()
        let connection = pair.connection
        var calls = 0
        connection.onInput = { calls += 1 }
        try connection.start()

        _ = try Socket.send(pair.peer.raw, Array("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n".utf8).span)
        try pair.loop.turn(waitingUntil: Clock.monotonic() + .seconds(5))

        #expect(calls == 0)
        #expect(!connection.isOpen)
        guard case .insecure(let error)? = pair.reasons.first else {
            Issue.record("the reason is \(pair.reasons)")
            return
        }
        #expect(error.operation == "TLS handshake")
    }

    @Test("a connection that closes when all is sent says goodbye")
    func goodbye() throws {
        let pair = try SecurePair()
        try pair.connection.start()
        while pair.client.state == .handshaking, try pair.turn() {}

        pair.connection.send([5])
        pair.connection.closeWhenSent()
        while pair.client.state == .open, try pair.turn() {}

        #expect(pair.heard == [5])
        #expect(pair.client.state == .closedByPeer)
    }
}
