// SPDX-License-Identifier: Apache-2.0
// How a frame lies in a WebSocket message.

import Bytes
import Media

/// The layouts of messages that hold one frame each.
enum FrameMessage {
    /// A layout that clients can ask for.
    enum Form: String, CaseIterable {
        /// reCamera's: the access unit, then its time in eight bytes.
        case recamera
        /// For decoders that are told of each frame: a header of sixteen bytes, then the access unit.
        case chunks
    }

    /// Bytes behind an access unit in the `recamera` form.
    static let suffixLength = 8
    /// Bytes in front of an access unit in the `chunks` form.
    static let headerLength = 16

    /// What a frame's bytes mean.
    struct Unit {
        var codec: Codec
        var flags: FrameFlags
        /// The number of the frame; a gap shows that frames were left out.
        var sequence: UInt64
        /// When the picture was taken, since 1970 UTC.
        var unixMicroseconds: Int64
        /// Parameter sets for a keyframe that has none, with start codes.
        var configuration: [UInt8] = []
    }

    /// Appends a frame in the given form.
    static func write(_ frame: Span<UInt8>, _ unit: Unit, _ form: Form, into output: inout [UInt8]) {
        switch form {
        case .recamera:
            writeUnit(frame, unit, into: &output)
            output.append(littleEndian: UInt64(max(0, unit.unixMicroseconds / 1000)))
        case .chunks:
            output.append(littleEndian: UInt32(truncatingIfNeeded: unit.flags.rawValue))
            output.append(littleEndian: UInt32(truncatingIfNeeded: unit.sequence))
            output.append(littleEndian: unit.unixMicroseconds)
            writeUnit(frame, unit, into: &output)
        }
    }

    /// Appends an access unit as the simplest of clients expect it.
    ///
    /// H.264 and H.265: each keyframe begins with its parameter sets, there is no access unit delimiter, no zeros
    /// follow the last NAL unit, and the units up to the first slice have start codes of four bytes.
    static func writeUnit(_ frame: Span<UInt8>, _ unit: Unit, into output: inout [UInt8]) {
        guard let format = NALFormat(unit.codec) else { return output.append(frame) }
        var head: [Range<Int>] = []
        var hasSets = false
        var slice = frame.count
        var units = NALUnits(frame)
        while let range = units.next() {
            let header = frame[range.lowerBound]
            if format.isPicture(header) {
                slice = range.lowerBound
                break
            }
            if format.type(header) == delimiterType(format) { continue }
            if format.parameterSet(header) == .sequence { hasSets = true }
            head.append(range)
        }
        if unit.flags.contains(.keyframe), !hasSets { output += unit.configuration }
        for range in head { AnnexB.append(frame.extracting(range), to: &output) }
        var end = frame.count
        while end > slice, frame[end - 1] == 0 { end -= 1 }
        if slice < end { AnnexB.append(frame.extracting(slice..<end), to: &output) }
    }

    private static func delimiterType(_ format: NALFormat) -> UInt8 {
        format == .h264 ? H264.NALType.delimiter.rawValue : H265.NALType.delimiter.rawValue
    }
}
