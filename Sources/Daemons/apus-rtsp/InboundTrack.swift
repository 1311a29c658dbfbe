// SPDX-License-Identifier: Apache-2.0
// One track that a client sends: its packets become frames in a ring.

import Bytes
import FanOut
import Log
import Loop
import Media
import RTP
import Ring
import SDP
import System

/// Receives one track from a client and writes its frames into a ring, which is there from `start` to `stop`.
final class InboundTrack {
    /// What the client's description says of the track.
    let description: SessionDescription.Track
    let delivery: Delivery
    private(set) var receiver: TrackReceiver
    /// Frames that the ring did not take.
    private(set) var refused: UInt64 = 0
    /// Says when a frame was taken, on this machine's clock; nil if it is to be left out.
    var instant: ((TrackReceiver.Frame) -> Instant?)?
    /// Sends an RTCP packet to the client.
    var sendReport: (([UInt8]) -> Void)?

    private unowned let server: Server
    private let ring: Ring
    private var writer: RingWriter?
    private var timeout: LoopTimer?
    private var reports: LoopTimer?
    private var keyframeRequested: Instant?
    /// The source identifier that reports to the client have.
    private let source = UInt32(truncatingIfNeeded: Random.uint64())

    /// Where the frames go.
    struct Ring {
        /// Camera and stream, for logs: `cam/publish`.
        let name: String
        let path: String
        /// Bytes of shared memory.
        let capacity: Int
    }

    /// How often a receiver report is sent.
    private static let reportInterval = Duration.seconds(5)
    /// A viewer's wish for a keyframe is passed on no more often.
    private static let keyframeInterval = Duration.seconds(1)

    init(_ description: SessionDescription.Track, _ delivery: Delivery, _ server: Server, _ ring: Ring) {
        self.description = description
        self.delivery = delivery
        self.server = server
        self.ring = ring
        let options: TrackReceiver.Options = if case .interleaved = delivery { .stream } else { .datagrams }
        receiver = TrackReceiver(description.format, options: options)
    }

    deinit { stop() }

    /// Opens the ring and takes packets from now on.
    func start() throws(RingError) {
        guard writer == nil else { return }
        // Another worker may have the camera's publisher.
        if server.workers > 1, RingWriter.isLive(ring.path) { throw .taken }
        let writer = try RingWriter(
            loop: server.loop,
            path: ring.path,
            description: receiver.description,
            capacity: ring.capacity
        )
        writer.onKeyframeRequest = { [unowned self] in requestKeyframe() }
        self.writer = writer
        reports = server.loop.timer(every: Self.reportInterval) { [unowned self] in report() }
    }

    /// Takes no more packets; readers of the ring see its end. Harmless when repeated.
    func stop() {
        timeout?.cancel()
        timeout = nil
        reports?.cancel()
        writer?.close()
        writer = nil
    }

    /// Takes a packet.
    func receive(_ packet: Span<UInt8>, isReport: Bool) {
        guard writer != nil else { return }
        if isReport {
            receiver.receiveReport(packet, at: server.loop.now)
        } else {
            receiver.receive(packet, at: server.loop.now, emit: publish)
            if receiver.needsKeyframe { askForKeyframe() }
            scheduleTimeout()
        }
        for deviation in receiver.takeDeviations() {
            server.log.info("publisher deviates", ["track": ring.name, "how": deviation.text])
        }
    }

    /// Gives up for packets that were lost on their way when they are overdue.
    private func scheduleTimeout() {
        guard timeout == nil, let deadline = receiver.deadline else { return }
        timeout = server.loop.timer(at: deadline) { [unowned self] in
            timeout = nil
            receiver.handleTimeout(at: server.loop.now, emit: publish)
            scheduleTimeout()
        }
    }

    private func publish(_ frame: TrackReceiver.Frame, _ bytes: Span<UInt8>) {
        guard let writer, let captured = instant?(frame) else { return }
        var flags = frame.flags
        if description.format.stream.codec.isIntraOnly { flags.insert(.keyframe) }
        do throws(RingError) {
            if let description = frame.newDescription { try writer.update(description) }
            try writer.publish(bytes, captured: captured, flags: flags)
        } catch {
            if refused == 0 { server.log.warn("a frame is not passed on", ["track": ring.name, "error": error]) }
            refused += 1
        }
    }

    // MARK: RTCP

    private func report() {
        var bytes: [UInt8] = []
        receiver.appendReport(from: source, name: server.canonicalName, at: server.loop.now, to: &bytes)
        sendReport?(bytes)
    }

    /// Asks for a keyframe after a loss.
    private func askForKeyframe() {
        var bytes: [UInt8] = []
        let now = server.loop.now
        if receiver.appendKeyframeRequest(.pictureLoss, from: source, name: server.canonicalName, at: now, to: &bytes) {
            sendReport?(bytes)
        }
    }

    /// Passes on a viewer's wish.
    private func requestKeyframe() {
        guard let media = receiver.source else { return }
        let now = server.loop.now
        if let keyframeRequested, now - keyframeRequested < Self.keyframeInterval { return }
        keyframeRequested = now
        var bytes: [UInt8] = []
        receiver.appendReport(from: source, name: server.canonicalName, at: now, to: &bytes)
        RTCP.appendPictureLoss(from: source, media: media, to: &bytes)
        sendReport?(bytes)
    }
}
