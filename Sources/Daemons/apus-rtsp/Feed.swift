// SPDX-License-Identifier: Apache-2.0
// One elementary stream as RTP: its ring, its packets, who plays it.

import Bytes
import FanOut
import Loop
import Media
import RTP
import RTSP
import Ring
import System

/// A camera's picture or sound, cut into packets once for all clients.
///
/// The camera's encoder is asked for frames only while somebody plays, or asked for a description a moment ago.
final class Feed {
    /// What is in the ring.
    enum Kind {
        case video
        /// Every picture stands alone: who is behind gets the newest.
        case images
        case audio
    }

    /// Camera and ring: `cam/main`.
    let name: String
    let kind: Kind
    /// The tracks that are playing.
    private(set) var viewers: [PlayedTrack] = []
    /// Called when frames were published, after they have been cut into packets and the viewers have been told.
    var onFrames: (() -> Void)?
    /// Called when the ring has become one of another codec, which the clients cannot be told.
    var onOtherCodec: (() -> Void)?
    /// Frames that RTP cannot carry.
    private(set) var refused: UInt64 = 0
    /// Why the last of them was refused.
    private(set) var lastRefusal: WireError?
    /// Whether that was the newest frame that has been cut into packets.
    private var isRefusing = false

    private let loop: EventLoop
    private let reader: RingReader
    /// The synchronisation source identifier of this daemon's life.
    let source = UInt32(truncatingIfNeeded: Random.uint64())
    private var clock = RTPClock(offset: UInt32(truncatingIfNeeded: Random.uint64()))
    private var packetizer: RTPPacketizer?
    private var ledger = SequenceLedger(capacity: 1, firstNumber: UInt16(truncatingIfNeeded: Random.uint64()))
    private var incarnation: UInt64 = 0
    /// Of the description by which the packetizer was made.
    private var generation: UInt32 = 0
    private var caches: [UInt8: WireCache] = [:]
    private weak var protectionInUse: Protection?
    private var lingering: LoopTimer?
    private var keyframeRequested: Instant?

    /// After a description the encoder goes on for this long, so that the first keyframe is there when PLAY comes.
    private static let linger = Duration.seconds(10)
    /// A stream whose newest frame is older rests; joiners wait for its next frame.
    private static let freshness = Duration.seconds(1)
    /// How often a keyframe is asked for while clients wait for one.
    private static let keyframeInterval = Duration.seconds(1)

    init(_ name: String, _ kind: Kind, loop: EventLoop, ring: String) {
        self.name = name
        self.kind = kind
        self.loop = loop
        reader = RingReader(loop: loop, path: ring, demand: false)
        reader.onFrames = { [unowned self] in framesPublished() }
        reader.onAttach = { [unowned self] in attached() }
    }

    deinit {
        lingering?.cancel()
        reader.close()
    }

    /// True while the producer is there.
    var isAttached: Bool { reader.isAttached }
    /// The ring's memory, nil while there has never been a producer.
    var view: RingView? { reader.view }

    /// What the ring holds and how often that has changed; nil while there is no producer.
    var description: (StreamDescription, generation: UInt32)? {
        guard reader.isAttached, let (description, generation) = reader.view?.description() else { return nil }
        return (description, generation)
    }

    /// Ticks a second of the timestamps.
    var clockRate: UInt32 { clock.rate }

    /// Why there is nothing to play, for people.
    var trouble: String {
        if reader.isAttached { return "\(name) gives no frames" }
        return "\(name): the camera's process does not run" + (reader.lastError.map { " (\($0))" } ?? "")
    }

    // MARK: Clients

    /// A track starts to play; pairs with `remove`.
    func add(_ viewer: PlayedTrack) {
        viewers.append(viewer)
        updateDemand()
    }

    /// A track plays no more. Harmless when repeated.
    func remove(_ viewer: PlayedTrack) {
        guard let index = viewers.firstIndex(where: { $0 === viewer }) else { return }
        viewers.swapAt(index, viewers.count - 1)
        viewers.removeLast()
        updateDemand()
    }

    /// Wakes the encoder for a client that is about to play.
    func touch() {
        lingering?.cancel()
        lingering = loop.timer(after: Self.linger) { [unowned self] in
            lingering = nil
            updateDemand()
        }
        updateDemand()
    }

    /// Why RTP cannot carry the newest frame, nil if it can: a camera's own JPEGs may be of a kind that it cannot.
    func refusal() -> WireError? {
        guard kind == .images else { return nil }
        advance()
        return isRefusing ? lastRefusal : nil
    }

