// SPDX-License-Identifier: Apache-2.0
// A complete movie: all of whose samples are known, with its tables in front of them.

import Bytes

/// Writes the head of a movie whose samples follow in one `mdat`, in the order in which they are added.
///
/// Such a file plays everywhere and can be searched in, where one of fragments needs a player that knows them.
package struct MovieWriter: Sendable {
    private let movie: MP4Movie
    private var tables: [MP4SampleTable]
    /// Of all samples in the order of the file: the index of the track.
    private var order: [Int] = []
    private var bytes: UInt64 = 0

    /// Samples that a movie may have.
    package static let sampleLimit = 1 << 20

    package init(_ movie: MP4Movie) {
        self.movie = movie
        tables = movie.tracks.map { _ in MP4SampleTable() }
    }

    /// True while there is room for more samples.
    package var hasRoom: Bool { order.count < Self.sampleLimit }

    /// How many bytes the samples have.
    package var sampleBytes: UInt64 { bytes }

    /// Notes the next sample of the file; `index` is the track's in the movie. Times are on the common clock.
    package mutating func add(_ sample: MP4Sample, index: Int) {
        precondition(hasRoom, "a movie has at most sampleLimit samples")
        tables[index].samples.append(sample)
        order.append(index)
        bytes += UInt64(sample.size)
    }

    /// Appends all that stands in front of the samples.
    package func appendHead(to output: inout [UInt8]) {
        let start = output.count
        movie.appendFileType(to: &output)
        // The tables' size does not depend on the offsets in them: once to measure, once for good.
        var head: [UInt8] = []
        appendMovie(samplesAt: 0, to: &head)
        let dataHeader: UInt64 = 16
        let samplesAt = UInt64(output.count - start + head.count) + dataHeader
        appendMovie(samplesAt: samplesAt, to: &output)
        output.append(bigEndian: UInt32(1))
        output.append(characters: "mdat")
        output.append(bigEndian: bytes + dataHeader)
    }

    private func appendMovie(samplesAt first: UInt64, to output: inout [UInt8]) {
        var tables = tables
        var offset = first
        var next = [Int](repeating: 0, count: tables.count)
        for index in order {
            tables[index].offsets.append(offset)
            offset += UInt64(tables[index].samples[next[index]].size)
            next[index] += 1
        }
        delay(&tables)
        let duration = zip(tables, movie.tracks).map { $0.delay + $0.milliseconds($1.timescale) }.max() ?? 0
        output.appendBox("moov") { moov in
            movie.appendHeader(duration: duration, to: &moov)
            for (track, table) in zip(movie.tracks, tables) where !table.samples.isEmpty {
                movie.append(track, table, to: &moov)
            }
        }
    }

    /// Lets the movie begin with its earliest sample, and the other tracks as much later as they do.
    private func delay(_ tables: inout [MP4SampleTable]) {
        let starts = zip(tables, movie.tracks)
            .map { table, track -> Int64? in
                guard let first = table.samples.first else { return nil }
                return first.decodeTime * Int64(MP4Movie.timescale) / Int64(track.timescale)
            }
        let earliest = starts.compactMap { $0 }.min() ?? 0
        for (index, start) in starts.enumerated() {
            if let start { tables[index].delay = UInt64(max(0, start - earliest)) }
        }
    }
}
