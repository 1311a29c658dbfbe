// SPDX-License-Identifier: Apache-2.0
// Motion JPEG beside its floor: processor time per delivered gigabyte, latency, private memory, stalled clients.

import Bytes
import Loop
import Media
import Ring
import System

/// Measures apus-http in several scenes, each beside a bare sender of the same bytes in the same run.
struct PictureBenchmark {
    /// So many viewers of pictures of that length, some of whom never read.
    private struct Scene {
        var viewers: Int
        var length: Int
        var stalled: Int
    }

    private struct Outcome {
        var cost: Double
        var latencies: Samples
        var frames: Int
        var gigabytes: Double
        var memory: Int
        var failures: [String]
    }

    private static let scenes = [
        Scene(viewers: 100, length: 106_000, stalled: 0), Scene(viewers: 1000, length: 15_000, stalled: 0),
        Scene(viewers: 1000, length: 15_000, stalled: 20), Scene(viewers: 1000, length: 15_000, stalled: 100),
    ]

    /// Peers that cannot be installed here, as they were measured elsewhere: not comparable but in their order.
    private static let recorded = [
        "RECORDED ELSEWHERE, not in this run, CPU s/GB, p99, memory resident:",
        "  raspivid_mjpeg_server: 0.43, 7.4 ms, 5.8 MB at 100 × 106 kB; 0.85, 17 ms, 20.5 MB at 1,000 × 15 kB",
        "  µStreamer 6.62: 0.86, 22.8 MB at 100 × 106 kB; mjpg-streamer: 3.0 to 3.6",
    ]

    private var seconds = 10
    private var scenes = Self.scenes

    /// `seconds=10`, and `viewers=`, `length=`, `stalled=` for one scene instead of all.
    init(_ arguments: [String]) {
        var scene: Scene?
        for argument in arguments {
            let parts = argument.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, let value = Int(parts[1]) else { continue }
            var own = scene ?? Scene(viewers: 100, length: 106_000, stalled: 0)
            switch parts[0] {
            case "seconds":
                seconds = value
                continue
            case "viewers": own.viewers = value
            case "length": own.length = value
            case "stalled": own.stalled = value
            default: continue
            }
            scene = own
        }
        if let scene { scenes = [scene] }
    }

    func run() throws {
        print("motion JPEG at 30 fps, \(seconds) s each; CPU of the server alone, memory is private (RssAnon)")
        for line in Self.recorded { print("  " + line) }
        var calm: Outcome?
        for scene in scenes {
            print("\(scene.viewers) viewers × \(scene.length) bytes, \(scene.stalled) of them stalled")
            let floor = try measureFloor(scene)
            report("floor", floor)
            let (idle, outcome) = try measureServer(scene)
            report("apus-http", outcome)
            if let other = try measureStreamer(scene) {
                report("µStreamer (its camera is MADE UP by LD_PRELOAD: scripts/bench-v4l2.c)", other.outcome)
                print("    idle \(other.idle) kB, growth \(other.outcome.memory - other.idle) kB")
            }
            let ratio = outcome.cost / max(0.0001, floor.cost)
            goal("CPU per GB beside the floor", Samples.fixed(ratio, 2), "at most 1.2", ratio <= 1.2)
            goal("idle, kB", "\(idle)", "under 3072", idle < 3072)
            goal("growth, kB", "\(outcome.memory - idle)", "under 4096", outcome.memory - idle < 4096)
            let p99 = Double(outcome.latencies.quantile(0.99)) / 1e6
            if scene.viewers >= 1000 { goal("p99, ms", Samples.fixed(p99, 2), "under 10", p99 < 10) }
            if scene.stalled == 0 { calm = outcome }
            if scene.stalled > 0, let calm {
                let change = p99 / max(0.001, Double(calm.latencies.quantile(0.99)) / 1e6)
                goal("p99 beside that without stalled", Samples.fixed(change, 2), "under 1.1", change < 1.1)
                let more = outcome.memory - calm.memory
                goal("memory beside that without stalled, kB", "\(more)", "under 1024", more < 1024)
            }
        }
    }

    private func report(_ name: String, _ outcome: Outcome) {
        let times = [0.5, 0.99].map { Samples.fixed(Double(outcome.latencies.quantile($0)) / 1e6, 2) }
        print(
            "  \(name): \(Samples.fixed(outcome.cost, 3)) CPU s/GB, last byte ms p50/p99 \(times[0]) / \(times[1]), "
                + "\(outcome.frames) pictures, \(Samples.fixed(outcome.gigabytes, 2)) GB, \(outcome.memory) kB"
        )
        for failure in Set(outcome.failures).sorted().prefix(3) { print("    failure: \(failure)") }
    }

    private func goal(_ what: String, _ found: String, _ wanted: String, _ isReached: Bool) {
        print("    \(isReached ? "reached" : "MISSED ") \(what): \(found) (\(wanted))")
    }

