// SPDX-License-Identifier: Apache-2.0
// What senders do otherwise than the specifications say, by name.

/// Something a sender does otherwise than specified, or a rarity worth a line in the log; it is tolerated as described.
package enum RTPDeviation: UInt8, Sendable, CaseIterable {
    /// Packets have another payload type than the description says; they are taken as described.
    case payloadType
    /// RTCP came where RTP was due, or the other way round.
    case mixedPorts
    /// Frames end without marker bit; the next timestamp ends them, one frame later.
    case markerMissing
    /// Marker bits stand inside of pictures; from then on timestamps end frames.
    case markerInside
    /// A fragmented unit has no last fragment; it is taken as it is.
    case fragmentWithoutEnd
    /// A fragment came without the first one and nothing was lost; the frame is dropped.
    case fragmentWithoutStart
    /// An aggregation packet holds a unit of no bytes; it is passed over.
    case emptyUnit
    /// An aggregation packet ends inside of a unit; the frame is dropped.
    case brokenAggregate
    /// Start codes inside of payloads; they are taken out.
    case startCode
    /// Packets without payload; they are passed over.
    case emptyPayload
    /// A kind of packet that this payload format does not allow or Apus does not read; it is passed over.
    case unknownPacket
    /// Units that carry no picture have a frame of their own; they go into the next one.
    case frameWithoutPicture
    /// Header extensions; they are passed over.
    case headerExtension
    /// Padding; it is taken off.
    case padding
    /// The sequence numbers started anew.
    case sequenceReset
    /// The synchronisation source changed.
    case sourceChanged
    /// Timestamps went back: more than a second for pictures, at all for sound.
    case timestampBack
    /// Two frames have the same timestamp.
    case timestampStill
    /// Pictures are sent in another order than they are shown (B-frames).
    case reorderedPictures
    /// Sender reports carry no time of day.
    case senderReportWithoutTime
    /// A JPEG whose size or kind RFC 2435 cannot tell; it is dropped.
    case unsupportedJPEG
    /// ADTS headers in AAC frames; they are taken off.
    case adtsHeader
    /// AAC frames are interleaved; they come out in the order of the packets.
    case interleavedAAC
    /// A frame longer than the limit; it is dropped.
    case oversizedFrame

    /// The short name in logs and status: `reordered-pictures`.
    package var name: String {
        var name = ""
        var isAfterCapital = true
        for character in "\(self)" {
            // JPEG and its kin are one word.
            if character.isUppercase, !isAfterCapital { name += "-" }
            isAfterCapital = character.isUppercase
            name += character.lowercased()
        }
        return name
    }

    /// A few words for the log.
    package var text: String {
        switch self {
        case .payloadType: "another payload type than described"
        case .mixedPorts: "RTP and RTCP on one port"
        case .markerMissing: "frames without marker bit"
        case .markerInside: "marker bits inside of pictures"
        case .fragmentWithoutEnd: "fragmented unit without end"
        case .fragmentWithoutStart: "fragmented unit without start"
        case .emptyUnit: "empty unit in an aggregation packet"
        case .brokenAggregate: "aggregation packet cut off"
        case .startCode: "start codes in payloads"
        case .emptyPayload: "packets without payload"
        case .unknownPacket: "unknown kind of packet"
        case .frameWithoutPicture: "frames without picture"
        case .headerExtension: "header extensions"
        case .padding: "padding"
        case .sequenceReset: "sequence numbers started anew"
        case .sourceChanged: "synchronisation source changed"
        case .timestampBack: "timestamps went back"
        case .timestampStill: "timestamps stood still"
        case .reorderedPictures: "pictures not in the order of presentation"
        case .senderReportWithoutTime: "sender reports without time of day"
        case .unsupportedJPEG: "JPEG that RFC 2435 cannot carry"
        case .adtsHeader: "ADTS headers in AAC frames"
        case .interleavedAAC: "interleaved AAC"
        case .oversizedFrame: "frame over the size limit"
        }
    }
}

/// A set of deviations that tells which of them are new.
package struct RTPDeviations: Sendable, Hashable {
    /// One bit each.
    private var seen: UInt32 = 0
    private var told: UInt32 = 0

    package init() {}

    /// Notes that it happened.
    package mutating func note(_ deviation: RTPDeviation) { seen |= 1 << UInt32(deviation.rawValue) }

    /// True if it ever happened.
    package func contains(_ deviation: RTPDeviation) -> Bool { seen >> UInt32(deviation.rawValue) & 1 == 1 }

    /// All that ever happened.
    package var all: [RTPDeviation] { RTPDeviation.allCases.filter(contains) }

    /// Those that happened for the first time since the last call.
    package mutating func takeNew() -> [RTPDeviation] {
        guard seen != told else { return [] }
        let new = seen & ~told
        told = seen
        return RTPDeviation.allCases.filter { new >> UInt32($0.rawValue) & 1 == 1 }
    }

    /// Adds what another part has seen.
    mutating func merge(_ other: RTPDeviations) { seen |= other.seen }
}
