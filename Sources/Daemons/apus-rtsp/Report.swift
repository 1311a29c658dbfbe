// SPDX-License-Identifier: Apache-2.0
// What the server tells of itself over the control socket.

import Access
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
            JSON.Member("users_required", .boolean(server.access.isRequired)),
            JSON.Member("locked", .array(server.access.locked(at: server.loop.now).map { .string($0.host) })),
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
            JSON.Member("name", .string(stream.name)), JSON.Member("online", .boolean(stream.video.isAttached)),
            JSON.Member("viewers", JSON(stream.viewers.count)),
        ]
        if let description = stream.video.view?.description()?.description {
            members += [
                JSON.Member("codec", .string(description.codec.name)), JSON.Member("width", JSON(description.width)),
                JSON.Member("height", JSON(description.height)),
            ]
        }
        if let refusal = stream.video.lastRefusal {
            members.append(JSON.Member("refused_frames", JSON(stream.video.refused)))
            members.append(JSON.Member("refusal", .string(refusal.description)))
        }
        return .object(members)
    }

    private func client(_ client: Client) -> JSON {
        var members = [
            JSON.Member("id", JSON(client.id)),
            JSON.Member("peer", .string(client.connection.peer.description)),
            JSON.Member("carrier", .string(client.carrierName)),
            JSON.Member("user", JSON(client.access.user?.name)),
            JSON.Member("sent", JSON(client.connection.bytesSent)),
            JSON.Member("received", JSON(client.connection.bytesReceived)),
            JSON.Member("pending", JSON(client.connection.pendingBytes)),
        ]
        guard let playback = client.playback else { return .object(members) }
        members += [
            JSON.Member("stream", .string(playback.stream.name)),
            JSON.Member("transport", .string(playback.transportName)),
            JSON.Member("playing", .boolean(playback.began != nil)),
        ]
        if let began = playback.began {
            members.append(JSON.Member("seconds", JSON(Int((server.loop.now - began).seconds))))
        }
        members.append(JSON.Member("tracks", .array(playback.tracks.reversed().map(track))))
        return .object(members)
    }

    private func track(_ track: PlayedTrack) -> JSON {
        var members = [
            JSON.Member("track", JSON(track.number)),
            JSON.Member("codec", .string(track.feed.description?.0.codec.name ?? "unknown")),
            JSON.Member("frames", JSON(track.frames)), JSON.Member("packets", JSON(track.packets)),
            JSON.Member("unsent_packets", JSON(track.unsentPackets)),
        ]
        if let lag = track.lag { members.append(JSON.Member("lag_ms", JSON(lag.seconds * 1000))) }
        for (reason, count) in track.cursor.drops.byReason {
            members.append(JSON.Member("drops_" + reason.rawValue, JSON(count)))
        }
        if let (report, _) = track.report {
            members += [
                JSON.Member("lost_packets", JSON(report.lost)),
                JSON.Member("fraction_lost", JSON(Double(report.fractionLost) / 256)),
                JSON.Member("jitter_ms", JSON(Double(report.jitter) * 1000 / Double(track.feed.clockRate))),
            ]
        }
        if let roundTrip = track.roundTrip {
            members.append(JSON.Member("round_trip_ms", JSON(roundTrip.seconds * 1000)))
        }
        return .object(members)
    }
}
