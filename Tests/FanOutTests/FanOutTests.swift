// SPDX-License-Identifier: Apache-2.0
// Cursors, wire images and connections: who gets what, and what is skipped for whom.

import Bytes
import FanOut
import Loop
import Media
import Ring
import System
import Testing

/// A ring without a socket, filled by hand.
private struct Bench {
    let store: RingStore
    let view: RingView

    init(capacity: Int = 1 << 16) throws {
        store = try RingStore(
            name: "test",
            description: StreamDescription(video: .h264, width: 64, height: 48, frameRate: Rational(30)),
            capacity: capacity,
            slots: 256
        )
        view = try RingView(store.memory.raw)
    }

    func publish(_ count: Int = 1, length: Int = 10, keyframe: Bool = false) throws {
        for index in 0..<count {
            try store.publish(
                [UInt8](repeating: 1, count: length).span,
                captured: .zero,
                flags: keyframe && index == 0 ? .keyframe : []
            )
        }
    }
}

@Suite("Frame cursor")
struct FrameCursorTests {
    private let start = Clock.monotonic()

    private func cursor(_ limit: Duration = .seconds(2)) -> FrameCursor {
        FrameCursor(.everyFrame(maxLatency: limit), at: start)
    }

    /// Takes frames until there is none.
    private func drain(_ cursor: inout FrameCursor, _ view: RingView, at now: Instant) -> [UInt64] {
        var frames: [UInt64] = []
        while let frame = cursor.nextFrame(in: view, at: now) {
            frames.append(frame)
            cursor.sent(frame)
        }
        return frames
    }

    @Test("a client that joins starts at the newest keyframe and then gets every frame")
    func join() throws {
        let bench = try Bench()
        try bench.publish(5, keyframe: true)
        try bench.publish(3, keyframe: true)
        var cursor = cursor()

        #expect(drain(&cursor, bench.view, at: start) == [6, 7, 8])
        try bench.publish(2)
        #expect(drain(&cursor, bench.view, at: start) == [9, 10])
        #expect(cursor.drops == DropCounts())
    }

    @Test("without a keyframe in the ring a client waits for the next one")
    func awaitKeyframe() throws {
        let bench = try Bench()
        try bench.publish(5)
        var cursor = cursor()
        #expect(drain(&cursor, bench.view, at: start).isEmpty)
        #expect(cursor.needsKeyframe)

        try bench.publish(2)
        try bench.publish(2, keyframe: true)

        #expect(drain(&cursor, bench.view, at: start) == [8, 9])
        #expect(!cursor.needsKeyframe)
    }

    @Test("a client past its latency limit goes on at the newest keyframe, and the skipped frames are counted")
    func tooSlow() throws {
        let bench = try Bench()
        try bench.publish(3, keyframe: true)
        var cursor = cursor()
        _ = cursor.nextFrame(in: bench.view, at: start)
        cursor.sent(1)
        try bench.publish(4, keyframe: true)

        let late = start + .seconds(3)

        #expect(drain(&cursor, bench.view, at: late) == [4, 5, 6, 7])
        #expect(cursor.drops[.tooSlow] == 2 && cursor.drops.total == 2)
    }

    @Test("a latency limit that changes holds at once, and the client keeps its place")
    func otherLimit() throws {
        let bench = try Bench()
        try bench.publish(3, keyframe: true)
        var cursor = cursor(.seconds(10))
        _ = cursor.nextFrame(in: bench.view, at: start)
        cursor.sent(1)
        try bench.publish(4, keyframe: true)
        let late = start + .seconds(3)

        #expect(cursor.nextFrame(in: bench.view, at: late) == 2)
        cursor.policy = .everyFrame(maxLatency: .seconds(2))
        #expect(drain(&cursor, bench.view, at: late) == [4, 5, 6, 7])
    }

    @Test("a client past its limit without a newer keyframe waits for one")
    func tooSlowWithoutKeyframe() throws {
        let bench = try Bench()
        try bench.publish(5, keyframe: true)
        var cursor = cursor()
        _ = cursor.nextFrame(in: bench.view, at: start)
        cursor.sent(1)

        #expect(drain(&cursor, bench.view, at: start + .seconds(3)).isEmpty)
        #expect(cursor.needsKeyframe)
        try bench.publish(1)
        try bench.publish(1, keyframe: true)
        #expect(drain(&cursor, bench.view, at: start + .seconds(3)) == [7])
        #expect(cursor.drops[.tooSlow] == 4 && cursor.drops[.awaitingKeyframe] == 1)
    }

