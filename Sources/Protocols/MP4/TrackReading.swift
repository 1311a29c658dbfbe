// SPDX-License-Identifier: Apache-2.0
// What a track is: its number, clock and description (ISO/IEC 14496-12 §8.3–8.5).

import Bytes
import Media

/// Reads `trak` boxes.
enum TrackReader {
    /// The track; nil for one that is neither picture nor sound, or of a codec that is not known here.
    static func read(_ bytes: Span<UInt8>, _ trak: Box) throws(WireError) -> MP4Reader.Track? {
        let boxes = try Box.all(in: bytes, trak.content)
        var header = bytes.reader(try boxes.need("tkhd"))
        try header.skip(try header.versionAndFlags().version == 1 ? 16 : 8)
        let id = try header.uint32()
        guard id > 0 else { throw .invalid(field: "track number", value: 0) }
        let mdia = try Box.all(in: bytes, try boxes.need("mdia").content)
        var media = bytes.reader(try mdia.need("mdhd"))
        try media.skip(try media.versionAndFlags().version == 1 ? 16 : 8)
        let timescale = try media.uint32()
        guard timescale > 0 else { throw .invalid(field: "timescale", value: 0) }
        let stbl = try sampleTable(bytes, mdia)
        var descriptions = bytes.reader(try stbl.need("stsd"))
        _ = try descriptions.versionAndFlags()
        guard try descriptions.uint32() > 0 else { throw .invalid(field: "sample entries", value: 0) }
        let start = try stbl.need("stsd").content.lowerBound + 8
        let entries = try Box.all(in: bytes, start..<stbl.need("stsd").content.upperBound)
        guard let entry = entries.first else { throw .invalid(field: "sample entries", value: 0) }
        guard var track = try read(bytes, entry: entry, id: id, timescale: timescale) else { return nil }
        track.delay = try delay(bytes, boxes)
        return track
    }

    /// The boxes of a track's `stbl`.
    static func sampleTable(_ bytes: Span<UInt8>, _ mdia: [Box]) throws(WireError) -> [Box] {
        let minf = try Box.all(in: bytes, try mdia.need("minf").content)
        return try Box.all(in: bytes, try minf.need("stbl").content)
    }

    /// The empty edit in front of a track (§8.6.6).
    private static func delay(_ bytes: Span<UInt8>, _ boxes: [Box]) throws(WireError) -> UInt64 {
        guard let edts = boxes["edts"], let elst = try Box.all(in: bytes, edts.content)["elst"] else { return 0 }
        var reader = bytes.reader(elst)
        let isLong = try reader.versionAndFlags().version == 1
        guard try reader.entryCount(size: isLong ? 20 : 12) > 0 else { return 0 }
        let duration = try isLong ? reader.uint64() : UInt64(reader.uint32())
        let time = try isLong ? Int64(bitPattern: reader.uint64()) : Int64(Int32(bitPattern: reader.uint32()))
        return time == -1 ? duration : 0
    }

    private static func read(
        _ bytes: Span<UInt8>,
        entry: Box,
        id: UInt32,
        timescale: UInt32
    ) throws(WireError) -> MP4Reader.Track? {
        guard let codec = codec(entry.type) else { return nil }
        var reader = bytes.reader(entry)
        try reader.skip(8)
        var stream: StreamDescription
        if codec.isAudio {
            try reader.skip(8)
            let channels = try UInt32(reader.uint16())
            try reader.skip(10)
            stream = StreamDescription(audio: codec, sampleRate: timescale, channels: channels)
        } else {
            try reader.skip(16)
            let (width, height) = try (UInt32(reader.uint16()), UInt32(reader.uint16()))
            try reader.skip(50)
            stream = StreamDescription(video: codec, width: width, height: height, frameRate: Rational(0))
        }
        let inner = (entry.content.lowerBound + reader.offset)..<entry.content.upperBound
        var lengthSize = 0
        for box in try Box.all(in: bytes, inner) {
            let content = bytes.extracting(box.content)
            if box.is("avcC"), codec == .h264 {
                let record = try DecoderConfiguration(avcC: content)
                (lengthSize, stream.configuration) = (record.lengthSize, record.parameterSets.annexB)
            } else if box.is("hvcC"), codec == .h265 {
                let record = try DecoderConfiguration(hvcC: content)
                (lengthSize, stream.configuration) = (record.lengthSize, record.parameterSets.annexB)
            } else if box.is("av1C"), codec == .av1 {
                guard content.count >= 4 else { throw .truncated(needed: 4, available: content.count) }
                stream.configuration = [UInt8](content.extracting(4..<content.count))
            } else if box.is("esds"), codec == .aac {
                stream.configuration = try specificInfo(content)
            }
        }
        let isPrefixed = codec == .h264 || codec == .h265
        guard !isPrefixed || lengthSize > 0 else { throw .invalid(field: "decoder configuration", value: 0) }
        return MP4Reader.Track(
            id: id,
            timescale: timescale,
            description: stream,
            entry: entry.type,
            lengthSize: lengthSize
        )
    }

    private static func codec(_ entry: UInt32) -> Codec? {
        switch entry {
        case Box.code("avc1"), Box.code("avc3"): .h264
        case Box.code("hvc1"), Box.code("hev1"): .h265
        case Box.code("av01"): .av1
        case Box.code("mp4v"): .jpeg
        case Box.code("mp4a"): .aac
        case Box.code("Opus"): .opus
        case Box.code("ipcm"): .l16
        case Box.code("ulaw"): .pcmu
        case Box.code("alaw"): .pcma
        default: nil
        }
    }

    /// The DecoderSpecificInfo of an ES_Descriptor (ISO/IEC 14496-1 §7.2.6).
    private static func specificInfo(_ box: Span<UInt8>) throws(WireError) -> [UInt8] {
        var reader = ByteReader(box)
        _ = try reader.versionAndFlags()
        _ = try descriptor(3, &reader)
        try reader.skip(2)
        let flags = try reader.uint8()
        if flags & 0x80 != 0 { try reader.skip(2) }
        if flags & 0x40 != 0 {
            let length = try Int(reader.uint8())
            try reader.skip(length)
        }
        if flags & 0x20 != 0 { try reader.skip(2) }
        _ = try descriptor(4, &reader)
        try reader.skip(13)
        let length = try descriptor(5, &reader)
        return try [UInt8](reader.span(length))
    }

    /// Reads a descriptor's tag and length, the length in groups of seven bits.
    private static func descriptor(_ tag: UInt8, _ reader: inout ByteReader) throws(WireError) -> Int {
        let found = try reader.uint8()
        guard found == tag else { throw .invalid(field: "descriptor", value: UInt64(found)) }
        var length = 0
        for _ in 0..<4 {
            let byte = try reader.uint8()
            length = length << 7 | Int(byte & 0x7F)
            if byte & 0x80 == 0 { return length }
        }
        throw .invalid(field: "descriptor length", value: UInt64(length))
    }
}
