// SPDX-License-Identifier: Apache-2.0
// The RTP fixed header, and media time on RTP's clock.

package import Bytes

/// The fields of an RTP packet's header (RFC 3550 §5.1).
package struct RTPHeader: Sendable, Hashable {
    /// Bytes of the header that Apus writes: no CSRC, no extension.
    package static let length = 12

    package var payloadType: UInt8
    /// The last packet of a frame.
    package var marker: Bool
    package var sequence: UInt16
    package var timestamp: UInt32
    /// The synchronisation source identifier (SSRC).
    package var source: UInt32

    package init(payloadType: UInt8, marker: Bool, sequence: UInt16, timestamp: UInt32, source: UInt32) {
        self.payloadType = payloadType
        self.marker = marker
        self.sequence = sequence
        self.timestamp = timestamp
        self.source = source
    }
}

/// A received RTP packet: its header and where its payload is.
package struct RTPPacket: Sendable, Hashable {
    package var header: RTPHeader
    /// The payload's place in the packet, without CSRC list, extension and padding.
    package var payload: Range<Int>

    /// Parses a packet (RFC 3550 §5.1).
    package init(parsing packet: Span<UInt8>) throws(WireError) {
        var reader = ByteReader(packet)
        let first = try reader.uint8()
        guard first >> 6 == 2 else { throw .invalid(field: "RTP version", value: UInt64(first >> 6)) }
        let second = try reader.uint8()
        header = try RTPHeader(
            payloadType: second & 0x7F,
            marker: second & 0x80 != 0,
            sequence: reader.uint16(),
            timestamp: reader.uint32(),
            source: reader.uint32()
        )
        try reader.skip(4 * Int(first & 0x0F))
        if first & 0x10 != 0 {
            try reader.skip(2)
            let words = try Int(reader.uint16())
            try reader.skip(4 * words)
        }
        var end = packet.count
        if first & 0x20 != 0 {
            guard end > reader.offset else { throw .truncated(needed: 1, available: 0) }
            let padding = Int(packet[end - 1])
            guard padding >= 1, padding <= end - reader.offset else {
                throw .invalid(field: "RTP padding", value: UInt64(padding))
            }
            end -= padding
        }
        payload = reader.offset..<end
    }
}

/// Turns capture instants into RTP timestamps.
///
/// The timestamp depends on the instant alone, so it goes on evenly when a source or a ring starts anew.
package struct RTPClock: Sendable, Hashable {
    /// Ticks a second: 90 000 for pictures.
    package let rate: UInt32
    /// The timestamp of instant zero, chosen at random (RFC 3550 §5.1).
    package let offset: UInt32

    package init(rate: UInt32 = 90_000, offset: UInt32) {
        self.rate = rate
        self.offset = offset
    }

    /// The timestamp of `instant`, which wraps around every 13 hours at 90 kHz.
    package func timestamp(of instant: Instant) -> UInt32 {
        let (seconds, nanoseconds) = instant.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        let ticks = seconds &* Int64(rate) &+ nanoseconds &* Int64(rate) / 1_000_000_000
        return offset &+ UInt32(truncatingIfNeeded: ticks)
    }
}

/// A point of UTC as NTP writes it: seconds since 1900 in the upper half, a fraction in the lower (RFC 3550 §4).
package struct NTPTime: Sendable, Hashable {
    /// Seconds from 1900 to 1970.
    static let unixEpoch: UInt64 = 2_208_988_800

    package let rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Makes it from nanoseconds since 1970; instants before are taken as 1970.
    package init(unixNanoseconds: Int64) {
        let nanoseconds = UInt64(max(0, unixNanoseconds))
        let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        rawValue = (seconds &+ Self.unixEpoch) &<< 32 | (rest &<< 32) / 1_000_000_000
    }

    /// Nanoseconds since 1970, rounded to the nearest.
    package var unixNanoseconds: Int64 {
        let seconds = Int64(rawValue >> 32) - Int64(Self.unixEpoch)
        let fraction = (rawValue & 0xFFFF_FFFF) * 1_000_000_000 + (1 << 31)
        return seconds * 1_000_000_000 + Int64(fraction >> 32)
    }

    /// The middle 32 bits, as reports quote them (LSR, RFC 3550 §6.4.1).
    package var middle: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 16) }
}
