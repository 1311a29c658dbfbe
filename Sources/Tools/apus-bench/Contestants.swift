// SPDX-License-Identifier: Apache-2.0
// The servers that the fan-out benchmark measures, each with the way in which it gets the frames.

import Bytes
import Loop
import Media
import Ring
import System

/// A server that runs, and how frames get into it.
struct Contestant {
    var name: String
    /// Whose processor time and memory count.
    var pids: [Int32]
    var port: UInt16
    /// What the track of `/cam` is called.
    var track = "trackID=0"
    /// Hands over a frame that was stamped with an instant.
    var publish: (Span<UInt8>, Instant, Bool) -> Void
    /// Ends the server and removes its files.
    var stop: () -> Void

    /// The names that `servers=` takes, in their order of measuring.
    static let names = ["apus", "published", "gst", "mediamtx"]

    /// Starts a server; nil, with a line that says so, where it is not there.
    static func start(_ name: String, _ loop: EventLoop, viewers: Int, workers: Int) throws -> Contestant? {
        switch name {
        case "apus": return try apus(loop, viewers, workers)
        case "published": return try published(loop, viewers)
        case "gst": return try gstreamer()
        case "mediamtx": return try mediaMTX(loop)
        default:
            print("  \(name): SKIPPED: there is no such server")
            return nil
        }
    }

    private static var port: UInt16 { UInt16(20000 + Process.id % 20000) }

    private static var loopback: SocketAddress? { SocketAddress(host: "127.0.0.1", port: port) }

    /// The folder that the programs are in.
    private static var folder: String {
        Process.executablePath.split(separator: "/").dropLast().map { "/" + $0 }.joined()
    }

    // MARK: Apus

    private static func directory(source: String, viewers: Int, workers: Int = 1) throws -> String {
        let directory = "/tmp/apus-bench-\(Process.id)"
        for name in ["", "/ring", "/control"] { try File.makeDirectory(directory + name) }
        let text = """
            [camera.cam]
            source = \(source)
            [rtsp]
            port = \(port)
            max_clients = \(viewers + 10)
            workers = \(workers)
            [http]
            enabled = false

            """
        try File.replace(directory + "/bench.conf", with: Array(text.utf8).span, mode: 0o600)
        return directory
    }

    private static func daemon(_ name: String, _ directory: String, _ more: [String] = []) throws -> Int32 {
        var launch = Process.Launch(
            path: "\(folder)/\(name)",
            arguments: ["--config", "\(directory)/bench.conf", "--run-dir", directory, "--log-level", "error"] + more
        )
        launch.ownGroup = true
        return try Process.spawn(launch)
    }

    /// Ends daemons and removes their directory.
    static func end(_ pids: [Int32], _ directory: String) {
        for pid in pids { try? Process.signal(.terminate, to: pid) }
        // Time for what each removes itself.
        let deadline = Clock.monotonic() + .seconds(3)
        for pid in pids {
            while (try? Process.reap(pid)) == .some(nil), Clock.monotonic() < deadline {}
        }
        for folder in ["/ring", "/control", ""] {
            for name in (try? File.list(directory + folder)) ?? [] { File.remove("\(directory)\(folder)/\(name)") }
            File.removeDirectory(directory + folder)
        }
    }

    private static func apus(_ loop: EventLoop, _ viewers: Int, _ workers: Int) throws -> Contestant {
        let directory = try directory(source: "pattern:", viewers: viewers, workers: workers)
        let writer = try RingWriter(
            loop: loop,
            path: directory + "/ring/cam.main.sock",
            description: BenchStream.description,
            capacity: 16 << 20
        )
        let pids = try (1...workers).map { try daemon("apus-rtsp", directory, ["--worker", "\($0)"]) }
        return Contestant(
            name: workers > 1 ? "apus-rtsp × \(workers)" : "apus-rtsp",
            pids: pids,
            port: port,
            publish: { frame, now, isKeyframe in
                _ = try? writer.publish(frame, captured: now, flags: isKeyframe ? .keyframe : [])
            },
            stop: { end(pids, directory) }
        )
    }

