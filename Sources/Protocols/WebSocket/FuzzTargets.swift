// SPDX-License-Identifier: Apache-2.0
// What the fuzzers and the corpus tests call: any bytes in, and rules that must hold whatever they are.

import Bytes

/// Entry points for fuzzing this module.
package enum WebSocketFuzz {
    /// The message limit that the fuzzer runs with, small enough to be reached.
    package static let limit = 300

    /// Runs a server over `bytes` at once and byte by byte; both ways have to see and say the same.
    package static func frames(_ bytes: Span<UInt8>) {
        let whole = Trace(bytes, step: max(1, bytes.count))
        let single = Trace(bytes, step: 1)
        precondition(whole == single, "messages depend on how the bytes are split")
        precondition(whole.messages.allSatisfy { $0.payload.count <= limit }, "message over its limit")
        // What a server says has to be good in a client's eyes.
        let heard = Trace(whole.output.span, step: max(1, whole.output.count), role: .client { 0 })
        precondition(heard.closed?.code != .protocolError || whole.closed != nil, "the server's frames are wrong")
    }

    /// All that a connection makes of bytes.
    package struct Trace: Hashable {
        package struct Message: Hashable {
            package var kind: WebSocket.Kind
            package var payload: [UInt8]
        }

        package struct Closing: Hashable {
            package var code: WebSocketCloseCode
            package var reason: String
        }

        package var messages: [Message] = []
        package var output: [UInt8] = []
        package var closed: Closing?

        /// Feeds `bytes`, `step` at a time.
        package init(_ bytes: Span<UInt8>, step: Int, role: WebSocket.Role = .server, limit: Int = WebSocketFuzz.limit)
        {
            var socket = WebSocket(role, limit: limit)
            var payload: [UInt8] = []
            var offset = 0
            var end = 0
            while end < bytes.count {
                end = min(bytes.count, end + step)
                while closed == nil {
                    let (consumed, event) = socket.receive(
                        bytes.extracting(offset..<end),
                        into: &payload,
                        output: &output
                    )
                    offset += consumed
                    switch event {
                    case .message(let kind):
                        messages.append(Message(kind: kind, payload: payload))
                        payload = []
                        continue
                    case .closed(let code, let reason): closed = Closing(code: code, reason: reason)
                    case .wait: break
                    }
                    break
                }
            }
        }
    }
}
