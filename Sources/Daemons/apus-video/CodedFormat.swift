// SPDX-License-Identifier: Apache-2.0
// What a coded stream says of itself, in its own keyframes.

import Bytes
import Media

/// The parameter sets or the sequence header of a stream, as its frames have told them.
struct CodedFormat {
    private(set) var codec: Codec
    private var parameterSets: ParameterSets
    /// AV1's sequence header OBU.
    private var header: [UInt8] = []

    /// Knows nothing of the stream but its codec.
    init(_ codec: Codec) {
        self.codec = codec
        parameterSets = ParameterSets(NALFormat(codec) ?? .h264)
    }

    /// Forgets what is known.
    mutating func reset() { self = CodedFormat(codec) }

    /// Takes what a keyframe says; true if it is news.
    mutating func absorb(_ frame: Span<UInt8>, _ codec: Codec) -> Bool {
        if codec != self.codec { self = CodedFormat(codec) }
        return codec == .av1 ? absorbHeader(frame) : absorbParameterSets(frame)
    }

    /// What decoders have to know, as a ring's description carries it.
    var configuration: [UInt8] { codec == .av1 ? header : parameterSets.annexB }

    /// The stream as it describes itself; `size` and `rate` where it does not.
    func description(size: (UInt32, UInt32), rate: Rational) -> StreamDescription {
        let told = told
        return StreamDescription(
            video: codec,
            width: told?.width ?? size.0,
            height: told?.height ?? size.1,
            frameRate: rate.numerator == 0 ? told?.frameRate ?? rate : rate,
            configuration: configuration
        )
    }

    private var told: (width: UInt32, height: UInt32, frameRate: Rational?)? {
        if codec == .av1 {
            guard let obu = try? AV1.OBU(at: 0, of: header.span),
                let parsed = try? AV1.SequenceHeader(parsing: header.span.extracting(obu.payload))
            else { return nil }
            return (parsed.width, parsed.height, nil)
        }
        return parameterSets.pictureFormat
    }

    private mutating func absorbParameterSets(_ frame: Span<UInt8>) -> Bool {
        var isNews = false
        var units = NALUnits(frame)
        while let range = units.next() {
            if parameterSets.absorb(frame.extracting(range)) { isNews = true }
        }
        return isNews
    }

    private mutating func absorbHeader(_ frame: Span<UInt8>) -> Bool {
        var offset = 0
        while offset < frame.count, let obu = try? AV1.OBU(at: offset, of: frame) {
            if obu.type == AV1.OBUType.sequenceHeader.rawValue {
                let found = [UInt8](frame.extracting(obu.range))
                defer { header = found }
                return found != header
            }
            offset = obu.range.upperBound
        }
        return false
    }
}
