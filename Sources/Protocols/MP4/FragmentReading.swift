// SPDX-License-Identifier: Apache-2.0
// The samples of one track in a fragment (ISO/IEC 14496-12 §8.8).

import Bytes

/// Reads `traf` boxes.
enum FragmentReader {
    private typealias Defaults = MP4Reader.Defaults

    /// Appends the samples of `traf`; offsets count from the `moof` at `start`.
    static func read(
        _ bytes: Span<UInt8>,
        _ traf: Box,
        from start: Int,
        _ tracks: [MP4Reader.Track],
        into samples: inout [MP4Reader.Sample]
    ) throws(WireError) {
        let boxes = try Box.all(in: bytes, traf.content)
        var header = bytes.reader(try boxes.need("tfhd"))
        let flags = try header.versionAndFlags().flags
        let id = try header.uint32()
        guard let index = tracks.firstIndex(where: { $0.id == id }) else {
            throw .invalid(field: "fragment of an unknown track", value: UInt64(id))
        }
        // base-data-offset counts from the file's start, which a piece of a stream does not have.
        guard flags & 0x01 == 0 else { throw .unsupported(field: "tfhd base-data-offset", value: UInt64(flags)) }
        var defaults = tracks[index].defaults
        if flags & 0x02 != 0 { try header.skip(4) }
        if flags & 0x08 != 0 { defaults.duration = try header.uint32() }
        if flags & 0x10 != 0 { defaults.size = try header.uint32() }
        if flags & 0x20 != 0 { defaults.flags = try header.uint32() }
        var times = bytes.reader(try boxes.need("tfdt"))
        let version = try times.versionAndFlags().version
        let first = try version == 1 ? times.uint64() : UInt64(times.uint32())
        guard first <= UInt64(Int64.max / 2) else { throw .invalid(field: "decode time", value: first) }
        var decodeTime = Int64(first)
        var position = start
        for trun in boxes where trun.is("trun") {
            try readRun(bytes, trun, start, index, defaults, &decodeTime, &position, &samples)
        }
    }

    private static func readRun(
        _ bytes: Span<UInt8>,
        _ trun: Box,
        _ start: Int,
        _ index: Int,
        _ defaults: Defaults,
        _ decodeTime: inout Int64,
        _ position: inout Int,
        _ samples: inout [MP4Reader.Sample]
    ) throws(WireError) {
        var reader = bytes.reader(trun)
        let flags = try reader.versionAndFlags().flags
        let count = try Int(reader.uint32())
        let limit = MP4Reader.sampleLimit
        guard count <= limit - samples.count else { throw .limit(field: "samples", limit: limit) }
        if flags & 0x01 != 0 {
            let (sum, overflow) = start.addingReportingOverflow(Int(Int32(bitPattern: try reader.uint32())))
            guard !overflow, sum >= 0 else { throw .invalid(field: "trun data offset", value: UInt64(start)) }
            position = sum
        }
        var firstFlags: UInt32?
        if flags & 0x04 != 0 { firstFlags = try reader.uint32() }
        for number in 0..<count {
            let duration = try flags & 0x100 != 0 ? reader.uint32() : defaults.duration
            let size = try flags & 0x200 != 0 ? reader.uint32() : defaults.size
            var own = try flags & 0x400 != 0 ? reader.uint32() : defaults.flags
            if number == 0, let firstFlags { own = firstFlags }
            let offset = try flags & 0x800 != 0 ? Int32(bitPattern: reader.uint32()) : 0
            guard position <= bytes.count, Int(size) <= bytes.count - position else {
                throw .truncated(needed: Int(size), available: max(0, bytes.count - position))
            }
            let sample = MP4Sample(
                decodeTime: decodeTime,
                compositionOffset: offset,
                duration: duration,
                isSync: own & 0x1_0000 == 0,
                size: size
            )
            samples.append(MP4Reader.Sample(track: index, sample: sample, range: position..<(position + Int(size))))
            position += Int(size)
            decodeTime += Int64(duration)
        }
    }
}
