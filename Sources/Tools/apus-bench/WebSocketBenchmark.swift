// SPDX-License-Identifier: Apache-2.0
// Frames, MSE and HLS to many viewers: latency, joins, processor time and memory a viewer, with stalled ones beside.

import Bytes
import Loop
import Media
import Ring
import System

/// Measures apus-http's `/cam/ws`, `/cam/mse` or HLS, from the frame's stamp before the ring to its last byte out of a
/// viewer's socket; of HLS, from the last frame of a part.
struct WebSocketBenchmark {
    /// What viewers ask for.
    enum Kind: String {
        case websocket, mse, hls
    }

    private let kind: Kind
    private var viewers = 100
    private var seconds = 10
    private var bitrate = 4_000_000
    /// So many more viewers never read.
    private var stalled = 0

    /// `key=value` arguments.
    init(_ kind: Kind, _ arguments: [String]) {
        self.kind = kind
        for argument in arguments {
            let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, let value = Int(parts[1]) else { continue }
            switch parts[0] {
            case "viewers": viewers = value
            case "seconds": seconds = value
            case "bitrate": bitrate = value
            case "stalled": stalled = value
            default: break
            }
        }
    }

    func run() throws {
        print(
            "\(kind.rawValue), \(viewers) viewers, \(stalled) stalled ones, \(bitrate / 1000) kbit/s at 30 fps, \(seconds) s"
        )
        let loop = try EventLoop()
        let totals = ViewerTotals()
        let server = try SocketServer(loop, viewers: viewers + stalled)
        defer { server.stop() }
        var stream = BenchStream(bitrate: bitrate)
        loop.timer(every: BenchStream.interval) {
            let now = Clock.monotonic()
            let (frame, isKeyframe) = stream.next(now)
            server.publish(frame.span, now, isKeyframe)
        }
        try run(loop, for: .seconds(2))
        // What one viewer brings about once is not what a viewer costs; the first of HLS brings about its list.
        var all = [try viewer(loop, server.address, totals)]
        try run(loop, for: .seconds(kind == .hls ? 12 : 1))
        let idle = try ProcessCost(of: [server.pid])
        for _ in 1..<max(2, viewers) {
            all.append(try viewer(loop, server.address, totals))
            try run(loop, for: .seconds(1) / max(1, viewers))
        }
        try run(loop, for: .seconds(2))
        let watched = try ProcessCost(of: [server.pid])
        for _ in 0..<stalled { all.append(try viewer(loop, server.address, totals, reads: false)) }
        try run(loop, for: .seconds(1))
        let start = try ProcessCost(of: [server.pid])
        let bytes = totals.bytes
        let frames = totals.frames
        totals.isMeasuring = true
        try run(loop, for: .seconds(seconds))
        totals.isMeasuring = false
        let end = try ProcessCost(of: [server.pid])
        let gigabytes = Double(totals.bytes - bytes) / 1e9
        print("  last byte after the stamp: \(Samples(totals.latencies).summary)")
        if kind == .hls { print("  first byte after the stamp: \(Samples(totals.firsts).summary)") }
        print("  first message after connecting: \(Samples(totals.joins).summary)")
        print(
            "  CPU: \(Samples.fixed((end.seconds - start.seconds) / gigabytes, 3)) s/GB at \(Samples.fixed(gigabytes, 2)) GB"
        )
        let expected = kind == .hls ? "" : " of \(viewers * seconds * BenchStream.framesPerSecond)"
        print("  \(kind == .hls ? "parts" : "frames"): \(totals.frames - frames)\(expected)")
        let perViewer = Double(watched.anonymousKilobytes - idle.anonymousKilobytes) / Double(max(1, viewers - 1))
        print(
            "  private memory: \(idle.anonymousKilobytes) kB with one viewer, \(Samples.fixed(perViewer, 2)) kB for each more,"
        )
        print(
            "    \(end.anonymousKilobytes - watched.anonymousKilobytes) kB more after \(seconds) s, stalled ones included"
        )
        for failure in Set(totals.failures).sorted().prefix(3) { print("    failure: \(failure)") }
        extendLifetime(all)
    }

    private func viewer(
        _ loop: EventLoop,
        _ server: SocketAddress,
        _ totals: ViewerTotals,
        reads: Bool = true
    ) throws -> AnyObject {
        switch kind {
        case .websocket: try SocketViewer(loop, server, totals, path: "/cam/ws", suffix: 8, reads: reads)
        case .mse: try SocketViewer(loop, server, totals, path: "/cam/mse", suffix: 0, reads: reads)
        case .hls: try PartViewer(loop, server, totals, reads: reads)
        }
    }

    private func run(_ loop: EventLoop, for duration: Duration) throws {
        let end = Clock.monotonic() + duration
        // The viewers never sleep: in real life they are on other machines, and waking them is not for the server to do.
        while Clock.monotonic() < end { try loop.turn(waitingUntil: Clock.monotonic()) }
    }
}

/// An apus-http that serves a ring of this process.
private struct SocketServer {
    let pid: Int32
    let address: SocketAddress
    private let writer: RingWriter
    private let directory: String

