// SPDX-License-Identifier: Apache-2.0
// What a track says to its decoder, and the codec's name for players (RFC 6381).

import Bytes
import Media

/// Makes the decoder's configuration and the codec's name out of a stream's description.
enum DecoderRecord {
    /// The content of the configuration box and the codec's name.
    static func make(
        _ stream: StreamDescription,
        _ place: MP4Track.ParameterSetPlace
    ) throws(WireError) -> (configuration: [UInt8], codecs: String) {
        switch stream.codec {
        case .h264: try h264(stream.configuration.span, place)
        case .h265: try h265(stream.configuration.span, place)
        case .av1: try av1(stream.configuration.span)
        case .jpeg: (elementaryStream(objectType: 0x6C, streamType: 4, specific: []), "mp4v.6C")
        case .aac: try aac(stream)
        case .opus: (opus(stream), "opus")
        case .l16: ([0, 0, 0, 0, 0, 16], "ipcm")  // pcmC (ISO/IEC 23003-5): big-endian, 16 bits
        case .pcmu: ([], "ulaw")
        case .pcma: ([], "alaw")
        case .nv12, .grey: throw .unsupported(field: "MP4 codec", value: UInt64(stream.codec.rawValue))
        }
    }

    /// AVCDecoderConfigurationRecord (ISO/IEC 14496-15 §5.3.3.1).
    private static func h264(
        _ annexB: Span<UInt8>,
        _ place: MP4Track.ParameterSetPlace
    ) throws(WireError) -> ([UInt8], String) {
        let sets = ParameterSets(.h264, annexB: annexB)
        guard let first = sets.sequence.first, sets.isComplete else {
            throw .truncated(needed: annexB.count + 1, available: annexB.count)
        }
        let sps = try H264.SPS(parsing: first.span)
        var record: [UInt8] = [1, sps.profile, sps.constraints, sps.level, 0xFF]
        record.append(0xE0 | UInt8(min(31, sets.sequence.count)))
        for set in sets.sequence.prefix(31) { append(set, to: &record) }
        record.append(UInt8(sets.picture.count))
        for set in sets.picture { append(set, to: &record) }
        if [100, 110, 122, 144].contains(sps.profile) {
            record += [0xFC | sps.chromaFormat, 0xF8 | (sps.lumaDepth - 8), 0xF8 | (sps.chromaDepth - 8), 0]
        }
        return (record, (place == .description ? "avc1." : "avc3.") + sps.profileLevelID)
    }

    /// HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 §8.3.3.1), and the codec's name (§E.3).
    private static func h265(
        _ annexB: Span<UInt8>,
        _ place: MP4Track.ParameterSetPlace
    ) throws(WireError) -> ([UInt8], String) {
        let sets = ParameterSets(.h265, annexB: annexB)
        guard let first = sets.sequence.first, sets.isComplete else {
            throw .truncated(needed: annexB.count + 1, available: annexB.count)
        }
        let sps = try H265.SPS(parsing: first.span)
        var record: [UInt8] = [1, sps.profileSpace << 6 | (sps.isHighTier ? 0x20 : 0) | sps.profile]
        record.append(bigEndian: sps.compatibility)
        for shift: UInt64 in [40, 32, 24, 16, 8, 0] {
            record.append(UInt8(truncatingIfNeeded: sps.constraints >> shift))
        }
        record.append(sps.level)
        // min_spatial_segmentation_idc and parallelismType are not known: 0.
        record += [0xF0, 0, 0xFC, 0xFC | sps.chromaFormat, 0xF8 | (sps.lumaDepth - 8), 0xF8 | (sps.chromaDepth - 8)]
        record += [0, 0, sps.subLayers << 3 | (sps.isNested ? 4 : 0) | 3, 3]
        let kinds: [(H265.NALType, [[UInt8]])] = [(.vps, sets.video), (.sps, sets.sequence), (.pps, sets.picture)]
        for (type, list) in kinds {
            // array_completeness: only `hvc1` promises that there are no others in the samples.
            record.append((place == .description ? 0x80 : 0) | type.rawValue)
            record.append(bigEndian: UInt16(list.count))
            for set in list { append(set, to: &record) }
        }
        return (record, (place == .description ? "hvc1." : "hev1.") + name(of: sps))
    }

