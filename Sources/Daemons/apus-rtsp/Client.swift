// SPDX-License-Identifier: Apache-2.0
// One RTSP connection: requests in, responses and packets out.

import Access
import Bytes
import Config
import FanOut
import Log
import Loop
import RTP
import RTSP
import SDP
import System

/// A client of the RTSP server.
///
/// `ClientPlayback.swift` has what it does as a player, `ClientPublishing.swift` what it does as a publisher,
/// `ClientTalkback.swift` how it speaks to a camera, `ClientTunnel.swift` how RTSP gets here otherwise than plain,
/// `ClientHandover.swift` how it goes to another worker.
final class Client {
    let id: Int
    let connection: Connection
    /// What the client has set up to play.
    var playback: Playback?
    unowned let server: Server
    var session: ServerSession
    /// What the client says to the camera.
    var talkback: Talkback?
    /// What the client publishes.
    var publication: Publication?
    /// The stream whose description the client waits for.
    var description: (stream: Stream, withTalkback: Bool, timer: LoopTimer)?
    /// What protects the feeds that were described to the client as SRTP: the keys it has hold while it is here.
    var protections: [Protection] = []
    /// Sends sender reports.
    var reports: LoopTimer?
    /// How RTSP comes to this client.
    var inlet = Inlet.plain
    /// RTSP that has come in another wrapping than its own, unwrapped and not yet taken.
    var carried: [UInt8] = []
    /// Who the client is.
    var access: AccessSession
    /// A request that is looked at later, since attempts from its address failed; nil as timer: once its password was
    /// looked at.
    var held: (request: RTSPRequest, timer: LoopTimer?)?
    /// True once a request was served: the connection is no mere burden any more.
    var isEstablished = false
    /// The worker that is to have the client, from a request on.
    var departure: Departure?
    /// How many workers have had the client before; nil if it may not go to another any more.
    var hops: Int? = 0
    /// True while the next request is one that was allowed already.
    var isVouchedFor = false
    private var parser: RTSPParser
    private let began: Instant

    /// TLS has to be agreed on within this time.
    private static let handshakeTimeout = Duration.seconds(10)
    /// Bytes that may wait beside a request of the greatest length: a packet between requests, and what comes behind.
    private static let inputReserve = 128 << 10
    /// A client that takes nothing of what waits for it for this long has to go.
    private static let stallTimeout = Duration.seconds(30)

    init(_ id: Int, _ connection: Connection, _ server: Server) {
        self.id = id
        self.connection = connection
        self.server = server
        began = server.loop.now
        let configuration = server.configuration
        parser = RTSPParser(
            limits: .init(bytes: configuration.maximumRequest, headers: configuration.maximumHeaders)
        )
        access = AccessSession(
            host: connection.peer.host,
            isPrivate: connection.peer.isLoopback || connection.isEncrypted,
            trustsConnection: true
        )
        session = ServerSession(
            identifier: String(Random.uint64(), radix: 16, uppercase: true),
            server: server.product,
            timeout: configuration.sessionTimeout,
            maximumTracks: configuration.maximumTracks,
            at: server.loop.now
        )
    }

    /// Starts to serve.
    func start() throws(SystemError) {
        connection.inputLimit = server.configuration.maximumRequest + Self.inputReserve
        connection.onInput = { [unowned self] in takeInput() }
        connection.onClose = { [unowned self] reason in end(reason.description) }
        try connection.start()
    }

    /// Ends what has taken too long.
    func checkTime(_ now: Instant) {
        if let publication { session.noteActivity(at: publication.lastPacket) }
        if connection.isShakingHands, now - began > Self.handshakeTimeout {
            close("no TLS handshake")
        } else if connection.isStalled(for: Self.stallTimeout) {
            close("the client takes nothing")
        } else if !isEstablished, !isTunnelInput, now - began > server.configuration.firstRequestTimeout {
            close("no request that could be served")
        } else if !isTunnelInput, session.hasExpired(at: now) {
            close("no sign of life")
        } else if let publication, publication.began != nil, now - publication.lastPacket > session.timeout {
            close("the publisher sends nothing")
        }
    }

    /// Closes the connection now, with a farewell to a client whose packets come over UDP.
    func close(_ reason: String) {
        playback?.sayGoodbye(name: server.canonicalName)
        connection.close()
        end(reason)
    }

    private func end(_ reason: String) {
        held?.timer?.cancel()
        held = nil
        endDescribe()
        stopPlaying(reason)
        release()
        endPublication(reason)
        leaveTunnel()
        server.remove(self)
    }

    // MARK: Requests

