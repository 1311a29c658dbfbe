// SPDX-License-Identifier: Apache-2.0
// One RTSP connection: requests in, responses and packets out.

import Bytes
import Config
import FanOut
import Log
import Loop
import RTP
import RTSP
import System

/// A client of the RTSP server.
final class Client {
    let id: Int
    let connection: Connection
    /// What the client has set up.
    private(set) var playback: Playback?
    private unowned let server: Server
    private var parser = RTSPParser()
    private var session: ServerSession
    private var description: (stream: Stream, timer: LoopTimer)?
    private var reports: LoopTimer?

    /// How long DESCRIBE waits for the camera's process and its first parameter sets.
    private static let describePatience = Duration.seconds(5)
    /// How often a sender report is sent.
    private static let reportInterval = Duration.seconds(5)
    /// A client that takes nothing of what waits for it for this long has to go.
    private static let stallTimeout = Duration.seconds(30)

    init(_ id: Int, _ connection: Connection, _ server: Server) {
        self.id = id
        self.connection = connection
        self.server = server
        session = ServerSession(
            identifier: String(Random.uint64(), radix: 16, uppercase: true),
            server: server.product,
            timeout: server.configuration.sessionTimeout,
            at: server.loop.now
        )
    }

    /// Starts to serve.
    func start() throws(SystemError) {
        connection.onInput = { [unowned self] in takeInput() }
        connection.onClose = { [unowned self] reason in end(reason.description) }
        connection.nextImage = { [unowned self] in playback?.nextImage() }
        try connection.start()
    }

    /// Sends what has become due after frames were published.
    func framesPublished() {
        guard let playback else { return }
        switch playback.delivery {
        case .interleaved: connection.pump()
        case .datagrams: playback.sendDatagrams()
        }
    }

    /// Takes what the client reports of what it receives.
    func receiveReport(_ bytes: Span<UInt8>) {
        session.noteActivity(at: server.loop.now)
        guard let playback, let packets = try? RTCPPacket.parse(bytes) else { return }
        for packet in packets {
            guard case .receiverReport(_, let blocks) = packet else { continue }
            for block in blocks where block.source == playback.stream.source { playback.report = block }
        }
    }

    /// Ends what has taken too long.
    func checkTime(_ now: Instant) {
        if connection.pendingBytes > 0, now - connection.lastActivity > Self.stallTimeout {
            close("the client takes nothing")
        } else if session.hasExpired(at: now) {
            close("no sign of life")
        }
    }

    /// Closes the connection now, with a farewell to a client whose packets come over UDP.
    func close(_ reason: String) {
        if let playback, playback.began != nil, case .datagrams(_, let address) = playback.delivery {
            var bytes: [UInt8] = []
            RTCP.appendGoodbye(source: playback.stream.source, name: server.canonicalName, to: &bytes)
            server.ports?.sendReport(bytes, to: address)
        }
        connection.close()
        end(reason)
    }

    /// Ends what the client has to do with a stream that is not configured any more.
    func streamIsGone(_ stream: Stream) {
        if playback?.stream === stream { return close("the stream is not configured any more") }
        guard description?.stream === stream else { return }
        endDescribe()
        send(session.answerDescribe(.failure(.init(.notFound, "there is no such camera or stream"))))
        server.loop.later { [weak self] in self?.takeInput() }
    }

    private func end(_ reason: String) {
        endDescribe()
        stopPlaying(reason)
        release()
        server.remove(self)
    }

    // MARK: Requests

    private func takeInput() {
        // Taken out for the turn: a span cannot look into a class's property.
        var input: [UInt8] = []
        swap(&input, &connection.input)
        var taken = 0
        while connection.isOpen, !session.isAnswering {
            let rest = input.span.extracting(taken...)
            do throws(WireError) {
                let (consumed, item) = try parser.parse(rest)
                if consumed == 0 { break }
                switch item {
                case .request(let request): answer(request)
                case .interleaved(let channel, let payload): receiveInterleaved(channel, rest.extracting(payload))
                case .response, nil: break
                }
                taken += consumed
            } catch {
                refuse(error)
                taken = input.count
                break
            }
        }
        input.removeFirst(taken)
        swap(&input, &connection.input)
    }

    private func receiveInterleaved(_ channel: UInt8, _ payload: Span<UInt8>) {
        guard let playback, case .interleaved(_, channel) = playback.delivery else { return }
        receiveReport(payload)
    }

    private func refuse(_ error: WireError) {
        server.log.debug("refused", ["client": id, "peer": connection.peer, "error": error])
        send(RTSPResponse(.badRequest))
        connection.closeWhenSent()
    }

    private func answer(_ request: RTSPRequest) {
        server.log.debug("request", ["client": id, "method": request.method.name])
        guard request.version != .http else {
            connection.send(HTTPOnRTSP.response(to: request, httpPort: server.httpPort))
            connection.closeWhenSent()
            return
        }
        switch session.handle(request, at: server.loop.now) {
        case .respond(let response): send(response)
        case .describe(let address): describe(address)
        case .setup(let address, let track, let transport): setUp(address, track, transport)
        case .play: play()
        case .pause(let response):
            stopPlaying("paused")
            send(response)
        case .teardown(let response):
            stopPlaying("torn down")
            release()
            send(response)
        }
    }