    /// Where a client that plays from now on starts: the first packet's number and timestamp, and the frame.
    func start(notBefore instant: Instant?) -> FeedStart {
        advance()
        if let view = reader.view, canJoin(view) {
            let frame = firstFrame(in: view, notBefore: instant)
            if let number = ledger.firstNumber(of: frame), let info = view.info(frame) {
                return FeedStart(sequence: number, timestamp: clock.timestamp(of: info.captured), frame: info)
            }
        }
        return next
    }

    /// Where somebody starts who gets what comes next, whatever it is.
    var next: FeedStart {
        advance()
        return FeedStart(sequence: ledger.nextNumber, timestamp: nil, frame: nil)
    }

    /// The newest keyframe; for sound, what was heard with the picture at `instant`.
    private func firstFrame(in view: RingView, notBefore instant: Instant?) -> UInt64 {
        guard kind == .audio else { return kind == .images ? view.newest : view.newestKeyframe }
        var frame = view.newest
        guard let instant else { return frame }
        while frame > 1, let info = view.info(frame - 1), info.captured >= instant,
            ledger.firstNumber(of: frame - 1) != nil
        {
            frame -= 1
        }
        return frame
    }

    /// How a new client goes through the frames.
    func cursor(maximumLatency: Duration) -> FrameCursor {
        FrameCursor(policy(maximumLatency: maximumLatency), at: loop.now)
    }

    /// What a client that falls behind is given.
    func policy(maximumLatency: Duration) -> FrameCursor.Policy {
        switch kind {
        case .images: .newestFrame
        case .video: .everyFrame(maxLatency: maximumLatency)
        // Sound is small and a gap in it is heard: it is dropped when it has left the ring only.
        case .audio: .everyFrame(maxLatency: .seconds(3600))
        }
    }

    /// The next frame's packets for a client, nil if there is none now; `cache` is one of this feed's.
    func nextImage(_ cursor: inout FrameCursor, _ cache: WireCache) -> WireImage? {
        guard let view = reader.view else { return nil }
        if cursor.needsKeyframe, !canJoin(view) { return nil }
        while let frame = cursor.nextFrame(in: view, at: loop.now) {
            cursor.sent(frame)
            if let image = image(frame, cache, in: view) { return image }
        }
        if cursor.needsKeyframe { requestKeyframe() }
        return nil
    }

    /// What a sender report says now (RFC 3550 §6.4.1): the same instant in UTC and on the stream's clock.
    func senderInfo(packets: UInt32, octets: UInt32) -> RTCP.SenderInfo {
        let now = loop.now
        let utc = reader.view?.utc?.utcNanoseconds(now) ?? Clock.realtimeNanoseconds()
        return RTCP.SenderInfo(
            source: source,
            time: NTPTime(unixNanoseconds: utc),
            timestamp: clock.timestamp(of: now),
            packets: packets,
            octets: octets
        )
    }

    // MARK: The ring

    private func attached() {
        advance()
        tellViewers()
    }

    private func framesPublished() {
        if !viewers.isEmpty { advance() }
        tellViewers()
    }

    private func tellViewers() {
        for viewer in viewers { viewer.framesPublished() }
        onFrames?()
    }

    private func updateDemand() { reader.demand = !viewers.isEmpty || lingering != nil }

    /// Asks for a keyframe, if none was asked for a moment ago.
    func requestKeyframe() {
        if let keyframeRequested, loop.now - keyframeRequested < Self.keyframeInterval { return }
        keyframeRequested = loop.now
        reader.requestKeyframe()
    }

    /// False while the ring holds only what was made before the encoder rested.
    private func canJoin(_ view: RingView) -> Bool {
        guard let newest = view.info(view.newest) else { return false }
        let rate = view.description()?.description.frameRate.value ?? 0
        let interval = Duration.seconds(rate > 0 ? 1 / rate : 0)
        guard loop.now - newest.published <= max(Self.freshness, interval * 2) else { return false }
        guard kind == .video, rate > 0, let keyframe = view.info(view.newestKeyframe) else { return true }
        // A rest between the keyframe and the newest frame would be played as a picture that stands still.
        // A keyframe may have been published since the newest frame was looked at.
        guard keyframe.sequence < newest.sequence else { return true }
        let frames = Int(newest.sequence - keyframe.sequence)
        if newest.captured - keyframe.captured <= interval * (2 * frames) + Self.freshness { return true }
        requestKeyframe()
        return false
    }

