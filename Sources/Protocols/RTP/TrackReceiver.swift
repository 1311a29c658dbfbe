// SPDX-License-Identifier: Apache-2.0
// RTP and RTCP packets of one track in, frames with their times out.

package import Bytes
package import Media

/// Receives one track: puts packets in order, counts what is missing, puts frames together, reports back.
///
/// Feed it every packet of the track with the instant of its arrival, and call `handleTimeout` when `deadline` has
/// passed. Over TCP nothing is held back; over UDP a packet that came before its turn waits for the missing ones for
/// `Options.hold` at most.
package struct TrackReceiver: Sendable {
    /// How a track is received.
    package struct Options: Sendable, Hashable {
        /// How long packets wait for those missing in front of them; zero: not at all.
        package var hold: Duration
        /// Sequence numbers that packets may be ahead of the next one due.
        package var capacity: Int
        package var recovery = RTPDepacketizer.Recovery.keyframe
        /// Bytes of the longest frame.
        package var maximumFrame = RTPDepacketizer.maximumFrame

        /// For TCP, where packets come in order.
        package static let stream = Options(hold: .zero, capacity: 0)
        /// For UDP.
        package static let datagrams = Options(hold: .milliseconds(60), capacity: 256)

        package init(hold: Duration, capacity: Int) {
            self.hold = hold
            self.capacity = capacity
        }
    }

    /// What is known of a received frame apart from its bytes.
    package struct Frame: Sendable, Hashable {
        /// In ticks of `clockRate`; its low 32 bits are the RTP timestamp.
        package var timestamp: Int64
        package var clockRate: UInt32
        /// Grows when the sender's timeline became another: timestamps of two epochs cannot be compared.
        package var epoch: UInt32
        /// In ticks, of sound; 0 where it is not known.
        package var duration: UInt32
        /// When the frame's last packet arrived.
        package var arrival: Instant
        /// When it was taken by the sender's clock, in nanoseconds since 1970; nil before its first sender report.
        package var utcNanoseconds: Int64?
        package var flags: FrameFlags
        /// What the stream is from this frame on; nil if that is what it was.
        package var newDescription: StreamDescription?

        package var isKeyframe: Bool { flags.contains(.keyframe) }
        /// Something is missing between the frame before and this one.
        package var isAfterLoss: Bool { flags.contains(.discontinuity) }
    }

    /// Gets each frame; the bytes are valid during the call only.
    package typealias Emit = (Frame, Span<UInt8>) -> Void

    /// Sequence numbers further ahead than this are a new start, further behind too (RFC 3550 A.1).
    package static let maximumDropout = 3000
    package static let maximumDisorder = 100

    package let format: TrackFormat
    package let options: Options
    /// The synchronisation source identifier (SSRC) of the sender; nil before its first packet.
    package private(set) var source: UInt32?
    package private(set) var statistics = ReceptionStatistics()
    /// True once the sender has said goodbye; packets are taken nevertheless.
    package private(set) var hasEnded = false
    /// The newest sender report and when it arrived.
    package internal(set) var lastReport: (info: RTCP.SenderInfo, arrival: Instant)?
    /// When the newest packet arrived.
    package private(set) var lastArrival: Instant?
    var deviations = RTPDeviations()
    var depacketizer: RTPDepacketizer
    /// When a keyframe was last asked for, and how often.
    var keyframeRequested: Instant?
    var keyframeRequests: UInt8 = 0

    private var buffer: ReorderBuffer
    /// A packet taken out of the buffer.
    private var scratch: [UInt8] = []
    /// The extended sequence number that comes next.
    private var next: Int64 = 0
    private var timestamp: Int64?
    private var epoch: UInt32 = 0
    /// Packets missing in front of the next one that is delivered.
    private var pendingMissing = 0
    private var hasDescribedType = false
    /// A start that is believed when the packet behind it comes as well: source and sequence number of that.
    private var candidate: (source: UInt32, sequence: UInt16)?

    package init(_ format: TrackFormat, options: Options) {
        self.format = format
        self.options = options
        depacketizer = RTPDepacketizer(format, recovery: options.recovery, maximumFrame: options.maximumFrame)
        buffer = ReorderBuffer(capacity: options.hold > .zero ? max(0, options.capacity) : 0)
    }

    /// The stream as it is known by now; `descriptionVersion` grows when it changes.
    package var description: StreamDescription { depacketizer.description }
    package var descriptionVersion: UInt32 { depacketizer.descriptionVersion }

    /// What became of frames.
    package var frames: RTPDepacketizer.Counters { depacketizer.counters }

    /// True while frames are held back until a keyframe comes: time to ask for one.
    package var needsKeyframe: Bool { depacketizer.isWaiting }

    /// The sender's deviations that happened for the first time since the last call; worth a line in the log each.
    package mutating func takeDeviations() -> [RTPDeviation] {
        deviations.merge(depacketizer.deviations)
        return deviations.takeNew()
    }

    /// Everything the sender did otherwise than specified.
    package var allDeviations: [RTPDeviation] {
        var all = deviations
        all.merge(depacketizer.deviations)
        return all.all
    }

    /// When `handleTimeout` is due; nil while no packet is held back.
    package var deadline: Instant? { buffer.first(from: next).map { $0.arrival + options.hold } }

    /// Takes an RTP packet and hands over the frames that it completes.
    package mutating func receive(_ packet: Span<UInt8>, at now: Instant, emit: Emit) {
        guard packet.count >= RTPHeader.length, let parsed = try? RTPPacket(parsing: packet) else {
            statistics.refused += 1
            return
        }
        guard accept(parsed.header, packet, now), let ahead = place(parsed.header, emit) else {
            statistics.refused += 1
            return
        }
        if packet[0] & 0x10 != 0 { deviations.note(.headerExtension) }
        if packet[0] & 0x20 != 0 { deviations.note(.padding) }
        statistics.received += 1
        statistics.octets += UInt64(parsed.payload.count)
        statistics.noteArrival(now, timestamp: parsed.header.timestamp, clockRate: format.clockRate)
        lastArrival = now
        take(packet, parsed, ahead, now, emit)
    }

    /// Gives up for packets that are overdue.
    package mutating func handleTimeout(at now: Instant, emit: Emit) {
        while let first = buffer.first(from: next), first.arrival + options.hold <= now {
            skip(to: first.sequence, emit)
        }
    }

    /// Ends the track: hands over what is held back.
    package mutating func finish(emit: Emit) {
        while let first = buffer.first(from: next) { skip(to: first.sequence, emit) }
        finishFrames(isReset: false, emit)
    }

    /// Takes the sender's goodbye.
    mutating func noteGoodbye() { hasEnded = true }

    mutating func takeFractionLost() -> UInt8 { statistics.takeFractionLost() }

    // MARK: Packets

    /// True if the packet belongs to this track.
    private mutating func accept(_ header: RTPHeader, _ packet: Span<UInt8>, _ now: Instant) -> Bool {
        if header.payloadType == format.payloadType {
            hasDescribedType = true
            return true
        }
        // RTCP's packet types with the marker's bit taken off (RFC 5761 §4).
        if (72...79).contains(header.payloadType) {
            deviations.note(.mixedPorts)
            receiveReport(packet, at: now)
            return false
        }
        // Comfort noise, events and repairs have types of their own; a track that has only another type means it.
        if hasDescribedType || header.payloadType == 13 { return false }
        deviations.note(.payloadType)
        return true
    }

    /// How far the packet is ahead of the next one due, negative for the past; nil if it is not to be taken.
    private mutating func place(_ header: RTPHeader, _ emit: Emit) -> Int? {
        guard let source else {
            start(header)
            return 0
        }
        let ahead = Int(Int16(truncatingIfNeeded: Int(header.sequence) - Int(next & 0xFFFF)))
        if header.source == source, ahead > -Self.maximumDisorder, ahead < Self.maximumDropout {
            candidate = nil
            return ahead
        }
        // Over UDP anybody can send one packet: the new start needs a second one.
        let isConfirmed = candidate.map { $0 == (header.source, header.sequence) } ?? false
        guard isConfirmed || options.hold == .zero else {
            candidate = (header.source, header.sequence &+ 1)
            return nil
        }
        deviations.note(header.source == source ? .sequenceReset : .sourceChanged)
        while let first = buffer.first(from: next) { skip(to: first.sequence, emit) }
        finishFrames(isReset: true, emit)
        epoch &+= 1
        lastReport = nil
        start(header)
        return 0
    }

    private mutating func start(_ header: RTPHeader) {
        source = header.source
        candidate = nil
        hasEnded = false
        next = Int64(header.sequence)
        buffer.removeAll()
        statistics.restart(at: next)
    }

    private mutating func take(_ packet: Span<UInt8>, _ parsed: RTPPacket, _ ahead: Int, _ now: Instant, _ emit: Emit) {
        guard ahead >= 0 else {
            // Given up for, or come before: the report counts it, the frame is gone.
            statistics.late += 1
            statistics.counted += 1
            return
        }
        let sequence = next + Int64(ahead)
        statistics.highest = max(statistics.highest, sequence)
        if ahead > 0, buffer.capacity > 0 {
            // Too far ahead for the buffer: give up for the oldest gaps.
            while sequence - next >= Int64(buffer.capacity) {
                skip(to: buffer.first(from: next)?.sequence ?? sequence, emit)
            }
        }
        statistics.counted += 1
        if sequence > next, buffer.capacity > 0 {
            if buffer.insert(packet, sequence, now) {
                statistics.reordered += 1
            } else {
                statistics.duplicates += 1
            }
            return handleTimeout(at: now, emit: emit)
        }
        deliver(packet, parsed, missing: Int(sequence - next), now, emit)
        next = sequence + 1
        drain(emit)
    }

    /// Gives up for what is missing in front of `sequence`, and goes on with what is there from it on.
    private mutating func skip(to sequence: Int64, _ emit: Emit) {
        let missing = Int(sequence - next)
        next = sequence
        guard let arrival = buffer.take(sequence, into: &scratch) else {
            pendingMissing += missing
            return
        }
        deliverScratch(missing: missing, arrival, emit)
        next += 1
        drain(emit)
    }

    private mutating func drain(_ emit: Emit) {
        while let arrival = buffer.take(next, into: &scratch) {
            deliverScratch(missing: 0, arrival, emit)
            next += 1
        }
    }

    private mutating func deliverScratch(missing: Int, _ arrival: Instant, _ emit: Emit) {
        var bytes: [UInt8] = []
        swap(&bytes, &scratch)
        if let parsed = try? RTPPacket(parsing: bytes.span) {
            deliver(bytes.span, parsed, missing: missing, arrival, emit)
        }
        swap(&bytes, &scratch)
    }

    private mutating func deliver(
        _ packet: Span<UInt8>,
        _ parsed: RTPPacket,
        missing: Int,
        _ arrival: Instant,
        _ emit: Emit
    ) {
        let missing = missing + pendingMissing
        pendingMissing = 0
        statistics.missing += UInt64(missing)
        let last = timestamp ?? Int64(parsed.header.timestamp)
        // The nearest time with these low 32 bits.
        let ticks = last &+ Int64(Int32(truncatingIfNeeded: Int64(parsed.header.timestamp) &- last))
        timestamp = ticks
        let info = RTPDepacketizer.Packet(
            timestamp: ticks,
            marker: parsed.header.marker,
            followsLoss: missing > 0,
            arrival: arrival
        )
        let payload = packet.extracting(parsed.payload)
        let context = context
        depacketizer.take(payload, info) { frame, bytes in emit(context.frame(frame), bytes) }
    }

    /// What only the receiver knows of a frame.
    private struct Context {
        var clockRate: UInt32
        var epoch: UInt32
        var report: RTCP.SenderInfo?

        func frame(_ frame: RTPDepacketizer.Frame) -> Frame {
            Frame(
                timestamp: frame.timestamp,
                clockRate: clockRate,
                epoch: epoch,
                duration: frame.duration,
                arrival: frame.arrival,
                utcNanoseconds: report?.utcNanoseconds(of: frame.timestamp, clockRate: clockRate),
                flags: frame.flags,
                newDescription: frame.newDescription
            )
        }
    }

    private var context: Context { Context(clockRate: format.clockRate, epoch: epoch, report: lastReport?.info) }

    private mutating func finishFrames(isReset: Bool, _ emit: Emit) {
        let context = context
        depacketizer.finish(isReset: isReset) { frame, bytes in emit(context.frame(frame), bytes) }
    }
}
