// SPDX-License-Identifier: Apache-2.0
// What the tests of this folder share.

import Bytes
import HTTP
import WebSocket

/// A frame as a client sends it, masked with a fixed key; `maskingKey` nil is how a server sends it.
func frame(
    _ opcode: WebSocketOpcode,
    _ payload: [UInt8] = [],
    isFinal: Bool = true,
    maskingKey: UInt32? = 0x37FA_213D
) -> [UInt8] {
    let header = WebSocketFrameHeader(
        opcode,
        isFinal: isFinal,
        payloadLength: payload.count,
        maskingKey: maskingKey
    )
    var bytes: [UInt8] = []
    header.write(into: &bytes)
    header.mask(payload.span, into: &bytes)
    return bytes
}

/// A frame of text.
func frame(_ opcode: WebSocketOpcode, _ text: String, isFinal: Bool = true) -> [UInt8] {
    frame(opcode, Array(text.utf8), isFinal: isFinal)
}

/// What a server makes of `bytes`.
func trace(
    _ bytes: [UInt8],
    step: Int = .max,
    role: WebSocket.Role = .server,
    limit: Int = WebSocketFuzz.limit
) -> WebSocketFuzz.Trace {
    WebSocketFuzz.Trace(bytes.span, step: min(step, max(1, bytes.count)), role: role, limit: limit)
}

/// The close frame that a server sends.
func closing(_ code: UInt16, _ reason: String = "") -> [UInt8] {
    frame(.close, [UInt8(code >> 8), UInt8(code & 0xFF)] + Array(reason.utf8), maskingKey: nil)
}

extension WebSocketFuzz.Trace {
    /// The messages' payloads as text.
    var texts: [String] { messages.map { String(decoding: $0.payload, as: UTF8.self) } }
}
