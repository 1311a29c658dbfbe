// SPDX-License-Identifier: Apache-2.0
// Plays an RTSP stream: frames of all its tracks, with their times.

package import Bytes
import Crypto
package import Loop
package import Media
package import RTP
package import RTSP
import SDP
import System

/// Plays from a server until it ends, for whatever reason; it does not try again by itself.
///
/// Everything is called on the loop's thread. After `stop` and after `onEnd` nothing is called any more.
package final class RTSPPlayer {
    /// How often the server hears how its packets arrive (RFC 3550 §6.2).
    static let reportInterval = Duration.seconds(5)

    /// The tracks that are played, before their first frame; frames name them by their place here.
    package var onTracks: (([TrackFormat]) -> Void)?
    /// A frame of a track, in ring form; the bytes are lent for the call.
    package var onFrame: ((_ track: Int, TrackReceiver.Frame, Span<UInt8>) -> Void)?
    /// A track's parameter sets or size have become known, or changed.
    package var onDescription: ((_ track: Int, StreamDescription) -> Void)?
    /// A sender report of a track.
    package var onReport: ((_ track: Int, RTCP.SenderInfo, _ arrival: Instant) -> Void)?
    /// Something that the server does differently from the standards: name and explanation. Each is told once.
    package var onDeviation: ((_ name: String, _ explanation: String) -> Void)?
    /// The player goes on with another transport than it began with.
    package var onSwitch: ((RTSPTransport.Lower, _ reason: String) -> Void)?
    /// It is over.
    package var onEnd: ((PlayerEnd) -> Void)?

    /// How packets travel now.
    package private(set) var transport: RTSPTransport.Lower
    /// Media of the description that are not played, and why.
    package private(set) var ignored: [(kind: String, reason: String)] = []
    /// When the player was told to start.
    package private(set) var began: Instant

    private let loop: EventLoop
    private let target: RTSPTarget
    private let settings: PlayerSettings
    private let name: String
    private let own = UInt32(truncatingIfNeeded: Random.uint64())
    private var driver: SessionDriver?
    private var offered: [SessionDescription.Track] = []
    private var tracks: [PlayedTrack] = []
    private var isStarted = false
    private var isOver = false
    private var hasSwitched = false
    private var timer: LoopTimer?
    private var timerDue: Instant?
    private var reports: LoopTimer?
    private var watchdog: LoopTimer?
    private var lastPacket: Instant
    private var hasPacket = false
    private var told: Set<String> = []

    /// Makes a player that has not started.
    package init(loop: EventLoop, target: RTSPTarget, settings: PlayerSettings = PlayerSettings()) {
        self.loop = loop
        self.target = target
        self.settings = settings
        transport = settings.transport == .udp ? .udp : .tcp
        name = "apus-\(String(Random.uint64(), radix: 16))"
        began = loop.now
        lastPacket = loop.now
    }

    deinit { stop() }

    /// Connects and plays.
    package func start() {
        began = Clock.monotonic()
        open()
    }

    /// Ends without a callback.
    package func stop() {
        guard !isOver else { return }
        isOver = true
        release()
        driver?.stop()
    }

    /// Asks the senders of pictures for a keyframe, if they can.
    package func requestKeyframe() {
        for track in tracks where track.isVideo {
            guard let source = track.receiver.source else { continue }
            var bytes: [UInt8] = []
            track.receiver.appendReport(from: own, name: name, at: loop.now, to: &bytes)
            RTCP.appendPictureLoss(from: own, media: source, to: &bytes)
            sendReport(bytes, of: track)
        }
    }

    /// What a track's packets did on their way.
    package func statistics(_ track: Int) -> ReceptionStatistics? {
        tracks.indices.contains(track) ? tracks[track].receiver.statistics : nil
    }

    /// What the server calls itself.
    package var server: String? { driver?.session.server }

    private func open() {
        tracks.removeAll()
        isStarted = false
        hasPacket = false
        let driver = SessionDriver(
            loop: loop,
            target: target,
            purpose: .play,
            settings: settings,
            events: .init(
                described: { [unowned self] description in choose(description) },
                transportRefused: { [unowned self] in refused() },
                started: { [unowned self] in started() },
                packet: { [unowned self] index, isControl, bytes in
                    if index < tracks.count { take(tracks[index], isControl, bytes) }
                },
                noted: { [unowned self] deviation in tell(deviation.rawValue, deviation.explanation) },
                ended: { [unowned self] reason in end(reason) }
            )
        )
        self.driver = driver
        driver.start()
    }

    private func release() {
        timer?.cancel()
        timerDue = nil
        reports?.cancel()
        watchdog?.cancel()
        for track in tracks { track.ports?.close() }
    }

    private func end(_ reason: PlayerEnd) {
        guard !isOver else { return }
        isOver = true
        release()
        driver?.stop()
        onEnd?(reason)
    }

    private func tell(_ name: String, _ explanation: String) {
        if told.insert(name).inserted { onDeviation?(name, explanation) }
    }

    // MARK: Setting up

    private func choose(_ description: SessionDescription) {
        let offer = description.offer()
        ignored = offer.ignored.map { ($0.kind, $0.reason) }
        offered = []
        for track in offer.tracks where track.direction != .receiveOnly {
            // One of each kind: the first is the camera's main one.
            guard !offered.contains(where: { $0.kind == track.kind }) else { continue }
            if track.kind == "video" || track.kind == "audio" && settings.wantsAudio { offered.append(track) }
        }
        guard !offered.isEmpty else {
            let reasons = ignored.map { "\($0.kind): \($0.reason)" }.joined(separator: "; ")
            return end(.session(.badDescription(reasons.isEmpty ? "no video and no sound" : reasons)))
        }
        setUp()
    }

    private func setUp() {
        guard let driver, let server = driver.peer else { return }
        for track in tracks { track.ports?.close() }
        tracks.removeAll()
        var requests: [ClientSession.Request] = []
        for (index, track) in offered.enumerated() {
            var wanted = RTSPTransport(transport)
            var ports: PortPair?
            if transport == .udp {
                do throws(SystemError) {
                    let made = try PortPair(loop: loop, local: driver.localAddress ?? server, server: server)
                    wanted.clientPorts = .init(made.rtpPort, made.rtcpPort)
                    ports = made
                } catch {
                    return end(.connection("\(error)"))
                }
            }
            let played = PlayedTrack(index, track.format, transport, isVideo: track.kind == "video")
            played.ports = ports
            ports?.onDatagram = { [unowned self, unowned played] isControl, bytes in take(played, isControl, bytes) }
            ports?.onBatch = { [unowned self] in arm() }
            tracks.append(played)
            requests.append(.init(medium: track.index, transport: wanted))
        }
        driver.setUp(requests)
    }

    /// The server does not take the transport.
    private func refused() {
        let isPossible = transport == .udp ? !settings.isStrict : settings.transport == .auto
        guard isPossible, !hasSwitched else { return end(.session(.transportRefused)) }
        hasSwitched = true
        transport = transport == .udp ? .tcp : .udp
        onSwitch?(transport, "the server refuses the other transport")
        setUp()
    }

    private func started() {
        guard let driver else { return }
        isStarted = true
        lastPacket = loop.now
        for (track, state) in zip(tracks, driver.session.tracks) {
            track.channels = state.transport.interleaved
            guard state.transport.lower == .udp, let ports = track.ports else {
                transport = .tcp
                continue
            }
            guard let serverPorts = state.transport.serverPorts else { continue }
            ports.rtpPeer.port = serverPorts.rtp
            ports.rtcpPeer.port = serverPorts.rtcp
            // Opens the way back through a firewall.
            ports.sendPacket(Self.opener.span)
        }
        onTracks?(tracks.map(\.receiver.format))
        guard !isOver else { return }
        for track in tracks { describe(track) }
        sendReports()
        reports = loop.timer(every: Self.reportInterval) { [unowned self] in sendReports() }
        if transport == .udp, !settings.isStrict {
            watchdog = loop.timer(after: PlayerSettings.datagramPatience) { [unowned self] in
                if !hasPacket { switchToStream() } else { watchForStall() }
            }
        } else {
            watchForStall()
        }
    }

    /// A packet that says nothing: version 2 and zeros.
    private static let opener: [UInt8] = [0x80] + [UInt8](repeating: 0, count: 11)

    private func switchToStream() {
        hasSwitched = true
        transport = .tcp
        onSwitch?(.tcp, "no packet came over UDP")
        guard !isOver else { return }
        release()
        driver?.stop()
        // Not from inside of the old driver's call.
        loop.later { [weak self] in
            guard let self, !isOver else { return }
            open()
        }
    }

    private func watchForStall() {
        let due = lastPacket + settings.stallTimeout
        guard due > loop.now else { return end(.stalled(settings.stallTimeout)) }
        watchdog = loop.timer(at: due) { [unowned self] in watchForStall() }
    }

    // MARK: Packets

    private func take(_ track: PlayedTrack, _ isControl: Bool, _ bytes: Span<UInt8>) {
        guard !isOver else { return }
        let now = Clock.monotonic()
        lastPacket = now
        if isControl {
            track.receiver.receiveReport(bytes, at: now)
            if let (info, arrival) = track.receiver.lastReport, arrival == now { onReport?(track.index, info, arrival) }
            if track.receiver.hasEnded, tracks.allSatisfy(\.receiver.hasEnded) { return end(.goodbye) }
            return
        }
        hasPacket = true
        track.receiver.receive(bytes, at: now) { frame, bytes in
            if !isOver { onFrame?(track.index, frame, bytes) }
        }
        afterFrames(track, now)
        if track.ports == nil || track.channels != nil { arm() }
    }

    private func afterFrames(_ track: PlayedTrack, _ now: Instant) {
        guard !isOver else { return }
        for deviation in track.receiver.takeDeviations() { tell("rtp-\(deviation.name)", deviation.text) }
        describe(track)
        guard track.isVideo, isStarted, track.receiver.needsKeyframe else { return }
        var bytes: [UInt8] = []
        if track.receiver.appendKeyframeRequest(.pictureLoss, from: own, name: name, at: now, to: &bytes) {
            sendReport(bytes, of: track)
        }
    }

    private func describe(_ track: PlayedTrack) {
        guard track.receiver.descriptionVersion != track.toldVersion else { return }
        track.toldVersion = track.receiver.descriptionVersion
        onDescription?(track.index, track.receiver.description)
    }

    /// Calls when packets that are held back are due.
    private func arm() {
        guard !isOver, let due = tracks.compactMap(\.receiver.deadline).min(), timerDue.map({ due < $0 }) ?? true
        else { return }
        timer?.cancel()
        timerDue = due
        timer = loop.timer(at: due) { [unowned self] in
            handleTimeout()
        }
    }

    private func handleTimeout() {
        timerDue = nil
        for track in tracks where !isOver {
            track.receiver.handleTimeout(at: loop.now) { frame, bytes in
                if !isOver { onFrame?(track.index, frame, bytes) }
            }
            afterFrames(track, loop.now)
        }
        arm()
    }

    private func sendReports() {
        for track in tracks {
            var bytes: [UInt8] = []
            track.receiver.appendReport(from: own, name: name, at: loop.now, to: &bytes)
            sendReport(bytes, of: track)
        }
    }

    private func sendReport(_ bytes: [UInt8], of track: PlayedTrack) {
        if let channels = track.channels {
            let length = UInt16(truncatingIfNeeded: bytes.count)
            let framed = [UInt8(ascii: "$"), channels.rtcp, UInt8(length >> 8), UInt8(length & 0xFF)] + bytes
            driver?.send(framed.span)
        } else if let ports = track.ports, ports.rtcpPeer.port != 0 {
            ports.sendReport(bytes.span)
        }
    }
}

/// A track with its receiver and its way.
private final class PlayedTrack {
    let index: Int
    let isVideo: Bool
    var receiver: TrackReceiver
    var ports: PortPair?
    var channels: RTSPTransport.Pair<UInt8>?
    var toldVersion = UInt32.max

    init(_ index: Int, _ format: TrackFormat, _ transport: RTSPTransport.Lower, isVideo: Bool) {
        self.index = index
        self.isVideo = isVideo
        receiver = TrackReceiver(format, options: transport == .udp ? .datagrams : .stream)
    }
}