    @Test("a client whose next frame left the ring goes on at the newest keyframe")
    func overwritten() throws {
        let bench = try Bench()
        try bench.publish(1, keyframe: true)
        var cursor = cursor()
        _ = drain(&cursor, bench.view, at: start)

        try bench.publish(10, length: 20_000)
        try bench.publish(1, length: 20_000, keyframe: true)

        #expect(drain(&cursor, bench.view, at: start) == [12])
        #expect(cursor.drops[.overwritten] == 10 && cursor.drops.total == 10)
    }

    @Test("a client that wants the newest frame never gets an older one")
    func newestFrame() throws {
        let bench = try Bench()
        var cursor = FrameCursor(.newestFrame, at: start)
        try bench.publish(5)
        #expect(drain(&cursor, bench.view, at: start) == [5])
        try bench.publish(3)

        #expect(drain(&cursor, bench.view, at: start) == [8])
        #expect(cursor.drops[.superseded] == 2 && cursor.drops.total == 2)
    }

    @Test("after the producer's restart a client goes on at the new ring's newest keyframe")
    func restart() throws {
        let bench = try Bench()
        try bench.publish(5, keyframe: true)
        var cursor = cursor()
        _ = drain(&cursor, bench.view, at: start)

        let second = try Bench()
        try second.publish(2, keyframe: true)

        #expect(drain(&cursor, second.view, at: start) == [1, 2])
    }
}

@Suite("Wire images")
struct WireImageTests {
    @Test("a frame's image is built once for all who ask, and again only after it left the cache")
    func builtOnce() throws {
        let bench = try Bench()
        try bench.publish(40, keyframe: true)
        var built = 0
        let cache = WireCache { _, frame, image in
            built += 1
            image.bytes.append(frame)
        }

        for _ in 0..<10 { _ = cache.image(of: 40, in: bench.view) }
        #expect(built == 1)
        for sequence in 1...40 as ClosedRange<UInt64> { _ = cache.image(of: sequence, in: bench.view) }
        #expect(built == 40 || built == 41)
        guard case .notYet = cache.image(of: 41, in: bench.view) else {
            Issue.record("frame 41 is not published")
            return
        }
    }

