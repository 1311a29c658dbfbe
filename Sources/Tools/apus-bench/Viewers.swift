// SPDX-License-Identifier: Apache-2.0
// The load: viewers that take an RTP stream and note when each frame was complete.

import Bytes
import Loop
import System

/// What viewers have received, all together.
final class ViewerTotals {
    /// Latency samples are taken from the moment this is set.
    var isMeasuring = false
    var bytes: UInt64 = 0
    var frames = 0
    var packetsLost = 0
    /// From the frame's stamp to its last byte, in nanoseconds.
    var latencies: [Int64] = []
    /// Of parts: to their first byte.
    var firsts: [Int64] = []
    /// From asking for the stream to the first whole keyframe, in nanoseconds.
    var joins: [Int64] = []
    var failures: [String] = []
    /// Where all viewers read into: a viewer has no buffer of its own but for an unfinished packet.
    var scratch = [UInt8](repeating: 0, count: 256 << 10)
}

/// Follows the RTP packets of one viewer: sequence numbers, ends of frames.
struct PacketFollower {
    private var lastNumber: UInt16?
    private let asked: Instant
    /// What has come of the first picture that can be decoded.
    private var first = First.nothing

    private enum First {
        case nothing, beginning, whole
    }

    init(asked: Instant) { self.asked = asked }

    mutating func follow(_ packet: Span<UInt8>, _ now: Instant, _ totals: ViewerTotals) {
        guard packet.count > 12, packet[1] & 0x7F < 72 || packet[1] & 0x7F > 76 else { return }
        let number = UInt16(packet[2]) << 8 | UInt16(packet[3])
        if let lastNumber, number != lastNumber &+ 1 { totals.packetsLost += Int(number &- lastNumber &- 1) }
        lastNumber = number
        if first == .nothing, Self.isOfKeyframe(packet) { first = .beginning }
        guard packet[1] & 0x80 != 0 else { return }
        totals.frames += 1
        if first == .beginning {
            first = .whole
            totals.joins.append((now - asked).nanoseconds)
        }
        if totals.isMeasuring, let stamp = BenchStream.stamp(atEndOf: packet) {
            totals.latencies.append((now - stamp).nanoseconds)
        }
    }
}

extension PacketFollower {
    /// True for H.264 packets of an IDR picture or with parameter sets (RFC 6184 §5.2).
    private static func isOfKeyframe(_ packet: Span<UInt8>) -> Bool {
        switch packet[12] & 0x1F {
        case 5, 7, 24: true
        case 28: packet.count > 13 && packet[13] & 0x1F == 5
        default: false
        }
    }
}

/// A viewer on a byte stream: RTSP's interleaved packets, after any text before the first of them.
final class StreamViewer {
    private let socket: FileDescriptor
    private let totals: ViewerTotals
    private var watch: Watch?
    private var rest: [UInt8] = []
    private var follower: PacketFollower
    private var requests: [String]
    private let isRTSP: Bool

    /// A viewer that plays an RTSP address, with packets on the same connection or, with `datagramPort`, over UDP.
    init(
        _ loop: EventLoop,
        server: SocketAddress,
        url: String,
        track: String = "trackID=0",
        datagramPort: UInt16? = nil,
        from source: SocketAddress? = nil,
        _ totals: ViewerTotals
    ) throws(SystemError) {
        socket = try Socket.connectTCP(server, from: source)
        self.totals = totals
        follower = PacketFollower(asked: Clock.monotonic())
        let transport =
            datagramPort.map { "RTP/AVP;unicast;client_port=\($0)-\($0 + 1)" } ?? "RTP/AVP/TCP;unicast;interleaved=0-1"
        requests = [
            "SETUP \(url)/\(track) RTSP/1.0\r\nCSeq: 2\r\nTransport: \(transport)\r\n\r\n",
            "PLAY \(url) RTSP/1.0\r\nCSeq: 3\r\nSession: %\r\n\r\n",
        ]
        isRTSP = true
        try begin(loop)
    }

    /// A viewer on a connection over which packets come without being asked for.
    init(_ loop: EventLoop, _ socket: consuming FileDescriptor, _ totals: ViewerTotals) throws(SystemError) {
        self.socket = socket
        self.totals = totals
        follower = PacketFollower(asked: Clock.monotonic())
        requests = []
        isRTSP = false
        try begin(loop)
    }

    private func begin(_ loop: EventLoop) throws(SystemError) {
        Socket.setOption(socket.raw, .receiveBuffer, 512 << 10)
        watch = try loop.watch(socket.raw, isRTSP ? .write : .read) { [unowned self] in handle($0) }
    }

