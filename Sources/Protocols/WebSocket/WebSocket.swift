// SPDX-License-Identifier: Apache-2.0
// One side of a WebSocket connection behind its handshake (RFC 6455 §5–§7), without the connection.

import Bytes

/// Turns received bytes into messages, and messages into frames: fragments, pings, closing, and all refusals.
///
/// Payload is handed out as it comes, so a stream in messages (RTSP) never waits for their ends; whoever wants whole
/// messages waits for `.message`.
package struct WebSocket: Sendable {
    /// Which side this is. A server wants masked frames and sends none; a client is the other way round.
    package enum Role: Sendable {
        case server
        /// `nextMaskingKey` gives unpredictable keys (RFC 6455 §5.3).
        case client(nextMaskingKey: @Sendable () -> UInt32)
    }

    /// What a message consists of.
    package enum Kind: Sendable, Hashable {
        case text
        case binary
    }

    /// What `receive` came to.
    package enum Event: Sendable, Hashable {
        /// All bytes are used up; what there was of a message's payload has been appended.
        case wait
        /// A message is whole: its last bytes have been appended. Hand in the rest of the bytes.
        case message(Kind)
        /// The connection is over: send what was written to `output`, then close.
        case closed(WebSocketCloseCode, reason: String)
    }

    private enum State: Sendable {
        case open
        /// This side has sent its close frame and waits for the peer's.
        case closing
        case closed
    }

    /// The message whose fragments are coming.
    private struct Message {
        var kind: Kind
        var length = 0
        var text = UTF8Check()
    }

    /// The most bytes of a message, unless the owner says otherwise.
    package static let messageLimit = 1 << 20

    private let role: Role
    private let limit: Int
    private var state = State.open
    /// The bytes of a header that has not come whole.
    private var partial: [UInt8] = []
    /// The frame whose payload is coming, and how much of it has come.
    private var frame: (header: WebSocketFrameHeader, received: Int)?
    private var control: [UInt8] = []
    private var message: Message?

    /// Starts behind the handshake. A message longer than `limit` bytes is refused with 1009.
    package init(_ role: Role, limit: Int = WebSocket.messageLimit) {
        self.role = role
        self.limit = limit
    }

    /// Whole frames of the peer's so far, of any kind.
    package private(set) var framesReceived: UInt64 = 0

    /// True until either side has begun to close.
    package var isOpen: Bool {
        if case .open = state { true } else { false }
    }

    /// Takes received bytes up to the end of one message, or all of them.
    ///
    /// - Parameters:
    ///   - bytes: what has come and was not consumed yet.
    ///   - payload: grows by the messages' payload; the caller may take what is in it after every call.
    ///   - output: grows by what has to be sent at once: pongs, and the answer to a close frame.
    /// - Returns: how many bytes were taken, and what they came to.
    package mutating func receive(
        _ bytes: Span<UInt8>,
        into payload: inout [UInt8],
        output: inout [UInt8]
    ) -> (consumed: Int, event: Event) {
        var consumed = 0
        do throws(Refusal) {
            while true {
                if case .closed = state { return (bytes.count, .wait) }
                if frame == nil {
                    try takeHeader(bytes, &consumed)
                    guard frame != nil else { return (consumed, .wait) }
                }
                if let event = try takePayload(bytes, &consumed, &payload, &output) { return (consumed, event) }
                if frame != nil { return (consumed, .wait) }
            }
        } catch {
            fail(error, &output)
            return (bytes.count, .closed(error.code, reason: error.reason))
        }
    }

    /// Appends a whole message as one frame; nothing once the connection is closing.
    package mutating func send(_ payload: Span<UInt8>, _ kind: Kind, into output: inout [UInt8]) {
        guard isOpen else { return }
        write(kind == .text ? .text : .binary, payload, into: &output)
    }

    /// Appends the header of a frame that is a whole message, for a payload that is sent from elsewhere.
    ///
    /// For servers only, since a client has to mask the payload.
    package static func header(_ kind: Kind, payloadLength: Int, into output: inout [UInt8]) {
        WebSocketFrameHeader(kind == .text ? .text : .binary, payloadLength: payloadLength).write(into: &output)
    }

    /// Appends a ping of up to 125 bytes; the peer has to answer with the same bytes.
    package mutating func ping(_ payload: Span<UInt8>, into output: inout [UInt8]) {
        guard isOpen else { return }
        write(.ping, payload, into: &output)
    }

    /// Begins to close: the peer's close frame then ends the connection. What it still sends is dropped.
    package mutating func close(
        _ code: WebSocketCloseCode,
        reason: String = "",
        into output: inout [UInt8]
    ) {
        guard isOpen else { return }
        state = .closing
        writeClose(code, reason, into: &output)
    }
}

// MARK: Receiving

extension WebSocket {
    private struct Refusal: Error {
        var code: WebSocketCloseCode
        var reason: String

        init(_ code: WebSocketCloseCode, _ reason: String) {
            self.code = code
            self.reason = reason
        }
    }

    /// Goes on with a header, whose bytes may have come in pieces.
    private mutating func takeHeader(_ bytes: Span<UInt8>, _ consumed: inout Int) throws(Refusal) {
        let rest = bytes.extracting(consumed...)
        let kept = partial.count
        partial.append(rest.extracting(..<min(rest.count, WebSocketFrameHeader.maximumLength - kept)))
        let result: (consumed: Int, header: WebSocketFrameHeader?)
        do throws(WireError) {
            result = try WebSocketFrameHeader.parse(partial.span)
        } catch {
            throw Refusal(.protocolError, error.description)
        }
        guard let header = result.header else {
            consumed = bytes.count
            return
        }
        consumed += result.consumed - kept
        partial.removeAll(keepingCapacity: true)
        try check(header)
        frame = (header, 0)
    }