    @Test("datagrams arrive whole, in order and unchanged, with and without the kernel's segmentation")
    func datagrams() throws {
        let sender = try Socket.bindUDP(try #require(SocketAddress(host: "127.0.0.1", port: 0)))
        let receiver = try Socket.bindUDP(try #require(SocketAddress(host: "127.0.0.1", port: 0)))
        let address = try Socket.localAddress(receiver.raw)
        let lengths = [30, 1400, 1400, 1400, 700, 700, 1400, 12] + [Int](repeating: 200, count: 70)
        var image = PacketImage()
        for (index, length) in lengths.enumerated() {
            image.bytes.append(contentsOf: [0x24, 0, 0, 0])
            image.packets.append(PacketRange(offset: image.bytes.count, length: length))
            image.bytes.append(contentsOf: repeatElement(UInt8(index), count: length))
        }
        let wire = WireImage(
            image,
            info: FrameInfo(sequence: 1, captured: .zero, published: .zero, flags: [], length: 1)
        )

        let sent = try wire.sendPackets(sender.raw, to: address)

        #expect(sent.taken == lengths.count && sent.tried == lengths.count)
        var buffer = [UInt8](repeating: 0, count: 2000)
        for (index, length) in lengths.enumerated() {
            #expect(try waitUntilReady(receiver.raw, timeout: .seconds(5)))
            var span = buffer.mutableSpan
            var from = SocketAddress()
            let result = try Socket.receive(receiver.raw, into: &span, from: &from)
            #expect(result == .bytes(length))
            #expect(buffer.prefix(length).allSatisfy { $0 == UInt8(index) })
        }
    }
}

@Suite("Connection")
struct ConnectionTests {
    private func makeImage(_ byte: UInt8, _ length: Int) -> WireImage {
        var image = PacketImage()
        image.bytes = [UInt8](repeating: byte, count: length)
        return WireImage(
            image,
            info: FrameInfo(sequence: 1, captured: .zero, published: .zero, flags: [], length: length)
        )
    }

    @Test("replies never cut into an image, and everything arrives in order through a slow peer")
    func order() throws {
        let loop = try EventLoop()
        let pair = try Socket.pair(.stream)
        let peer = try FileDescriptor.duplicating(pair.second.raw)
        let connection = Connection(ConnectionHub(loop: loop), socket: pair.takeFirst(), peer: SocketAddress())
        var images = [makeImage(1, 2_000_000), makeImage(2, 0), makeImage(3, 500_000)]
        connection.nextImage = { images.isEmpty ? nil : images.removeFirst() }
        try connection.start()

        connection.pump()
        connection.send([9, 9, 9])
        #expect(connection.isBlocked)
        var received: [UInt8] = []
        while received.count < 2_500_003 {
            try loop.turn(waitingUntil: Clock.monotonic())
            if case .endOfStream = try read(peer.raw, appendingTo: &received, atMost: 50_000) { break }
        }

        let runs = received.reduce(into: [(byte: UInt8, count: Int)]()) { runs, byte in
            if runs.last?.byte == byte { runs[runs.count - 1].count += 1 } else { runs.append((byte, 1)) }
        }
        #expect(runs.map(\.byte) == [1, 9, 3])
        #expect(runs.map(\.count) == [2_000_000, 3, 500_000])
        try loop.turn(waitingUntil: Clock.monotonic())
        #expect(!connection.isBlocked)
    }

    @Test("a peer that takes nothing is stalled, whatever it sends")
    func stall() throws {
        let loop = try EventLoop()
        let pair = try Socket.pair(.stream)
        let peer = try FileDescriptor.duplicating(pair.second.raw)
        let connection = Connection(ConnectionHub(loop: loop), socket: pair.takeFirst(), peer: SocketAddress())
        var images = [makeImage(1, 4_000_000)]
        connection.nextImage = { images.isEmpty ? nil : images.removeFirst() }
        try connection.start()
        #expect(!connection.isStalled(for: .zero))

        connection.pump()
        for _ in 0..<3 {
            _ = try Socket.send(peer.raw, [1, 2, 3].span)
            try loop.turn(waitingUntil: Clock.monotonic() + .milliseconds(2))
        }
        // What came ended the waits early.
        let later = Clock.monotonic() + .milliseconds(2)
        while Clock.monotonic() < later { try loop.turn(waitingUntil: later) }

        #expect(connection.input == [1, 2, 3, 1, 2, 3, 1, 2, 3])
        #expect(connection.isStalled(for: .milliseconds(1)) && !connection.isStalled(for: .seconds(60)))
    }

    @Test("a framed connection puts a header in front of every image and reply, also through a slow peer")
    func framing() throws {
        let loop = try EventLoop()
        let pair = try Socket.pair(.stream)
        let peer = try FileDescriptor.duplicating(pair.second.raw)
        let connection = Connection(ConnectionHub(loop: loop), socket: pair.takeFirst(), peer: SocketAddress())
        var images = [makeImage(1, 1_000_000), makeImage(2, 0), makeImage(3, 500_000)]
        connection.nextImage = { images.isEmpty ? nil : images.removeFirst() }
        connection.framing = { count, output in output += [7, UInt8(count & 0x3F), 7] }
        try connection.start()

        connection.pump()
        connection.send([9, 9])
        connection.sendUnframed([8])
        var received: [UInt8] = []
        while received.count < 1_500_015 {
            try loop.turn(waitingUntil: Clock.monotonic())
            if case .endOfStream = try read(peer.raw, appendingTo: &received, atMost: 50_000) { break }
        }

        let parts = [
            [7, 0, 7], [UInt8](repeating: 1, count: 1_000_000), [7, 2, 7, 9, 9, 8, 7, 0, 7, 7, 32, 7],
            [UInt8](repeating: 3, count: 500_000),
        ]
        let expected: [UInt8] = Array(parts.joined())
        #expect(received.elementsEqual(expected))
    }

    @Test("the peer's end is reported once, with its reason")
    func peerCloses() throws {
        let loop = try EventLoop()
        let pair = try Socket.pair(.stream)
        let connection = Connection(ConnectionHub(loop: loop), socket: pair.takeFirst(), peer: SocketAddress())
        var reasons: [CloseReason] = []
        connection.onClose = { reasons.append($0) }
        try connection.start()

        for _ in 0..<3 { try loop.turn(waitingUntil: Clock.monotonic() + .milliseconds(5)) }

        #expect(reasons == [.peer])
        #expect(!connection.isOpen)
    }
}
