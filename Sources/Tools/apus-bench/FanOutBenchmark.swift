// SPDX-License-Identifier: Apache-2.0
// The fan-out of servers beside its floor: processor time per delivered gigabyte, latency, joins, memory.

import Bytes
import Loop
import Media
import System

/// Measures one transport with so many viewers; the floor and the server in the same run, the same load on both.
struct FanOutBenchmark {
    var transport = "tcp"
    var viewers = 100
    var seconds = 10
    var bitrate = 4_000_000
    /// Whether UDP viewers let the kernel join datagrams.
    var joins = true
    /// How many processes of apus-rtsp share the viewers, who then have many addresses.
    var workers = 1
    /// Which servers are measured beside the floor.
    var servers = ["apus", "gst", "mediamtx"]

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
            case "workers": workers = max(1, Int(parts[1]) ?? workers)
            case "servers": servers = parts[1].split(separator: ",").map(String.init)
            default: break
            }
        }
    }

    func run() throws {
        print(
            "\(transport), \(viewers) viewers, \(bitrate / 1000) kbit/s at 30 fps, \(seconds) s\(joins ? "" : ", viewers without GRO")"
                + (workers > 1 ? ", \(workers) workers" : "")
        )
        Outcome.printHead()
        let floor = try measureFloor(relays: false)
        floor.printLine("floor", floor)
        if servers.contains("published") {
            try measureFloor(relays: true).printLine("floor with a relay", floor)
        }
        for name in servers {
            guard let (name, outcome) = try measureServer(name) else { continue }
            outcome.printLine(name, floor)
        }
    }

    /// What a run has shown.
    struct Outcome {
        var totals: ViewerTotals
        var bytes: UInt64
        var processorSeconds: Double
        var loadSeconds: Double
        var kilobytesPerViewer: Double?

        var secondsPerGigabyte: Double { processorSeconds / (Double(max(1, bytes)) / 1e9) }

        private static let columns = [
            ("server", 18), ("CPU s/GB", 10), ("x floor", 9), ("last packet ms p50/p99", 24),
            ("first keyframe ms p50/p99", 27), ("lost", 6), ("GB", 7), ("load CPU s", 12), ("kB/viewer", 10),
        ]

        static func printHead() { printRow(columns.map(\.0)) }

        private static func printRow(_ cells: [String]) {
            var line = " "
            for (index, (cell, (_, width))) in zip(cells, columns).enumerated() {
                let padding = String(repeating: " ", count: max(1, width - cell.utf8.count))
                line += index == 0 ? " " + cell + padding : padding + cell
            }
            print(line)
        }

        func printLine(_ name: String, _ floor: Outcome) {
            let ratio = secondsPerGigabyte / max(0.0001, floor.secondsPerGigabyte)
            Self.printRow([
                name, Samples.fixed(secondsPerGigabyte, 3), Samples.fixed(ratio, 2), Self.pair(totals.latencies, 2),
                Self.pair(totals.joins, 1), String(totals.packetsLost), Samples.fixed(Double(bytes) / 1e9, 2),
                Samples.fixed(loadSeconds, 1), kilobytesPerViewer.map { Samples.fixed($0, 1) } ?? "-",
            ])
            for failure in Set(totals.failures).sorted().prefix(3) { print("    failure: \(failure)") }
        }

        /// The median and the tail, in milliseconds.
        private static func pair(_ nanoseconds: [Int64], _ digits: Int) -> String {
            let samples = Samples(nanoseconds)
            let values = [0.5, 0.99].map { Samples.fixed(Double(samples.quantile($0)) / 1e6, digits) }
            return samples.count == 0 ? "-" : values.joined(separator: " / ")
        }
    }

    // MARK: The floor

    /// With `relays` the floor gets the frames from this process, as servers do, instead of making them itself.
    private func measureFloor(relays: Bool) throws -> Outcome {
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
        let launch = Process.Launch(
            path: Process.executablePath,
            arguments: [relays ? "floor-relay" : "floor-sender", transport, String(viewers), String(bitrate)]
                + ports.map(String.init)
        )
        let pid: Int32
        if relays {
            let (relay, publish) = try Contestant.pipe(launch)
            pid = relay
            var stream = BenchStream(bitrate: bitrate)
            loop.timer(every: BenchStream.interval) {
                let now = Clock.monotonic()
                let (frame, isKeyframe) = stream.next(now)
                publish(frame.span, now, isKeyframe)
            }
        } else {
            pid = try Process.spawn(launch)
        }
        defer { try? Process.signal(.kill, to: pid) }
        let outcome = try measure(loop, totals, [pid])
        extendLifetime(streams)
        extendLifetime(datagrams)
        return outcome
    }

    // MARK: The servers

    private func measureServer(_ name: String) throws -> (name: String, outcome: Outcome)? {
        let loop = try EventLoop()
        let totals = ViewerTotals()
        guard let contestant = try Contestant.start(name, loop, viewers: viewers, workers: workers) else { return nil }
        defer { contestant.stop() }
        var stream = BenchStream(bitrate: bitrate)
        loop.timer(every: BenchStream.interval) {
            let now = Clock.monotonic()
            let (frame, isKeyframe) = stream.next(now)
            contestant.publish(frame.span, now, isKeyframe)
        }
        try run(loop, for: .seconds(2))
        let before = try ProcessCost(of: contestant.pids)
        guard let server = SocketAddress(host: "127.0.0.1", port: contestant.port) else {
            throw SystemError("loopback", code: 22)
        }
        var streams: [StreamViewer] = []
        var datagrams: [DatagramViewer] = []
        // One after the other over a second, as viewers come: each finds the stream running.
        let spacing = Duration.seconds(1) / max(1, viewers)
        for number in 0..<viewers {
            // A worker is chosen by address.
            let host = workers > 1 ? "127.0.0.\(2 + number % 250)" : "127.0.0.1"
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
                    url: "rtsp://127.0.0.1:\(contestant.port)/cam",
                    track: contestant.track,
                    datagramPort: datagramPort,
                    from: SocketAddress(host: host, port: 0),
                    totals
                )
            )
            try run(loop, for: spacing)
        }
        var outcome = try measure(loop, totals, contestant.pids)
        let after = try ProcessCost(of: contestant.pids)
        outcome.kilobytesPerViewer = Double(after.anonymousKilobytes - before.anonymousKilobytes) / Double(viewers)
        extendLifetime(streams)
        extendLifetime(datagrams)
        return (contestant.name, outcome)
    }

    // MARK: Measuring

    /// Lets everybody settle, then measures for `seconds`.
    private func measure(_ loop: EventLoop, _ totals: ViewerTotals, _ pids: [Int32]) throws -> Outcome {
        try run(loop, for: .seconds(2))
        let start = try ProcessCost(of: pids)
        let loadStart = Clock.processorTime()
        let bytesStart = totals.bytes
        totals.isMeasuring = true
        try run(loop, for: .seconds(seconds))
        totals.isMeasuring = false
        let end = try ProcessCost(of: pids)
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
