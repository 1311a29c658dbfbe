// SPDX-License-Identifier: Apache-2.0
// apus-rtsp's fan-out beside its floor: processor time per delivered gigabyte, latency, joins, memory.

import Bytes
import Loop
import Media
import Ring
import System

/// Measures one transport with so many viewers; the floor and the server in the same run, the same load on both.
struct FanOutBenchmark {
    var transport = "tcp"
    var viewers = 100
    var seconds = 10
    var bitrate = 4_000_000
    /// Whether UDP viewers let the kernel join datagrams.
    var joins = true

    /// `key=value` arguments.
    init(_ arguments: [String]) {
        for argument in arguments {
            let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { continue }
            switch parts[0] {
            case "transport": transport = parts[1]
            case "viewers": viewers = Int(parts[1]) ?? viewers
            case "seconds": seconds = Int(parts[1]) ?? seconds
            case "bitrate": bitrate = Int(parts[1]) ?? bitrate
            case "gro": joins = parts[1] != "no"
            default: break
            }
        }
    }

    func run() throws {
        print(
            "\(transport), \(viewers) viewers, \(bitrate / 1000) kbit/s at 30 fps, \(seconds) s\(joins ? "" : ", viewers without GRO")"
        )
        let floor = try measureFloor()
        floor.printLine("floor")
        let server = try measureServer()
        server.printLine("apus-rtsp")
        print(
            "  ratio of CPU per GB: \(Samples.fixed(server.secondsPerGigabyte / max(0.0001, floor.secondsPerGigabyte), 2))"
        )
    }

    /// What a run has shown.
    struct Outcome {
        var totals: ViewerTotals
        var bytes: UInt64
        var processorSeconds: Double
        var loadSeconds: Double
        var kilobytesPerViewer: Double?

        var secondsPerGigabyte: Double { processorSeconds / (Double(max(1, bytes)) / 1e9) }

        func printLine(_ name: String) {
            let latency = Samples(totals.latencies)
            let joins = Samples(totals.joins)
            var line = "  \(name): \(Samples.fixed(secondsPerGigabyte, 3)) CPU s/GB"
            line += ", last packet p50 \(Samples.fixed(Double(latency.quantile(0.5)) / 1e6, 2))"
            line += " p99 \(Samples.fixed(Double(latency.quantile(0.99)) / 1e6, 2)) ms"
            line += ", first frame p50 \(Samples.fixed(Double(joins.quantile(0.5)) / 1e6, 1))"
            line += " p99 \(Samples.fixed(Double(joins.quantile(0.99)) / 1e6, 1)) ms"
            line += ", lost \(totals.packetsLost), \(Samples.fixed(Double(bytes) / 1e9, 2)) GB"
            line += ", load \(Samples.fixed(loadSeconds, 1)) CPU s"
            if let kilobytesPerViewer { line += ", \(Samples.fixed(kilobytesPerViewer, 1)) kB per viewer" }
            print(line)
            for failure in Set(totals.failures).sorted().prefix(3) { print("    failure: \(failure)") }
        }
    }

    // MARK: The floor

    private func measureFloor() throws -> Outcome {
        let loop = try EventLoop()
        let totals = ViewerTotals()
        guard let loopback = SocketAddress(host: "127.0.0.1", port: 0) else { throw SystemError("loopback", code: 22) }
        let listener = try Socket.listenTCP(loopback)
        var streams: [StreamViewer] = []
        var datagrams: [DatagramViewer] = []
        var ports = [try Socket.localAddress(listener.raw).port]
        if transport == "udp" {
            datagrams = try (0..<viewers).map { _ in try DatagramViewer(loop, joins: joins, totals) }
            ports = datagrams.map(\.port)
        }
        try loop.watch(listener.raw, .read) { _ in
            while let accepted = try? Socket.accept(listener.raw) {
                if let viewer = try? StreamViewer(loop, accepted.takeSocket(), totals) { streams.append(viewer) }
            }
        }
        let pid = try Process.spawn(
            .init(
                path: Process.executablePath,
                arguments: ["floor-sender", transport, String(viewers), String(bitrate)] + ports.map(String.init)
            )
        )
        defer { try? Process.signal(.kill, to: pid) }
        let outcome = try measure(loop, totals, pid)
        extendLifetime(streams)
        extendLifetime(datagrams)
        return outcome
    }

