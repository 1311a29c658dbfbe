// SPDX-License-Identifier: Apache-2.0
// What the key management's fuzzer and corpus tests call.

import Bytes

extension RTSPFuzz {
    /// Parses a message, prints it, and parses that; also as the text of a header and of an attribute.
    package static func mikey(_ bytes: Span<UInt8>) {
        let text = String(decoding: [UInt8](bytes), as: UTF8.self)
        _ = try? KeyManagement.message(header: text)
        _ = try? KeyManagement.message(attribute: text)
        guard let message = try? MIKEYMessage(parsing: bytes) else { return }
        precondition(message.key.count <= MIKEYMessage.keyLimit, "a key is longer than it may be")
        let printed = message.bytes
        guard let again = try? MIKEYMessage(parsing: printed.span) else {
            preconditionFailure("a printed message cannot be read")
        }
        precondition(again == message, "a message changed")
        guard let carried = try? KeyManagement.message(header: KeyManagement.header(message, url: "rtsp://a/b")) else {
            preconditionFailure("a printed header cannot be read")
        }
        precondition(carried == message, "a message changed on its way in a header")
    }
}
