// SPDX-License-Identifier: Apache-2.0
// The client as a player: descriptions, transports, reports.

import Bytes
import Control
import FanOut
import Log
import Loop
import RTP
import RTSP
import SRTP
import System

extension Client {
    /// How long DESCRIBE waits for the camera's process and its first parameter sets.
    private static let describePatience = Duration.seconds(5)
    /// How often a sender report is sent.
    private static let reportInterval = Duration.seconds(5)

    private typealias Refusal = ServerSession.Refusal
    private static var unknown: Refusal { Refusal(.notFound, "there is no such camera, stream or track") }

    // MARK: DESCRIBE

    func describe(_ address: RTSPAddress, wantsBackchannel: Bool) {
        guard let stream = server.stream(address) else { return send(session.answerDescribe(.failure(Self.unknown))) }
        guard !wantsBackchannel || server.hasTalkback(stream.camera) else {
            let refusal = Refusal(.optionNotSupported, "camera \(stream.camera) takes no sound: talkback is off")
            return send(session.answerDescribe(.failure(refusal)))
        }
        stream.touch()
        let timer = server.loop.timer(after: Self.describePatience) { [unowned self] in answerDescribe(isLate: true) }
        description = (stream, wantsBackchannel, timer)
        stream.describing[id] = self
        answerDescribe(isLate: false)
    }

    /// Goes on with a DESCRIBE that waits for the stream; `isLate` when it has waited long enough.
    func answerDescribe(isLate: Bool) {
        guard let (stream, withTalkback, _) = description else { return }
        let protect = connection.isEncrypted ? { [unowned self] feed in protection(feed) } : nil
        let text = stream.sessionDescription(anyhow: isLate, withTalkback: withTalkback, protect: protect)
        guard isLate || text != nil else { return }
        endDescribe()
        if let refusal = stream.video.refusal() {
            server.log.warn("stream cannot be sent", ["stream": stream.name, "reason": refusal])
            send(session.answerDescribe(.failure(Refusal(.unsupportedMediaType, "\(stream.name): \(refusal)"))))
        } else if let text {
            send(session.answerDescribe(.success(text)))
        } else {
            send(session.answerDescribe(.failure(Refusal(.unavailable, stream.video.trouble))))
        }
        takeInputLater()
    }

    func endDescribe() {
        guard let (stream, _, timer) = description else { return }
        timer.cancel()
        stream.describing[id] = nil
        description = nil
    }

    /// Ends what the client has to do with a stream that is not configured any more.
    func streamIsGone(_ stream: Stream) {
        if playback?.stream === stream { return close("the stream is not configured any more") }
        guard description?.stream === stream else { return }
        endDescribe()
        send(session.answerDescribe(.failure(Self.unknown)))
        takeInputLater()
    }

    // MARK: SETUP

    func setUp(_ request: ServerSession.SetupRequest) {
        if request.track == Stream.TrackNumber.talkback { return setUpTalkback(request) }
        guard let stream = server.stream(request.address), let feed = stream.feed(track: request.track) else {
            return send(session.answerSetup(.failure(Self.unknown)))
        }
        let opener: SRTPContext?
        do {
            opener = try self.opener(request)
        } catch {
            return send(session.answerSetup(.failure(Refusal(.badRequest, "KeyMgmt: \(error)"))))
        }
        for offer in request.offers {
            let way = offer.isMulticast ? multicast(stream, request.track, offer) : deliver(offer)
            guard case (let delivery, var transport)? = way else { continue }
            transport.source = feed.source
            stream.touch()
            let secret = offer.isSecure && connection.isEncrypted ? protection(feed) : nil
            guard (secret != nil) == offer.isSecure else { continue }
            // Who takes the track inside of TLS needs no key.
            if secret == nil { protections.removeAll { $0.source == feed.source } }
            let track = PlayedTrack(request.track, feed, delivery, server, protection: secret, opener: opener)
            set(track, of: stream)
            let url = request.address.trackURL(request.track)
            let keys = secret.map { KeyManagement.header($0.message, url: url) }
            return send(session.answerSetup(.success(.init(transport, keyManagement: keys))))
        }
        send(session.answerSetup(.failure(Refusal(.unsupportedTransport, "no transport offered is to be had here"))))
    }

    /// How to deliver to the stream's group, where nothing is encrypted; nil if it has none.
    private func multicast(_ stream: Stream, _ track: Int, _ offer: RTSPTransport) -> (Delivery, RTSPTransport)? {
        guard !offer.isSecure, !connection.isEncrypted, let sender = server.multicastSender(of: stream) else {
            return nil
        }
        var transport = offer
        transport.group = sender.transport(track: track)
        return (.multicast(sender), transport)
    }

    /// A feed's protection, held from now on, so that it stays the one that the client was told of.
    private func protection(_ feed: Feed) -> Protection? {
        guard let protection = feed.protection() else { return nil }
        if !protections.contains(where: { $0 === protection }) { protections.append(protection) }
        return protection
    }

