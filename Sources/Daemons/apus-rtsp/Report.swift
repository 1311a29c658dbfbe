// SPDX-License-Identifier: Apache-2.0
// What the server tells of itself over the control socket.

import Bytes
import Control
import FanOut
import Loop
import Media
import RTP
import Ring
import System

/// Makes the server's reports.
final class Report {
    private unowned let server: Server

    init(_ server: Server) { self.server = server }

    /// This daemon's part of `status`.
    func status() -> [JSON.Member] {
        [
            JSON.Member("clients", JSON(server.clients.count)),
            JSON.Member("streams", .array(server.streams.map(stream))),
        ]
    }

    /// Answers `clients`.
    func clients() -> JSON {
        let clients = server.clients.values.sorted { $0.id < $1.id }
        return ["clients": .array(clients.map(client))]
    }

    private func stream(_ stream: Stream) -> JSON {
        var members = [
            JSON.Member("name", .string(stream.name)), JSON.Member("online", .boolean(stream.isAttached)),
            JSON.Member("viewers", JSON(stream.viewers.count)),
        ]
        if let description = stream.view?.description()?.description {
            members += [
                JSON.Member("codec", .string(description.codec.name)), JSON.Member("width", JSON(description.width)),
                JSON.Member("height", JSON(description.height)),
            ]
        }
        if let refusal = stream.lastRefusal {
            members.append(JSON.Member("refused_frames", JSON(stream.refused)))
            members.append(JSON.Member("refusal", .string(refusal.description)))
        }
        return .object(members)
    }

    private func client(_ client: Client) -> JSON {
        var members = [
            JSON.Member("id", JSON(client.id)),
            JSON.Member("peer", .string(client.connection.peer.description)),
            JSON.Member("sent", JSON(client.connection.bytesSent)),
            JSON.Member("pending", JSON(client.connection.pendingBytes)),
        ]
        guard let playback = client.playback else { return .object(members) }
        members += [
            JSON.Member("stream", .string(playback.stream.name)),
            JSON.Member("transport", .string(client.transportName)),
            JSON.Member("playing", .boolean(playback.began != nil)),
            JSON.Member("frames", JSON(playback.frames)), JSON.Member("packets", JSON(playback.packets)),
            JSON.Member("unsent_packets", JSON(playback.unsentPackets)),
        ]
        if let began = playback.began {
            members.append(JSON.Member("seconds", JSON(Int((server.loop.now - began).seconds))))
        }
        for (reason, count) in playback.cursor.drops.byReason {
            members.append(JSON.Member("drops_" + reason.rawValue, JSON(count)))
        }
        if let report = playback.report {
            members += [
                JSON.Member("lost_packets", JSON(report.lost)),
                JSON.Member("fraction_lost", JSON(Double(report.fractionLost) / 256)),
                // In ticks of 90 kHz.
                JSON.Member("jitter_ms", JSON(Double(report.jitter) / 90)),
            ]
        }
        return .object(members)
    }
}
