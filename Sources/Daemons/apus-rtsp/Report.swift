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
import SDP
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

    /// One client as `clients` tells of it; nil if there is none of that number.
    func client(_ id: Int) -> JSON? { server.clients[id].map(client) }

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
        var members = [JSON.Member("id", JSON(client.id))]
        if server.workers > 1 { members.append(JSON.Member("worker", JSON(server.worker))) }
        members += [
            JSON.Member("peer", .string(client.connection.peer.description)),
            JSON.Member("carrier", .string(client.carrierName)),
            JSON.Member("user", JSON(client.access.user?.name)),
            JSON.Member("sent", JSON(client.connection.bytesSent)),
            JSON.Member("received", JSON(client.connection.bytesReceived)),
            JSON.Member("pending", JSON(client.connection.pendingBytes)),
        ]
        if let playback = client.playback { members += played(playback) }
        if let publication = client.publication { members += published(publication) }
        if let talkback = client.talkback {
            members.append(JSON.Member("speaks_to", .string(talkback.camera)))
            members.append(JSON.Member("speaks", JSON(talkback.codec?.name)))
        }
        return .object(members)
    }

    // MARK: What is played

    /// The connection in one row, then each track on its own.
    private func played(_ playback: Playback) -> [JSON.Member] {
        let tracks = Array(playback.tracks.reversed())
        var members = [
            JSON.Member("stream", .string(playback.stream.name)),
            JSON.Member("transport", .string(playback.transportName)),
            JSON.Member("state", .string(playback.began == nil ? "ready" : "playing")),
        ]
        if let began = playback.began {
            members.append(JSON.Member("seconds", JSON(Int((server.loop.now - began).seconds))))
        }
        members.append(JSON.Member("codecs", .string(tracks.map(codec).joined(separator: "+"))))
        if let picture = tracks.first {
            members.append(JSON.Member("frames", JSON(picture.frames)))
            members += figures(picture)
        }
        members.append(JSON.Member("drops", .string(playback.dropText)))
        members.append(JSON.Member("tracks", .array(tracks.map(track))))
        return members
    }

    private func codec(_ track: PlayedTrack) -> String { track.feed.description?.0.codec.name ?? "unknown" }

    private func track(_ track: PlayedTrack) -> JSON {
        var members = [
            JSON.Member("track", JSON(track.number)), JSON.Member("codec", .string(codec(track))),
            JSON.Member("frames", JSON(track.frames)), JSON.Member("packets", JSON(track.packets)),
            JSON.Member("unsent_packets", JSON(track.unsentPackets)),
        ]
        members += figures(track)
        for (reason, count) in track.cursor.drops.byReason {
            members.append(JSON.Member("drops_" + reason.rawValue, JSON(count)))
        }
        return .object(members)
    }

    private func figures(_ track: PlayedTrack) -> [JSON.Member] {
        var members: [JSON.Member] = []
        if let lag = track.lag { members.append(JSON.Member("lag_ms", milliseconds(lag))) }
        if let (report, _) = track.report {
            members += [
                JSON.Member("lost_packets", JSON(report.lost)),
                JSON.Member("fraction_lost", JSON(Double(report.fractionLost) / 256)),
                JSON.Member("jitter_ms", rounded(Double(report.jitter) * 1000 / Double(track.feed.clockRate))),
            ]
        }
        if let roundTrip = track.roundTrip { members.append(JSON.Member("round_trip_ms", milliseconds(roundTrip))) }
        return members
    }

    // MARK: What is published

    private func published(_ publication: Publication) -> [JSON.Member] {
        var members = [
            JSON.Member("publishes", .string(publication.camera)),
            JSON.Member("transport", .string(publication.transportName)),
            JSON.Member("state", .string(publication.began == nil ? "ready" : "recording")),
        ]
        if let began = publication.began {
            members.append(JSON.Member("seconds", JSON(Int((server.loop.now - began).seconds))))
        }
        let codecs = publication.tracks.map(\.description.format.stream.codec.name)
        members.append(JSON.Member("codecs", .string(codecs.joined(separator: "+"))))
        if let drift = publication.drift { members.append(JSON.Member("drift_ppm", rounded(drift))) }
        members.append(JSON.Member("tracks", .array(publication.tracks.map(inbound))))
        return members
    }

    private func inbound(_ track: InboundTrack) -> JSON {
        let receiver = track.receiver
        let jitter = Double(receiver.statistics.jitter) * 1000 / Double(receiver.format.clockRate)
        return [
            "codec": .string(receiver.format.stream.codec.name),
            "frames": JSON(receiver.frames.frames), "packets": JSON(receiver.statistics.received),
            "lost_packets": JSON(receiver.statistics.missing), "late_packets": JSON(receiver.statistics.late),
            "damaged_frames": JSON(receiver.frames.damaged), "refused_frames": JSON(track.refused),
            "jitter_ms": rounded(jitter),
            "deviations": .array(receiver.allDeviations.map { .string($0.text) }),
        ]
    }

    private func milliseconds(_ duration: Duration) -> JSON { rounded(duration.seconds * 1000) }

    /// With two decimals.
    private func rounded(_ value: Double) -> JSON { JSON((value * 100).rounded() / 100) }
}
