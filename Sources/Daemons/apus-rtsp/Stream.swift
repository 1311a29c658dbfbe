// SPDX-License-Identifier: Apache-2.0
// One stream of a camera as RTP: its ring, its packets, who watches.

import Bytes
import Config
import FanOut
import Loop
import Media
import RTP
import RTSP
import Ring
import SDP
import System

/// A camera's stream, cut into packets once for all clients.
///
/// The camera's encoder is asked for frames only while somebody watches, or asked for a description a moment ago.
final class Stream {
    /// The streams that a camera can have.
    enum Kind: String, CaseIterable {
        case main
        case sub
        case jpeg
    }

    let camera: String
    let kind: Kind
    /// Clients that play, by their number.
    private(set) var viewers: [Int: Client] = [:]
    /// Clients whose DESCRIBE waits for the stream, by their number.
    var describing: [Int: Client] = [:]
    /// Called when frames were published, after they have been cut into packets.
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
    /// Kilobits a second that the description announces; nil if it is not known.
    private let bandwidth: Int?
    /// The synchronisation source identifier of this daemon's life.
    let source = UInt32(truncatingIfNeeded: Random.uint64())
    private let clock = RTPClock(offset: UInt32(truncatingIfNeeded: Random.uint64()))
    private let sessionIdentifier = Random.uint64() >> 1
    private var packetizer: RTPPacketizer?
    private var ledger = SequenceLedger(capacity: 1, firstNumber: UInt16(truncatingIfNeeded: Random.uint64()))
    private var incarnation: UInt64 = 0
    private var caches: [UInt8: WireCache] = [:]
    private var lingering: LoopTimer?
    private var keyframeRequested: Instant?

    /// After a description the encoder goes on for this long, so that the first keyframe is there when PLAY comes.
    private static let linger = Duration.seconds(10)
    /// A stream whose newest frame is older rests; joiners wait for its next frame.
    private static let freshness = Duration.seconds(1)
    /// How often a keyframe is asked for while clients wait for one.
    private static let keyframeInterval = Duration.seconds(1)

    init(_ camera: CameraConfiguration, _ kind: Kind, loop: EventLoop, ring: String) {
        self.camera = camera.name
        self.kind = kind
        self.loop = loop
        let configured = kind == .main ? camera.main : kind == .sub ? camera.sub : nil
        // A tenth more for RTP's headers and the encoder's peaks.
        bandwidth = configured.map { max(1, $0.bitrate / 1000 * 11 / 10) }
        reader = RingReader(loop: loop, path: ring, demand: false)
        reader.onFrames = { [unowned self] in framesPublished() }
        reader.onAttach = { [unowned self] in attached() }
    }

    deinit {
        lingering?.cancel()
        reader.close()
    }

    /// The name in logs and reports: `cam/main`.
    var name: String { "\(camera)/\(kind.rawValue)" }
    /// True while the producer is there.
    var isAttached: Bool { reader.isAttached }
    /// The ring's memory, nil while there has never been a producer.
    var view: RingView? { reader.view }

    /// Why there is nothing to play, for people.
    var trouble: String {
        if reader.isAttached { return "\(name) gives no frames" }
        return "\(name): the camera's process does not run" + (reader.lastError.map { " (\($0))" } ?? "")
    }

    // MARK: Clients

    /// A client starts to play; pairs with `leave`.
    func join(_ client: Client) {
        viewers[client.id] = client
        updateDemand()
    }