    /// Takes what has come, unless an answer is still owed.
    func takeInput() {
        // Taken out for the turn: a span cannot look into a class's property.
        var input: [UInt8] = []
        if case .plain = inlet {
            swap(&input, &connection.input)
            take(&input)
            swap(&input, &connection.input)
            if departure != nil { return leave() }
        }
        // The first request may have been HTTP's.
        guard takeCarried() else { return }
        swap(&input, &carried)
        take(&input)
        // An idle client keeps no buffer.
        if input.isEmpty { input = [] }
        swap(&input, &carried)
    }

    /// Takes RTSP off the front of `input`.
    private func take(_ input: inout [UInt8]) {
        var taken = 0
        while connection.isOpen, !session.isAnswering, held == nil, departure == nil {
            let rest = input.span.extracting(taken...)
            if Self.isHandshake(rest) {
                refuse("TLS on the plain port; RTSPS is served on tls_port if [tls] has a certificate")
                taken = input.count
                break
            }
            do throws(WireError) {
                let (consumed, item) = try parser.parse(rest)
                if consumed == 0 { break }
                switch item {
                case .request(let request): answer(request)
                case .interleaved(let channel, let payload): receiveInterleaved(channel, rest.extracting(payload))
                case .response, nil: break
                }
                taken += consumed
                if case .request(let request)? = item, request.version == .http { break }
            } catch {
                refuse(error.description)
                taken = input.count
                break
            }
        }
        input.removeFirst(taken)
    }

    /// Goes on with requests that have waited for an answer; not at once, as input may just be taken.
    func takeInputLater() {
        server.loop.later { [weak self] in self?.takeInput() }
    }

    /// True for the first bytes of TLS (RFC 8446 §5.1), which would else wait for the end of a line.
    private static func isHandshake(_ bytes: Span<UInt8>) -> Bool { bytes.count > 1 && bytes[0] == 22 && bytes[1] == 3 }

    private func receiveInterleaved(_ channel: UInt8, _ payload: Span<UInt8>) {
        if let track = playback?.track(reportChannel: channel) {
            receiveReport(payload, track)
        } else if let talkback, case .interleaved(let rtp, let rtcp) = talkback.delivery, [rtp, rtcp].contains(channel)
        {
            talkback.receive(payload, isReport: channel == rtcp)
        } else {
            publication?.receive(payload, channel: channel)
        }
    }

    /// How to deliver over an offered transport, with the answer to it; nil if that cannot be.
    ///
    /// Who has come by TLS gets nothing over UDP but SRTP; who has not gets no key for it.
    func deliver(_ offer: RTSPTransport) -> (Delivery, RTSPTransport)? {
        guard !offer.isMulticast, offer.lower == .tcp || offer.isSecure == connection.isEncrypted else { return nil }
        if let channels = offer.interleaved {
            return (.interleaved(rtp: channels.rtp, rtcp: channels.rtcp), offer)
        }
        guard let clientPorts = offer.clientPorts, let ports = server.ports else { return nil }
        // Never to another host than the one that asks.
        var rtp = connection.peer
        var rtcp = connection.peer
        rtp.port = clientPorts.rtp
        rtcp.port = clientPorts.rtcp
        guard ports.isFree(rtp, for: self), ports.isFree(rtcp, for: self) else { return nil }
        var transport = offer
        transport.serverPorts = .init(ports.rtpPort, ports.rtcpPort)
        return (.datagrams(DatagramPath(ports, rtp: rtp, rtcp: rtcp)), transport)
    }

    /// Ends a connection whose bytes make no sense.
    func refuse(_ error: String) {
        server.log.debug("refused", ["client": id, "peer": connection.peer, "error": error])
        send(RTSPResponse(.badRequest))
        connection.closeWhenSent()
    }

    /// Answers a request, or begins to.
    func answer(_ request: RTSPRequest) {
        server.log.debug("request", ["client": id, "method": request.method.name])
        guard request.version != .http else { return answerHTTP(request) }
        guard mayProceed(request), !departs(request) else { return }
        switch session.handle(request, at: server.loop.now) {
        case .respond(let response): send(response)
        case .describe(let address, let wantsBackchannel): describe(address, wantsBackchannel: wantsBackchannel)
        case .announce(let address, let description): announce(address, description)
        case .setup(let request): request.isRecording ? setUpRecording(request) : setUp(request)
        case .play: play()
        case .record: record()
        case .pause(let response):
            stopPlaying("paused")
            publication?.stop()
            send(response)
        case .teardown(let response):
            stopPlaying("torn down")
            release()
            endPublication("torn down")
            send(response)
        }
    }

    /// Sends a response behind what is on its way.
    func send(_ response: RTSPResponse) {
        var bytes: [UInt8] = []
        response.serialize(into: &bytes)
        connection.send(bytes)
    }
}
