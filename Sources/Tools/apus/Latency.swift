// SPDX-License-Identifier: Apache-2.0
// `apus latency`: how old frames are when they arrive over RTSP.

import Bytes
import Control
import Daemon
import Loop
import Media
import Player
import RTP
import RTSP
import System

/// Measures how long frames take from the camera to a viewer.
enum Latency {
    static let command = Command(
        "latency",
        "Measures how old frames are when they arrive over RTSP.",
        usage: "[OPTION]… URL",
        options: [
            Option("--udp", nil, "Plays over UDP; else over TCP."),
            Option("--verbose", short: "-v", nil, "Prints a line for each frame."),
            Option("-n", "N", "Ends after N frames."),
            Option("--seconds", "N", "How long to measure, 1 to 86400; else 10."), .json,
        ],
        operands: 1...1,
        details: """
            A frame's age is the time from its capture to the arrival of its last packet. The capture is told by
            Apus's own stamp in the frame (stamp = yes for the stream), or else by the sender's reports. Both are on
            the sender's clock: on two machines, keep the clocks in step (chrony, NTP).

            A server that signed its own certificate needs ?verify=no, which takes any certificate, or
            ?fingerprint=SHA256, which takes that one alone: rtsps://camera:8322/cam?verify=no
            """
    ) { arguments in
        // A wrong option is told before anything is connected.
        let seconds = try arguments.integer("--seconds", 1...86_400)
        let limit = try arguments.integer("-n", 1...Int.max)
        let location: RTSPLocation
        do throws(LocationError) {
            location = try RTSPLocation(parsing: arguments.operands[0])
        } catch {
            throw Failure(.usage, "\(RTSPLocation.redact(arguments.operands[0])): \(error)")
        }
        var settings = PlayerSettings(location)
        settings.agent = "Apus/\(apusVersion)"
        settings.transport = arguments.has("--udp") || location.transport == .udp ? .udp : .tcp
        settings.isStrict = true
        settings.wantsAudio = false
        let measurement = try LatencyMeasurement(
            location.target,
            settings,
            limit: limit,
            // Without a word about the end, ten seconds; with a number of frames, as long as they take.
            duration: seconds.map { .seconds($0) } ?? (limit == nil ? .seconds(10) : nil),
            isVerbose: arguments.has("--verbose")
        )
        try measurement.run()
        try Terminal.write(arguments.has("--json") ? measurement.json.prettyText + "\n" : measurement.text)
        for warning in measurement.warnings { Terminal.complain("apus latency", warning) }
        return .success
    }
}

/// One run of `apus latency`.
private final class LatencyMeasurement {
    /// A sender whose clock moves by more than this between two reports has set it.
    static let jump = Duration.milliseconds(20)
    /// Nothing on a network that works takes so long.
    static let implausible = Duration.seconds(5)

    /// The stream is live when nothing has caught up by `catchUp` for `settling`.
    static let catchUp = Duration.milliseconds(10)
    static let settling = Duration.milliseconds(300)

    private let loop: EventLoop
    private let player: RTSPPlayer
    private let target: RTSPTarget
    private let limit: Int?
    private let duration: Duration?
    private let isVerbose: Bool
    private var codec: Codec?
    private var clockRate: UInt32 = 90_000
    private var failure: Failure?
    private var writing: (any Error)?
    private var reported = Percentiles()
    private var stamped = Percentiles()
    private var frames = 0
    private var unmapped = 0
    /// Frames at the start that were older than the stream's live edge: servers begin at the newest keyframe.
    private var backlog = 0
    private var edge: (offset: Int64, since: Instant)?
    private var isLive = false
    private var report: RTCP.SenderInfo?
    private var jumps = 0
    private var largestJump: Int64 = 0
    private var firstFrame: Instant?
    private var deviations: [String] = []

    init(
        _ target: RTSPTarget,
        _ settings: PlayerSettings,
        limit: Int?,
        duration: Duration?,
        isVerbose: Bool
    ) throws {
        self.target = target
        self.limit = limit
        self.duration = duration
        self.isVerbose = isVerbose
        loop = try EventLoop()
        player = RTSPPlayer(loop: loop, target: target, settings: settings)
    }

    /// Measures until the end that was asked for.
    ///
    /// - Throws: What kept frames from coming, or their ages from being known.
    func run() throws {
        player.onTracks = { [unowned self] formats in
            codec = formats.first?.stream.codec
            clockRate = formats.first?.clockRate ?? 90_000
        }
        player.onReport = { [unowned self] _, info, _ in take(info) }
        player.onFrame = { [unowned self] _, frame, bytes in take(frame, bytes) }
        player.onDeviation = { [unowned self] name, _ in deviations.append(name) }
        player.onEnd = { [unowned self] reason in
            if frames == 0 { failure = Failure(.source, "\(target.redacted): \(reason)") }
            deviations.append("ended: \(reason)")
            loop.stop()
        }
        try loop.onSignals([.interrupt, .terminate]) { [unowned self] _ in loop.stop() }
        if let duration { loop.timer(after: duration) { [unowned self] in loop.stop() } }
        player.start()
        try loop.run()
        player.stop()
        if let failure { throw failure }
        if let writing { throw writing }
        guard frames > 0 else { throw Failure(.source, "\(target.redacted): no frame came") }
        guard best.count > 0 else {
            throw Failure(
                .source,
                "\(target.redacted): \(frames) frames came, but neither a sender report nor a stamp tells their age"
            )
        }
    }

