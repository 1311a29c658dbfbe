// SPDX-License-Identifier: Apache-2.0
// Publishes frames to an RTSP server: ANNOUNCE, RECORD, packets.

package import Bytes
package import Loop
package import Media
import RTP
package import RTSP
import SDP
import System

/// Publishes tracks to a server until it ends; it does not try again by itself.
///
/// Over TCP, or UDP if the settings say so. A server that takes nothing costs frames, not memory: past `backlogLimit` bytes
/// frames are dropped up to the next keyframe.
package final class RTSPPublisher {
    /// Bytes that may wait for the server over TCP.
    package static let backlogLimit = 4 << 20
    static let reportInterval = Duration.seconds(5)

    /// The server takes frames from now on.
    package var onStart: (() -> Void)?
    package var onDeviation: ((ClientDeviation) -> Void)?
    package var onEnd: ((PlayerEnd) -> Void)?

    /// Frames that were sent, and those dropped as the server was too slow.
    package private(set) var sent: UInt64 = 0
    package private(set) var dropped: UInt64 = 0
    /// True between `onStart` and the end.
    package private(set) var isLive = false

    private let loop: EventLoop
    private let settings: PlayerSettings
    private let name: String
    private let description: SessionDescription
    private var driver: SessionDriver?
    private var tracks: [PublishedTrack]
    private var image = PacketImage()
    private var reports: LoopTimer?
    private var isOver = false

    /// Makes a publisher of `streams` that has not started; nil if RTP has no format for one of them.
    package init?(
        loop: EventLoop,
        target: RTSPTarget,
        streams: [StreamDescription],
        settings: PlayerSettings = PlayerSettings()
    ) {
        self.loop = loop
        self.settings = settings
        name = "apus-\(String(Random.uint64(), radix: 16))"
        var media: [SessionDescription.Media] = []
        tracks = []
        for (index, stream) in streams.enumerated() {
            let type = UInt8(96 + index)
            guard let format = RTPPacketizer.Format(stream),
                let medium = SessionDescription.Media(
                    stream: stream,
                    payloadType: type,
                    control: "\(RTSPAddress.trackPrefix)\(index)"
                )
            else { return nil }
            media.append(medium)
            tracks.append(PublishedTrack(stream, format, payloadType: type))
        }
        description = .live(name: "Apus", identifier: Random.uint64() >> 1, version: 1, media: media)
        driver = SessionDriver(
            loop: loop,
            target: target,
            purpose: .publish(description),
            settings: settings,
            events: .init(
                described: { [unowned self] _ in setUp() },
                transportRefused: { [unowned self] in end(.session(.transportRefused)) },
                started: { [unowned self] in started() },
                packet: { _, _, _ in },
                noted: { [unowned self] deviation in onDeviation?(deviation) },
                ended: { [unowned self] reason in end(reason) }
            )
        )
    }

    deinit { stop() }

    /// Connects and announces.
    package func start() { driver?.start() }

    /// Ends without a callback.
    package func stop() {
        guard !isOver else { return }
        isOver = true
        release()
        driver?.stop()
    }

    /// Sends a frame in ring form, captured at `captured` on the monotonic clock.
    ///
    /// Frames of sound are as the codec has them: one AAC frame, one Opus packet, any whole number of G.711 or L16 samples.
    /// `isKeyframe` makes no difference to codecs that have nothing else.
    package func send(_ frame: Span<UInt8>, track index: Int, captured: Instant, isKeyframe: Bool) {
        guard isLive, !isOver, tracks.indices.contains(index) else { return }
        let track = tracks[index]
        if track.ports == nil, driver?.pendingBytes ?? 0 > Self.backlogLimit { track.needsKeyframe = true }
        if isKeyframe || track.isIntraOnly, driver?.pendingBytes ?? 0 <= Self.backlogLimit {
            track.needsKeyframe = false
        }
        let timestamp = track.clock.timestamp(of: captured)
        guard !track.needsKeyframe,
            (try? track.packetizer?.packetize(frame, timestamp: timestamp, into: &image)) != nil
        else {
            dropped += 1
            return
        }
        sent += 1
        track.packets &+= UInt32(truncatingIfNeeded: image.packets.count)
        track.octets &+= UInt32(truncatingIfNeeded: frame.count)
        let whole = image
        guard let ports = track.ports else {
            driver?.send(whole.bytes.span)
            return
        }
        for packet in whole.packets {
            ports.sendPacket(whole.bytes.span.extracting(packet.offset..<(packet.offset + packet.length)))
        }
    }

    private func setUp() {
        guard let driver, let server = driver.peer else { return }
        var requests: [ClientSession.Request] = []
        for (index, track) in tracks.enumerated() {
            var wanted = RTSPTransport(settings.transport == .udp ? .udp : .tcp)
            if wanted.lower == .udp {
                do throws(SystemError) {
                    let ports = try PortPair(loop: loop, local: driver.localAddress ?? server, server: server)
                    wanted.clientPorts = .init(ports.rtpPort, ports.rtcpPort)
                    track.ports = ports
                } catch {
                    return end(.connection("\(error)"))
                }
            }
            requests.append(.init(medium: index, transport: wanted))
        }
        driver.setUp(requests)
    }

    private func started() {
        guard let driver else { return }
        for (track, state) in zip(tracks, driver.session.tracks) {
            track.begin(state.transport)
            if track.ports != nil, state.transport.serverPorts == nil, state.transport.interleaved == nil {
                return end(.session(.transportRefused))
            }
        }
        isLive = true
        onStart?()
        sendReports()
        reports = loop.timer(every: Self.reportInterval) { [unowned self] in sendReports() }
    }

    private func sendReports() {
        let (offset, _) = Clock.utcOffset()
        let now = Clock.monotonic()
        for track in tracks {
            var bytes: [UInt8] = []
            let info = RTCP.SenderInfo(
                source: track.source,
                time: NTPTime(unixNanoseconds: now.nanoseconds + offset),
                timestamp: track.clock.timestamp(of: now),
                packets: track.packets,
                octets: track.octets
            )
            RTCP.append(info, name: name, to: &bytes)
            if let ports = track.ports {
                ports.sendReport(bytes.span)
            } else if let channel = track.reportChannel {
                let length = UInt16(truncatingIfNeeded: bytes.count)
                let framed = [UInt8(ascii: "$"), channel, UInt8(length >> 8), UInt8(length & 0xFF)] + bytes
                driver?.send(framed.span)
            }
        }
    }

    private func release() {
        isLive = false
        reports?.cancel()
        for track in tracks { track.ports?.close() }
    }

    private func end(_ reason: PlayerEnd) {
        guard !isOver else { return }
        isOver = true
        release()
        driver?.stop()
        onEnd?(reason)
    }
}