    init(_ loop: EventLoop, viewers: Int) throws {
        let port = UInt16(20000 + Process.id % 20000)
        guard let address = SocketAddress(host: "127.0.0.1", port: port) else {
            throw SystemError("loopback", code: 22)
        }
        self.address = address
        directory = "/tmp/apus-bench-\(Process.id)"
        for name in ["", "/ring", "/control"] { try File.makeDirectory(directory + name) }
        let text = """
            [camera.cam]
            source = pattern:
            [http]
            port = \(port)
            max_clients = \(viewers + 10)
            [rtsp]
            enabled = false

            """
        try File.replace(directory + "/bench.conf", with: Array(text.utf8).span, mode: 0o600)
        writer = try RingWriter(
            loop: loop,
            path: directory + "/ring/cam.main.sock",
            description: BenchStream.description,
            capacity: 16 << 20
        )
        let folder = Process.executablePath.split(separator: "/").dropLast().map { "/" + $0 }.joined()
        var launch = Process.Launch(
            path: "\(folder)/apus-http",
            arguments: ["--config", "\(directory)/bench.conf", "--run-dir", directory, "--log-level", "error"]
        )
        launch.ownGroup = true
        pid = try Process.spawn(launch)
    }

    func publish(_ frame: Span<UInt8>, _ now: Instant, _ isKeyframe: Bool) {
        _ = try? writer.publish(frame, captured: now, flags: isKeyframe ? .keyframe : [])
    }

    func stop() {
        try? Process.signal(.terminate, to: pid)
        let deadline = Clock.monotonic() + .seconds(3)
        while (try? Process.reap(pid)) == .some(nil), Clock.monotonic() < deadline {}
        for folder in ["/ring", "/control", ""] {
            for name in (try? File.list(directory + folder)) ?? [] { File.remove("\(directory)\(folder)/\(name)") }
            File.removeDirectory(directory + folder)
        }
    }
}

/// A viewer over WebSocket: takes messages (RFC 6455 §5.2) and notes when each was complete.
private final class SocketViewer {
    private let socket: FileDescriptor
    private let totals: ViewerTotals
    private let asked = Clock.monotonic()
    private var watch: Watch?
    private var isOpen = false
    private var hasJoined = false
    private var rest: [UInt8] = []

    private let path: String
    /// Bytes of the server's own behind the frame.
    private let suffix: Int

    private var request: String {
        "GET \(path) HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    }

    init(
        _ loop: EventLoop,
        _ server: SocketAddress,
        _ totals: ViewerTotals,
        path: String,
        suffix: Int,
        reads: Bool
    ) throws(SystemError) {
        socket = try Socket.connectTCP(server)
        self.totals = totals
        self.path = path
        self.suffix = suffix
        Socket.setOption(socket.raw, .receiveBuffer, reads ? 512 << 10 : 4096)
        watch = try loop.watch(socket.raw, .write) { [unowned self] in handle($0, reads) }
    }

    private func handle(_ readiness: Readiness, _ reads: Bool) {
        if readiness.contains(.writable) {
            _ = try? Socket.send(socket.raw, Array(request.utf8).span)
            if reads { try? watch?.modify(.read) } else { watch?.cancel() }
            return
        }
        var buffer: [UInt8] = []
        swap(&buffer, &totals.scratch)
        defer { swap(&buffer, &totals.scratch) }
        var span = buffer.mutableSpan
        guard case .some(.bytes(let count)) = try? read(socket.raw, into: &span) else {
            totals.failures.append("a viewer's connection ended")
            watch?.cancel()
            return
        }
        totals.bytes += UInt64(count)
        rest.append(buffer.span.extracting(..<count))
        let all = rest
        let used = take(all.span, Clock.monotonic())
        rest = Array(all[used...])
    }

    /// Takes the answer's head and whole messages; gives how many bytes they were.
    private func take(_ bytes: Span<UInt8>, _ now: Instant) -> Int {
        var offset = 0
        if !isOpen {
            var index = 3
            while index < bytes.count, !(bytes[index] == 10 && bytes[index - 2] == 10) { index += 1 }
            guard index < bytes.count else { return 0 }
            offset = index + 1
            isOpen = true
        }
        while bytes.count - offset >= 2 {
            let short = Int(bytes[offset + 1] & 0x7F)
            let size = short == 126 ? 2 : short == 127 ? 8 : 0
            guard bytes.count - offset >= 2 + size else { break }
            var length = size == 0 ? short : 0
            for index in 0..<size { length = length << 8 | Int(bytes[offset + 2 + index]) }
            let start = offset + 2 + size
            guard bytes.count - start >= length else { break }
            if bytes[offset] & 0x0F == 2 { takeMessage(bytes.extracting(start..<(start + length)), now) }
            offset = start + length
        }
        return offset
    }

    private func takeMessage(_ message: Span<UInt8>, _ now: Instant) {
        totals.frames += 1
        if !hasJoined {
            hasJoined = true
            totals.joins.append((now - asked).nanoseconds)
        }
        guard totals.isMeasuring, message.count > suffix,
            let stamp = BenchStream.stamp(atEndOf: message.extracting(..<(message.count - suffix)))
        else { return }
        totals.latencies.append((now - stamp).nanoseconds)
    }
}
