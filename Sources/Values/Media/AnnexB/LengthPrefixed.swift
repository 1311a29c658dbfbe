// SPDX-License-Identifier: Apache-2.0
// The other way of storing NAL units: MP4 and Matroska put a length in front of each.

package import Bytes

/// What an MP4 or Matroska track says about its H.264 or H.265 samples (ISO/IEC 14496-15).
package struct DecoderConfiguration: Sendable, Hashable {
    /// Bytes of the length in front of each NAL unit: 1, 2, 3 or 4.
    package let lengthSize: Int
    package let parameterSets: ParameterSets

    /// Parses an AVCDecoderConfigurationRecord, the content of an `avcC` box (§5.3.3.1).
    package init(avcC record: Span<UInt8>) throws(WireError) {
        var reader = ByteReader(record)
        let version = try reader.uint8()
        guard version == 1 else { throw .unsupported(field: "avcC version", value: UInt64(version)) }
        try reader.skip(3)
        lengthSize = try Int(reader.uint8() & 3) + 1
        var sets = ParameterSets(.h264)
        for mask: UInt8 in [0x1F, 0xFF] {  // SPS, then PPS
            let count = try reader.uint8() & mask
            for _ in 0..<count {
                let length = try Int(reader.uint16())
                try sets.absorb(reader.span(length))
            }
        }
        parameterSets = sets
    }

    /// Parses an HEVCDecoderConfigurationRecord, the content of an `hvcC` box (§8.3.3.1).
    package init(hvcC record: Span<UInt8>) throws(WireError) {
        var reader = ByteReader(record)
        let version = try reader.uint8()
        // Version 0 was written by encoders older than the standard; the layout is the same.
        guard version <= 1 else { throw .unsupported(field: "hvcC version", value: UInt64(version)) }
        try reader.skip(20)
        lengthSize = try Int(reader.uint8() & 3) + 1
        var sets = ParameterSets(.h265)
        let arrays = try reader.uint8()
        for _ in 0..<arrays {
            try reader.skip(1)
            let count = try reader.uint16()
            for _ in 0..<count {
                let length = try Int(reader.uint16())
                try sets.absorb(reader.span(length))
            }
        }
        parameterSets = sets
    }
}

extension AnnexB {
    /// Appends the NAL units of a length-prefixed `sample` behind start codes; empty ones are passed over.
    package static func append(
        lengthPrefixed sample: Span<UInt8>,
        lengthSize: Int,
        to stream: inout [UInt8]
    ) throws(WireError) {
        precondition((1...4).contains(lengthSize), "a NAL unit's length has one to four bytes")
        var reader = ByteReader(sample)
        while !reader.isAtEnd {
            var length = 0
            for _ in 0..<lengthSize { length = try length << 8 | Int(reader.uint8()) }
            let nal = try reader.span(length)
            if length > 0 { append(nal, to: &stream) }
        }
    }

    /// Appends the NAL units of an Annex B `stream`, each behind its length in four bytes.
    package static func appendLengthPrefixed(_ stream: Span<UInt8>, to sample: inout [UInt8]) {
        var units = NALUnits(stream)
        while let range = units.next() {
            sample.append(bigEndian: UInt32(truncatingIfNeeded: range.count))
            sample.append(stream.extracting(range))
        }
    }
}
