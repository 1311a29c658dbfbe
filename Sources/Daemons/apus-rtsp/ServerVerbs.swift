// SPDX-License-Identifier: Apache-2.0
// What the RTSP server can be told over its control socket, and what it tells of there by itself.

import Access
import Control
import Daemon
import FanOut
import Metrics

extension Server {
    /// Adds the server's verbs and events to the control socket.
    func addVerbs() {
        context.control.commands.add(
            ClientList.listVerb(
                "Lists the connections and what they play.",
                ids: { [unowned self] in Array(clients.keys) },
                describe: { [unowned self] in report.client($0) }
            )
        )
        context.control.commands.add(
            ClientList.kickVerb { [unowned self] id in
                guard let client = clients[id] else { return false }
                client.close("kicked")
                return true
            }
        )
        context.control.commands.add(Samples.verb { [unowned self] in samples() })
        context.control.commands.add(EventKind("viewer-joined", "A client plays a stream from now on."))
        context.control.commands.add(EventKind("viewer-left", "A client plays a stream no more."))
    }

    /// The server's figures.
    private func samples() -> Samples {
        var samples = Samples()
        samples.add(.connections, context.shortName, count: clients.count)
        traffic.collect(into: &samples)
        return samples
    }

    /// Tells of a viewer.
    func tell(_ event: String, _ client: Client, _ playback: Playback, _ more: [JSON.Member] = []) {
        context.control.emit(
            event,
            [
                JSON.Member("client", JSON(client.id)), JSON.Member("peer", .string("\(client.connection.peer)")),
                JSON.Member("user", JSON(client.access.user?.name)),
                JSON.Member("camera", .string(playback.stream.camera)),
                JSON.Member("stream", .string(playback.stream.kind.rawValue)),
                JSON.Member("transport", .string(playback.transportName)),
            ] + more
        )
    }
}