    private func handle(_ readiness: Readiness) {
        if readiness.contains(.writable) {
            sendNextRequest(session: "")
            try? watch?.modify(.read)
            return
        }
        var buffer: [UInt8] = []
        swap(&buffer, &totals.scratch)
        defer { swap(&buffer, &totals.scratch) }
        var span = buffer.mutableSpan
        guard case .some(.bytes(let count)) = try? read(socket.raw, into: &span) else {
            totals.failures.append("a viewer's connection ended")
            watch?.cancel()
            return
        }
        totals.bytes += UInt64(count)
        take(buffer.span.extracting(..<count), Clock.monotonic())
    }

    private func sendNextRequest(session: String) {
        guard !requests.isEmpty else { return }
        let text = requests.removeFirst().split(separator: "%", omittingEmptySubsequences: false)
            .joined(separator: session)
        _ = try? Socket.send(socket.raw, Array(text.utf8).span)
    }

    private func take(_ bytes: Span<UInt8>, _ now: Instant) {
        if rest.isEmpty {
            let used = parse(bytes, now)
            if used < bytes.count { rest.append(bytes.extracting(used...)) }
        } else {
            rest.append(bytes)
            let all = rest
            let used = parse(all.span, now)
            rest = Array(all[used...])
        }
    }

    /// Takes whole packets and responses; gives how many bytes they were.
    private func parse(_ bytes: Span<UInt8>, _ now: Instant) -> Int {
        var offset = 0
        while offset < bytes.count {
            if bytes[offset] == 0x24 {
                guard bytes.count - offset >= 4 else { return offset }
                let length = Int(bytes[offset + 2]) << 8 | Int(bytes[offset + 3])
                guard bytes.count - offset >= 4 + length else { return offset }
                if bytes[offset + 1] == 0 {
                    follower.follow(bytes.extracting((offset + 4)..<(offset + 4 + length)), now, totals)
                }
                offset += 4 + length
            } else {
                guard let end = responseEnd(bytes, from: offset) else { return offset }
                takeResponse(String(decoding: [UInt8](bytes.extracting(offset..<end)), as: UTF8.self))
                offset = end
            }
        }
        return offset
    }

    private func responseEnd(_ bytes: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        while index + 4 <= bytes.count {
            if bytes[index] == 13, bytes[index + 1] == 10, bytes[index + 2] == 13, bytes[index + 3] == 10 {
                return index + 4
            }
            index += 1
        }
        return nil
    }

    private func takeResponse(_ text: String) {
        guard text.hasPrefix("RTSP/1.0 200") else {
            totals.failures.append(String(text.prefix { $0 != "\r\n" }))
            return
        }
        let session =
            text.split(separator: "\r\n").first { $0.hasPrefix("Session:") }?
            .dropFirst("Session:".count).prefix { $0 != ";" }.drop { $0 == " " } ?? ""
        sendNextRequest(session: String(session))
    }
}

/// A viewer's UDP port.
final class DatagramViewer {
    private let socket: FileDescriptor
    private let totals: ViewerTotals
    private var follower: PacketFollower
    private var watch: Watch?
    /// Even, as RTP wants it.
    let port: UInt16

    /// Opens a port; with `joins` the kernel may join datagrams (UDP_GRO).
    init(_ loop: EventLoop, joins: Bool, _ totals: ViewerTotals) throws(SystemError) {
        guard var address = SocketAddress(host: "0.0.0.0", port: 0) else { throw SystemError("any address", code: 22) }
        var bound = try Socket.bindUDP(address)
        address = try Socket.localAddress(bound.raw)
        while address.port % 2 == 1 {
            address.port = 0
            bound = try Socket.bindUDP(address)
            address = try Socket.localAddress(bound.raw)
        }
        port = address.port
        socket = bound
        self.totals = totals
        follower = PacketFollower(asked: Clock.monotonic())
        Socket.setOption(socket.raw, .receiveBuffer, 1 << 20)
        if joins { Socket.setOption(socket.raw, .udpReceiveOffload, 1) }
        watch = try loop.watch(socket.raw, .read) { [unowned self] _ in receive() }
    }

    private func receive() {
        var buffer: [UInt8] = []
        swap(&buffer, &totals.scratch)
        defer { swap(&buffer, &totals.scratch) }
        var segment: Int32 = 0
        while true {
            var span = buffer.mutableSpan
            guard case .some(.bytes(let count)) = try? Socket.receive(socket.raw, into: &span, segment: &segment) else {
                return
            }
            let now = Clock.monotonic()
            totals.bytes += UInt64(count)
            let size = segment > 0 ? Int(segment) : count
            for start in stride(from: 0, to: count, by: size) {
                follower.follow(buffer.span.extracting(start..<min(count, start + size)), now, totals)
            }
        }
    }
}