    // MARK: The server

    private func measureServer() throws -> Outcome {
        let directory = "/tmp/apus-bench-\(Process.id)"
        try File.makeDirectory(directory + "/ring")
        try File.makeDirectory(directory + "/control")
        let configuration = directory + "/bench.conf"
        let port = UInt16(20000 + Process.id % 20000)
        let text = """
            [camera.cam]
            source = pattern:
            [rtsp]
            port = \(port)
            max_clients = \(viewers + 10)
            [http]
            enabled = false

            """
        try File.replace(configuration, with: Array(text.utf8).span, mode: 0o600)
        let loop = try EventLoop()
        let totals = ViewerTotals()
        let writer = try RingWriter(
            loop: loop,
            path: directory + "/ring/cam.main.sock",
            description: BenchStream.description,
            capacity: 16 << 20
        )
        let folder = Process.executablePath.split(separator: "/").dropLast().map { "/" + $0 }.joined()
        var launch = Process.Launch(
            path: folder + "/apus-rtsp",
            arguments: ["--config", configuration, "--run-dir", directory, "--log-level", "error"]
        )
        launch.ownGroup = true
        let pid = try Process.spawn(launch)
        defer {
            try? Process.signal(.terminate, to: pid)
            for name in ["/ring/cam.main.sock", "/control/rtsp.sock", "/bench.conf"] { File.remove(directory + name) }
            for name in ["/ring", "/control", ""] { File.removeDirectory(directory + name) }
        }
        var stream = BenchStream(bitrate: bitrate)
        loop.timer(every: BenchStream.interval) {
            let now = Clock.monotonic()
            let (frame, isKeyframe) = stream.next(now)
            _ = try? writer.publish(frame.span, captured: now, flags: isKeyframe ? .keyframe : [])
        }
        try run(loop, for: .seconds(1))
        let before = try ProcessCost(of: pid)
        guard let server = SocketAddress(host: "127.0.0.1", port: port) else { throw SystemError("loopback", code: 22) }
        var streams: [StreamViewer] = []
        var datagrams: [DatagramViewer] = []
        // One after the other over a second, as viewers come: each finds the stream running.
        let spacing = Duration.seconds(1) / max(1, viewers)
        for _ in 0..<viewers {
            var datagramPort: UInt16?
            if transport == "udp" {
                let viewer = try DatagramViewer(loop, joins: joins, totals)
                datagramPort = viewer.port
                datagrams.append(viewer)
            }
            streams.append(
                try StreamViewer(
                    loop,
                    server: server,
                    url: "rtsp://127.0.0.1:\(port)/cam",
                    datagramPort: datagramPort,
                    totals
                )
            )
            try run(loop, for: spacing)
        }
        var outcome = try measure(loop, totals, pid)
        let after = try ProcessCost(of: pid)
        outcome.kilobytesPerViewer = Double(after.anonymousKilobytes - before.anonymousKilobytes) / Double(viewers)
        extendLifetime(streams)
        extendLifetime(datagrams)
        return outcome
    }

    // MARK: Measuring

    /// Lets everybody settle, then measures for `seconds`.
    private func measure(_ loop: EventLoop, _ totals: ViewerTotals, _ pid: Int32) throws -> Outcome {
        try run(loop, for: .seconds(2))
        let start = try ProcessCost(of: pid)
        let loadStart = Clock.processorTime()
        let bytesStart = totals.bytes
        totals.isMeasuring = true
        try run(loop, for: .seconds(seconds))
        totals.isMeasuring = false
        let end = try ProcessCost(of: pid)
        return Outcome(
            totals: totals,
            bytes: totals.bytes - bytesStart,
            processorSeconds: end.seconds - start.seconds,
            loadSeconds: (Clock.processorTime() - loadStart).seconds
        )
    }

    private func run(_ loop: EventLoop, for duration: Duration) throws {
        let end = Clock.monotonic() + duration
        while Clock.monotonic() < end { try loop.turn(waitingUntil: end) }
    }
}
