// SPDX-License-Identifier: Apache-2.0
// How RTSP lies in a connection's bytes: as it is, as base64 in a POST, or in WebSocket frames.

import Bytes
import WebSocket

/// Takes RTSP's bytes out of what a connection receives.
package struct RTSPCarrier: Sendable {
    private enum State: Sendable {
        case post(Base64Decoder)
        case webSocket(WebSocket)
    }

    private var state: State

    /// The half of an HTTP tunnel on which requests come in: a POST's body of base64.
    package static var post: RTSPCarrier { RTSPCarrier(state: .post(Base64Decoder())) }

    /// WebSocket frames with any number of messages and packets, or parts of them.
    package static var webSocket: RTSPCarrier { RTSPCarrier(state: .webSocket(WebSocket(.server))) }

    /// Takes all of `bytes`.
    ///
    /// - Parameters:
    ///   - rtsp: grows by what was carried.
    ///   - output: grows by what has to be sent to the peer at once.
    /// - Returns: why the carrier has ended; nil while it goes on.
    package mutating func receive(
        _ bytes: Span<UInt8>,
        into rtsp: inout [UInt8],
        output: inout [UInt8]
    ) -> String? {
        switch state {
        case .post(var decoder):
            defer { state = .post(decoder) }
            do throws(WireError) {
                try decoder.decode(bytes, into: &rtsp)
                return nil
            } catch {
                return error.description
            }
        case .webSocket(var socket):
            // Let go of the state's copy, so that what the socket holds grows in place.
            state = .post(Base64Decoder())
            defer { state = .webSocket(socket) }
            var offset = 0
            while true {
                let (consumed, event) = socket.receive(bytes.extracting(offset...), into: &rtsp, output: &output)
                offset += consumed
                switch event {
                case .wait: return nil
                case .message: continue
                case .closed(let code, let reason): return "WebSocket closed: \(code.rawValue) \(reason)"
                }
            }
        }
    }

    /// Appends what is in front of `count` bytes of RTSP on their way out.
    package static func webSocketHeader(_ count: Int, into output: inout [UInt8]) {
        WebSocket.header(.binary, payloadLength: count, into: &output)
    }
}

extension RTSPFuzz {
    /// Runs both carriers over `bytes` at once and byte by byte; both ways have to carry the same.
    package static func carriers(_ bytes: Span<UInt8>) {
        for carrier in [RTSPCarrier.post, .webSocket] {
            let whole = carried(bytes, carrier, step: max(1, bytes.count))
            let single = carried(bytes, carrier, step: 1)
            precondition(whole.end == single.end, "the end depends on how the bytes are split")
            precondition(whole.end != nil || whole == single, "what is carried depends on how the bytes are split")
            precondition(whole.rtsp.count <= bytes.count, "more came out than went in")
        }
    }

    /// What `bytes` carry, fed `step` at a time, and why the carrier ended.
    package static func carried(
        _ bytes: Span<UInt8>,
        _ carrier: RTSPCarrier,
        step: Int
    ) -> Carried {
        var carrier = carrier
        var carried = Carried()
        var offset = 0
        while offset < bytes.count, carried.end == nil {
            let next = min(bytes.count, offset + step)
            carried.end = carrier.receive(
                bytes.extracting(offset..<next),
                into: &carried.rtsp,
                output: &carried.output
            )
            offset = next
        }
        return carried
    }

    /// What came out of a carrier.
    package struct Carried: Sendable, Hashable {
        package var rtsp: [UInt8] = []
        package var output: [UInt8] = []
        package var end: String?
    }
}
