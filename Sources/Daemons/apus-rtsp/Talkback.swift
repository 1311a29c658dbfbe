// SPDX-License-Identifier: Apache-2.0
// The way back: sound that a client sends to a camera's loudspeaker (ONVIF Streaming Specification §5.3).

import Bytes
import FanOut
import Log
import Loop
import Media
import RTP
import RTSP
import Ring
import SDP
import System

/// What one client says to a camera.
///
/// The description offers several codings; the client takes one by the payload type of its packets. The ring
/// `<camera>.speaker` is there while it speaks.
final class Talkback {
    let camera: String
    let delivery: Delivery
    private var track: InboundTrack?
    private var clock: SourceClock?
    private unowned let server: Server
    private let sendReport: ([UInt8]) -> Void
    private var isOpen = false
    private var hasSpoken = false

    private static let ringCapacity = 256 << 10

    /// The codings that are taken, best first, with their payload types.
    static let formats: [TrackFormat] = [
        format(.opus, 48_000, 111), format(.aac, 16_000, 112), format(.l16, 16_000, 113), format(.pcmu, 8000, 0),
        format(.pcma, 8000, 8),
    ]

    init(_ camera: String, _ delivery: Delivery, _ server: Server, sendReport: @escaping ([UInt8]) -> Void) {
        self.camera = camera
        self.delivery = delivery
        self.server = server
        self.sendReport = sendReport
    }

    /// The medium of a description, under a track's address.
    static func media(control: String) -> SessionDescription.Media? {
        // G.711 comes first: every client has it.
        let parts = (formats.suffix(2) + formats.dropLast(2))
            .compactMap { format in
                SessionDescription.Media(
                    audio: format.stream,
                    payloadType: format.payloadType,
                    control: control,
                    direction: .sendOnly
                )
            }
        guard var media = parts.first else { return nil }
        media.formats = parts.flatMap(\.formats)
        let codings = parts.flatMap(\.attributes).filter { $0.name == "rtpmap" || $0.name == "fmtp" }
        media.attributes = codings + media.attributes.filter { $0.name != "rtpmap" && $0.name != "fmtp" }
        return media
    }

    /// Takes packets from now on.
    func start() { isOpen = true }

    /// Takes no more packets. Harmless when repeated.
    func stop() {
        isOpen = false
        track?.stop()
        track = nil
    }

    /// The coding that the client speaks in; nil before its first packet.
    var codec: Codec? { track?.receiver.format.stream.codec }

    /// Takes a packet.
    func receive(_ packet: Span<UInt8>, isReport: Bool) {
        guard isOpen else { return }
        if !isReport {
            guard let header = (try? RTPPacket(parsing: packet))?.header else { return }
            if track?.receiver.format.payloadType != header.payloadType { begin(header.payloadType) }
        }
        track?.receive(packet, isReport: isReport)
    }

    /// Opens the ring for a coding; one that is not offered is passed over.
    private func begin(_ payloadType: UInt8) {
        guard let format = Self.formats.first(where: { $0.payloadType == payloadType }) else { return }
        track?.stop()
        let description = SessionDescription.Track(sending: format)
        let ring = InboundTrack.Ring(
            name: "\(camera)/speaker",
            path: server.ringPath(camera, "speaker"),
            capacity: Self.ringCapacity
        )
        let track = InboundTrack(description, delivery, server, ring)
        clock = SourceClock(rates: [format.clockRate])
        track.instant = { [unowned self] frame in
            clock?.soundInstant(of: frame.timestamp, arrived: frame.arrival)
        }
        track.sendReport = sendReport
        do throws(RingError) {
            try track.start()
            self.track = track
            // Once: a client may take another coding with each packet.
            if !hasSpoken { server.log.info("somebody speaks", ["camera": camera, "codec": format.stream.codec.name]) }
            hasSpoken = true
        } catch {
            server.log.error("cannot take what is said", ["camera": camera, "error": error])
            self.track = nil
            // Once is enough: it would be tried again with each packet.
            isOpen = false
        }
    }

    private static func format(_ codec: Codec, _ sampleRate: UInt32, _ payloadType: UInt8) -> TrackFormat {
        let stream = StreamDescription(audio: codec, sampleRate: sampleRate, channels: 1)
        return TrackFormat(sending: stream, dynamicType: payloadType)
    }
}
