// SPDX-License-Identifier: Apache-2.0
// The samples of a track in a complete movie (ISO/IEC 14496-12 §8.6, §8.7).

import Bytes

/// Reads `stbl` boxes.
enum SampleTableReader {
    /// The track's samples; none for a movie whose samples are in fragments.
    static func read(
        _ bytes: Span<UInt8>,
        _ trak: Box,
        track: Int,
        limit: Int
    ) throws(WireError) -> [MP4Reader.Sample] {
        let mdia = try Box.all(in: bytes, try Box.all(in: bytes, trak.content).need("mdia").content)
        let stbl = try TrackReader.sampleTable(bytes, mdia)
        let sizes = try sizes(bytes, try stbl.need("stsz"), limit: limit)
        if sizes.isEmpty { return [] }
        let positions = try positions(bytes, stbl, sizes)
        var samples: [MP4Reader.Sample] = []
        samples.reserveCapacity(sizes.count)
        for (size, position) in zip(sizes, positions) {
            let sample = MP4Sample(decodeTime: 0, duration: 0, size: size)
            samples.append(MP4Reader.Sample(track: track, sample: sample, range: position..<(position + Int(size))))
        }
        try readTimes(bytes, try stbl.need("stts"), into: &samples)
        if let box = stbl["ctts"] { try readOffsets(bytes, box, into: &samples) }
        if let box = stbl["stss"] { try readSyncSamples(bytes, box, into: &samples) }
        return samples
    }

    private static func sizes(_ bytes: Span<UInt8>, _ box: Box, limit: Int) throws(WireError) -> [UInt32] {
        var reader = bytes.reader(box)
        _ = try reader.versionAndFlags()
        let common = try reader.uint32()
        if common > 0 {
            let count = try Int(reader.uint32())
            guard count <= limit else { throw .limit(field: "samples", limit: limit) }
            return [UInt32](repeating: common, count: count)
        }
        let count = try reader.entryCount(size: 4)
        guard count <= limit else { throw .limit(field: "samples", limit: limit) }
        var sizes: [UInt32] = []
        sizes.reserveCapacity(count)
        for _ in 0..<count { try sizes.append(reader.uint32()) }
        return sizes
    }

    /// Where the samples begin: chunk by chunk.
    private static func positions(_ bytes: Span<UInt8>, _ stbl: [Box], _ sizes: [UInt32]) throws(WireError) -> [Int] {
        var map = bytes.reader(try stbl.need("stsc"))
        _ = try map.versionAndFlags()
        var runs: [(first: UInt32, samples: UInt32)] = []
        for _ in 0..<(try map.entryCount(size: 12)) {
            try runs.append((map.uint32(), map.uint32()))
            try map.skip(4)
        }
        let isLong = stbl["co64"] != nil
        var chunks = bytes.reader(isLong ? try stbl.need("co64") : try stbl.need("stco"))
        _ = try chunks.versionAndFlags()
        let count = try chunks.entryCount(size: isLong ? 8 : 4)
        var positions: [Int] = []
        positions.reserveCapacity(sizes.count)
        var run = 0
        for chunk in 0..<count where positions.count < sizes.count {
            let offset = try isLong ? chunks.uint64() : UInt64(chunks.uint32())
            guard offset <= UInt64(bytes.count) else {
                throw .truncated(needed: Int(clamping: offset), available: bytes.count)
            }
            while run + 1 < runs.count, runs[run + 1].first <= chunk + 1 { run += 1 }
            guard run < runs.count, runs[run].first <= chunk + 1 else {
                throw .invalid(field: "chunk without samples", value: UInt64(chunk))
            }
            var position = Int(offset)
            for _ in 0..<min(Int(runs[run].samples), sizes.count - positions.count) {
                positions.append(position)
                position += Int(sizes[positions.count - 1])
            }
        }
        guard positions.count == sizes.count else {
            throw .invalid(field: "samples without chunk", value: UInt64(sizes.count - positions.count))
        }
        return positions
    }

    private static func readTimes(
        _ bytes: Span<UInt8>,
        _ box: Box,
        into samples: inout [MP4Reader.Sample]
    ) throws(WireError) {
        var reader = bytes.reader(box)
        _ = try reader.versionAndFlags()
        var index = 0
        var time: Int64 = 0
        for _ in 0..<(try reader.entryCount(size: 8)) {
            let (count, delta) = try (Int(reader.uint32()), reader.uint32())
            for _ in 0..<min(count, samples.count - index) {
                samples[index].sample.decodeTime = time
                samples[index].sample.duration = delta
                time += Int64(delta)
                index += 1
            }
        }
        guard index == samples.count else {
            throw .invalid(field: "samples without time", value: UInt64(samples.count - index))
        }
    }

    private static func readOffsets(
        _ bytes: Span<UInt8>,
        _ box: Box,
        into samples: inout [MP4Reader.Sample]
    ) throws(WireError) {
        var reader = bytes.reader(box)
        _ = try reader.versionAndFlags()
        var index = 0
        for _ in 0..<(try reader.entryCount(size: 8)) {
            let (count, offset) = try (Int(reader.uint32()), Int32(bitPattern: reader.uint32()))
            for _ in 0..<min(count, samples.count - index) {
                samples[index].sample.compositionOffset = offset
                index += 1
            }
        }
    }

    private static func readSyncSamples(
        _ bytes: Span<UInt8>,
        _ box: Box,
        into samples: inout [MP4Reader.Sample]
    ) throws(WireError) {
        var reader = bytes.reader(box)
        _ = try reader.versionAndFlags()
        for index in samples.indices { samples[index].sample.isSync = false }
        for _ in 0..<(try reader.entryCount(size: 4)) {
            let number = try Int(reader.uint32())
            guard (1...samples.count).contains(number) else {
                throw .invalid(field: "sync sample", value: UInt64(number))
            }
            samples[number - 1].sample.isSync = true
        }
    }
}
