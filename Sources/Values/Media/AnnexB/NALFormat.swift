// SPDX-License-Identifier: Apache-2.0
// What the splitters and packetizers ask of a NAL unit, whichever of the two codecs it is of.

/// The NAL unit syntax in use: H.264's one-byte header or H.265's two-byte header.
package enum NALFormat: Sendable, Hashable {
    case h264
    case h265

    /// The format of `codec`; nil if it has no NAL units.
    package init?(_ codec: Codec) {
        switch codec {
        case .h264: self = .h264
        case .h265: self = .h265
        default: return nil
        }
    }

    /// The codec whose syntax this is.
    package var codec: Codec { self == .h264 ? .h264 : .h265 }

    /// Bytes of a NAL unit's header.
    package var headerLength: Int { self == .h264 ? 1 : 2 }

    /// The type number in a NAL unit's first byte.
    package func type(_ header: UInt8) -> UInt8 { self == .h264 ? header & 0x1F : header >> 1 & 0x3F }

    /// True for coded slices: the NAL units that carry picture.
    package func isPicture(_ header: UInt8) -> Bool {
        self == .h264 ? (1...5).contains(type(header)) : type(header) < 32
    }

    /// True for a slice of a picture at which decoding can start: IDR, or any IRAP of H.265.
    package func isKeyframe(_ header: UInt8) -> Bool {
        self == .h264 ? type(header) == H264.NALType.idr.rawValue : (16...23).contains(type(header))
    }

    /// Which parameter set this NAL unit is, or nil.
    package func parameterSet(_ header: UInt8) -> ParameterSetKind? {
        switch (self, type(header)) {
        case (.h265, H265.NALType.vps.rawValue): .video
        case (.h264, H264.NALType.sps.rawValue), (.h265, H265.NALType.sps.rawValue): .sequence
        case (.h264, H264.NALType.pps.rawValue), (.h265, H265.NALType.pps.rawValue): .picture
        default: nil
        }
    }

    /// True for an access unit delimiter.
    package func isDelimiter(_ header: UInt8) -> Bool {
        type(header) == (self == .h264 ? H264.NALType.delimiter.rawValue : H265.NALType.delimiter.rawValue)
    }

    /// How many bytes of a NAL unit `startsAccessUnit` looks at.
    package var boundaryLength: Int { headerLength + 1 }

    /// True if this NAL unit opens a new access unit once the current one has a picture
    /// (H.264 §7.4.1.2.3, H.265 §7.4.2.4.4). A slice does so if it is the first of its picture.
    ///
    /// Looks at the first `boundaryLength` bytes; a shorter NAL unit opens none.
    package func startsAccessUnit(_ nal: Span<UInt8>) -> Bool {
        guard nal.count >= 1 else { return false }
        let type = type(nal[0])
        if isPicture(nal[0]) {
            // first_mb_in_slice == 0 is the single bit 1; first_slice_segment_in_pic_flag is the first bit.
            // Partitions B and C (3, 4) have no first_mb_in_slice: they belong to the A before them.
            if self == .h264, type == 3 || type == 4 { return false }
            return nal.count >= boundaryLength && nal[headerLength] & 0x80 != 0
        }
        return switch self {
        case .h264: (6...9).contains(type) || (14...18).contains(type)
        case .h265: (32...35).contains(type) || type == 39 || (41...44).contains(type) || (48...55).contains(type)
        }
    }
}

/// The kinds of parameter set; H.264 has no `video` one.
package enum ParameterSetKind: Sendable, Hashable, CaseIterable {
    case video
    case sequence
    case picture
}
