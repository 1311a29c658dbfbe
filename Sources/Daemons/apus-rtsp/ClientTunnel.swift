// SPDX-License-Identifier: Apache-2.0
// RTSP that comes through HTTP or WebSocket, and the two connections of an HTTP tunnel.

import Access
import Bytes
import Crypto
import FanOut
import Log
import Loop
import RTSP
import System

extension Client {
    /// How RTSP comes to a client.
    enum Inlet {
        /// As it is, on the client's own connection.
        case plain
        /// In WebSocket frames.
        case webSocket(RTSPCarrier)
        /// Through the connection of another client, which has the POST half of this one's tunnel.
        case tunnelOutput
        /// As base64, for the client that has the tunnel's other half.
        case tunnelInput(RTSPCarrier, Client)
    }

    /// True for the connection that only brings another client's requests.
    var isTunnelInput: Bool {
        if case .tunnelInput = inlet { true } else { false }
    }

    /// The name of the way in logs and reports.
    var carrierName: String {
        switch inlet {
        case .plain: "rtsp"
        case .webSocket: "websocket"
        case .tunnelOutput: "http"
        case .tunnelInput: "http-post"
        }
    }

    /// Answers an HTTP request, which may be the last thing in plain words on this connection.
    func answerHTTP(_ request: RTSPRequest) {
        // HTTP inside of a tunnel makes no sense, and neither does it behind RTSP.
        guard case .plain = inlet, playback == nil else { return refuse("HTTP in the middle of RTSP") }
        switch HTTPOnRTSP.purpose(of: request) {
        case .pictures where !connection.isEncrypted && connection.pendingBytes == 0: leaveToHTTP(request)
        case .page, .pictures:
            connection.send(HTTPOnRTSP.response(to: request, place: server.page(isEncrypted: connection.isEncrypted)))
            connection.closeWhenSent()
        case .webSocket: openWebSocket(request)
        case .tunnelOutput(let cookie): openTunnel(cookie)
        case .tunnelInput(let cookie):
            guard server.tunnels.contains(cookie: cookie, host: tunnelHost) || !depart(request, to: server.nextWorker)
            else { return }
            joinTunnel(cookie)
        }
    }

    private func openWebSocket(_ request: RTSPRequest) {
        let date = Clock.realtimeNanoseconds() / 1_000_000_000
        let (bytes, isOpen) = HTTPOnRTSP.answerWebSocket(request, date: date) { Hash.sha1.digest($0.span) }
        connection.send(bytes)
        guard isOpen else { return connection.closeWhenSent() }
        inlet = .webSocket(.webSocket)
        connection.framing = { count, output in RTSPCarrier.webSocketHeader(count, into: &output) }
    }

    private func openTunnel(_ cookie: String) {
        do throws(TunnelRefusal) {
            try server.tunnels.open(cookie: cookie, host: tunnelHost, output: id, at: server.loop.now)
            inlet = .tunnelOutput
            // Whoever knows the cookie, from the same address, can put requests into the tunnel.
            access.trustsConnection = false
            connection.send(HTTPOnRTSP.tunnelHead(server: server.product))
        } catch {
            refuseTunnel(error)
        }
    }

    private func joinTunnel(_ cookie: String) {
        do throws(TunnelRefusal) {
            let (output, replaced) = try server.tunnels.join(cookie: cookie, host: tunnelHost, input: id)
            guard let client = server.clients[output] else { return close("the tunnel has ended") }
            inlet = .tunnelInput(.post, client)
            if let replaced { server.clients[replaced]?.close("the tunnel has a newer POST") }
        } catch {
            refuseTunnel(error)
        }
    }

    private func refuseTunnel(_ refusal: TunnelRefusal) {
        server.log.debug(
            "tunnel refused",
            ["client": id, "peer": connection.peer, "reason": String(describing: refusal)]
        )
        connection.send(HTTPOnRTSP.tunnelRefusal(refusal))
        connection.closeWhenSent()
    }

    /// Whose tunnels this client may join: those of its address, and encrypted ones only if it is encrypted itself.
    private var tunnelHost: String { connection.peer.host + (connection.isEncrypted ? " tls" : "") }

    /// Unwraps what has come; false if there is nothing in `carried` for this client to take.
    func takeCarried() -> Bool {
        switch inlet {
        case .plain: return false
        case .tunnelOutput:
            // Nothing is expected behind a GET.
            connection.input = []
            return true
        case .webSocket(var carrier):
            let end = unwrap(&carrier, for: self)
            inlet = .webSocket(carrier)
            guard let end else { return true }
            server.log.debug("websocket ended", ["client": id, "peer": connection.peer, "reason": end])
            connection.closeWhenSent()
            return true
        case .tunnelInput(var carrier, let client):
            let end = unwrap(&carrier, for: client)
            inlet = .tunnelInput(carrier, client)
            client.takeInput()
            guard let end else { return false }
            client.refuse(end)
            close("the tunnel has ended")
            return false
        }
    }

    /// Unwraps the connection's input for `client`; gives why no more can come.
    private func unwrap(_ carrier: inout RTSPCarrier, for client: Client) -> String? {
        guard !connection.input.isEmpty else { return nil }
        var input: [UInt8] = []
        var output: [UInt8] = []
        swap(&input, &connection.input)
        let end = carrier.receive(input.span, into: &client.carried, output: &output)
        if !output.isEmpty { connection.sendUnframed(output) }
        if client.carried.count > client.connection.inputLimit { return "more requests than may wait" }
        return end
    }

    /// Ends the other half of a tunnel, if this client was the half with the stream.
    func leaveTunnel() {
        guard let input = server.tunnels.remove(id) else { return }
        server.clients[input]?.close("the tunnel has ended")
    }
}
