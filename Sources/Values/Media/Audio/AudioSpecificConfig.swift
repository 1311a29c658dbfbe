// SPDX-License-Identifier: Apache-2.0
// AAC's decoder configuration (ISO/IEC 14496-3 §1.6.2.1).

package import Bytes

/// What an AAC decoder must know: the AudioSpecificConfig.
package struct AudioSpecificConfig: Sendable, Hashable {
    /// 2 is AAC-LC, 5 HE-AAC, 29 HE-AAC v2, 23 AAC-LD, 39 AAC-ELD.
    package var objectType: UInt8
    /// Of the core coder; HE-AAC comes out at twice of it.
    package var sampleRate: UInt32
    package var channels: UInt8
    /// Samples of a frame and channel, at `sampleRate`.
    package var samplesPerFrame: UInt32
    /// The rate after band replication, if the configuration tells it.
    package var extensionRate: UInt32?
    /// Bits of the configuration as far as it was read.
    package private(set) var bitCount: Int

    /// Describes a stream of AAC-LC; a rate that no table has is written out.
    package init(sampleRate: UInt32, channels: UInt8) {
        objectType = 2
        self.sampleRate = sampleRate
        self.channels = channels
        samplesPerFrame = 1024
        bitCount = 0
    }

    /// Parses a configuration; what stands behind it is passed over.
    package init(parsing bytes: Span<UInt8>) throws(WireError) {
        var bits = BitReader(bytes)
        try self.init(reading: &bits)
    }

    /// Reads a configuration out of the middle of something else.
    package init(reading bits: inout BitReader) throws(WireError) {
        let start = bits.bitOffset
        objectType = try Self.readObjectType(&bits)
        sampleRate = try Self.readRate(&bits)
        let configuration = try Int(bits.bits(4))
        guard configuration < Self.channelCounts.count else {
            throw .invalid(field: "AAC channel configuration", value: UInt64(configuration))
        }
        channels = Self.channelCounts[configuration]
        var core = objectType
        if objectType == 5 || objectType == 29 {
            extensionRate = try Self.readRate(&bits)
            core = try Self.readObjectType(&bits)
            // Parametric stereo makes two channels of one.
            if objectType == 29, channels == 1 { channels = 2 }
        }
        // GASpecificConfig and ELDSpecificConfig begin with frameLengthFlag.
        let isShort = try bits.bit()
        switch core {
        case 23, 39: samplesPerFrame = isShort ? 480 : 512
        default: samplesPerFrame = isShort ? 960 : 1024
        }
        if core != 39 {
            if try bits.bit() { try bits.skip(14) }  // dependsOnCoreCoder: coreCoderDelay
            try bits.skip(1)  // extensionFlag
        }
        guard sampleRate > 0 else { throw .invalid(field: "AAC sample rate", value: 0) }
        bitCount = bits.bitOffset - start
    }

    /// The samples a second that come out of a decoder.
    package var outputRate: UInt32 { extensionRate ?? sampleRate }

    /// The configuration of an AAC-LC stream as bytes.
    package var bytes: [UInt8] {
        var value: UInt64 = 0
        var count = 0
        func put(_ field: UInt64, _ width: Int) {
            value = value << UInt64(width) | field
            count += width
        }
        put(UInt64(min(objectType, 30)), 5)
        if let index = Self.rates.firstIndex(of: sampleRate) {
            put(UInt64(index), 4)
        } else {
            put(15, 4)
            put(UInt64(sampleRate & 0xFF_FFFF), 24)
        }
        put(UInt64(Self.channelCounts.firstIndex(of: channels) ?? 0), 4)
        put(samplesPerFrame == 960 ? 0b100 : 0, 3)
        let padding = (8 - count % 8) % 8
        put(0, padding)
        return stride(from: count - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> UInt64($0)) }
    }

    private static let rates: [UInt32] = [
        96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
    ]

    /// Channels of each channel configuration (table 1.19); 0 is told elsewhere.
    private static let channelCounts: [UInt8] = [0, 1, 2, 3, 4, 5, 6, 8]

    private static func readObjectType(_ bits: inout BitReader) throws(WireError) -> UInt8 {
        let type = try UInt8(bits.bits(5))
        return type == 31 ? try 32 + UInt8(bits.bits(6)) : type
    }

    private static func readRate(_ bits: inout BitReader) throws(WireError) -> UInt32 {
        let index = try Int(bits.bits(4))
        if index == 15 { return try UInt32(bits.bits(24)) }
        guard index < rates.count else { throw .invalid(field: "AAC sample rate index", value: UInt64(index)) }
        return rates[index]
    }
}
