// SPDX-License-Identifier: Apache-2.0
// Publishes the benchmark's stream to an RTSP server over TCP (RFC 2326 §10.3, §10.11).

import Bytes
import Loop
import Media
import RTP
import System

/// A publisher that has the server's consent; frames go out as they are handed over.
final class Publisher {
    private let socket: FileDescriptor
    private var watch: Watch?
    private var packetizer: RTPPacketizer
    private var image = PacketImage()
    private var timestamp: UInt32 = 0

    /// Asks until the server lets it publish at `url`, for ten seconds at most.
    init(_ loop: EventLoop, server: SocketAddress, url: String) throws {
        packetizer = RTPPacketizer(.nal(.h264), payloadType: 96, source: 1, firstSequence: 0)
        let deadline = Clock.monotonic() + .seconds(10)
        while true {
            do {
                socket = try Self.connect(server, url)
                break
            } catch {
                guard Clock.monotonic() < deadline else { throw error }
                try loop.turn(waitingUntil: Clock.monotonic() + .milliseconds(100))
            }
        }
        // Reports of the server's are read past.
        watch = try loop.watch(socket.raw, .read) { [unowned self] _ in
            var bytes: [UInt8] = []
            if case .some(.endOfStream) = try? read(socket.raw, appendingTo: &bytes, atMost: 65536) { watch?.cancel() }
        }
    }

    /// Sends one frame; what the server does not take at once is waited for.
    func send(_ frame: Span<UInt8>) {
        timestamp &+= 90_000 / UInt32(BenchStream.framesPerSecond)
        image.removeAll()
        guard (try? packetizer.packetize(frame, timestamp: timestamp, into: &image)) != nil else { return }
        let bytes = image.bytes
        try? writeAll(socket.raw, bytes.span)
    }

    private static func connect(_ server: SocketAddress, _ url: String) throws -> FileDescriptor {
        let socket = try Socket.connectTCP(server)
        _ = try waitUntilReady(socket.raw, toWrite: true, timeout: .seconds(2))
        try setNonBlocking(socket.raw, false)
        Socket.setOption(socket.raw, .noDelay, 1)
        let sets = BenchStream.parameterSetTexts.joined(separator: ",")
        let sdp =
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=bench\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
            + "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;profile-level-id=640028;"
            + "sprop-parameter-sets=\(sets)\r\na=control:trackID=0\r\n"
        let announce = "Content-Type: application/sdp\r\nContent-Length: \(sdp.utf8.count)\r\n\r\n\(sdp)"
        let transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1;mode=record\r\n\r\n"
        _ = try ask(socket.raw, "ANNOUNCE \(url) RTSP/1.0\r\nCSeq: 1\r\n" + announce)
        let answer = try ask(socket.raw, "SETUP \(url)/trackID=0 RTSP/1.0\r\nCSeq: 2\r\n" + transport)
        let session = answer.split(separator: "\r\n").first { $0.hasPrefix("Session:") }.map { "\($0)\r\n" } ?? ""
        _ = try ask(socket.raw, "RECORD \(url) RTSP/1.0\r\nCSeq: 3\r\n\(session)Range: npt=0.000-\r\n\r\n")
        return socket
    }

    /// Sends a request and waits for its answer.
    private static func ask(_ socket: Int32, _ request: String) throws -> String {
        try writeAll(socket, Array(request.utf8).span)
        var answer: [UInt8] = []
        while answer.suffix(4) != [13, 10, 13, 10] {
            guard try waitUntilReady(socket, timeout: .seconds(5)),
                case .bytes(let count) = try read(socket, appendingTo: &answer, atMost: 1), count == 1
            else { throw SystemError("no answer to a publisher", code: 110) }
        }
        let text = String(decoding: answer, as: UTF8.self)
        guard text.hasPrefix("RTSP/1.0 200") else {
            throw SystemError("a publisher is answered \(text.prefix { $0 != "\r\n" })", code: 71)
        }
        return text
    }
}