    /// What opens the client's reports; nil if it has not said its key.
    private func opener(_ request: ServerSession.SetupRequest) throws -> SRTPContext? {
        guard connection.isEncrypted, let header = request.keyManagement else { return nil }
        return try Protection.opener(try KeyManagement.message(header: header))
    }

    private func set(_ track: PlayedTrack, of stream: Stream) {
        let playback = playback ?? Playback(stream, loop: server.loop)
        self.playback = playback
        if let old = playback.set(track) { release(old) }
        if track.feed.kind != .audio {
            track.traffic = server.traffic.traffic(stream.camera, stream.kind.rawValue, playback.transportName)
        }
        switch track.delivery {
        case .interleaved: track.connection = connection
        case .datagrams(let path):
            // Its RTP port as well: nobody else gets it, though players have nothing to say there.
            for address in [path.rtp, path.rtcp] {
                path.ports.register(address, for: self) { [unowned self, unowned track] isReport, packet in
                    if isReport { receiveReport(packet, track) }
                }
            }
        case .multicast: break
        }
    }

    /// Lets go of the transports.
    func release() {
        for track in playback?.tracks ?? [] { release(track) }
        playback = nil
        endTalkback()
    }

    private func release(_ track: PlayedTrack) {
        guard case .datagrams(let path) = track.delivery else { return }
        path.ports.unregister(path.rtp, for: self)
        path.ports.unregister(path.rtcp, for: self)
    }

    // MARK: PLAY

    func play() {
        guard let playback else { return send(session.answerPlay(.failure(Refusal(.notValidInState, "")))) }
        playback.stream.viewers[id] = self
        let starts = playback.prepare()
        send(session.answerPlay(.success(starts)))
        server.log.info(
            "viewer joined",
            [
                "client": id, "peer": connection.peer, "stream": playback.stream.name,
                "transport": playback.transportName, "carrier": carrierName,
            ]
        )
        server.tell("viewer-joined", self, playback)
        // Before the first packet: players that have seen packets without a report place them differently.
        sendReports()
        playback.start()
        connection.nextImage = playback.source
        talkback?.start()
        reports = server.loop.timer(every: Self.reportInterval) { [unowned self] in sendReports() }
        for track in playback.tracks { track.framesPublished() }
    }

    func stopPlaying(_ reason: String) {
        reports?.cancel()
        reports = nil
        guard let playback, let began = playback.began else { return }
        connection.nextImage = nil
        playback.stop()
        talkback?.stop()
        playback.stream.viewers[id] = nil
        let seconds = Int((server.loop.now - began).seconds)
        server.tell(
            "viewer-left",
            self,
            playback,
            [
                JSON.Member("reason", .string(reason)), JSON.Member("frames", JSON(playback.frames)),
                JSON.Member("seconds", JSON(seconds)),
            ]
        )
        server.log.info(
            "viewer left",
            [
                "client": id, "peer": connection.peer, "stream": playback.stream.name, "reason": reason,
                "frames": playback.frames, "dropped": playback.dropText,
                "seconds": seconds,
            ]
        )
    }

    /// True if the client has set up a track of this feed.
    func plays(_ feed: Feed) -> Bool { playback?.tracks.contains { $0.feed === feed } ?? false }

    /// True if the client has set up a track that is sent to a group.
    func listens(to sender: MulticastSender) -> Bool {
        playback?.tracks
            .contains { track in
                if case .multicast(let other) = track.delivery { other === sender } else { false }
            } ?? false
    }

    // MARK: RTCP

    private func sendReports() {
        for track in playback?.tracks ?? [] {
            sendReport(track.senderReport(name: server.canonicalName), track.delivery)
        }
    }

    /// Sends an RTCP packet.
    func sendReport(_ bytes: [UInt8], _ delivery: Delivery) {
        switch delivery {
        case .interleaved(_, let channel): connection.send(Delivery.interleave(bytes, channel: channel))
        case .datagrams(let path): path.sendReport(bytes)
        case .multicast: break
        }
    }

    /// Somebody who listens to the stream's group has reported: the client, if it is of the same host.
    func noteListener(_ sender: SocketAddress) {
        guard case .multicast? = playback?.tracks.first?.delivery, connection.peer.hasSameHost(as: sender) else {
            return
        }
        session.noteActivity(at: server.loop.now)
    }

    /// Takes what the client reports of what it receives.
    func receiveReport(_ bytes: Span<UInt8>, _ track: PlayedTrack) {
        guard track.protection != nil else { return takeReport(bytes, track) }
        // What cannot be opened is anybody's.
        var opened: [UInt8] = []
        guard let opener = track.opener, (try? opener.unprotectReport(bytes, into: &opened)) != nil else { return }
        takeReport(opened.span, track)
    }

    private func takeReport(_ bytes: Span<UInt8>, _ track: PlayedTrack) {
        session.noteActivity(at: server.loop.now)
        guard let packets = try? RTCPPacket.parse(bytes) else { return }
        for packet in packets {
            guard case .receiverReport(_, let blocks) = packet else { continue }
            for block in blocks where block.source == track.feed.source { track.take(block) }
        }
    }
}
