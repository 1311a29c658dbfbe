// SPDX-License-Identifier: Apache-2.0
// SRTP: a feed's packets under one key, encrypted once for all who have it.

import Bytes
import Crypto
import FanOut
import RTP
import RTSP
import SRTP
import System

/// What protects a feed's packets while somebody knows the key; the next one after that has a new key.
///
/// All packets that are numbered while it lives go through it in their order, so that its rollover counter is right
/// for whoever joins.
final class Protection {
    let source: UInt32
    private let key = SecureRandom.bytes(Protection.suite.keyLength)
    private let context: SRTPContext
    private let build: (UInt8) -> WireCache.Builder
    private var caches: [UInt8: WireCache] = [:]
    private var plain = PacketImage()

    static let suite = SRTPSuite.aesCM128HMACSHA1With80Bits

    /// `build` makes the plain image of a frame for an interleaved channel.
    init?(source: UInt32, build: @escaping (UInt8) -> WireCache.Builder) {
        guard let context = try? SRTPContext(Self.suite, key: key, .outbound) else { return nil }
        self.source = source
        self.context = context
        self.build = build
    }

    /// The protected images with an interleaved channel's number in them.
    func cache(channel: UInt8) -> WireCache {
        if let cache = caches[channel] { return cache }
        let build = build(channel)
        let cache = WireCache { [unowned self] info, frame, image in
            plain.removeAll()
            build(info, frame, &plain)
            protect(channel, into: &image)
        }
        caches[channel] = cache
        return cache
    }

    /// A protected copy of an RTCP packet; nothing if that cannot be.
    func protectReport(_ bytes: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        guard (try? context.protectReport(bytes.span, into: &output)) != nil else { return [] }
        return output
    }

    /// Tells a client the key and where the packets are.
    var message: MIKEYMessage {
        let now = NTPTime(unixNanoseconds: Clock.realtimeNanoseconds())
        let counter = context.rolloverCounter(of: source)
        return MIKEYMessage(
            identifier: source,
            sessions: [.init(source: source, rolloverCounter: counter)],
            time: now.rawValue,
            random: SecureRandom.bytes(16),
            key: key
        )
    }

    /// Makes what opens the packets that come from the client which sent `message`.
    static func opener(_ message: MIKEYMessage) throws(SRTPError) -> SRTPContext {
        let suite: SRTPSuite =
            switch (message.policy.encryption, message.policy.authenticationTagLength) {
            case (6, _): .aeadAES128GCM
            case (_, 4): .aesCM128HMACSHA1With32Bits
            default: .aesCM128HMACSHA1With80Bits
            }
        return try SRTPContext(suite, key: message.key, .inbound)
    }

    private func protect(_ channel: UInt8, into image: inout PacketImage) {
        // Taken out for the turn: a span cannot look into a class's property.
        var source = PacketImage()
        swap(&source, &plain)
        defer { swap(&source, &plain) }
        let bytes = source.bytes.span
        for packet in source.packets {
            let start = image.bytes.count
            image.bytes += [UInt8(ascii: "$"), channel, 0, 0]
            let body = bytes.extracting(packet.offset..<(packet.offset + packet.length))
            guard (try? context.protect(body, into: &image.bytes)) != nil else {
                // Not to be sent in the open: the receiver sees a loss.
                image.bytes.removeSubrange(start...)
                continue
            }
            let length = image.bytes.count - start - 4
            image.bytes[start + 2] = UInt8(truncatingIfNeeded: length >> 8)
            image.bytes[start + 3] = UInt8(truncatingIfNeeded: length)
            image.packets.append(PacketRange(offset: start + 4, length: length))
        }
    }
}
