// SPDX-License-Identifier: Apache-2.0
// AV1 (AV1 Bitstream & Decoding Process Specification): OBUs, sequence header, keyframes.

package import Bytes

/// Names of the AV1 specification.
package enum AV1 {
    /// OBU types (§6.2.2) that Apus knows by name.
    package enum OBUType: UInt8, Sendable {
        case sequenceHeader = 1
        case temporalDelimiter = 2
        case frameHeader = 3
        case tileGroup = 4
        case metadata = 5
        case frame = 6
        case redundantFrameHeader = 7
        case tileList = 8
        case padding = 15
    }

    /// A temporal delimiter with its size field, as every temporal unit begins (§7.5).
    package static let temporalDelimiter: [UInt8] = [0x12, 0x00]

    /// One OBU of the low-overhead format: where it is and what it is.
    package struct OBU: Sendable, Hashable {
        /// Header byte first.
        package var range: Range<Int>
        /// Behind header, extension and size field.
        package var payload: Range<Int>
        package var type: UInt8

        /// Reads the OBU at `offset`; one without a size field goes to the end (§5.3.1).
        package init(at offset: Int, of bytes: Span<UInt8>) throws(WireError) {
            var reader = ByteReader(bytes)
            try reader.skip(offset)
            let header = try reader.uint8()
            guard header & 0x80 == 0 else { throw .invalid(field: "AV1 obu_forbidden_bit", value: UInt64(header)) }
            type = header >> 3 & 0x0F
            if header & 0x04 != 0 { try reader.skip(1) }
            let length = try header & 0x02 != 0 ? AV1.leb128(&reader) : reader.remaining
            let start = reader.offset
            try reader.skip(length)
            range = offset..<reader.offset
            payload = start..<reader.offset
        }
    }

    /// Reads a length of up to 32 bits in groups of seven, lowest first (§4.10.5).
    package static func leb128(_ reader: inout ByteReader) throws(WireError) -> Int {
        var value = 0
        for index in 0..<8 {
            let byte = try reader.uint8()
            value |= Int(byte & 0x7F) << (7 * index)
            if byte & 0x80 == 0 {
                guard value <= UInt32.max else { break }
                return value
            }
        }
        throw .invalid(field: "AV1 leb128", value: UInt64(value))
    }

    /// How many bytes `leb128` of `value` takes.
    package static func leb128Length(_ value: Int) -> Int {
        var length = 1
        var rest = value >> 7
        while rest > 0 {
            length += 1
            rest >>= 7
        }
        return length
    }

    /// True if decoding can start at the temporal unit: it shows a keyframe (§5.9.2).
    package static func isKeyframe(_ unit: Span<UInt8>) -> Bool {
        var offset = 0
        while offset < unit.count, let obu = try? OBU(at: offset, of: unit) {
            if obu.type == OBUType.frame.rawValue || obu.type == OBUType.frameHeader.rawValue, !obu.payload.isEmpty {
                // show_existing_frame, frame_type of two bits, show_frame.
                return unit[obu.payload.lowerBound] & 0xF0 == 0x10
            }
            offset = obu.range.upperBound
        }
        return false
    }

    /// What a sequence header says of the pictures (§5.5).
    package struct SequenceHeader: Sendable, Hashable {
        package var profile: UInt8
        /// seq_level_idx and tier of the first operating point.
        package var level: UInt8 = 0
        package var tier: UInt8 = 0
        /// The largest picture, in pixels.
        package var width: UInt32
        package var height: UInt32
        /// How samples are coded; that of the usual 8 bits in 4:2:0 where it cannot be read.
        package var colour = Colour()

        /// What `color_config` says of samples (§5.5.2).
        package struct Colour: Sendable, Hashable {
            package var depth: UInt8 = 8
            package var isMonochrome = false
            package var isSubsampledX = true
            package var isSubsampledY = true
            package var samplePosition: UInt8 = 0
        }

        /// Parses an OBU's payload as far as the colours.
        package init(parsing payload: Span<UInt8>) throws(WireError) {
            var bits = BitReader(payload)
            profile = try UInt8(bits.bits(3))
            try bits.skip(1)  // still_picture
            let isReduced = try bits.bit()
            if isReduced {  // reduced_still_picture_header
                level = try UInt8(bits.bits(5))
            } else {
                var modelBits: Int?
                if try bits.bit() {  // timing_info_present_flag
                    try bits.skip(64)
                    if try bits.bit() { try Self.skipVariable(&bits) }  // equal_picture_interval
                    if try bits.bit() {  // decoder_model_info_present_flag
                        modelBits = try Int(bits.bits(5)) + 1
                        try bits.skip(32 + 5 + 5)
                    }
                }
                let hasDelays = try bits.bit()
                let points = try Int(bits.bits(5)) + 1
                for point in 0..<points {
                    try bits.skip(12)
                    let pointLevel = try UInt8(bits.bits(5))
                    let pointTier = try pointLevel > 7 ? UInt8(bits.bits(1)) : 0
                    if point == 0 { (level, tier) = (pointLevel, pointTier) }
                    if let modelBits, try bits.bit() { try bits.skip(2 * modelBits + 1) }
                    if hasDelays, try bits.bit() { try bits.skip(4) }
                }
            }
            let widthBits = try Int(bits.bits(4)) + 1
            let heightBits = try Int(bits.bits(4)) + 1
            width = try UInt32(bits.bits(widthBits)) + 1
            height = try UInt32(bits.bits(heightBits)) + 1
            do throws(WireError) {
                try Self.skipTools(isReduced: isReduced, &bits)
                colour = try Self.colour(profile: profile, &bits)
            } catch {
                colour = Colour()
            }
        }

        /// Moves from the picture's size to `color_config` (§5.5.1).
        private static func skipTools(isReduced: Bool, _ bits: inout BitReader) throws(WireError) {
            if !isReduced, try bits.bit() { try bits.skip(7) }  // frame_id_numbers_present_flag
            try bits.skip(3)  // superblock size, filter_intra, intra_edge_filter
            if !isReduced {
                try bits.skip(4)  // interintra, masked compound, warped motion, dual filter
                let hasOrderHint = try bits.bit()
                if hasOrderHint { try bits.skip(2) }
                // seq_choose_screen_content_tools, seq_force_screen_content_tools
                let choosesTools = try bits.bit()
                let forcesTools = try choosesTools ? true : bits.bit()
                if forcesTools, try !bits.bit() { try bits.skip(1) }  // seq_choose_integer_mv
                if hasOrderHint { try bits.skip(3) }
            }
            try bits.skip(3)  // superres, cdef, restoration
        }

        private static func colour(profile: UInt8, _ bits: inout BitReader) throws(WireError) -> Colour {
            var colour = Colour()
            let isHigh = try bits.bit()
            let isTwelve = try profile == 2 && isHigh ? bits.bit() : false
            colour.depth = isTwelve ? 12 : isHigh ? 10 : 8
            colour.isMonochrome = try profile == 1 ? false : bits.bit()
            // BT.709 primaries, sRGB transfer, identity matrix: RGB, which is never subsampled.
            let isRGB = try bits.bit() ? bits.bits(24) == 0x01_0D_00 : false
            if colour.isMonochrome { return colour }
            if isRGB {
                (colour.isSubsampledX, colour.isSubsampledY) = (false, false)
                return colour
            }
            try bits.skip(1)  // color_range
            switch profile {
            case 0: break
            case 1: (colour.isSubsampledX, colour.isSubsampledY) = (false, false)
            default:
                colour.isSubsampledX = try colour.depth == 12 ? bits.bit() : true
                colour.isSubsampledY = try colour.depth == 12 && colour.isSubsampledX ? bits.bit() : false
            }
            if colour.isSubsampledX, colour.isSubsampledY { colour.samplePosition = try UInt8(bits.bits(2)) }
            return colour
        }

        /// Moves past `uvlc()` (§4.10.3).
        private static func skipVariable(_ bits: inout BitReader) throws(WireError) {
            var zeros = 0
            while try !bits.bit() { zeros += 1 }
            if zeros < 32 { try bits.skip(zeros) }
        }
    }
}
