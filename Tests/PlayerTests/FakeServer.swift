// SPDX-License-Identifier: Apache-2.0
// A small RTSP server on a loopback socket, which does what a test tells it.

import Bytes
import Loop
import Media
import RTP
import RTSP
import System

/// Serves one track of H.264, or takes one, on the loop of the test.
final class FakeServer {
    /// What it does differently from a plain server.
    struct Manners {
        var refusesUDP = false
        var refusesTCP = false
        /// UDP is accepted, but nothing is sent over it.
        var isSilentOverUDP = false
        /// Asks for Digest first.
        var asksForDigest = false
        /// Redirects DESCRIBE to this URL.
        var location: String?
        /// Closes the connection after so many frames.
        var closesAfter: Int?
        /// Sends nothing at all after PLAY.
        var isSilent = false
    }

    var manners = Manners()
    private(set) var requests: [RTSPRequest] = []
    /// RTP packets of a publisher, and reports of either.
    private(set) var packets = 0
    private(set) var received: [(channel: UInt8, bytes: [UInt8])] = []
    private(set) var reports = 0
    private(set) var connections = 0

    private let loop: EventLoop
    private let listener: FileDescriptor
    private var watch: Watch?
    private var socket: FileDescriptor?
    private var peer = SocketAddress()
    private var connection: Watch?
    private var parser = RTSPParser()
    private var input: [UInt8] = []
    private var packetizer = RTPPacketizer(.nal(.h264), payloadType: 96, source: 7, firstSequence: 65_530)
    private var image = PacketImage()
    private var timer: LoopTimer?
    private var rtp: FileDescriptor?
    private var rtcp: FileDescriptor?
    private var datagramPort: UInt16?
    private var frames = 0

    init(_ loop: EventLoop) throws {
        self.loop = loop
        let address = SocketAddress(host: "127.0.0.1", port: 0) ?? SocketAddress()
        listener = try Socket.listenTCP(address)
        watch = try loop.watch(listener.raw, .read) { [unowned self] _ in accept() }
    }

    deinit {
        watch?.cancel()
        hangUp()
    }

    /// The URL of its stream; with name and password if `user` is given.
    func url(_ user: String = "") throws -> String {
        "rtsp://\(user)127.0.0.1:\(try Socket.localAddress(listener.raw).port)/live"
    }

    /// Closes the connection that there is.
    func hangUp() {
        timer?.cancel()
        connection?.cancel()
        connection = nil
        socket = nil
        rtp = nil
        rtcp = nil
        datagramPort = nil
    }

    private func accept() {
        guard let accepted = try? Socket.accept(listener.raw) else { return }
        hangUp()
        connections += 1
        frames = 0
        parser = RTSPParser()
        input.removeAll()
        peer = accepted.peer
        let socket = accepted.takeSocket()
        connection = try? loop.watch(socket.raw, .read) { [unowned self] _ in receive() }
        self.socket = consume socket
    }

    private func receive() {
        guard let fd = socket?.raw else { return }
        let result = try? read(fd, appendingTo: &input, atMost: 65_536)
        if result == .endOfStream || result == nil { return hangUp() }
        while true {
            let bytes = input
            guard let (consumed, item) = try? parser.parse(bytes.span), consumed > 0 else { return }
            input.removeFirst(consumed)
            switch item {
            case .request(let request): answer(request)
            case .interleaved(let channel, let payload):
                if channel % 2 == 0 {
                    packets += 1
                    received.append((channel, Array(bytes[payload])))
                } else {
                    reports += 1
                }
            default: break
            }
        }
    }

    private func answer(_ request: RTSPRequest) {
        requests.append(request)
        var response = RTSPResponse(.ok)
        response.headers.add("CSeq", request.headers["CSeq"] ?? "")
        if manners.asksForDigest, request.method != .options, request.headers["Authorization"] == nil {
            response.status = .unauthorized
            response.headers.add("WWW-Authenticate", "Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256")
            return send(response)
        }
        switch request.method {
        case .options: response.headers.add("Public", "DESCRIBE, SETUP, PLAY, ANNOUNCE, RECORD, GET_PARAMETER")
        case .describe:
            if let location = manners.location {
                manners.location = nil
                response.status = RTSPStatus(rawValue: 302)
                response.headers.add("Location", location)
            } else {
                response.headers.add("Content-Base", request.target + "/")
                response.headers.add("Content-Type", "application/sdp")
                let lines = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000"]
                response.body = Array(
                    (lines + ["a=fmtp:96 packetization-mode=1", "a=control:trackID=0", ""])
                        .joined(separator: "\r\n").utf8
                )
            }
        case .setup:
            guard let offer = request.headers["Transport"].flatMap(RTSPTransport.offers)?.first else { return }
            if offer.lower == .udp ? manners.refusesUDP : manners.refusesTCP {
                response.status = .unsupportedTransport
            } else {
                response.headers.add("Session", "1;timeout=60")
                response.headers.add("Transport", prepare(offer).text)
            }
        case .play:
            response.headers.add("Session", "1")
            send(response)
            return play()
        default: response.headers.add("Session", "1")
        }
        send(response)
    }

    private func prepare(_ offer: RTSPTransport) -> RTSPTransport {
        var transport = offer
        guard offer.lower == .udp, let ports = offer.clientPorts else { return transport }
        var address = peer
        address.port = 0
        guard let rtp = try? Socket.bindUDP(address), let rtcp = try? Socket.bindUDP(address),
            let rtpPort = try? Socket.localAddress(rtp.raw).port, let rtcpPort = try? Socket.localAddress(rtcp.raw).port
        else { return transport }
        transport.serverPorts = .init(rtpPort, rtcpPort)
        datagramPort = ports.rtp
        self.rtp = consume rtp
        self.rtcp = consume rtcp
        return transport
    }

    private func play() {
        guard !manners.isSilent, !(manners.isSilentOverUDP && datagramPort != nil) else { return }
        timer = loop.timer(every: .milliseconds(2)) { [unowned self] in sendFrame() }
    }

    private func sendFrame() {
        if let limit = manners.closesAfter, frames >= limit { return hangUp() }
        let isKeyframe = frames % 10 == 0
        let frame: [UInt8] = isKeyframe ? Self.keyframe : [0, 0, 0, 1, 0x41, 1, 2, 3]
        try? packetizer.packetize(frame.span, timestamp: UInt32(frames) * 3000, into: &image)
        frames += 1
        let whole = image
        if let datagramPort, let rtp = rtp?.raw {
            var address = peer
            address.port = datagramPort
            for packet in whole.packets {
                let bytes = whole.bytes.span.extracting(packet.offset..<(packet.offset + packet.length))
                _ = try? Socket.send(rtp, bytes, to: address)
            }
        } else if let fd = socket?.raw {
            _ = try? Socket.send(fd, whole.bytes.span)
        }
    }

    private func send(_ response: RTSPResponse) {
        guard let fd = socket?.raw else { return }
        var bytes: [UInt8] = []
        response.serialize(into: &bytes)
        _ = try? Socket.send(fd, bytes.span)
    }

    /// Parameter sets of 64×48 pixels, and a slice that nobody decodes.
    static let keyframe: [UInt8] =
        [0, 0, 0, 1, 0x67, 0x42, 0xC0, 0x0A, 0xDA, 0x11, 0x6C, 0x04, 0x40, 0, 0, 0, 1, 0x68, 0xCE, 0x3C, 0x80]
        + [0, 0, 0, 1, 0x65] + [UInt8](repeating: 0x55, count: 3000)
}
