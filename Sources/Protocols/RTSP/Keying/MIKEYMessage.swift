// SPDX-License-Identifier: Apache-2.0
// MIKEY messages that carry a key in the open (RFC 3830), for connections that are encrypted themselves (RFC 4567).

package import Bytes

/// A MIKEY message of the pre-shared key kind whose keys are not encrypted once more.
///
/// Holds a secret. Payloads that say nothing of SRTP are passed over.
package struct MIKEYMessage: Sendable, Hashable {
    /// One sender of packets (RFC 3830 §6.1.1).
    package struct Session: Sendable, Hashable {
        package var policy: UInt8
        /// The synchronisation source identifier.
        package var source: UInt32
        /// How often the sequence number has wrapped.
        package var rolloverCounter: UInt32

        package init(policy: UInt8 = 0, source: UInt32, rolloverCounter: UInt32) {
            self.policy = policy
            self.source = source
            self.rolloverCounter = rolloverCounter
        }
    }

    /// How packets are protected (RFC 3830 §6.10.1); what is not said has its default.
    package struct Policy: Sendable, Hashable {
        /// 1: AES in counter mode; 6: AES-GCM (RFC 7714).
        package var encryption: UInt8 = 1
        /// Bytes.
        package var encryptionKeyLength: UInt8 = 16
        /// 0: none; 1: HMAC-SHA-1.
        package var authentication: UInt8 = 1
        /// Bytes.
        package var authenticationTagLength: UInt8 = 10
        package var encryptsRTP = true
        package var encryptsRTCP = true
        package var authenticates = true

        package init() {}
    }

    /// The crypto session bundle's identifier.
    package var identifier: UInt32
    package var sessions: [Session]
    package var policy: Policy
    /// NTP time; the answer to a message has its message's.
    package var time: UInt64
    /// So that no two messages are the same.
    package var random: [UInt8]
    /// The master key and the master salt behind it.
    package var key: [UInt8]

    /// Senders in one message.
    package static let sessionLimit = 16
    /// Payloads in one message.
    package static let payloadLimit = 32
    /// Parameters of a policy.
    package static let parameterLimit = 32
    /// Bytes of key and salt.
    package static let keyLimit = 128
    /// Bytes of a whole message.
    package static let lengthLimit = 4096

    package init(
        identifier: UInt32,
        sessions: [Session],
        policy: Policy = Policy(),
        time: UInt64,
        random: [UInt8],
        key: [UInt8]
    ) {
        self.identifier = identifier
        self.sessions = sessions
        self.policy = policy
        self.time = time
        self.random = random
        self.key = key
    }
}

/// Numbers of payloads (RFC 3830 §6.1).
private enum Payload {
    static let last: UInt8 = 0
    static let keyTransport: UInt8 = 1
    static let timestamp: UInt8 = 5
    static let identity: UInt8 = 6
    static let policy: UInt8 = 10
    static let random: UInt8 = 11
    static let key: UInt8 = 20
    static let extended: UInt8 = 21
}

// MARK: Writing

extension MIKEYMessage {
    /// The message's bytes.
    package var bytes: [UInt8] {
        var bytes: [UInt8] = [1, 0, Payload.timestamp, 0]
        bytes.append(bigEndian: identifier)
        bytes += [UInt8(truncatingIfNeeded: sessions.count), 0]
        for session in sessions {
            bytes.append(session.policy)
            bytes.append(bigEndian: session.source)
            bytes.append(bigEndian: session.rolloverCounter)
        }
        // §6.6: NTP in UTC.
        bytes += [Payload.random, 0]
        bytes.append(bigEndian: time)
        bytes += [Payload.policy, UInt8(truncatingIfNeeded: random.count)] + random
        let parameters: [UInt8] = [
            0, 1, policy.encryption, 1, 1, policy.encryptionKeyLength, 2, 1, policy.authentication,
            7, 1, policy.encryptsRTP ? 1 : 0, 8, 1, policy.encryptsRTCP ? 1 : 0, 10, 1, policy.authenticates ? 1 : 0,
            11, 1, policy.authenticationTagLength,
        ]
        bytes += [Payload.keyTransport, sessions.first?.policy ?? 0, 0]
        bytes.append(bigEndian: UInt16(parameters.count))
        bytes += parameters
        // §6.2, §6.13: neither encrypted nor authenticated, as the connection is. One traffic key, with its salt in the
        // same field: that is how GStreamer and cameras write it.
        bytes += [Payload.last, 0]
        bytes.append(bigEndian: UInt16(truncatingIfNeeded: key.count + 4))
        bytes += [Payload.last, 2 << 4]
        bytes.append(bigEndian: UInt16(truncatingIfNeeded: key.count))
        bytes += key
        bytes.append(0)
        return bytes
    }
}

// MARK: Parsing

