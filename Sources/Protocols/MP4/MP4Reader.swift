// SPDX-License-Identifier: Apache-2.0
// Reads movies: complete ones, and initialisation segments with the fragments behind them.

package import Bytes
package import Media

/// What was read of a movie so far.
///
/// Takes a whole file, or the pieces of a stream one after the other, each of whole boxes. Of a piece that is refused
/// nothing is kept.
package struct MP4Reader: Sendable {
    /// A track of the movie.
    package struct Track: Sendable, Hashable {
        package var id: UInt32
        /// Ticks a second.
        package var timescale: UInt32
        package var description: StreamDescription
        /// The four characters of the sample entry, the first in the highest byte.
        package var entry: UInt32
        /// Bytes of the length in front of each NAL unit; 0 for codecs without them.
        package var lengthSize: Int
        /// How much later than the movie it begins, in ticks of the movie's own clock of 1000 Hz or whatever it says.
        package var delay: UInt64 = 0
        /// What samples of fragments are if they do not say: from `trex`.
        var defaults = Defaults()
    }

    /// A sample and where it lies.
    package struct Sample: Sendable, Hashable {
        /// The track's place in `tracks`.
        package var track: Int
        package var sample: MP4Sample
        /// In the bytes that were handed in last, counted from their first.
        package var range: Range<Int>
    }

    /// What a capture time says (`prft`).
    package struct CaptureTime: Sendable, Hashable {
        package var track: UInt32
        /// Seconds since 1900 and 2^-32 of them.
        package var ntp: UInt64
        package var mediaTime: UInt64
    }

    struct Defaults: Sendable, Hashable {
        var duration: UInt32 = 0
        var size: UInt32 = 0
        var flags: UInt32 = 0
    }

    /// Tracks that a movie may have.
    package static let trackLimit = 16
    /// Samples that one piece may have.
    package static let sampleLimit = 1 << 20

    package private(set) var tracks: [Track] = []
    /// The samples of the piece read last, in the order of the file.
    package private(set) var samples: [Sample] = []
    /// The numbers of the fragments of the piece read last.
    package private(set) var fragments: [UInt32] = []
    package private(set) var captureTimes: [CaptureTime] = []

    package init() {}

    /// Reads a whole file.
    package init(parsing file: Span<UInt8>) throws(WireError) {
        self.init()
        try read(file)
    }

    /// Reads the next piece, which begins and ends with a box.
    package mutating func read(_ bytes: Span<UInt8>) throws(WireError) {
        var next = self
        next.samples = []
        next.fragments = []
        next.captureTimes = []
        for box in try Box.all(in: bytes, 0..<bytes.count) {
            if box.is("moov") {
                try next.readMovie(bytes, box)
            } else if box.is("moof") {
                try next.readFragment(bytes, box)
            } else if box.is("prft") {
                try next.readCaptureTime(bytes, box)
            }
        }
        self = next
    }

    private mutating func readMovie(_ bytes: Span<UInt8>, _ moov: Box) throws(WireError) {
        let boxes = try Box.all(in: bytes, moov.content)
        var header = bytes.reader(try boxes.need("mvhd"))
        try header.skip(try header.versionAndFlags().version == 1 ? 16 : 8)
        guard try header.uint32() > 0 else { throw .invalid(field: "movie timescale", value: 0) }
        var found: [Track] = []
        var read: [Sample] = []
        for box in boxes where box.is("trak") {
            guard found.count < Self.trackLimit else { throw .limit(field: "tracks", limit: Self.trackLimit) }
            guard let track = try TrackReader.read(bytes, box) else { continue }
            guard !found.contains(where: { $0.id == track.id }) else {
                throw .invalid(field: "track number twice", value: UInt64(track.id))
            }
            let samples = try SampleTableReader.read(
                bytes,
                box,
                track: found.count,
                limit: Self.sampleLimit - read.count
            )
            found.append(track)
            read += samples
        }
        for sample in read where sample.range.upperBound > bytes.count {
            throw .truncated(needed: sample.range.upperBound, available: bytes.count)
        }
        if let mvex = boxes["mvex"] {
            for box in try Box.all(in: bytes, mvex.content) where box.is("trex") {
                var reader = bytes.reader(box)
                _ = try reader.versionAndFlags()
                let id = try reader.uint32()
                try reader.skip(4)
                let defaults = try Defaults(duration: reader.uint32(), size: reader.uint32(), flags: reader.uint32())
                for index in found.indices where found[index].id == id { found[index].defaults = defaults }
            }
        }
        tracks = found
        samples = read.sorted { $0.range.lowerBound < $1.range.lowerBound }
    }

    private mutating func readFragment(_ bytes: Span<UInt8>, _ moof: Box) throws(WireError) {
        let boxes = try Box.all(in: bytes, moof.content)
        var header = bytes.reader(try boxes.need("mfhd"))
        _ = try header.versionAndFlags()
        try fragments.append(header.uint32())
        for traf in boxes where traf.is("traf") {
            try FragmentReader.read(bytes, traf, from: moof.whole.lowerBound, tracks, into: &samples)
        }
    }

    private mutating func readCaptureTime(_ bytes: Span<UInt8>, _ box: Box) throws(WireError) {
        var reader = bytes.reader(box)
        let version = try reader.versionAndFlags().version
        let track = try reader.uint32()
        let ntp = try reader.uint64()
        let time = try version == 1 ? reader.uint64() : UInt64(reader.uint32())
        captureTimes.append(CaptureTime(track: track, ntp: ntp, mediaTime: time))
    }
}
