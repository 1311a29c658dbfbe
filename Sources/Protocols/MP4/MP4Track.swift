// SPDX-License-Identifier: Apache-2.0
// A stream as a track of a movie: whether it can be one, on which clock, and how its frames become samples.

package import Bytes
package import Media

/// One track of an MP4 file or stream.
package struct MP4Track: Sendable, Hashable {
    /// Where the parameter sets of H.264 and H.265 are.
    package enum ParameterSetPlace: Sendable, Hashable {
        /// In the track's description alone (`avc1`, `hvc1`), as all players expect.
        case description
        /// In front of each keyframe too (`avc3`, `hev1`), so that they may change on the way.
        case inBand
    }

    /// The track's number, 1 for the first.
    package let id: UInt32
    package let description: StreamDescription
    /// Ticks a second of decode times and durations.
    package let timescale: UInt32
    package let place: ParameterSetPlace
    /// The content of the box that configures the decoder (`avcC`, `hvcC`, `av1C`, `esds`, `dOps`, `pcmC`); may be empty.
    let configuration: [UInt8]
    /// The codec's name as RFC 6381 writes it: `avc1.640028`.
    package let codecs: String

    /// Ticks a second of pictures.
    package static let pictureTimescale: UInt32 = 90_000

    /// Describes `stream` as a track.
    ///
    /// - Throws: `.unsupported` for what MP4 does not hold (raw pictures), `.truncated` or `.invalid` while the stream's
    ///   configuration is not complete.
    package init(
        _ stream: StreamDescription,
        id: UInt32,
        place: ParameterSetPlace = .description
    ) throws(WireError) {
        self.id = id
        self.place = place
        description = stream
        switch stream.codec {
        case .h264, .h265, .av1, .jpeg: timescale = Self.pictureTimescale
        case .opus: timescale = OpusPacket.sampleRate
        case .aac, .pcmu, .pcma, .l16: timescale = stream.sampleRate
        case .nv12, .grey: throw .unsupported(field: "MP4 codec", value: UInt64(stream.codec.rawValue))
        }
        guard timescale > 0 else { throw .invalid(field: "sample rate", value: 0) }
        guard stream.codec.isAudio || stream.width <= UInt16.max && stream.height <= UInt16.max else {
            throw .invalid(field: "picture width", value: UInt64(stream.width))
        }
        (configuration, codecs) = try DecoderRecord.make(stream, place)
    }

    /// True for what browsers and HLS players take: neither JPEG nor uncompressed sound.
    package var isStreamable: Bool {
        switch description.codec {
        case .h264, .h265, .av1, .aac, .opus: true
        case .jpeg, .nv12, .grey, .pcmu, .pcma, .l16: false
        }
    }

    /// An instant on the track's clock; all tracks and viewers share the monotonic clock's start.
    package func ticks(_ instant: Instant) -> Int64 { Self.ticks(instant.nanoseconds, timescale) }

    /// A duration on the track's clock.
    package func ticks(_ duration: Duration) -> Int64 { Self.ticks(duration.nanoseconds, timescale) }

    private static func ticks(_ nanoseconds: Int64, _ timescale: UInt32) -> Int64 {
        let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        return seconds * Int64(timescale) + rest * Int64(timescale) / 1_000_000_000
    }

    /// How long each frame of sound lasts, in ticks; nil where it depends on the frame.
    package var soundDuration: UInt32? {
        guard description.codec == .aac else { return nil }
        guard let config = try? AudioSpecificConfig(parsing: description.configuration.span) else { return 1024 }
        let factor = config.extensionRate.map { $0 / max(1, config.sampleRate) } ?? 1
        return config.samplesPerFrame * max(1, factor)
    }

    /// How long a frame of sound lasts, in ticks; nil for pictures and for what makes no sense.
    package func soundDuration(_ frame: Span<UInt8>) -> UInt32? {
        let channels = max(1, Int(description.channels))
        switch description.codec {
        case .aac: return soundDuration
        case .opus: return OpusPacket.samples(frame)
        case .pcmu, .pcma: return UInt32(frame.count / channels)
        case .l16: return UInt32(frame.count / 2 / channels)
        case .h264, .h265, .av1, .jpeg, .nv12, .grey: return nil
        }
    }

    /// Appends a frame, as a ring holds it, in the form of a sample.
    ///
    /// H.264 and H.265: each NAL unit behind its length in four bytes, without delimiters, fillers, and parameter sets
    /// that the description has (ISO/IEC 14496-15 §5.3.2). AV1: without temporal delimiters (AV1 in ISOBMFF §2.4).
    package func appendSample(_ frame: Span<UInt8>, to output: inout [UInt8]) {
        switch description.codec {
        case .h264: appendUnits(.h264, frame, to: &output)
        case .h265: appendUnits(.h265, frame, to: &output)
        case .av1: Self.appendTemporalUnit(frame, to: &output)
        case .jpeg, .aac, .opus, .pcmu, .pcma, .l16, .nv12, .grey: output.append(frame)
        }
    }

    private func appendUnits(_ format: NALFormat, _ frame: Span<UInt8>, to output: inout [UInt8]) {
        var units = NALUnits(frame)
        while let range = units.next() {
            let header = frame[range.lowerBound]
            if format.isDelimiter(header) || format.isFiller(header) { continue }
            if place == .description, format.parameterSet(header) != nil { continue }
            output.append(bigEndian: UInt32(truncatingIfNeeded: range.count))
            output.append(frame.extracting(range))
        }
    }

    private static func appendTemporalUnit(_ unit: Span<UInt8>, to output: inout [UInt8]) {
        var offset = 0
        while offset < unit.count, let obu = try? AV1.OBU(at: offset, of: unit) {
            switch AV1.OBUType(rawValue: obu.type) {
            case .temporalDelimiter, .tileList, .padding, .redundantFrameHeader: break
            default: output.append(unit.extracting(obu.range))
            }
            offset = obu.range.upperBound
        }
    }
}

extension NALFormat {
    /// True for filler data, which a file has no use for.
    func isFiller(_ header: UInt8) -> Bool {
        type(header) == (self == .h264 ? H264.NALType.filler.rawValue : H265.NALType.filler.rawValue)
    }
}
