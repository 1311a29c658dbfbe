// SPDX-License-Identifier: Apache-2.0
// Clips made by ffmpeg, and a loop that collects what a source gives.

import Bytes
import Config
import Encode
import Loop
import Media
import Ring
import System
import Testing

@testable import Capture

/// Media files and pipes, made by ffmpeg in a folder of this test process.
enum Clip {
    static func path(_ name: String) throws -> String {
        let folder = "/tmp/apus-capture-tests-\(Process.id)"
        try File.makeDirectory(folder, mode: 0o700)
        return "\(folder)/\(name)"
    }

    /// Encodes a moving picture.
    static func make(
        _ name: String,
        _ options: [String],
        encoder: String = "libx264",
        frames: Int = 30,
        rate: Int = 100
    ) throws -> String {
        let path = try path(name)
        guard !File.exists(path) else { return path }
        try ffmpeg(
            ["-f", "lavfi", "-i", "testsrc=size=320x240:rate=\(rate)", "-frames:v", "\(frames)", "-pix_fmt"]
                + [encoder == "mjpeg" ? "yuvj420p" : "yuv420p", "-c:v", encoder] + options + [path]
        )
        return path
    }

    /// A file's video as ffmpeg itself copies it out.
    static func annexB(of clip: String) throws -> [UInt8] {
        let output = clip + ".264"
        try ffmpeg(["-i", clip, "-c", "copy", "-bsf:v", "h264_mp4toannexb", "-f", "h264", output])
        return try File.contents(output)
    }

    static func fifo(_ name: String) throws -> String {
        let path = try path(name)
        File.remove(path)
        try run("/usr/bin/mkfifo", [path], wait: true)
        return path
    }

    /// Starts an ffmpeg that writes a moving picture into a pipe.
    static func produce(_ options: [String], into pipe: String) throws {
        try run(
            "/usr/bin/ffmpeg",
            ["-v", "error", "-y", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=30"] + options + [pipe],
            wait: false
        )
    }

    static func ffmpeg(_ arguments: [String]) throws {
        try run("/usr/bin/ffmpeg", ["-v", "error", "-y"] + arguments, wait: true)
    }

    private static func run(_ program: String, _ arguments: [String], wait: Bool) throws {
        let nothing = try File.open("/dev/null", .readWrite)
        var launch = Process.Launch(path: program, arguments: arguments)
        launch.standardInput = nothing.raw
        launch.deathSignal = nil
        let pid = try Process.spawn(launch)
        guard wait else { return }
        let handle = try Process.watch(pid)
        let ended = try waitUntilReady(handle.raw, timeout: .seconds(20))
        #expect(ended, "\(program) takes too long")
        let status = try Process.reap(pid)
        #expect(status == .exited(0), "\(program) \(arguments)")
    }
}

/// What a source gave, collected by a loop of its own.
final class Run {
    struct Unit {
        var info: UnitInfo
        var bytes: [UInt8]
    }

    private(set) var units: [Unit] = []
    private(set) var sounds: [(info: AudioInfo, bytes: [UInt8])] = []
    private(set) var pictures: [Instant] = []
    private(set) var states: [CaptureState] = []
    let loop: EventLoop
    private var session: CaptureSession?

    var losses: UInt64 { session?.losses ?? 0 }
    var failedTries: UInt64 { session?.failedTries ?? 0 }

    /// Runs a source until it has given so many frames, or has ended, or the time is up.
    init(_ source: String, frames: Int, atMost limit: Duration = .seconds(10)) throws {
        loop = try EventLoop()
        start(try SourceAddress(parsing: source), nil)
        try turn(atMost: limit) { [unowned self] in
            units.count + pictures.count >= frames && states.last != .starting && !isEnding(source)
        }
        stop()
    }

    private init(loop: EventLoop) { self.loop = loop }

    /// Runs a pipe's source; `turn` makes it go on.
    static func collecting(pipe: Int32, codec: Codec) -> Run {
        guard let loop = try? EventLoop() else { preconditionFailure("no event loop") }
        let run = Run(loop: loop)
        run.start(.stdin(codec), pipe)
        return run
    }

    /// Runs a source of published frames, whose rings are in this process's folder; `turn` makes it go on.
    static func published() throws -> Run {
        let run = Run(loop: try EventLoop())
        run.start(.publish, nil)
        return run
    }

    /// Opens one of the rings that a `published` source reads.
    func ring(_ name: String, _ description: StreamDescription) throws -> RingWriter {
        try RingWriter(loop: loop, path: try Clip.path(name), description: description, capacity: 1 << 20)
    }

    /// A source that does not loop is waited for until its end.
    private func isEnding(_ source: String) -> Bool { source.contains("loop=0") && states.last != .ended }

    private func start(_ address: SourceAddress, _ descriptor: Int32?) {
        let events = CaptureEvents(
            picture: { [unowned self] _, captured in pictures.append(captured) },
            unit: { [unowned self] info, bytes in units.append(Unit(info: info, bytes: [UInt8](bytes))) },
            audio: { [unowned self] info, bytes in sounds.append((info, [UInt8](bytes))) },
            state: { [unowned self] state in states.append(state) }
        )
        let session = CaptureSession(
            loop: loop,
            address: address,
            target: CaptureTarget(name: "test"),
            events: events,
            standardInput: descriptor ?? 0,
            ring: { stream in (try? Clip.path(stream)) ?? stream }
        )
        self.session = session
        session.start()
    }

    /// Lets the loop run until the condition holds.
    func turn(atMost limit: Duration = .seconds(10), until condition: () -> Bool) throws {
        let deadline = Clock.monotonic() + limit
        while !condition(), Clock.monotonic() < deadline {
            try loop.turn(waitingUntil: min(deadline, Clock.monotonic() + .milliseconds(20)))
        }
    }

    func stop() { session?.stop() }
}