    private mutating func check(_ header: WebSocketFrameHeader) throws(Refusal) {
        switch role {
        case .server where header.maskingKey == nil: throw Refusal(.protocolError, "unmasked frame from a client")
        case .client where header.maskingKey != nil: throw Refusal(.protocolError, "masked frame from a server")
        default: break
        }
        switch (header.opcode, message) {
        case (.close, _), (.ping, _), (.pong, _): return
        case (.continuation, nil): throw Refusal(.protocolError, "continuation of no message")
        case (.text, .some), (.binary, .some): throw Refusal(.protocolError, "message inside of a message")
        case (.text, nil): message = Message(kind: .text)
        case (.binary, nil): message = Message(kind: .binary)
        case (.continuation, .some): break
        }
        guard let length = message?.length, header.payloadLength <= limit - length else {
            throw Refusal(.messageTooBig, "message longer than \(limit) bytes")
        }
        message?.length = length + header.payloadLength
    }

    /// Goes on with a frame's payload; returns an event where the caller has to act.
    private mutating func takePayload(
        _ bytes: Span<UInt8>,
        _ consumed: inout Int,
        _ payload: inout [UInt8],
        _ output: inout [UInt8]
    ) throws(Refusal) -> Event? {
        guard let (header, received) = frame else { return nil }
        let count = min(bytes.count - consumed, header.payloadLength - received)
        let piece = bytes.extracting(consumed..<(consumed + count))
        consumed += count
        if header.opcode.isControl {
            header.mask(piece, at: received, into: &control)
        } else {
            try takeData(piece, header, received, &payload)
        }
        guard received + count == header.payloadLength else {
            frame = (header, received + count)
            return nil
        }
        frame = nil
        return try endFrame(header, &output)
    }

    private mutating func takeData(
        _ piece: Span<UInt8>,
        _ header: WebSocketFrameHeader,
        _ received: Int,
        _ payload: inout [UInt8]
    ) throws(Refusal) {
        // Behind this side's close frame, data is of no use to anybody.
        guard isOpen else { return }
        let start = payload.count
        header.mask(piece, at: received, into: &payload)
        guard message?.kind == .text, message?.text.take(payload.span.extracting(start...)) == false else { return }
        throw Refusal(.invalidPayload, "text that is not UTF-8")
    }

    private mutating func endFrame(_ header: WebSocketFrameHeader, _ output: inout [UInt8]) throws(Refusal) -> Event? {
        framesReceived += 1
        defer { if header.opcode.isControl { control.removeAll(keepingCapacity: true) } }
        switch header.opcode {
        case .pong: return nil
        case .ping:
            let payload = control
            if isOpen { write(.pong, payload.span, into: &output) }
            return nil
        case .close: return try endConnection(&output)
        case .text, .binary, .continuation:
            guard header.isFinal, let ended = message else { return nil }
            message = nil
            guard isOpen else { return nil }
            guard ended.text.isBetweenCharacters else { throw Refusal(.invalidPayload, "text that is not UTF-8") }
            return .message(ended.kind)
        }
    }

    /// Takes the peer's close frame (RFC 6455 §5.5.1), and answers it unless this side closed first.
    private mutating func endConnection(_ output: inout [UInt8]) throws(Refusal) -> Event {
        var code = WebSocketCloseCode.noStatus
        var reason = ""
        if control.count == 1 { throw Refusal(.protocolError, "close frame of one byte") }
        if control.count >= 2 {
            code = WebSocketCloseCode(rawValue: UInt16(control[0]) << 8 | UInt16(control[1]))
            guard code.isSendable else { throw Refusal(.protocolError, "invalid close code \(code.rawValue)") }
            var check = UTF8Check()
            let text = Array(control[2...])
            guard check.take(text.span), check.isBetweenCharacters else {
                throw Refusal(.invalidPayload, "reason that is not UTF-8")
            }
            reason = String(decoding: text, as: UTF8.self)
        }
        if isOpen { writeClose(code, "", into: &output) }
        state = .closed
        return .closed(code, reason: reason)
    }

    private mutating func fail(_ refusal: Refusal, _ output: inout [UInt8]) {
        if isOpen { writeClose(refusal.code, refusal.reason, into: &output) }
        state = .closed
        frame = nil
        message = nil
        partial = []
    }
}

// MARK: Sending

extension WebSocket {
    private func write(_ opcode: WebSocketOpcode, _ payload: Span<UInt8>, into output: inout [UInt8]) {
        var header = WebSocketFrameHeader(opcode, payloadLength: payload.count)
        if case .client(let nextMaskingKey) = role { header.maskingKey = nextMaskingKey() }
        header.write(into: &output)
        header.mask(payload, into: &output)
    }

    private func writeClose(_ code: WebSocketCloseCode, _ reason: String, into output: inout [UInt8]) {
        var payload: [UInt8] = []
        if code.isSendable {
            payload.append(bigEndian: code.rawValue)
            for scalar in reason.unicodeScalars {
                let bytes = UTF8.encode(scalar).map(Array.init) ?? []
                guard payload.count + bytes.count <= WebSocketFrameHeader.maximumControlPayload else { break }
                payload += bytes
            }
        }
        write(.close, payload.span, into: &output)
    }
}
