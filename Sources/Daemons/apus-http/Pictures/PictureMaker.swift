// SPDX-License-Identifier: Apache-2.0
// Pictures made to measure, by the cameras' own processes: decoders stay out of this one.

import Bytes
import FanOut
import Log
import Loop
import Media
import Pictures
import System

/// Has pictures of one camera scaled, decoded and encoded by its `apus-video`.
///
/// Whoever wants the same of the same frame shares one picture: while it is made, and for a moment after that.
final class PictureMaker {
    /// What became of a job.
    enum Outcome {
        case picture(WireImage, PictureReply.Facts)
        case gone(String)
        case failed(String)
    }

    /// Jobs that wait at most; what comes on top is refused.
    static let limit = 32
    /// Connection and pictures stay for so long without a job.
    static let idleTime = Duration.seconds(5)
    /// A job that takes longer is given up.
    static let jobTime = Duration.seconds(10)
    /// Pictures kept for those who come a moment later.
    static let keptLimit = 4

    private struct Job {
        let job: PictureJob
        var takers: [(Outcome) -> Void]
    }

    private let loop: EventLoop
    private let log: Logger
    private let path: String
    private var link: Link?
    /// In the order in which they are made.
    private var jobs: [Job] = []
    private var kept: [(job: PictureJob, image: WireImage, facts: PictureReply.Facts)] = []
    private var timer: LoopTimer?

    /// Connects to `path` when there is something to do.
    init(_ loop: EventLoop, _ log: Logger, _ path: String) {
        self.loop = loop
        self.log = log
        self.path = path
    }

    deinit { timer?.cancel() }

    /// Calls `then` when the picture is there, from the loop; false if too much waits.
    func make(_ job: PictureJob, then: @escaping (Outcome) -> Void) -> Bool {
        if let known = kept.first(where: { $0.job == job }) {
            loop.later { then(.picture(known.image, known.facts)) }
            return true
        }
        if let index = jobs.firstIndex(where: { $0.job == job }) {
            jobs[index].takers.append(then)
            return true
        }
        guard jobs.count < Self.limit else { return false }
        jobs.append(Job(job: job, takers: [then]))
        do throws(SystemError) {
            if link == nil { link = try connect() }
            try link?.send(job.line)
            if jobs.count == 1 { watchTime() }
        } catch {
            log.debug("no pictures", ["path": path, "error": error])
            loop.later { [weak self] in self?.giveUp("the camera's process does not run") }
        }
        return true
    }

    private func connect() throws(SystemError) -> Link {
        let made = try Link(path, loop)
        made.onReply = { [unowned self] in take($0) }
        made.onEnd = { [unowned self] in giveUp($0) }
        return made
    }

    private func take(_ reply: PictureReply) {
        guard !jobs.isEmpty else { return }
        let job = jobs.removeFirst()
        let outcome: Outcome
        switch reply {
        case .picture(let facts, let bytes):
            var packets = PacketImage()
            packets.bytes = bytes
            let info = FrameInfo(
                sequence: facts.sequence,
                captured: facts.captured,
                published: facts.published,
                flags: facts.isSlate ? [.keyframe, .slate] : .keyframe,
                length: bytes.count
            )
            let image = WireImage(packets, info: info)
            if kept.count == Self.keptLimit { kept.removeFirst() }
            kept.append((job.job, image, facts))
            outcome = .picture(image, facts)
        case .gone(let reason): outcome = .gone(reason)
        case .failed(let reason):
            log.warn("picture not made", ["camera": job.job.camera, "stream": job.job.stream, "error": reason])
            outcome = .failed(reason)
        }
        watchTime()
        for taker in job.takers { taker(outcome) }
    }

    private func watchTime() {
        timer?.cancel()
        let isBusy = !jobs.isEmpty
        timer = loop.timer(after: isBusy ? Self.jobTime : Self.idleTime) { [unowned self] in
            kept = []
            giveUp("the picture takes too long")
        }
    }

    private func giveUp(_ reason: String) {
        link?.close()
        link = nil
        timer?.cancel()
        let lost = jobs
        jobs = []
        for job in lost {
            for taker in job.takers { taker(.failed(reason)) }
        }
    }
}

/// A connection to the process that makes pictures.
private final class Link {
    var onReply: ((PictureReply) -> Void)?
    /// It has ended, or says what makes no sense.
    var onEnd: ((String) -> Void)?
    private let socket: FileDescriptor
    private var watch: Watch?
    private var input: [UInt8] = []

    private static let step = 256 << 10

    init(_ path: String, _ loop: EventLoop) throws(SystemError) {
        socket = try Socket.connectUnix(path, kind: .stream)
        watch = try loop.watch(socket.raw, .read) { [unowned self] _ in receive() }
    }

    func send(_ line: [UInt8]) throws(SystemError) {
        guard case .bytes(line.count) = try Socket.send(socket.raw, line.span) else {
            throw SystemError("send a picture's job", code: 0)
        }
    }

    func close() {
        onReply = nil
        onEnd = nil
        watch?.cancel()
        watch = nil
    }

    private func receive() {
        do throws(SystemError) {
            guard case .bytes = try read(socket.raw, appendingTo: &input, atMost: Self.step) else {
                onEnd?("the camera's process has ended")
                return
            }
        } catch {
            onEnd?("\(error)")
            return
        }
        do throws(WireError) {
            while watch != nil, let reply = try PictureReply.take(&input) { onReply?(reply) }
        } catch {
            onEnd?("\(error)")
        }
    }
}
