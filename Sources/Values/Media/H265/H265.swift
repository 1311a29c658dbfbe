// SPDX-License-Identifier: Apache-2.0
// H.265 (ITU-T H.265): NAL unit types and the sequence parameter set.

package import Bytes

/// Names of the H.265 specification.
package enum H265 {
    /// NAL unit types (§7.4.2.2, table 7-1) that Apus knows by name.
    package enum NALType: UInt8, Sendable {
        case idrWithLeading = 19
        case idr = 20
        case cleanRandomAccess = 21
        case vps = 32
        case sps = 33
        case pps = 34
        case delimiter = 35
        case endOfSequence = 36
        case endOfStream = 37
        case filler = 38
        case prefixSupplement = 39
        case suffixSupplement = 40
    }

    /// What a sequence parameter set says of the pictures (§7.3.2.2).
    package struct SPS: Sendable, Hashable {
        package var profileSpace: UInt8
        /// True for the High tier.
        package var isHighTier: Bool
        package var profile: UInt8
        package var compatibility: UInt32
        /// The six bytes of general constraint flags, in the low 48 bits.
        package var constraints: UInt64
        /// general_level_idc, thirty times the level.
        package var level: UInt8
        package var identifier: UInt32
        /// Picture size in pixels, cropped.
        package var width: UInt32
        package var height: UInt32
        /// chroma_format_idc: 0 grey, 1 4:2:0, 2 4:2:2, 3 4:4:4.
        package var chromaFormat: UInt8
        /// Bits of a sample of luma and of chroma; 8 where what is behind the picture size is broken.
        package var lumaDepth: UInt8 = 8
        package var chromaDepth: UInt8 = 8
        /// How many temporal sub-layers there are at most, and whether each nests in the one below.
        package var subLayers: UInt8
        package var isNested: Bool
        /// Frames per second from the VUI; nil if it does not say.
        package var frameRate: Rational?

        /// Parses a NAL unit, both header bytes first.
        ///
        /// What is broken behind the picture size costs the frame rate only.
        package init(parsing nal: Span<UInt8>) throws(WireError) {
            guard nal.count > 2 else { throw .truncated(needed: 3, available: nal.count) }
            guard nal[0] >> 1 & 0x3F == NALType.sps.rawValue else {
                throw .invalid(field: "H.265 SPS type", value: UInt64(nal[0]))
            }
            var payload: [UInt8] = []
            AnnexB.unescape(nal.extracting(2..<nal.count), into: &payload)
            var bits = BitReader(payload.span)
            try bits.skip(4)  // sps_video_parameter_set_id
            let subLayers = try Int(bits.bits(3))
            guard subLayers < 7 else { throw .invalid(field: "sps_max_sub_layers_minus1", value: 7) }
            self.subLayers = UInt8(subLayers + 1)
            isNested = try bits.bit()
            profileSpace = try UInt8(bits.bits(2))
            isHighTier = try bits.bit()
            profile = try UInt8(bits.bits(5))
            compatibility = try UInt32(bits.bits(32))
            constraints = try bits.bits(48)
            level = try UInt8(bits.bits(8))
            try H265.skipSubLayers(subLayers, &bits)
            identifier = try bits.exponentialGolomb()
            guard identifier < 16 else { throw .invalid(field: "sps_seq_parameter_set_id", value: UInt64(identifier)) }
            let chroma = try bits.exponentialGolomb()
            guard chroma <= 3 else { throw .invalid(field: "chroma_format_idc", value: UInt64(chroma)) }
            chromaFormat = UInt8(chroma)
            if chroma == 3 { try bits.skip(1) }
            let codedWidth = try UInt64(bits.exponentialGolomb())
            let codedHeight = try UInt64(bits.exponentialGolomb())
            let crop = try Cropping(ifPresent: &bits)
            width = try crop.apply(to: codedWidth, crop.left, crop.right, unit: chroma == 1 || chroma == 2 ? 2 : 1)
            height = try crop.apply(to: codedHeight, crop.top, crop.bottom, unit: chroma == 1 ? 2 : 1)
            do throws(WireError) {
                lumaDepth = try BitDepth.read(&bits)
                chromaDepth = try BitDepth.read(&bits)
                try H265.skipCodingTools(subLayers: subLayers, &bits)
                frameRate = try H265.frameRate(&bits)
            } catch {
                frameRate = nil
            }
        }
    }

    /// Moves past the profiles and levels of the sub-layers (§7.3.3).
    private static func skipSubLayers(_ count: Int, _ bits: inout BitReader) throws(WireError) {
        guard count > 0 else { return }
        var length = 0
        for _ in 0..<count {
            if try bits.bit() { length += 88 }
            if try bits.bit() { length += 8 }
        }
        try bits.skip(2 * (8 - count) + length)
    }

    /// Moves from behind the bit depths to the VUI (§7.3.2.2.1).
    private static func skipCodingTools(subLayers: Int, _ bits: inout BitReader) throws(WireError) {
        let orderBits = try Int(bits.exponentialGolomb()) + 4
        guard orderBits <= 16 else { throw .invalid(field: "log2_max_pic_order_cnt_lsb", value: UInt64(orderBits)) }
        let orderings = try bits.bit() ? subLayers + 1 : 1
        for _ in 0..<(3 * orderings) { _ = try bits.exponentialGolomb() }
        for _ in 0..<6 { _ = try bits.exponentialGolomb() }  // block sizes and transform depths
        if try bits.bit(), try bits.bit() { try skipScalingLists(&bits) }
        try bits.skip(2)  // amp_enabled_flag, sample_adaptive_offset_enabled_flag
        if try bits.bit() {  // pcm_enabled_flag
            try bits.skip(8)
            _ = try bits.exponentialGolomb()
            _ = try bits.exponentialGolomb()
            try bits.skip(1)
        }
        try skipShortTermSets(&bits)
        if try bits.bit() {  // long_term_ref_pics_present_flag
            let count = try bits.exponentialGolomb()
            guard count <= 32 else { throw .invalid(field: "num_long_term_ref_pics_sps", value: UInt64(count)) }
            try bits.skip(Int(count) * (orderBits + 1))
        }
        try bits.skip(2)  // sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag
    }

    private static func skipScalingLists(_ bits: inout BitReader) throws(WireError) {
        for size in 0..<4 {
            for _ in 0..<(size == 3 ? 2 : 6) {
                guard try bits.bit() else {
                    _ = try bits.exponentialGolomb()  // scaling_list_pred_matrix_id_delta
                    continue
                }
                let coefficients = min(64, 1 << (4 + (size << 1))) + (size > 1 ? 1 : 0)
                for _ in 0..<coefficients { _ = try bits.signedExponentialGolomb() }
            }
        }
    }

    /// Moves past the short-term reference picture sets (§7.3.7); each may be told as a change of the one before.
    private static func skipShortTermSets(_ bits: inout BitReader) throws(WireError) {
        let sets = try bits.exponentialGolomb()
        guard sets <= 64 else { throw .invalid(field: "num_short_term_ref_pic_sets", value: UInt64(sets)) }
        var pictures = 0
        for set in 0..<sets {
            if set > 0, try bits.bit() {
                try bits.skip(1)  // delta_rps_sign
                _ = try bits.exponentialGolomb()  // abs_delta_rps_minus1
                var kept = 0
                for _ in 0...pictures {
                    let used = try bits.bit()
                    let keeps = try used ? true : bits.bit()
                    if keeps { kept += 1 }
                }
                pictures = kept
            } else {
                let negative = try bits.exponentialGolomb()
                let positive = try bits.exponentialGolomb()
                guard negative <= 16, positive <= 16 else {
                    throw .invalid(
                        field: "num_negative_pics + num_positive_pics",
                        value: UInt64(max(negative, positive))
                    )
                }
                pictures = Int(negative + positive)
                for _ in 0..<pictures {
                    _ = try bits.exponentialGolomb()
                    try bits.skip(1)
                }
            }
        }
    }

    /// Reads the VUI as far as its timing (§E.2.1); a frame is one tick.
    private static func frameRate(_ bits: inout BitReader) throws(WireError) -> Rational? {
        guard try bits.bit() else { return nil }
        try VideoUsability.skipColours(&bits)
        try bits.skip(3)  // neutral_chroma_indication, field_seq, frame_field_info_present
        if try bits.bit() {  // default_display_window_flag
            for _ in 0..<4 { _ = try bits.exponentialGolomb() }
        }
        guard try bits.bit() else { return nil }  // vui_timing_info_present_flag
        let units = try bits.bits(32)
        let scale = try bits.bits(32)
        return VideoUsability.frameRate(scale: scale, units: units)
    }
}
