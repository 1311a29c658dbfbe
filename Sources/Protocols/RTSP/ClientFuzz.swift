// SPDX-License-Identifier: Apache-2.0
// What the client's fuzzers and corpus tests call.

import Bytes
import SDP

extension RTSPFuzz {
    /// Runs a client over what a server sends, at once and byte by byte; both ways have to give the same events.
    package static func client(_ bytes: Span<UInt8>) {
        let whole = events(bytes, step: max(1, bytes.count))
        let single = events(bytes, step: 1)
        precondition(whole.events == single.events, "events depend on how the bytes are split")
        precondition(whole.packets == single.packets, "packets depend on how the bytes are split")
    }

    /// Parses a target and prints it; reading that again must give the same.
    package static func target(_ bytes: Span<UInt8>) {
        guard var target = RTSPTarget(String(decoding: [UInt8](bytes), as: UTF8.self)) else { return }
        guard let again = RTSPTarget(target.url) else {
            precondition(target.url.utf8.count > RTSPTarget.maximumLength, "a printed URL cannot be read")
            return
        }
        precondition(again.host == target.host && again.port == target.port, "target changed")
        precondition(again.credentials == nil, "a password is in the URL that is sent")
        _ = target.takeOption("transport")
        _ = target.following(target.resource)
    }

    /// What a client says and does while a server sends `bytes`, `step` bytes at a time.
    package static func events(
        _ bytes: Span<UInt8>,
        step: Int
    ) -> (events: [ClientSession.Event], packets: [[UInt8]]) {
        guard let target = RTSPTarget("rtsp://u:p@camera/path") else { return ([], []) }
        var session = ClientSession(target, agent: "fuzz") { _ in "Basic dTpw" }
        session.connected(at: .zero)
        var events: [ClientSession.Event] = []
        var packets: [[UInt8]] = []
        var offset = 0
        var end = 0
        while end < bytes.count {
            end = min(bytes.count, end + step)
            while true {
                let rest = bytes.extracting(offset..<end)
                let taken = session.take(rest, at: .zero)
                if let packet = taken.packet {
                    packets.append([UInt8(packet.track)] + [UInt8](rest.extracting(packet.payload)))
                }
                offset += taken.consumed
                while let event = session.nextEvent() {
                    events.append(event)
                    switch event {
                    case .described(let description):
                        let media = description.media.indices.prefix(ClientSession.maximumTracks)
                        session.setUp(media.map { .init(medium: $0, transport: .init(.tcp)) }, at: .zero)
                    case .redirected: session.connected(at: .zero)
                    case .transportRefused: session.tearDown(at: .zero)
                    default: break
                    }
                }
                if taken.consumed == 0 || offset == end { break }
            }
        }
        return (events, packets)
    }
}
