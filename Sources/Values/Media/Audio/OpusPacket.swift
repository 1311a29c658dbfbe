// SPDX-License-Identifier: Apache-2.0
// How long an Opus packet is (RFC 6716 §3.1).

/// What the first bytes of an Opus packet say.
package enum OpusPacket {
    /// The rate that Opus counts in, whatever the sound's own.
    package static let sampleRate: UInt32 = 48_000
    /// The longest packet: 120 ms (RFC 6716 §3.2.5, R5).
    package static let maximumSamples: UInt32 = 5760

    /// The samples a channel of a packet, at 48 kHz; nil for no or an impossible packet.
    package static func samples(_ packet: Span<UInt8>) -> UInt32? {
        guard packet.count > 0 else { return nil }
        let configuration = packet[0] >> 3
        let frame: UInt32 =
            switch configuration {
            case 0..<12: [480, 960, 1920, 2880][Int(configuration & 3)]
            case 12..<16: configuration & 1 == 0 ? 480 : 960
            default: 120 << UInt32(configuration & 3)
            }
        let count: UInt32
        switch packet[0] & 3 {
        case 0: count = 1
        case 1, 2: count = 2
        default:
            guard packet.count > 1 else { return nil }
            count = UInt32(packet[1] & 0x3F)
        }
        let samples = frame * count
        return (1...maximumSamples).contains(samples) ? samples : nil
    }
}