    /// A client plays no more.
    func leave(_ client: Client) {
        viewers[client.id] = nil
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

    /// The session description; nil while it is not known, or not complete unless `anyhow`.
    func sessionDescription(anyhow: Bool) -> String? {
        guard reader.isAttached, let (description, generation) = reader.view?.description() else { return nil }
        if let format = NALFormat(description.codec), !anyhow {
            guard ParameterSets(format, annexB: description.configuration.span).isComplete else { return nil }
        }
        let control = "\(RTSPAddress.trackPrefix)0"
        let payloadType = Self.payloadType(description.codec)
        guard
            let media = SessionDescription.Media(
                video: description,
                payloadType: payloadType,
                control: control,
                bandwidth: bandwidth
            )
        else { return nil }
        let version = UInt64(generation)
        return SessionDescription.live(name: name, identifier: sessionIdentifier, version: version, media: [media]).text
    }

    /// Why RTP cannot carry the newest frame, nil if it can: a camera's own JPEGs may be of a kind that it cannot.
    func refusal() -> WireError? {
        guard kind == .jpeg else { return nil }
        advance()
        return isRefusing ? lastRefusal : nil
    }

    /// Where a client that plays from now on starts.
    func start(track: Int) -> ServerSession.Start {
        advance()
        if let view = reader.view, canJoin(view) {
            let frame = kind == .jpeg ? view.newest : view.newestKeyframe
            if let number = ledger.firstNumber(of: frame), let info = view.info(frame) {
                return .init(track: track, sequence: number, timestamp: clock.timestamp(of: info.captured))
            }
        }
        return .init(track: track, sequence: ledger.nextNumber, timestamp: nil)
    }

    /// How a new client goes through the stream.
    func cursor(maximumLatency: Duration) -> FrameCursor {
        FrameCursor(kind == .jpeg ? .newestFrame : .everyFrame(maxLatency: maximumLatency), at: loop.now)
    }

    /// The next frame's packets for a client, nil if there is none now.
    func nextImage(_ cursor: inout FrameCursor, channel: UInt8) -> WireImage? {
        guard let view = reader.view else { return nil }
        if cursor.needsKeyframe, !canJoin(view) { return nil }
        while let frame = cursor.nextFrame(in: view, at: loop.now) {
            cursor.sent(frame)
            if let image = image(frame, channel, in: view) { return image }
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
        onFrames?()
    }

    private func framesPublished() {
        if !viewers.isEmpty { advance() }
        onFrames?()
    }

    private func updateDemand() { reader.demand = !viewers.isEmpty || lingering != nil }

    private func requestKeyframe() {
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
        guard kind != .jpeg, rate > 0, let keyframe = view.info(view.newestKeyframe) else { return true }
        // A rest between the keyframe and the newest frame would be played as a picture that stands still.
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
            if case .image(let image) = cache(0).image(of: frame, in: view) {
                ledger.record(packets: image.packetCount)
            } else {
                ledger.skip()
            }
        }
    }

    /// Makes ready for the ring at hand; false while its codec is not known.
    private func prepare(_ view: RingView) -> Bool {
        if view.incarnation == incarnation, packetizer != nil { return true }
        guard let codec = view.description()?.description.codec, let format = RTPPacketizer.Format(codec) else {
            return false
        }
        incarnation = view.incarnation
        ledger = SequenceLedger(capacity: max(1, view.slotCount), firstNumber: ledger.nextNumber)
        if let packetizer, packetizer.format != format { loop.later { [weak self] in self?.onOtherCodec?() } }
        packetizer = RTPPacketizer(
            format,
            payloadType: Self.payloadType(codec),
            source: source,
            firstSequence: ledger.nextNumber
        )
        return true
    }

    private func image(_ frame: UInt64, _ channel: UInt8, in view: RingView) -> WireImage? {
        // It may have been published after the last wake-up was handled.
        if let next = ledger.nextFrame, next <= frame { advance() }
        guard view.incarnation == incarnation, let number = ledger.firstNumber(of: frame) else { return nil }
        packetizer?.nextSequence = number
        guard case .image(let image) = cache(channel).image(of: frame, in: view), image.count > 0 else { return nil }
        return image
    }

    /// The images with a channel's number in them; nearly all clients want channel 0.
    private func cache(_ channel: UInt8) -> WireCache {
        if let cache = caches[channel] { return cache }
        let cache = WireCache { [unowned self] info, frame, image in build(info, frame, channel, &image) }
        caches[channel] = cache
        return cache
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

    /// JPEG has a static payload type (RFC 3551 §6), the others the first dynamic one.
    private static func payloadType(_ codec: Codec) -> UInt8 { codec == .jpeg ? 26 : 96 }
}