    /// The same with all of the way: a publisher over RTSP, both daemons, two rings.
    private static func published(_ loop: EventLoop, _ viewers: Int) throws -> Contestant? {
        guard let loopback else { return nil }
        let directory = try directory(source: "publish:", viewers: viewers)
        let pids = [
            try daemon("apus-rtsp", directory), try daemon("apus-video", directory, ["--camera", "cam"]),
        ]
        do {
            let publisher = try Publisher(loop, server: loopback, url: "rtsp://127.0.0.1:\(port)/cam")
            return Contestant(
                name: "apus, published",
                pids: pids,
                port: port,
                publish: { frame, _, _ in publisher.send(frame) },
                stop: { end(pids, directory) }
            )
        } catch {
            end(pids, directory)
            throw error
        }
    }

    // MARK: Others

    /// Frames into a program's standard input, each behind its length.
    static func pipe(_ launch: Process.Launch) throws -> (pid: Int32, publish: (Span<UInt8>, Instant, Bool) -> Void) {
        let pair = try Socket.pair(.stream)
        let input = try FileDescriptor.duplicating(pair.first.raw)
        try setNonBlocking(input.raw, false)
        try setNonBlocking(pair.second.raw, false)
        Socket.setOption(input.raw, .sendBuffer, 4 << 20)
        var launch = launch
        launch.standardInput = pair.second.raw
        let pid = try Process.spawn(launch)
        let descriptor = input.release()
        return (
            pid,
            { frame, _, _ in
                var bytes: [UInt8] = []
                bytes.append(bigEndian: UInt32(frame.count))
                bytes.append(frame)
                try? writeAll(descriptor, bytes.span)
            }
        )
    }

    private static func gstreamer() throws -> Contestant? {
        let script = "scripts/bench-gst-rtsp-server"
        guard File.exists(script), File.isExecutable("/usr/bin/python3") else {
            print("  gst-rtsp-server: SKIPPED: \(script) is not here: run from the project's folder")
            return nil
        }
        let (pid, publish) = try pipe(.init(path: "/usr/bin/python3", arguments: [script, String(port)]))
        return Contestant(
            name: "gst-rtsp-server",
            pids: [pid],
            port: port,
            track: "stream=0",
            publish: publish,
            stop: { try? Process.signal(.kill, to: pid) }
        )
    }

    private static func mediaMTX(_ loop: EventLoop) throws -> Contestant? {
        guard let program = Process.environment("MEDIAMTX") else {
            print("  MediaMTX: SKIPPED: MEDIAMTX=PATH names its program")
            return nil
        }
        guard let loopback else { return nil }
        let configuration = "/tmp/apus-bench-mediamtx-\(Process.id).yml"
        let text = """
            logLevel: error
            rtspAddress: 127.0.0.1:\(port)
            rtpAddress: 127.0.0.1:\(port / 2 * 2 + 10)
            rtcpAddress: 127.0.0.1:\(port / 2 * 2 + 11)
            rtmp: no
            hls: no
            webrtc: no
            srt: no
            paths:
              cam: {}

            """
        try File.replace(configuration, with: Array(text.utf8).span, mode: 0o600)
        let pid = try Process.spawn(.init(path: program, arguments: [configuration]))
        let stop = {
            try? Process.signal(.kill, to: pid)
            File.remove(configuration)
        }
        do {
            let publisher = try Publisher(loop, server: loopback, url: "rtsp://127.0.0.1:\(port)/cam")
            return Contestant(
                name: "MediaMTX",
                pids: [pid],
                port: port,
                publish: { frame, _, _ in publisher.send(frame) },
                stop: stop
            )
        } catch {
            stop()
            throw error
        }
    }
}
