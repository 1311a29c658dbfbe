// SPDX-License-Identifier: Apache-2.0
// What one client publishes: a camera's picture and sound, on one timeline.

import Bytes
import Config
import FanOut
import Loop
import Media
import RTP
import Ring
import SDP
import System

/// The tracks that a publisher sends, on their way into the camera's `publish` rings.
///
/// apus-video reads those rings and makes the camera's streams of them, so that whoever watches stays while publishers
/// come and go.
final class Publication {
    let camera: String
    /// What the publisher announced.
    let offer: SessionDescription.Offer
    private(set) var tracks: [InboundTrack] = []
    /// Present while the publisher sends.
    private(set) var began: Instant?
    /// When the publisher sent something.
    private(set) var lastPacket: Instant

    private unowned let server: Server
    private unowned let client: Client
    private var clock: SourceClock

    /// A publisher that has sent nothing for so long gives way to another.
    static let patience = Duration.seconds(2)
    private static let audioCapacity = 1 << 20
    private static let videoCapacity = 8 << 20

    init(_ camera: String, _ offer: SessionDescription.Offer, _ client: Client) {
        self.camera = camera
        self.offer = offer
        server = client.server
        self.client = client
        clock = SourceClock(rates: offer.tracks.map(\.format.clockRate))
        lastPacket = server.loop.now
    }

    /// The announced tracks that the camera can take: one picture, one sound.
    static func usable(_ offer: SessionDescription.Offer) -> SessionDescription.Offer {
        var usable = offer
        let video = offer.tracks.first { !$0.format.stream.codec.isAudio }
        let audio = offer.tracks.first { $0.format.stream.codec.isAudio }
        usable.tracks = [video, audio].compactMap { $0 }
        return usable
    }

    /// The announced track that a SETUP means: by its control attribute, else by its number.
    func track(control: String, number: Int) -> SessionDescription.Track? {
        offer.tracks.first { !control.isEmpty && $0.control == control } ?? offer.tracks.first { $0.index == number }
    }

    /// Receives a track this way.
    func set(_ description: SessionDescription.Track, _ delivery: Delivery) {
        let isAudio = description.format.stream.codec.isAudio
        let stream = isAudio ? "publish-audio" : "publish"
        let ring = InboundTrack.Ring(
            name: "\(camera)/\(stream)",
            path: server.ringPath(camera, stream),
            capacity: isAudio ? Self.audioCapacity : Self.videoCapacity
        )
        let track = InboundTrack(description, delivery, server, ring)
        let index = offer.tracks.firstIndex { $0.index == description.index } ?? 0
        track.instant = { [unowned self] frame in instant(of: frame, track: index) }
        remove(description)
        tracks.append(track)
        switch delivery {
        case .multicast: break  // A publisher sends to one.
        case .interleaved(_, let channel):
            track.sendReport = { [unowned connection = client.connection] in
                connection.send(Delivery.interleave($0, channel: channel))
            }
        case .datagrams(let path):
            track.sendReport = { path.sendReport($0) }
            for address in [path.rtp, path.rtcp] {
                path.ports.register(address, for: client) { [unowned self, unowned track] isReport, packet in
                    receive(packet, track, isReport: isReport)
                }
            }
        }
    }

    /// Opens the rings and takes packets from now on.
    func start() throws(RingError) {
        began = server.loop.now
        for track in tracks { try track.start() }
    }

    /// Takes no more packets. Harmless when repeated.
    func stop() {
        began = nil
        for track in tracks { track.stop() }
    }

    /// Lets go of everything.
    func end() {
        for track in tracks { remove(track.description) }
    }

    /// Takes a packet that came between RTSP messages.
    func receive(_ packet: Span<UInt8>, channel: UInt8) {
        for track in tracks {
            guard case .interleaved(let rtp, let rtcp) = track.delivery else { continue }
            if channel == rtp || channel == rtcp { return receive(packet, track, isReport: channel == rtcp) }
        }
    }

    /// How the packets travel, in logs and reports.
    var transportName: String { tracks.first?.delivery.name ?? "none" }

    /// How much faster than this machine's clock the publisher's runs, in millionths.
    var drift: Double? { clock.drift }

    private func receive(_ packet: Span<UInt8>, _ track: InboundTrack, isReport: Bool) {
        lastPacket = server.loop.now
        track.receive(packet, isReport: isReport)
    }

    private func remove(_ description: SessionDescription.Track) {
        guard let index = tracks.firstIndex(where: { $0.description.index == description.index }) else { return }
        let old = tracks.remove(at: index)
        old.stop()
        guard case .datagrams(let path) = old.delivery else { return }
        path.ports.unregister(path.rtp, for: client)
        path.ports.unregister(path.rtcp, for: client)
    }

    private func instant(of frame: TrackReceiver.Frame, track: Int) -> Instant? {
        if let utc = frame.utcNanoseconds { clock.report(ticks: frame.timestamp, utc: utc, track: track) }
        if offer.tracks[track].format.stream.codec.isAudio {
            return clock.soundInstant(of: frame.timestamp, track: track, arrived: frame.arrival)
        }
        return clock.instant(of: frame.timestamp, track: track, arrived: frame.arrival)
    }
}
