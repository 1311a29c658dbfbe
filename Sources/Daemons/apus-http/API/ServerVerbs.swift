// SPDX-License-Identifier: Apache-2.0
// What the HTTP server can be told over its control socket.

import Control
import Daemon
import FanOut
import Loop
import Metrics

extension Server {
    /// Adds the server's verbs to the control socket.
    func addVerbs() {
        context.control.commands.add(
            ClientList.listVerb(
                "Lists the connections and what they are busy with.",
                ids: { [unowned self] in Array(clients.keys) },
                describe: { [unowned self] in report.client($0) }
            )
        )
        context.control.commands.add(
            ClientList.kickVerb { [unowned self] id in
                guard let client = clients[id] else { return false }
                for other in movies.sessions.banish(client, at: loop.now) where other != id {
                    clients[other]?.close("kicked")
                }
                client.close("kicked")
                return true
            }
        )
        context.control.commands.add(Samples.verb { [unowned self] in samples() })
    }

    /// Counts one who watches from now on, until the meter is let go of.
    func meter(_ camera: String, _ stream: String, _ transport: String) -> ViewerMeter {
        if traffic.onViewer == nil {
            traffic.onViewer = { [weak self] in self?.watching?.viewer($0, hasJoined: $1) }
        }
        return ViewerMeter(traffic.traffic(camera, stream, transport), at: loop.now)
    }
}