extension MIKEYMessage {
    /// Reads a message.
    package init(parsing bytes: Span<UInt8>) throws(WireError) {
        guard bytes.count <= Self.lengthLimit else { throw .limit(field: "MIKEY message", limit: Self.lengthLimit) }
        var reader = ByteReader(bytes)
        let version = try reader.uint8()
        guard version == 1 else { throw .unsupported(field: "MIKEY version", value: UInt64(version)) }
        let kind = try reader.uint8()
        guard kind == 0 else { throw .unsupported(field: "MIKEY data type", value: UInt64(kind)) }
        var next = try reader.uint8()
        try reader.skip(1)
        self.init(identifier: try reader.uint32(), sessions: [], time: 0, random: [], key: [])
        try takeSessions(&reader)
        var payloads = 0
        while next != Payload.last {
            payloads += 1
            guard payloads <= Self.payloadLimit else { throw .limit(field: "MIKEY payloads", limit: Self.payloadLimit) }
            let kind = next
            next = try reader.uint8()
            try take(kind, &reader)
        }
        guard !key.isEmpty else { throw .invalid(field: "MIKEY key length", value: 0) }
    }

    private mutating func takeSessions(_ reader: inout ByteReader) throws(WireError) {
        let count = try reader.uint8()
        guard count <= Self.sessionLimit else { throw .limit(field: "MIKEY sessions", limit: Self.sessionLimit) }
        let map = try reader.uint8()
        guard map == 0 || count == 0 else { throw .unsupported(field: "MIKEY session map", value: UInt64(map)) }
        for _ in 0..<count {
            let policy = try reader.uint8()
            let source = try reader.uint32()
            sessions.append(Session(policy: policy, source: source, rolloverCounter: try reader.uint32()))
        }
    }

    private mutating func take(_ kind: UInt8, _ reader: inout ByteReader) throws(WireError) {
        switch kind {
        case Payload.timestamp:
            let type = try reader.uint8()
            switch type {
            case 0, 1: time = try reader.uint64()
            case 2: time = UInt64(try reader.uint32())
            default: throw .invalid(field: "MIKEY timestamp type", value: UInt64(type))
            }
        case Payload.random:
            let count = Int(try reader.uint8())
            random = [UInt8](try reader.span(count))
        case Payload.policy:
            try reader.skip(1)
            let type = try reader.uint8()
            let count = Int(try reader.uint16())
            var parameters = ByteReader(try reader.span(count))
            guard type == 0 else { throw .unsupported(field: "MIKEY policy type", value: UInt64(type)) }
            try policy.take(&parameters)
        case Payload.identity, Payload.extended:
            try reader.skip(1)
            try reader.skip(Int(try reader.uint16()))
        case Payload.keyTransport: try takeKeys(&reader)
        default: throw .unsupported(field: "MIKEY payload", value: UInt64(kind))
        }
    }

    private mutating func takeKeys(_ reader: inout ByteReader) throws(WireError) {
        let encryption = try reader.uint8()
        guard encryption == 0 else { throw .unsupported(field: "MIKEY key encryption", value: UInt64(encryption)) }
        let count = Int(try reader.uint16())
        var keys = ByteReader(try reader.span(count))
        let authentication = try reader.uint8()
        switch authentication {
        case 0: break
        case 1: try reader.skip(20)
        default: throw .unsupported(field: "MIKEY authentication", value: UInt64(authentication))
        }
        // §6.13: the first key; more than one would be told apart by identifiers that SRTP has to carry.
        try keys.skip(1)
        let type = try keys.uint8()
        key = try Self.keyBytes(&keys)
        if type >> 4 == 1 || type >> 4 == 3 { key += try Self.keyBytes(&keys) }
        guard key.count <= Self.keyLimit else { throw .limit(field: "MIKEY key", limit: Self.keyLimit) }
    }

    private static func keyBytes(_ reader: inout ByteReader) throws(WireError) -> [UInt8] {
        let count = Int(try reader.uint16())
        return [UInt8](try reader.span(count))
    }
}

extension MIKEYMessage.Policy {
    fileprivate mutating func take(_ reader: inout ByteReader) throws(WireError) {
        var parameters = 0
        while !reader.isAtEnd {
            parameters += 1
            guard parameters <= MIKEYMessage.parameterLimit else {
                throw .limit(field: "MIKEY policy", limit: MIKEYMessage.parameterLimit)
            }
            let type = try reader.uint8()
            let count = Int(try reader.uint8())
            let value = try reader.span(count)
            guard let number = value.isEmpty ? nil : value[value.count - 1] else { continue }
            switch type {
            case 0: encryption = number
            case 1: encryptionKeyLength = number
            case 2: authentication = number
            case 7: encryptsRTP = number != 0
            case 8: encryptsRTCP = number != 0
            case 10: authenticates = number != 0
            case 11: authenticationTagLength = number
            default: break
            }
        }
    }
}
