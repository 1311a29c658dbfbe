// SPDX-License-Identifier: Apache-2.0
// Frames in, RTP packets out: the part that all payload formats share.

package import Bytes
package import Media

/// Cuts the frames of one stream into RTP packets, for all clients of the stream at once.
///
/// H.264 after RFC 6184 (packetization mode 1), H.265 after RFC 7798, AV1 after AOMedia's payload format, JPEG after
/// RFC 2435, AAC after RFC 3640 (mode AAC-hbr), Opus after RFC 7587, G.711 and L16 after RFC 3551. Sequence numbers run
/// on from frame to frame. Nothing is allocated once buffers have grown to the largest frame.
package struct RTPPacketizer: Sendable {
    /// Payload bytes of a packet by default: with all headers it fits an Ethernet frame, also over IPv6 and in tunnels.
    package static let defaultMaximumPayload = 1400
    /// The smallest payload size allowed; JPEG's headers need most of it.
    package static let minimumMaximumPayload = 256

    package enum Format: Sendable, Hashable {
        case nal(NALFormat)
        case av1
        case jpeg
        case aac
        case opus
        /// Sound without coding between samples, which may be cut after any; `bytes` is the size of one sample of all
        /// channels.
        case samples(bytes: Int)

        /// The format for the frames of `stream`; nil if there is none.
        package init?(_ stream: StreamDescription) {
            let channels = Int(max(1, min(64, stream.channels)))
            switch stream.codec {
            case .h264: self = .nal(.h264)
            case .h265: self = .nal(.h265)
            case .av1: self = .av1
            case .jpeg: self = .jpeg
            case .aac: self = .aac
            case .opus: self = .opus
            case .pcmu, .pcma: self = .samples(bytes: channels)
            case .l16: self = .samples(bytes: 2 * channels)
            case .nv12, .grey: return nil
            }
        }

        /// The format for pictures of `codec`; nil if there is none, or if it is sound.
        package init?(_ codec: Codec) {
            guard !codec.isAudio else { return nil }
            self.init(StreamDescription(video: codec, width: 0, height: 0, frameRate: Rational(0)))
        }
    }

    package let format: Format
    package let payloadType: UInt8
    /// The synchronisation source identifier (SSRC), chosen at random by the caller.
    package let source: UInt32
    /// The interleaved channel written in front of each packet.
    package let channel: UInt8
    /// Payload bytes of the largest packet.
    package let maximumPayload: Int
    /// The sequence number of the next packet; set it back to build an earlier frame's packets again.
    package var nextSequence: UInt16
    /// The NAL units of the frame at hand.
    var units: [Range<Int>] = []

    /// Starts with `firstSequence`, which the caller chooses at random (RFC 3550 §5.1).
    package init(
        _ format: Format,
        payloadType: UInt8,
        source: UInt32,
        firstSequence: UInt16,
        channel: UInt8 = 0,
        maximumPayload: Int = RTPPacketizer.defaultMaximumPayload
    ) {
        precondition(
            (Self.minimumMaximumPayload...65_000).contains(maximumPayload),
            "the payload size must be within its limits"
        )
        self.format = format
        self.payloadType = payloadType
        self.source = source
        self.channel = channel
        self.maximumPayload = maximumPayload
        nextSequence = firstSequence
    }

    /// Replaces what is in `image` by the packets of `frame`; the last one of a picture or an AAC frame has the marker
    /// bit.
    ///
    /// - Throws: What the payload format cannot carry; `image` is empty then, and no sequence number is used.
    package mutating func packetize(
        _ frame: Span<UInt8>,
        timestamp: UInt32,
        into image: inout PacketImage
    ) throws(WireError) {
        image.removeAll()
        switch format {
        case .nal(let format):
            collectUnits(frame)
            guard !units.isEmpty else {
                throw .invalid(field: "frame without NAL units, bytes", value: UInt64(frame.count))
            }
            packetizeUnits(frame, format, timestamp, into: &image)
        case .jpeg: try packetizeJPEG(frame, timestamp, into: &image)
        case .av1: try packetizeAV1(frame, timestamp, into: &image)
        case .aac: try packetizeAAC(frame, timestamp, into: &image)
        case .opus: try packetizeOpus(frame, timestamp, into: &image)
        case .samples(let bytes): try packetizeSamples(frame, bytes, timestamp, into: &image)
        }
    }

    private mutating func collectUnits(_ frame: Span<UInt8>) {
        units.removeAll(keepingCapacity: true)
        var iterator = NALUnits(frame)
        while let unit = iterator.next() { units.append(unit) }
    }

    private mutating func packetizeUnits(
        _ frame: Span<UInt8>,
        _ format: NALFormat,
        _ timestamp: UInt32,
        into image: inout PacketImage
    ) {
        var index = 0
        while index < units.count {
            let run = aggregateRun(frame, format, from: index)
            let isLast = index + run == units.count
            let unit = units[index]
            if run > 1 {
                appendAggregate(frame, format, index..<(index + run), marker: isLast, timestamp, to: &image)
            } else if unit.count <= maximumPayload {
                begin(payloadLength: unit.count, marker: isLast, timestamp, in: &image)
                image.append(frame.extracting(unit))
            } else {
                appendFragments(frame, format, unit, isLast: isLast, timestamp, to: &image)
            }
            index += run
        }
    }

    /// How many NAL units from `first` on share a packet: small ones that are not slices.
    private func aggregateRun(_ frame: Span<UInt8>, _ format: NALFormat, from first: Int) -> Int {
        var length = format.headerLength
        var count = 0
        while first + count < units.count {
            let unit = units[first + count]
            length += 2 + unit.count
            if format.isPicture(frame[unit.lowerBound]) || length > maximumPayload { break }
            count += 1
        }
        return max(1, count)
    }

    /// Appends a STAP-A (RFC 6184 §5.7.1) or an aggregation packet (RFC 7798 §4.4.2).
    private mutating func appendAggregate(
        _ frame: Span<UInt8>,
        _ format: NALFormat,
        _ run: Range<Int>,
        marker: Bool,
        _ timestamp: UInt32,
        to image: inout PacketImage
    ) {
        var length = format.headerLength
        var importance: UInt8 = 0
        var layerAndTime: UInt16 = 0xFFFF
        for index in run {
            let unit = units[index]
            length += 2 + unit.count
            importance = max(importance, frame[unit.lowerBound] & 0x60)
            if format == .h265, unit.count >= 2 {
                let header = UInt16(frame[unit.lowerBound]) << 8 | UInt16(frame[unit.lowerBound + 1])
                layerAndTime = min(layerAndTime, header & 0x01FF)
            }
        }
        begin(payloadLength: length, marker: marker, timestamp, in: &image)
        switch format {
        case .h264: image.append(importance | 24)
        case .h265: image.append(48 << 1 | UInt8(layerAndTime >> 8 & 1), UInt8(truncatingIfNeeded: layerAndTime))
        }
        for index in run {
            let unit = units[index]
            image.append(UInt8(truncatingIfNeeded: unit.count >> 8), UInt8(truncatingIfNeeded: unit.count))
            image.append(frame.extracting(unit))
        }
    }

    /// Appends FU-A packets (RFC 6184 §5.8) or fragmentation units (RFC 7798 §4.4.3).
    private mutating func appendFragments(
        _ frame: Span<UInt8>,
        _ format: NALFormat,
        _ unit: Range<Int>,
        isLast: Bool,
        _ timestamp: UInt32,
        to image: inout PacketImage
    ) {
        let header = frame[unit.lowerBound]
        let type = format.type(header)
        let overhead = format.headerLength + 1
        var offset = unit.lowerBound + format.headerLength
        var startBit: UInt8 = 0x80
        while offset < unit.upperBound {
            let length = min(maximumPayload - overhead, unit.upperBound - offset)
            let ends = offset + length == unit.upperBound
            begin(payloadLength: overhead + length, marker: isLast && ends, timestamp, in: &image)
            switch format {
            case .h264: image.append(header & 0xE0 | 28)
            case .h265: image.append(header & 0x81 | 49 << 1, frame[unit.lowerBound + 1])
            }
            image.append(startBit | (ends ? 0x40 : 0) | type)
            image.append(frame.extracting(offset..<(offset + length)))
            startBit = 0
            offset += length
        }
    }

    /// Begins a packet and uses up a sequence number.
    mutating func begin(payloadLength: Int, marker: Bool, _ timestamp: UInt32, in image: inout PacketImage) {
        let header = RTPHeader(
            payloadType: payloadType,
            marker: marker,
            sequence: nextSequence,
            timestamp: timestamp,
            source: source
        )
        image.begin(header, channel: channel, payloadLength: payloadLength)
        nextSequence &+= 1  // Wraps by definition (RFC 3550 §5.1).
    }
}
