// SPDX-License-Identifier: Apache-2.0
// One track that one client plays: its place in the feed, its transport, its reports.

import Bytes
import Config
import FanOut
import Loop
import Media
import RTP
import Ring
import SRTP
import System

/// A track that a client has set up.
final class PlayedTrack {
    /// The track's number in its address.
    let number: Int
    let feed: Feed
    let delivery: Delivery
    /// Present if packets go out as SRTP.
    let protection: Protection?
    /// Opens the client's own packets, if it has said its key.
    let opener: SRTPContext?
    /// The client's, for interleaved delivery.
    var connection: Connection?
    private(set) var isPlaying = false
    private(set) var frames: UInt64 = 0
    /// Packets and payload bytes sent, as sender reports count them: they wrap.
    private(set) var packets: UInt32 = 0
    private(set) var octets: UInt32 = 0
    /// Packets that the kernel did not take.
    private(set) var unsentPackets: UInt64 = 0
    /// What the client reported last, and when.
    private(set) var report: (block: RTCP.ReportBlock, at: Instant)?
    /// The time to the client and back, as its last report tells.
    private(set) var roundTrip: Duration?
    private(set) var cursor: FrameCursor
    /// Where what is sent is counted; nil for sound.
    var traffic: Traffic?

    /// This viewer's part of the traffic, from the first start on.
    private var meter: ViewerMeter?
    private let loop: EventLoop
    private let cache: WireCache
    private var pace: Pace
    private var pause: LoopTimer?
    /// The frame of which packets are left to send over UDP, and how many have gone.
    private var unfinished: (image: WireImage, packets: Int)?

    init(
        _ number: Int,
        _ feed: Feed,
        _ delivery: Delivery,
        _ server: Server,
        protection: Protection? = nil,
        opener: SRTPContext? = nil
    ) {
        self.protection = protection
        self.opener = opener
        self.number = number
        self.feed = feed
        self.delivery = delivery
        loop = server.loop
        pace = server.pace
        cursor = feed.cursor(maximumLatency: server.configuration.maximumLatency)
        let channel: UInt8 = if case .interleaved(let channel, _) = delivery { channel } else { 0 }
        cache = protection?.cache(channel: channel) ?? feed.cache(channel: channel)
    }

    /// Begins, or goes on after `stop`, at `frame`; at the next one that can be joined if it is nil.
    func start(at start: FeedStart) {
        isPlaying = true
        if let meter {
            meter.rejoin(at: loop.now)
        } else if let traffic {
            meter = ViewerMeter(traffic, at: loop.now)
        }
        if case .multicast(let sender) = delivery { return sender.join(number, feed) }
        cursor.rejoin(at: loop.now)
        if feed.kind == .audio, let frame = start.frame, let view = feed.view {
            cursor.begin(at: frame.sequence, in: view, now: loop.now)
        }
        feed.add(self)
    }

    /// Stops sending. Harmless when repeated.
    func stop() {
        let wasPlaying = isPlaying
        isPlaying = false
        meter?.leave()
        pause?.cancel()
        pause = nil
        unfinished = nil
        if case .multicast(let sender) = delivery, wasPlaying { sender.leave(number) }
        feed.remove(self)
    }

    /// Takes limits that have changed.
    func take(_ pace: Pace, maximumLatency: Duration) {
        self.pace = pace
        cursor.policy = feed.policy(maximumLatency: maximumLatency)
    }

    /// Sends what has become due after frames were published.
    func framesPublished() {
        switch delivery {
        case .interleaved: connection?.pump()
        case .datagrams(let path): sendDatagrams(path)
        case .multicast: break
        }
    }

    /// The next frame for the client's connection, nil if there is none now.
    func nextImage() -> WireImage? {
        guard isPlaying, let image = feed.nextImage(&cursor, cache) else { return nil }
        noteSent(image)
        count(image, packets: image.packetCount)
        return image
    }

    /// How far what the client gets next is behind the newest frame; nil before its first frame.
    var lag: Duration? {
        guard isPlaying, let view = feed.view, let next = cursor.position, let newest = view.info(view.newest) else {
            return nil
        }
        guard next <= newest.sequence else { return .zero }
        // A frame that has left the ring is older than any that is in it.
        return view.info(next).map { newest.captured - $0.captured } ?? loop.now - cursor.caughtUp
    }

    /// Takes the client's report on this track.
    func take(_ block: RTCP.ReportBlock) {
        report = (block, loop.now)
        guard block.lastReport != 0 else { return }
        // RFC 3550 §6.4.1: all three in 65 536ths of a second, which wrap.
        let now = feed.senderInfo(packets: 0, octets: 0).time.middle
        let ticks = Int32(bitPattern: now &- block.lastReport &- block.delaySinceLastReport)
        roundTrip = .microseconds(max(0, Int64(ticks)) * 1_000_000 / 65_536)
    }

    /// A sender report of this moment, with the daemon's canonical name.
    func senderReport(name: String) -> [UInt8] {
        var bytes: [UInt8] = []
        RTCP.append(feed.senderInfo(packets: packets, octets: octets), name: name, to: &bytes)
        return protected(bytes)
    }

    /// An RTCP packet as the client is to get it.
    func protected(_ report: [UInt8]) -> [UInt8] { protection?.protectReport(report) ?? report }

    private func sendDatagrams(_ path: DatagramPath) {
        guard isPlaying, pause == nil else { return }
        var budget = pace.burst
        while budget > 0 {
            guard let (image, sent) = unfinished ?? nextDatagrams() else { return }
            let result = path.send(image, from: sent, budget: budget)
            count(image, packets: result.taken)
            unsentPackets += UInt64(result.tried - result.taken)
            budget -= result.bytes
            let done = sent + result.tried
            unfinished = done < image.packetCount ? (image, done) : nil
        }
        pause = loop.timer(after: pace.pause) { [unowned self] in
            pause = nil
            sendDatagrams(path)
        }
    }

    private func nextDatagrams() -> (WireImage, Int)? {
        guard let image = feed.nextImage(&cursor, cache) else { return nil }
        noteSent(image)
        return (image, 0)
    }

    private func noteSent(_ image: WireImage) {
        frames += 1
        meter?.sent(image.info, bytes: image.count, drops: cursor.drops, at: loop.now)
    }

    private func count(_ image: WireImage, packets count: Int) {
        // Wrap by definition (RFC 3550 §6.4.1).
        packets &+= UInt32(truncatingIfNeeded: count)
        guard image.packetCount > 0 else { return }
        let payload = image.packetBytes - image.packetCount * RTPHeader.length
        octets &+= UInt32(truncatingIfNeeded: payload * count / image.packetCount)
    }
}