    private func measureFloor(_ scene: Scene) throws -> Outcome {
        let loop = try EventLoop()
        let totals = ViewerTotals()
        guard let loopback = SocketAddress(host: "127.0.0.1", port: 0) else { throw SystemError("loopback", code: 22) }
        let listener = try Socket.listenTCP(loopback)
        var viewers: [PictureViewer] = []
        try loop.watch(listener.raw, .read) { _ in
            while let accepted = try? Socket.accept(listener.raw) {
                if let viewer = try? PictureViewer(loop, accepted.takeSocket(), totals) { viewers.append(viewer) }
            }
        }
        let port = try Socket.localAddress(listener.raw).port
        let count = scene.viewers - scene.stalled
        let pid = try Process.spawn(
            .init(path: Process.executablePath, arguments: ["floor-mjpeg", "\(port)", "\(count)", "\(scene.length)"])
        )
        defer { try? Process.signal(.kill, to: pid) }
        let outcome = try measure(loop, totals, pid)
        extendLifetime(viewers)
        return outcome
    }

    private func measureServer(_ scene: Scene) throws -> (idle: Int, outcome: Outcome) {
        let loop = try EventLoop()
        let directory = "/tmp/apus-bench-\(Process.id)"
        for name in ["", "/ring", "/control"] { try File.makeDirectory(directory + name) }
        let port = UInt16(20000 + Process.id % 20000)
        let text = """
            [camera.cam]
            source = pattern:
            [rtsp]
            enabled = false
            [http]
            port = \(port)
            max_clients = \(scene.viewers + 10)

            """
        try File.replace(directory + "/bench.conf", with: Array(text.utf8).span, mode: 0o600)
        let writer = try RingWriter(
            loop: loop,
            path: directory + "/ring/cam.jpeg.sock",
            description: StreamDescription(
                video: .jpeg,
                width: 1280,
                height: 720,
                frameRate: Rational(UInt32(BenchStream.framesPerSecond))
            ),
            capacity: 16 << 20
        )
        let folder = Process.executablePath.split(separator: "/").dropLast().map { "/" + $0 }.joined()
        let pid = try Process.spawn(
            .init(
                path: folder + "/apus-http",
                arguments: ["--config", directory + "/bench.conf", "--run-dir", directory, "--log-level", "error"]
            )
        )
        defer { Contestant.end([pid], directory) }
        try run(loop, for: .seconds(2))
        let idle = try ProcessCost(of: [pid]).anonymousKilobytes
        loop.timer(every: BenchStream.interval) {
            let now = Clock.monotonic()
            let picture = BenchPicture.make(scene.length, now)
            _ = try? writer.publish(picture.span, captured: now, flags: .keyframe)
        }
        return (idle, try measureViewers(scene, loop, port: port, path: "/cam/mjpeg", pid))
    }

    /// Debian's µStreamer with a camera that is made up; nil, with a line that says so, where it is not there.
    private func measureStreamer(_ scene: Scene) throws -> (idle: Int, outcome: Outcome)? {
        let script = "scripts/bench-ustreamer"
        guard File.exists(script), File.isExecutable("/usr/bin/ustreamer") else {
            print("  µStreamer: SKIPPED: it is not installed, or this does not run from the project's folder")
            return nil
        }
        let loop = try EventLoop()
        let port = UInt16(20000 + (Process.id + 1) % 20000)
        let pid = try Process.spawn(.init(path: script, arguments: ["\(port)", "\(scene.length)"]))
        defer { try? Process.signal(.kill, to: pid) }
        // Time for the compiler, too.
        try run(loop, for: .seconds(4))
        let idle = try ProcessCost(of: [pid]).anonymousKilobytes
        return (idle, try measureViewers(scene, loop, port: port, path: "/stream", pid))
    }

    private func measureViewers(
        _ scene: Scene,
        _ loop: EventLoop,
        port: UInt16,
        path: String,
        _ pid: Int32
    ) throws -> Outcome {
        guard let server = SocketAddress(host: "127.0.0.1", port: port) else { throw SystemError("loopback", code: 22) }
        let totals = ViewerTotals()
        var viewers: [PictureViewer] = []
        for number in 0..<scene.viewers {
            // The stalled ones are spread among the others.
            let isStalled = scene.stalled > 0 && number % (scene.viewers / scene.stalled) == 0
            viewers.append(try PictureViewer(loop, server: server, path: path, isStalled: isStalled, totals))
            try run(loop, for: .microseconds(500))
        }
        let outcome = try measure(loop, totals, pid)
        extendLifetime(viewers)
        return outcome
    }

    private func measure(_ loop: EventLoop, _ totals: ViewerTotals, _ pid: Int32) throws -> Outcome {
        try run(loop, for: .seconds(2))
        let start = try ProcessCost(of: [pid])
        let bytes = totals.bytes
        let frames = totals.frames
        totals.isMeasuring = true
        try run(loop, for: .seconds(seconds))
        totals.isMeasuring = false
        let end = try ProcessCost(of: [pid])
        let gigabytes = Double(totals.bytes - bytes) / 1e9
        return Outcome(
            cost: (end.seconds - start.seconds) / max(0.000001, gigabytes),
            latencies: Samples(totals.latencies),
            frames: totals.frames - frames,
            gigabytes: gigabytes,
            memory: end.anonymousKilobytes,
            failures: totals.failures
        )
    }

    private func run(_ loop: EventLoop, for duration: Duration) throws {
        let end = Clock.monotonic() + duration
        // The viewers never sleep: in real life they are on other machines, and waking them is not for the server to do.
        while Clock.monotonic() < end { try loop.turn(waitingUntil: Clock.monotonic()) }
    }
}