/// A track that is published.
private final class PublishedTrack {
    let format: RTPPacketizer.Format
    let payloadType: UInt8
    /// Sound and JPEG go on at any frame.
    let isIntraOnly: Bool
    let source = UInt32(truncatingIfNeeded: Random.uint64())
    let clock: RTPClock
    var packetizer: RTPPacketizer?
    var ports: PortPair?
    var reportChannel: UInt8?
    var needsKeyframe = false
    var packets: UInt32 = 0
    var octets: UInt32 = 0

    init(_ stream: StreamDescription, _ format: RTPPacketizer.Format, payloadType: UInt8) {
        self.format = format
        self.payloadType = payloadType
        isIntraOnly = stream.codec.isIntraOnly
        clock = RTPClock(rate: TrackFormat.clockRate(of: stream), offset: UInt32(truncatingIfNeeded: Random.uint64()))
    }

    /// Takes the transport that the server decided for.
    func begin(_ transport: RTSPTransport) {
        if let channels = transport.interleaved {
            ports?.close()
            ports = nil
            reportChannel = channels.rtcp
        } else if let serverPorts = transport.serverPorts {
            ports?.rtpPeer.port = serverPorts.rtp
            ports?.rtcpPeer.port = serverPorts.rtcp
        }
        packetizer = RTPPacketizer(
            format,
            payloadType: payloadType,
            source: source,
            firstSequence: UInt16(truncatingIfNeeded: Random.uint64()),
            channel: transport.interleaved?.rtp ?? 0
        )
    }
}
