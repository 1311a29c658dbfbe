// SPDX-License-Identifier: Apache-2.0
// What one client plays: a stream's tracks, started and stopped together.

import Bytes
import FanOut
import Loop
import Media
import RTP
import RTSP
import System

/// The tracks that a client has set up, all of one stream.
final class Playback {
    let stream: Stream
    /// Sound before pictures: it is small, and a gap in it is heard.
    private(set) var tracks: [PlayedTrack] = []
    /// Present while the client plays.
    private(set) var began: Instant?

    private let loop: EventLoop
    private var starts: [FeedStart] = []

    init(_ stream: Stream, loop: EventLoop) {
        self.stream = stream
        self.loop = loop
    }

    /// Adds a track, in the place of one with its number if there is one; gives that back.
    func set(_ track: PlayedTrack) -> PlayedTrack? {
        let index = tracks.firstIndex { $0.number == track.number }
        let old = index.map { tracks.remove(at: $0) }
        tracks.append(track)
        tracks.sort { $0.number > $1.number }
        return old
    }

    /// Tells where each track starts if `start` follows at once: pictures at a keyframe, sound where the picture is.
    func prepare() -> [ServerSession.Start] {
        let video = tracks.first { $0.feed.kind != .audio }
        let picture = video?.feed.start(notBefore: nil)
        starts = tracks.map { track in
            if case .multicast = track.delivery { return track.feed.next }
            if track === video, let picture { return picture }
            return track.feed.start(notBefore: picture?.frame?.captured)
        }
        return zip(tracks, starts)
            .map { track, start in
                ServerSession.Start(track: track.number, sequence: start.sequence, timestamp: start.timestamp)
            }
            .reversed()
    }

    /// Begins, or goes on after `stop`, where `prepare` said.
    func start() {
        began = loop.now
        for (track, start) in zip(tracks, starts) { track.start(at: start) }
    }

    /// Stops sending. Harmless when repeated.
    func stop() {
        began = nil
        for track in tracks { track.stop() }
    }

    /// Gives a connection the frames that go over it; nil if none do.
    ///
    /// Of a single track it comes straight from there: with hundreds of clients, each object on the way is a cache miss.
    var source: (() -> WireImage?)? {
        let interleaved = tracks.filter { if case .interleaved = $0.delivery { true } else { false } }
        guard let track = interleaved.first else { return nil }
        if interleaved.count == 1 { return { [unowned track] in track.nextImage() } }
        return { [unowned self] in nextImage() }
    }

    /// The next frame of any track, nil if there is none now.
    private func nextImage() -> WireImage? {
        for track in tracks {
            if case .interleaved = track.delivery, let image = track.nextImage() { return image }
        }
        return nil
    }

    /// The track that an interleaved channel belongs to.
    func track(reportChannel channel: UInt8) -> PlayedTrack? {
        tracks.first { track in
            if case .interleaved(_, let rtcp) = track.delivery { rtcp == channel } else { false }
        }
    }

    /// How the pictures travel, in logs and reports.
    var transportName: String {
        guard let track = tracks.last else { return "none" }
        return track.protection == nil ? track.delivery.name : "srtp/\(track.delivery.name)"
    }

    /// Frames sent of all tracks.
    var frames: UInt64 { tracks.reduce(0) { $0 + $1.frames } }

    /// Frames of pictures that were not sent.
    var drops: DropCounts { tracks.last?.cursor.drops ?? DropCounts() }

    /// How many frames of pictures were not sent, and why, in logs and reports: `too-slow:12`.
    var dropText: String {
        let drops = drops.byReason.map { "\($0.reason.rawValue):\($0.frames)" }
        return drops.isEmpty ? "none" : drops.joined(separator: ",")
    }

    /// Tells a receiver over UDP that nothing comes any more (RFC 3550 §6.6).
    func sayGoodbye(name: String) {
        guard began != nil else { return }
        for track in tracks {
            guard case .datagrams(let path) = track.delivery else { continue }
            var bytes: [UInt8] = []
            RTCP.appendGoodbye(source: track.feed.source, name: name, to: &bytes)
            path.sendReport(track.protected(bytes))
        }
    }
}
