// SPDX-License-Identifier: Apache-2.0
// What a description fixes of one RTP track before its first packet.

package import Media

/// How the frames of one track travel in RTP: what a session description says of it.
package struct TrackFormat: Sendable, Hashable {
    /// Bits of the fields in RFC 3640's AU headers (§4.1).
    package struct AACHeader: Sendable, Hashable {
        package var size: Int
        package var index: Int
        package var indexDelta: Int

        package init(size: Int, index: Int, indexDelta: Int) {
            self.size = size
            self.index = index
            self.indexDelta = indexDelta
        }

        /// Mode AAC-hbr (§3.3.6).
        package static let highRate = AACHeader(size: 13, index: 3, indexDelta: 3)
        /// Mode AAC-lbr (§3.3.5).
        package static let lowRate = AACHeader(size: 6, index: 2, indexDelta: 2)
    }

    package var payloadType: UInt8
    /// RTP timestamp ticks a second.
    package var clockRate: UInt32
    /// Codec, size or sample rate, and configuration as far as the description tells them.
    package var stream: StreamDescription
    /// AAC only.
    package var aacHeader: AACHeader
    /// AAC as MP4A-LATM with the configuration out of band (RFC 6416 §6) instead of RFC 3640.
    package var isLATM: Bool

    package init(
        payloadType: UInt8,
        clockRate: UInt32,
        stream: StreamDescription,
        aacHeader: AACHeader = .highRate,
        isLATM: Bool = false
    ) {
        self.payloadType = payloadType
        self.clockRate = clockRate
        self.stream = stream
        self.aacHeader = aacHeader
        self.isLATM = isLATM
    }

    /// How Apus sends `stream`: with its static payload type where there is one (RFC 3551 §6), else with `dynamicType`.
    package init(sending stream: StreamDescription, dynamicType: UInt8) {
        let type: UInt8 =
            switch (stream.codec, stream.sampleRate, stream.channels) {
            case (.jpeg, _, _): 26
            case (.pcmu, 8000, 1): 0
            case (.pcma, 8000, 1): 8
            case (.l16, 44_100, 2): 10
            case (.l16, 44_100, 1): 11
            default: dynamicType
            }
        self.init(payloadType: type, clockRate: Self.clockRate(of: stream), stream: stream)
    }

    /// RTP timestamp ticks a second of `stream`: 90 000 for pictures, the sample rate for sound, 48 000 for Opus.
    package static func clockRate(of stream: StreamDescription) -> UInt32 {
        if !stream.codec.isAudio { return 90_000 }
        return stream.codec == .opus ? 48_000 : max(1, stream.sampleRate)
    }
}