    private func send(_ response: RTSPResponse) {
        var bytes: [UInt8] = []
        response.serialize(into: &bytes)
        connection.send(bytes)
    }

    // MARK: DESCRIBE

    private func describe(_ address: RTSPAddress) {
        guard let stream = server.stream(address) else {
            return send(session.answerDescribe(.failure(.init(.notFound, "there is no such camera or stream"))))
        }
        stream.touch()
        let timer = server.loop.timer(after: Self.describePatience) { [unowned self] in answerDescribe(isLate: true) }
        description = (stream, timer)
        stream.describing[id] = self
        answerDescribe(isLate: false)
    }

    /// Goes on with a DESCRIBE that waits for the stream; `isLate` when it has waited long enough.
    func answerDescribe(isLate: Bool) {
        guard let (stream, _) = description else { return }
        let text = stream.sessionDescription(anyhow: isLate)
        guard isLate || text != nil else { return }
        endDescribe()
        if let refusal = stream.refusal() {
            server.log.warn("stream cannot be sent", ["stream": stream.name, "reason": refusal])
            send(session.answerDescribe(.failure(.init(.unsupportedMediaType, "\(stream.name): \(refusal)"))))
        } else if let text {
            send(session.answerDescribe(.success(text)))
        } else {
            send(session.answerDescribe(.failure(.init(.unavailable, stream.trouble))))
        }
        // What the client sent meanwhile; not from here, where its input may just be taken.
        server.loop.later { [weak self] in self?.takeInput() }
    }

    private func endDescribe() {
        guard let (stream, timer) = description else { return }
        timer.cancel()
        stream.describing[id] = nil
        description = nil
    }

    // MARK: SETUP, PLAY

    private func setUp(_ address: RTSPAddress, _ track: Int, _ offer: RTSPTransport) {
        guard let stream = server.stream(address), track == 0 else {
            return send(session.answerSetup(.failure(.init(.notFound, "there is no such camera, stream or track"))))
        }
        var transport = offer
        transport.source = stream.source
        let delivery: Playback.Delivery
        if let channels = offer.interleaved {
            delivery = .interleaved(rtp: channels.rtp, rtcp: channels.rtcp)
        } else if let clientPorts = offer.clientPorts, let ports = server.ports {
            // Never to another host than the one that asks.
            var rtp = connection.peer
            var rtcp = connection.peer
            rtp.port = clientPorts.rtp
            rtcp.port = clientPorts.rtcp
            delivery = .datagrams(rtp: rtp, rtcp: rtcp)
            transport.serverPorts = .init(ports.rtpPort, ports.rtcpPort)
            server.register(self, reportsFrom: rtcp)
        } else {
            return send(session.answerSetup(.failure(.init(.unsupportedTransport, "there are no UDP ports"))))
        }
        stream.touch()
        playback = Playback(
            stream,
            delivery,
            server.ports,
            loop: server.loop,
            maximumLatency: server.configuration.maximumLatency
        )
        send(session.answerSetup(.success(transport)))
    }

    private func play() {
        guard let playback else { return send(session.answerPlay(.failure(.init(.notValidInState, "")))) }
        playback.stream.join(self)
        send(session.answerPlay(.success([playback.stream.start(track: 0)])))
        playback.start()
        server.log.info(
            "viewer joined",
            ["client": id, "peer": connection.peer, "stream": playback.stream.name, "transport": transportName]
        )
        sendReport()
        reports = server.loop.timer(every: Self.reportInterval) { [unowned self] in sendReport() }
        framesPublished()
    }

    /// The transport's name in logs and reports.
    var transportName: String {
        switch playback?.delivery {
        case .interleaved: "tcp"
        case .datagrams: "udp"
        case nil: "none"
        }
    }

    private func sendReport() {
        guard let playback else { return }
        var bytes: [UInt8] = []
        let info = playback.stream.senderInfo(packets: playback.packets, octets: playback.octets)
        RTCP.append(info, name: server.canonicalName, to: &bytes)
        switch playback.delivery {
        case .interleaved(_, let channel):
            let length = UInt16(truncatingIfNeeded: bytes.count)
            connection.send([UInt8(ascii: "$"), channel, UInt8(length >> 8), UInt8(length & 0xFF)] + bytes)
        case .datagrams(_, let address): server.ports?.sendReport(bytes, to: address)
        }
    }

    private func stopPlaying(_ reason: String) {
        reports?.cancel()
        reports = nil
        guard let playback, let began = playback.began else { return }
        playback.stop()
        playback.stream.leave(self)
        let drops = playback.cursor.drops.byReason.map { "\($0.0.rawValue):\($0.1)" }.joined(separator: ",")
        server.log.info(
            "viewer left",
            [
                "client": id, "peer": connection.peer, "stream": playback.stream.name, "reason": reason,
                "frames": playback.frames, "dropped": drops.isEmpty ? "none" : drops,
                "seconds": Int((server.loop.now - began).seconds),
            ]
        )
    }

    private func release() {
        if case .datagrams(_, let address)? = playback?.delivery { server.unregister(self, reportsFrom: address) }
        playback = nil
    }
}