    // MARK: Packets

    /// Numbers the packets of all frames that are new, in their order.
    private func advance() {
        guard let view = reader.view, prepare(view) else { return }
        let keyframe = view.newestKeyframe
        let start = keyframe > 0 && view.info(keyframe) != nil ? keyframe : view.newest + 1
        // Nobody can ask for what was published before the newest keyframe while nobody watched.
        if ledger.nextFrame == nil || (viewers.isEmpty && (ledger.nextFrame ?? 0) < start) { ledger.restart(at: start) }
        while let frame = ledger.nextFrame, frame <= view.newest {
            packetizer?.nextSequence = ledger.nextNumber
            if case .image(let image) = cache(channel: 0).image(of: frame, in: view) {
                packetizer?.nextSequence = ledger.nextNumber
                if let protectionInUse { _ = protectionInUse.cache(channel: 0).image(of: frame, in: view) }
                ledger.record(packets: image.packetCount)
            } else {
                ledger.skip()
            }
        }
    }

    /// Makes ready for the ring at hand; false while its codec is not known.
    private func prepare(_ view: RingView) -> Bool {
        let isSame = view.incarnation == incarnation && packetizer != nil
        if isSame, view.descriptionGeneration == generation { return true }
        guard let (description, generation) = view.description() else { return isSame }
        guard let format = RTPPacketizer.Format(description) else { return false }
        self.generation = generation
        let track = Self.track(description)
        // A source that comes back may be of another codec, in the same ring.
        if isSame, packetizer?.format == format, clock.rate == track.clockRate { return true }
        incarnation = view.incarnation
        ledger = SequenceLedger(capacity: max(1, view.slotCount), firstNumber: ledger.nextNumber)
        if let packetizer, packetizer.format != format || clock.rate != track.clockRate, !viewers.isEmpty {
            loop.later { [weak self] in self?.onOtherCodec?() }
        }
        clock = RTPClock(rate: track.clockRate, offset: clock.offset)
        packetizer = RTPPacketizer(
            format,
            payloadType: track.payloadType,
            source: source,
            firstSequence: ledger.nextNumber
        )
        return true
    }

    private func image(_ frame: UInt64, _ cache: WireCache, in view: RingView) -> WireImage? {
        // It may have been published after the last wake-up was handled.
        if let next = ledger.nextFrame, next <= frame { advance() }
        guard view.incarnation == incarnation, let number = ledger.firstNumber(of: frame) else { return nil }
        packetizer?.nextSequence = number
        guard case .image(let image) = cache.image(of: frame, in: view), image.count > 0 else { return nil }
        return image
    }

    /// The images with an interleaved channel's number in them; for datagrams any will do, nearly all have channel 0.
    func cache(channel: UInt8) -> WireCache {
        if let cache = caches[channel] { return cache }
        let cache = WireCache { [unowned self] info, frame, image in build(info, frame, channel, &image) }
        caches[channel] = cache
        return cache
    }

    /// What protects the packets for those who hold on to it; nil if there is no SRTP.
    func protection() -> Protection? {
        if let protectionInUse { return protectionInUse }
        let protection = Protection(source: source) { [unowned self] channel in
            { [unowned self] info, frame, image in build(info, frame, channel, &image) }
        }
        protectionInUse = protection
        return protection
    }

    private func build(_ info: FrameInfo, _ frame: Span<UInt8>, _ channel: UInt8, _ image: inout PacketImage) {
        do throws(WireError) {
            try packetizer?.packetize(frame, timestamp: clock.timestamp(of: info.captured), into: &image)
            if channel != 0 { image.setChannel(channel) }
            isRefusing = false
        } catch {
            isRefusing = true
            refused += 1
            lastRefusal = error
        }
    }

    /// How a ring's frames travel. Sound has another dynamic payload type than pictures, as some clients expect.
    static func track(_ stream: StreamDescription) -> TrackFormat {
        TrackFormat(sending: stream, dynamicType: stream.codec.isAudio ? 97 : 96)
    }
}

/// Where a client starts.
struct FeedStart {
    /// The first packet's sequence number.
    let sequence: UInt16
    /// The first packet's timestamp; nil if it is not known yet.
    let timestamp: UInt32?
    /// The first frame, if it is in the ring already.
    let frame: FrameInfo?
}
