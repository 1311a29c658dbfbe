// SPDX-License-Identifier: Apache-2.0
// Pictures that other daemons want otherwise than they are in the rings: scaled, or of the coded streams' past.

import Bytes
import Daemon
import Log
import Loop
import Media
import Pictures
import Ring
import System

/// Serves jobs on a Unix socket, one at a time; what takes long is done beside the loop.
///
/// Decoders live here and not in the daemons that speak with the network.
final class PictureService {
    private let loop: EventLoop
    private let log: Logger
    private let runDirectory: RunDirectory
    private let camera: String
    private let path: String
    private let socket: FileDescriptor
    private let queue: BackgroundQueue
    private var watch: Watch?
    private var clients: [Int32: PictureClient] = [:]
    private var jobs: [(job: PictureJob, client: PictureClient)] = []
    private var isBusy = false
    private var readers: [String: RingReader] = [:]
    private var patience: LoopTimer?
    private var idle: LoopTimer?

    /// A ring has to be there within this time.
    private static let attachTime = Duration.seconds(2)
    /// Rings stay attached for so long: every attached reader is woken for every frame.
    private static let idleTime = Duration.seconds(5)
    /// Connections at a time.
    private static let clientLimit = 8

    /// Listens, for processes of the same user.
    init(_ loop: EventLoop, _ log: Logger, _ runDirectory: RunDirectory, camera: String) throws(SystemError) {
        self.loop = loop
        self.log = log
        self.runDirectory = runDirectory
        self.camera = camera
        path = runDirectory.pictures(camera)
        queue = try BackgroundQueue(loop)
        socket = try Socket.listenUnix(path, kind: .stream, mode: 0o600)
        watch = try loop.watch(socket.raw, .read) { [unowned self] _ in accept() }
    }

    /// Ends with everything.
    func close() {
        watch?.cancel()
        watch = nil
        for client in clients.values { client.close() }
        clients = [:]
        File.remove(path)
    }

    private func accept() {
        while let accepted = try? Socket.accept(socket.raw) {
            let socket = accepted.takeSocket()
            guard clients.count < Self.clientLimit else { continue }
            let number = socket.raw
            let client = PictureClient(socket)
            client.onJob = { [unowned self, unowned client] job in
                jobs.append((job, client))
                goOn()
            }
            client.onEnd = { [unowned self, unowned client] in
                jobs.removeAll { $0.client === client }
                clients[number] = nil
            }
            guard (try? client.start(loop)) != nil else { continue }
            clients[number] = client
        }
    }

    private func goOn() {
        idle?.cancel()
        while !isBusy, let (job, client) = jobs.first {
            guard job.camera == camera else {
                reply(.gone("\(job.camera) is not here"), to: client)
                continue
            }
            let reader = reader(job.stream)
            guard let view = reader.view, reader.isAttached else { return waitForRing(job) }
            patience?.cancel()
            patience = nil
            switch PictureFrames.copy(job, from: view) {
            case .failure(let missing): reply(.gone(missing.rawValue), to: client)
            case .success(let frames):
                isBusy = queue.run(
                    { frames.picture() },
                    then: { [unowned self] picture in
                        isBusy = false
                        reply(picture, to: client)
                        goOn()
                    }
                )
                if !isBusy { reply(.failed("there is no thread for it"), to: client) }
            }
        }
        if jobs.isEmpty { rest() }
    }

    private func waitForRing(_ job: PictureJob) {
        guard patience == nil else { return }
        patience = loop.timer(after: Self.attachTime) { [unowned self] in
            patience = nil
            if let client = jobs.first?.client { reply(.gone("\(job.stream) is not there"), to: client) }
            goOn()
        }
    }

    /// Answers the first job, unless its client has gone, and its jobs with it.
    private func reply(_ reply: PictureReply, to client: PictureClient) {
        guard jobs.first?.client === client else { return }
        jobs.removeFirst()
        client.send(reply.bytes)
    }

    private func rest() {
        idle = loop.timer(after: Self.idleTime) { [unowned self] in
            for reader in readers.values { reader.close() }
            readers = [:]
        }
    }

    private func reader(_ stream: String) -> RingReader {
        if let reader = readers[stream] { return reader }
        let reader = RingReader(loop: loop, path: runDirectory.ring(camera, stream), demand: false)
        reader.onAttach = { [unowned self] in goOn() }
        readers[stream] = reader
        return reader
    }
}

/// A daemon that wants pictures.
private final class PictureClient {
    var onJob: ((PictureJob) -> Void)?
    var onEnd: (() -> Void)?
    private let socket: FileDescriptor
    private var watch: Watch?
    private var input: [UInt8] = []
    private var output: [UInt8] = []

    /// Bytes of jobs that may wait, and of pictures.
    private static let inputLimit = 16 << 10
    private static let outputLimit = 128 << 20

    init(_ socket: consuming FileDescriptor) { self.socket = socket }

    func start(_ loop: EventLoop) throws(SystemError) {
        watch = try loop.watch(socket.raw, .read) { [unowned self] readiness in
            if readiness.contains(.writable) { flush() }
            if readiness.isWorthReading, watch != nil { receive() }
        }
    }

    func send(_ bytes: [UInt8]) {
        guard output.count + bytes.count <= Self.outputLimit else { return end() }
        output += bytes
        flush()
    }

    func close() {
        onJob = nil
        onEnd = nil
        watch?.cancel()
        watch = nil
    }

    private func end() {
        let report = onEnd
        close()
        report?()
    }

    private func flush() {
        do throws(SystemError) {
            let pending = output
            let result = try Socket.send(socket.raw, pending.span)
            if case .bytes(let count) = result { output.removeFirst(count) }
            if output.isEmpty { output = [] }
            try watch?.modify(output.isEmpty ? .read : [.read, .write])
        } catch {
            end()
        }
    }

    private func receive() {
        guard case .bytes? = try? read(socket.raw, appendingTo: &input, atMost: 4096),
            input.count <= Self.inputLimit
        else { return end() }
        while watch != nil, let line = input.firstIndex(of: UInt8(ascii: "\n")) {
            guard let job = PictureJob(input[..<line]) else { return end() }
            input.removeFirst(line + 1)
            onJob?(job)
        }
    }
}
