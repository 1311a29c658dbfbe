// SPDX-License-Identifier: Apache-2.0
// The ring against its floor: a bare eventfd between two processes, and a bare copy in memory.

import Bytes
import Loop
import Media
import Ring
import System

/// Measures wake-ups and copies, each beside what the kernel and the memory do at best, in the same run.
enum RingBenchmark {
    static let rounds = 5000
    static let warmUp = 200
    static let frameLength = 16_384

    static func run() throws {
        // Alternating, so that a busy moment of the machine meets both.
        var ping: [Int64] = []
        var wake: [Int64] = []
        for _ in 0..<4 {
            ping += try measurePing()
            wake += try measureWake()
        }
        let (floor, ring) = (Samples(ping), Samples(wake))
        print("wake-up of a reader in another process, \(frameLength) byte frames")
        print("  bare eventfd:           \(floor.summary)")
        print("  publish → frame found:  \(ring.summary)")
        print("  ratio of the medians:   \(ratio(ring.quantile(0.5), floor.quantile(0.5)))  (at most 1.5)")
        measureCopies()
    }

    private static func ratio(_ value: Int64, _ floor: Int64) -> String {
        Samples.fixed(Double(value) / Double(max(1, floor)), 2)
    }

    // MARK: Wake-up

    /// Starts a reader, which says that it is ready and then answers each signal with the time that it took.
    private static func measure(
        _ arguments: [String],
        standardInput: Int32? = nil,
        whileStarting: (Int32) throws -> Void = { _ in },
        signal: () throws -> Void
    ) throws -> [Int64] {
        let pair = try Socket.pair(.stream)
        try setNonBlocking(pair.first.raw, false)
        var launch = Process.Launch(path: Process.executablePath, arguments: arguments)
        launch.standardInput = standardInput
        launch.standardOutput = pair.second.raw
        let pid = try Process.spawn(launch)
        try whileStarting(pair.first.raw)
        var samples: [Int64] = []
        for round in 0...(rounds + warmUp) {
            var answer: [UInt8] = []
            guard try waitUntilReady(pair.first.raw, timeout: .seconds(10)),
                case .bytes(8) = try read(pair.first.raw, appendingTo: &answer, atMost: 8)
            else { throw SystemError("the reader does not answer", code: 110) }
            var reader = ByteReader(answer.span)
            if round > warmUp { samples.append(Int64(bitPattern: try reader.littleEndian(UInt64.self))) }
            sleepUntilReaderSleeps()
            try signal()
        }
        try Process.signal(.kill, to: pid)
        return samples
    }

    private static func measurePing() throws -> [Int64] {
        let event = try EventDescriptor.create()
        return try measure(["ping-reader"], standardInput: event.raw) {
            EventDescriptor.add(event.raw, UInt64(Clock.monotonic().nanoseconds))
        }
    }

    private static func measureWake() throws -> [Int64] {
        let path = "/tmp/apus-bench-\(Process.id).sock"
        let loop = try EventLoop()
        let writer = try RingWriter(
            loop: loop,
            path: path,
            description: StreamDescription(video: .jpeg, width: 64, height: 64, frameRate: Rational(30)),
            capacity: 4 << 20
        )
        let frame = [UInt8](repeating: 7, count: frameLength)
        let start = { (_: Int32) throws -> Void in
            while writer.readerCount == 0 { try loop.turn(waitingUntil: Clock.monotonic() + .milliseconds(10)) }
        }
        return try measure(["wake-reader", path], whileStarting: start) {
            try writer.publish(frame.span, captured: Clock.monotonic(), flags: .keyframe)
        }
    }

    private static func sleepUntilReaderSleeps() {
        let end = Clock.monotonic() + .microseconds(50)
        while Clock.monotonic() < end {}
    }

    /// The child that measures bare pings: the counter holds the instant of the signal.
    static func pingReader() throws {
        let loop = try EventLoop()
        try loop.watch(0, .read) { _ in
            let now = Clock.monotonic()
            if let sent = EventDescriptor.take(0) { answer(now.nanoseconds - Int64(sent)) }
        }
        answer(0)
        try loop.run()
    }

    /// The child that measures the ring: from the capture instant, taken before publishing, to the frame in hand.
    static func wakeReader(path: String) throws {
        let loop = try EventLoop()
        let reader = RingReader(loop: loop, path: path, demand: true)
        reader.onAttach = { answer(0) }
        reader.onFrames = {
            guard let view = reader.view, let info = view.info(view.newest) else { return }
            answer((Clock.monotonic() - info.captured).nanoseconds)
        }
        try loop.run()
    }

    private static func answer(_ nanoseconds: Int64) {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: UInt64(bitPattern: nanoseconds))
        try? writeAll(1, bytes.span)
    }

    // MARK: Copies

    private static func measureCopies() {
        let length = 100_000
        guard
            let store = try? RingStore(
                name: "bench",
                description: StreamDescription(video: .jpeg, width: 1, height: 1, frameRate: Rational(30)),
                capacity: 8 << 20
            )
        else { return }
        let frame = [UInt8](repeating: 7, count: length)
        var target = [UInt8](repeating: 0, count: store.capacity)
        var copies: [Int64] = []
        var publishes: [Int64] = []
        // The bare copy walks through as much memory as the ring does, so that the caches see the same.
        var offset = 0
        for _ in 0..<4000 {
            if offset + length > target.count { offset = 0 }
            var before = Clock.monotonic()
            target.replaceSubrange(offset..<(offset + length), with: frame)
            copies.append((Clock.monotonic() - before).nanoseconds)
            offset += length
            before = Clock.monotonic()
            _ = try? store.publish(frame.span, captured: before, flags: .keyframe)
            publishes.append((Clock.monotonic() - before).nanoseconds)
        }
        let (floor, ring) = (Samples(Array(copies.dropFirst(200))), Samples(Array(publishes.dropFirst(200))))
        print("publishing a frame of \(length) bytes")
        print("  one bare copy:          \(floor.summary)")
        print("  publish:                \(ring.summary)")
        print("  ratio of the medians:   \(ratio(ring.quantile(0.5), floor.quantile(0.5)))  (1 is one copy)")
    }
}