    private func take(_ info: RTCP.SenderInfo) {
        // Where the sender puts the same timestamp by both reports.
        if let report, let before = report.utcNanoseconds(of: Int64(info.timestamp), clockRate: clockRate),
            let now = info.utcNanoseconds(of: Int64(info.timestamp), clockRate: clockRate)
        {
            let moved = now - before
            if abs(moved) > Self.jump.nanoseconds {
                jumps += 1
                if abs(moved) > abs(largestJump) { largestJump = moved }
            }
        }
        report = info
    }

    private func take(_ frame: TrackReceiver.Frame, _ bytes: Span<UInt8>) {
        frames += 1
        if firstFrame == nil { firstFrame = frame.arrival }
        guard reachesLiveEdge(frame) else {
            backlog += 1
            return
        }
        let arrival = frame.arrival.nanoseconds + Clock.utcOffset().nanoseconds
        let byReport = frame.utcNanoseconds.map { arrival - $0 }
        let byStamp = codec.flatMap(NALFormat.init).flatMap { CaptureStamp.find($0, in: bytes) }.map { arrival - $0 }
        if let byReport { reported.add(byReport) }
        if let byStamp { stamped.add(byStamp) }
        if byReport == nil, byStamp == nil { unmapped += 1 }
        if isVerbose { printLine(frame, bytes.count, byReport, byStamp) }
        if let limit, best.count >= limit { loop.stop() }
    }

    /// False for frames at the start that come faster than they were made: their age is the server's choice.
    private func reachesLiveEdge(_ frame: TrackReceiver.Frame) -> Bool {
        if isLive { return true }
        let time = frame.timestamp * 1_000_000_000 / Int64(frame.clockRate)
        let offset = frame.arrival.nanoseconds - time
        // Live is when no frame catches up any more, for long enough to have seen one.
        guard let edge, offset > edge.offset - Self.catchUp.nanoseconds else {
            edge = (offset, frame.arrival)
            return false
        }
        isLive = frame.arrival - edge.since >= Self.settling
        return isLive
    }

    private func printLine(_ frame: TrackReceiver.Frame, _ length: Int, _ byReport: Int64?, _ byStamp: Int64?) {
        let age = (byStamp ?? byReport).map { Format.milliseconds($0) + " ms" } ?? "unknown"
        let kind = frame.isKeyframe ? " key" : ""
        let loss = frame.isAfterLoss ? " after-loss" : ""
        do {
            try Terminal.write(
                "\(frames) rtp=\(UInt32(truncatingIfNeeded: frame.timestamp)) bytes=\(length) age=\(age)\(kind)\(loss)\n"
            )
        } catch {
            // Whoever read the output has seen enough.
            writing = error
            loop.stop()
        }
    }

    /// The ages by the better method that there is.
    private var best: Percentiles { stamped.count > 0 ? stamped : reported }

    private var method: String { stamped.count > 0 ? "capture-stamp" : "sender-reports" }

    private var transport: String { player.transport == .udp ? "udp" : "tcp" }

    /// What is probably wrong with the figures.
    var warnings: [String] {
        var warnings: [String] = []
        if best.negatives > 0 {
            warnings.append(
                "\(best.negatives) of \(best.count) frames arrived before they were taken: "
                    + "the clocks of sender and receiver are not in step"
            )
        } else if let least = best.least, least > Self.implausible.nanoseconds {
            warnings.append("no frame is younger than \(least / 1_000_000) ms: the clocks are probably not in step")
        }
        if jumps > 0 {
            warnings.append(
                "the sender's clock jumped \(jumps) times, by up to \(Format.milliseconds(largestJump)) ms"
            )
        }
        return warnings
    }

    var text: String {
        let words = stamped.count > 0 ? "Apus's capture stamp (SEI)" : "RTCP sender reports"
        var rows = [["ms", "frames", "min", "avg", "p50", "p95", "p99", "max", "stddev"]]
        rows.append(["capture → arrival"] + best.cells + [Format.milliseconds(best.deviation)])
        if stamped.count > 0, reported.count > 0 {
            rows.append(["by sender reports"] + reported.cells + [Format.milliseconds(reported.deviation)])
        }
        let statistics = player.statistics(0)
        var text = "\(target.redacted) over \(transport), by \(words)\n" + Table(rows).text
        text +=
            "\(frames) frames, \(backlog) of them from before the start, \(unmapped) before the first report, \(statistics?.lost ?? 0) packets lost"
        if let firstFrame {
            text += ", first frame after \(Format.milliseconds((firstFrame - player.began).nanoseconds)) ms"
        }
        return text + "\n"
    }

    var json: JSON {
        var members: [JSON.Member] = [
            JSON.Member("url", .string(target.redacted)), JSON.Member("transport", .string(transport)),
            JSON.Member("method", .string(method)), JSON.Member("latency", best.json),
            JSON.Member("stddev_ns", JSON(best.deviation)), JSON.Member("frames", JSON(frames)),
            JSON.Member("backlog", JSON(backlog)), JSON.Member("unmapped", JSON(unmapped)),
            JSON.Member("packets_lost", JSON(player.statistics(0)?.lost ?? 0)),
            JSON.Member("first_frame_ns", JSON(firstFrame.map { ($0 - player.began).nanoseconds } ?? 0)),
            JSON.Member("clock_jumps", JSON(jumps)), JSON.Member("negative", JSON(best.negatives)),
            JSON.Member("warnings", .array(warnings.map { .string($0) })),
            JSON.Member("deviations", .array(deviations.map { .string($0) })),
        ]
        if stamped.count > 0, reported.count > 0 { members.append(JSON.Member("by_sender_reports", reported.json)) }
        return .object(members)
    }
}
