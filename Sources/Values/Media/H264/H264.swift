// SPDX-License-Identifier: Apache-2.0
// H.264 (ITU-T H.264): NAL unit types and the sequence parameter set.

package import Bytes

/// Names of the H.264 specification.
package enum H264 {
    /// NAL unit types (§7.4.1, table 7-1) that Apus knows by name.
    package enum NALType: UInt8, Sendable {
        case slice = 1
        case idr = 5
        case supplement = 6
        case sps = 7
        case pps = 8
        case delimiter = 9
        case endOfSequence = 10
        case endOfStream = 11
        case filler = 12
    }

    /// Picture width and height beyond which a parameter set is refused.
    package static let maximumDimension: UInt32 = 16_384

    /// What a sequence parameter set says of the pictures (§7.3.2.1.1).
    package struct SPS: Sendable, Hashable {
        package var profile: UInt8
        /// constraint_set flags, the middle byte of an SDP profile-level-id.
        package var constraints: UInt8
        package var level: UInt8
        package var identifier: UInt32
        /// Picture size in pixels, cropped.
        package var width: UInt32
        package var height: UInt32
        /// chroma_format_idc: 0 grey, 1 4:2:0, 2 4:2:2, 3 4:4:4.
        package var chromaFormat: UInt8
        /// Bits of a sample of luma and of chroma.
        package var lumaDepth: UInt8
        package var chromaDepth: UInt8
        /// Frames per second from the VUI; nil if it does not say.
        package var frameRate: Rational?

        /// profile_idc, constraints and level_idc in hexadecimal, as in SDP (RFC 6184 §8.1).
        package var profileLevelID: String {
            String(UInt32(1) << 24 | UInt32(profile) << 16 | UInt32(constraints) << 8 | UInt32(level), radix: 16)
                .dropFirst().uppercased()
        }

        /// Parses a NAL unit, header byte first.
        ///
        /// A broken VUI costs the frame rate only.
        package init(parsing nal: Span<UInt8>) throws(WireError) {
            guard nal.count > 4 else { throw .truncated(needed: 5, available: nal.count) }
            guard nal[0] & 0x1F == NALType.sps.rawValue else {
                throw .invalid(field: "H.264 SPS type", value: UInt64(nal[0]))
            }
            var payload: [UInt8] = []
            AnnexB.unescape(nal.extracting(1..<nal.count), into: &payload)
            var bits = BitReader(payload.span)
            profile = try UInt8(bits.bits(8))
            constraints = try UInt8(bits.bits(8))
            level = try UInt8(bits.bits(8))
            identifier = try bits.exponentialGolomb()
            guard identifier < 32 else { throw .invalid(field: "seq_parameter_set_id", value: UInt64(identifier)) }
            let (chroma, luma, colour) = try H264.sampleFormat(profile: profile, &bits)
            (chromaFormat, lumaDepth, chromaDepth) = (UInt8(min(chroma, 3)), luma, colour)
            try H264.skipPictureOrder(&bits)
            _ = try bits.exponentialGolomb()  // max_num_ref_frames
            try bits.skip(1)  // gaps_in_frame_num_value_allowed_flag
            let widthInBlocks = try UInt64(bits.exponentialGolomb()) + 1
            let heightInUnits = try UInt64(bits.exponentialGolomb()) + 1
            let framesOnly = try bits.bit()
            if !framesOnly { try bits.skip(1) }
            try bits.skip(1)  // direct_8x8_inference_flag
            let crop = try Cropping(ifPresent: &bits)
            let fieldFactor: UInt64 = framesOnly ? 1 : 2
            width = try crop.apply(
                to: widthInBlocks * 16,
                crop.left,
                crop.right,
                unit: chroma == 1 || chroma == 2 ? 2 : 1
            )
            height = try crop.apply(
                to: heightInUnits * 16 * fieldFactor,
                crop.top,
                crop.bottom,
                unit: (chroma == 1 ? 2 : 1) * fieldFactor
            )
            do throws(WireError) { frameRate = try H264.frameRate(&bits) } catch { frameRate = nil }
        }
    }

    /// Reads the fields of the high profiles and answers chroma_format_idc, 4 for separate colour planes, and the bits
    /// of a sample of luma and of chroma.
    private static func sampleFormat(
        profile: UInt8,
        _ bits: inout BitReader
    ) throws(WireError) -> (chroma: UInt32, lumaDepth: UInt8, chromaDepth: UInt8) {
        switch profile {
        case 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135: break
        default: return (1, 8, 8)
        }
        var chroma = try bits.exponentialGolomb()
        guard chroma <= 3 else { throw .invalid(field: "chroma_format_idc", value: UInt64(chroma)) }
        let lists = chroma == 3 ? 12 : 8
        if chroma == 3, try bits.bit() { chroma = 4 }
        let luma = try BitDepth.read(&bits)
        let colour = try BitDepth.read(&bits)
        try bits.skip(1)  // qpprime_y_zero_transform_bypass_flag
        guard try bits.bit() else { return (chroma, luma, colour) }  // seq_scaling_matrix_present_flag
        for list in 0..<lists where try bits.bit() {
            try skipScalingList(count: list < 6 ? 16 : 64, &bits)
        }
        return (chroma, luma, colour)
    }

    private static func skipScalingList(count: Int, _ bits: inout BitReader) throws(WireError) {
        var last: Int32 = 8
        var next: Int32 = 8
        for _ in 0..<count {
            if next != 0 { next = try (last &+ bits.signedExponentialGolomb() &+ 256) & 0xFF }
            if next != 0 { last = next }
        }
    }

    private static func skipPictureOrder(_ bits: inout BitReader) throws(WireError) {
        _ = try bits.exponentialGolomb()  // log2_max_frame_num_minus4
        switch try bits.exponentialGolomb() {
        case 0: _ = try bits.exponentialGolomb()  // log2_max_pic_order_cnt_lsb_minus4
        case 1:
            try bits.skip(1)  // delta_pic_order_always_zero_flag
            _ = try bits.signedExponentialGolomb()
            _ = try bits.signedExponentialGolomb()
            let cycle = try bits.exponentialGolomb()
            guard cycle <= 255 else { throw .invalid(field: "num_ref_frames_in_cycle", value: UInt64(cycle)) }
            for _ in 0..<cycle { _ = try bits.signedExponentialGolomb() }
        case 2: break
        case let type: throw .invalid(field: "pic_order_cnt_type", value: UInt64(type))
        }
    }

    /// Reads the VUI as far as its timing (§E.1.1); a frame is two ticks.
    private static func frameRate(_ bits: inout BitReader) throws(WireError) -> Rational? {
        guard try bits.bit() else { return nil }
        try VideoUsability.skipColours(&bits)
        guard try bits.bit() else { return nil }  // timing_info_present_flag
        let units = try bits.bits(32)
        let scale = try bits.bits(32)
        return VideoUsability.frameRate(scale: scale, units: units * 2)
    }
}