    private static func name(of sps: H265.SPS) -> String {
        let space = ["", "A", "B", "C"][Int(sps.profileSpace)]
        var reversed: UInt32 = 0
        for bit: UInt32 in 0..<32 where sps.compatibility >> bit & 1 == 1 { reversed |= 1 << (31 - bit) }
        var name = "\(space)\(sps.profile).\(String(reversed, radix: 16, uppercase: true))"
        name += ".\(sps.isHighTier ? "H" : "L")\(sps.level)"
        var bytes = [40, 32, 24, 16, 8, 0].map { (shift: UInt64) in sps.constraints >> shift & 0xFF }
        while bytes.last == 0 { bytes.removeLast() }
        for byte in bytes { name += "." + String(byte, radix: 16, uppercase: true) }
        return name
    }

    private static func append(_ set: [UInt8], to record: inout [UInt8]) {
        record.append(bigEndian: UInt16(set.count))
        record += set
    }

    /// AV1CodecConfigurationRecord (AV1 in ISOBMFF §2.3), and the codec's name (§5).
    private static func av1(_ sequenceHeader: Span<UInt8>) throws(WireError) -> ([UInt8], String) {
        let obu = try AV1.OBU(at: 0, of: sequenceHeader)
        guard obu.type == AV1.OBUType.sequenceHeader.rawValue else {
            throw .invalid(field: "AV1 sequence header's OBU type", value: UInt64(obu.type))
        }
        let header = try AV1.SequenceHeader(parsing: sequenceHeader.extracting(obu.payload))
        let colour = header.colour
        var record: [UInt8] = [0x81, header.profile << 5 | header.level]
        var flags = header.tier << 7 | colour.samplePosition
        if colour.depth > 8 { flags |= 0x40 }
        if colour.depth == 12 { flags |= 0x20 }
        if colour.isMonochrome { flags |= 0x10 }
        if colour.isSubsampledX { flags |= 0x08 }
        if colour.isSubsampledY { flags |= 0x04 }
        record += [flags, 0]
        record.append(sequenceHeader.extracting(obu.range))
        let level = header.level < 10 ? "0\(header.level)" : "\(header.level)"
        let depth = colour.depth < 10 ? "0\(colour.depth)" : "\(colour.depth)"
        return (record, "av01.\(header.profile).\(level)\(header.tier == 0 ? "M" : "H").\(depth)")
    }

    private static func aac(_ stream: StreamDescription) throws(WireError) -> ([UInt8], String) {
        var specific = stream.configuration
        if specific.isEmpty {
            specific =
                AudioSpecificConfig(sampleRate: stream.sampleRate, channels: UInt8(clamping: stream.channels)).bytes
        }
        let config = try AudioSpecificConfig(parsing: specific.span)
        guard specific.count <= 64 else { throw .limit(field: "AudioSpecificConfig", limit: 64) }
        return (elementaryStream(objectType: 0x40, streamType: 5, specific: specific), "mp4a.40.\(config.objectType)")
    }

    /// OpusSpecificBox (Opus in ISOBMFF §4.3.2). What is sent live has no beginning, so there is nothing to skip.
    private static func opus(_ stream: StreamDescription) -> [UInt8] {
        var record: [UInt8] = [0, UInt8(clamping: max(1, min(2, stream.channels)))]
        record.append(bigEndian: UInt16(0))
        record.append(bigEndian: stream.sampleRate)
        record.append(bigEndian: UInt16(0))
        record.append(0)
        return record
    }

    /// ES_Descriptor (ISO/IEC 14496-1 §7.2.6.5) behind version and flags of the box.
    private static func elementaryStream(objectType: UInt8, streamType: UInt8, specific: [UInt8]) -> [UInt8] {
        var decoder: [UInt8] = [objectType, streamType << 2 | 1, 0, 0, 0]
        decoder.append(zeros: 8)  // the greatest and the mean bit rate: not known
        if !specific.isEmpty { decoder += descriptor(5, specific) }
        let stream: [UInt8] = [0, 0, 0] + descriptor(4, decoder) + descriptor(6, [2])
        return [0, 0, 0, 0] + descriptor(3, stream)
    }

    /// A descriptor with its length in one byte, which is enough for all that is written here.
    private static func descriptor(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        precondition(content.count < 128, "a descriptor written here is short")
        return [tag, UInt8(content.count)] + content
    }
}
