// SPDX-License-Identifier: Apache-2.0
// The header in front of each WebSocket frame (RFC 6455 §5.2), its operation codes, and the codes of closing.

package import Bytes

/// What a frame is (RFC 6455 §11.8).
package enum WebSocketOpcode: UInt8, Sendable, Hashable {
    case continuation = 0
    case text = 1
    case binary = 2
    case close = 8
    case ping = 9
    case pong = 10

    /// True for frames that may stand between the fragments of a message.
    package var isControl: Bool { rawValue & 8 != 0 }
}

/// Why a WebSocket connection is closed (RFC 6455 §7.4).
package struct WebSocketCloseCode: RawRepresentable, Sendable, Hashable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) { self.rawValue = rawValue }

    package static let normal = WebSocketCloseCode(rawValue: 1000)
    package static let goingAway = WebSocketCloseCode(rawValue: 1001)
    package static let protocolError = WebSocketCloseCode(rawValue: 1002)
    package static let unsupportedData = WebSocketCloseCode(rawValue: 1003)
    /// Stands for a close frame without a code; never sent.
    package static let noStatus = WebSocketCloseCode(rawValue: 1005)
    package static let invalidPayload = WebSocketCloseCode(rawValue: 1007)
    package static let policyViolation = WebSocketCloseCode(rawValue: 1008)
    package static let messageTooBig = WebSocketCloseCode(rawValue: 1009)
    package static let internalError = WebSocketCloseCode(rawValue: 1011)

    /// True for a code that may stand in a close frame.
    package var isSendable: Bool {
        switch rawValue {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}

/// The two to fourteen bytes in front of a frame's payload.
package struct WebSocketFrameHeader: Sendable, Hashable {
    /// The longest header: two bytes, an eight-byte length, a masking key.
    package static let maximumLength = 14
    /// Bytes of payload in a control frame (RFC 6455 §5.5).
    package static let maximumControlPayload = 125

    package var opcode: WebSocketOpcode
    /// The last, or only, frame of a message.
    package var isFinal: Bool
    /// Bytes of payload that follow.
    package var payloadLength: Int
    /// What a client XORs its payload with, first byte in the most significant bits.
    package var maskingKey: UInt32?

    package init(
        _ opcode: WebSocketOpcode,
        isFinal: Bool = true,
        payloadLength: Int,
        maskingKey: UInt32? = nil
    ) {
        precondition(payloadLength >= 0, "a payload has a length")
        precondition(
            !opcode.isControl || isFinal && payloadLength <= Self.maximumControlPayload,
            "control frames are short and whole"
        )
        self.opcode = opcode
        self.isFinal = isFinal
        self.payloadLength = payloadLength
        self.maskingKey = maskingKey
    }

    /// Takes a header off the front of `bytes`.
    ///
    /// - Returns: how many bytes it has, 0 if it has not come whole.
    /// - Throws: what RFC 6455 forbids: reserved bits and codes, lengths that are not the shortest form, control frames
    ///   that are long or in fragments.
    package static func parse(
        _ bytes: Span<UInt8>
    ) throws(WireError) -> (consumed: Int, header: WebSocketFrameHeader?) {
        guard bytes.count >= 2 else { return (0, nil) }
        guard bytes[0] & 0x70 == 0 else { throw .invalid(field: "WebSocket reserved bits", value: UInt64(bytes[0])) }
        guard let opcode = WebSocketOpcode(rawValue: bytes[0] & 0x0F) else {
            throw .invalid(field: "WebSocket opcode", value: UInt64(bytes[0] & 0x0F))
        }
        let isFinal = bytes[0] & 0x80 != 0
        let isMasked = bytes[1] & 0x80 != 0
        let short = bytes[1] & 0x7F
        guard !opcode.isControl || isFinal && Int(short) <= maximumControlPayload else {
            throw .invalid(field: "WebSocket control frame", value: UInt64(short))
        }
        let lengthBytes = short == 126 ? 2 : short == 127 ? 8 : 0
        let headerLength = 2 + lengthBytes + (isMasked ? 4 : 0)
        guard bytes.count >= headerLength else { return (0, nil) }
        var reader = ByteReader(bytes)
        try reader.skip(2)
        let length: UInt64 =
            switch short {
            case 126: UInt64(try reader.uint16())
            case 127: try reader.uint64()
            default: UInt64(short)
            }
        let isShortest = lengthBytes == 0 || length > (lengthBytes == 2 ? 125 : 0xFFFF)
        guard isShortest, length <= UInt64(Int.max) else {
            throw .invalid(field: "WebSocket payload length", value: length)
        }
        let key = isMasked ? try reader.uint32() : nil
        return (
            headerLength,
            WebSocketFrameHeader(opcode, isFinal: isFinal, payloadLength: Int(length), maskingKey: key)
        )
    }

    /// Appends the header as it goes on the wire.
    package func write(into output: inout [UInt8]) {
        output.append((isFinal ? 0x80 : 0) | opcode.rawValue)
        let mask: UInt8 = maskingKey == nil ? 0 : 0x80
        switch payloadLength {
        case ..<126: output.append(mask | UInt8(payloadLength))
        case ..<0x1_0000:
            output.append(mask | 126)
            output.append(bigEndian: UInt16(payloadLength))
        default:
            output.append(mask | 127)
            output.append(bigEndian: UInt64(payloadLength))
        }
        if let maskingKey { output.append(bigEndian: maskingKey) }
    }

    /// Appends `payload` masked, or unmasked, with this header's key, as if `offset` bytes of it had gone before.
    package func mask(_ payload: Span<UInt8>, at offset: Int = 0, into output: inout [UInt8]) {
        guard let maskingKey else { return output.append(payload) }
        // Turned so that the first byte's part of the key is in front.
        let turn = UInt32(offset & 3) &* 8
        let key = turn == 0 ? maskingKey : maskingKey &<< turn | maskingKey &>> (32 - turn)
        output.append(addingCapacity: payload.count) { output in
            for index in payload.indices {
                let shift = UInt32(24 &- (index & 3) &* 8)
                output.append(payload[index] ^ UInt8(truncatingIfNeeded: key &>> shift))
            }
        }
    }
}
