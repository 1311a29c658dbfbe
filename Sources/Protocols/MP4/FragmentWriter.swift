// SPDX-License-Identifier: Apache-2.0
// Movie fragments: a run of samples of each track behind one header (ISO/IEC 14496-12 §8.8).

import Bytes

/// Writes one fragment, `moof` and `mdat`, in one go: the header first, with room for what is known only later.
///
/// The runs' samples are added in the order of the runs. The same samples give the same bytes.
package struct FragmentWriter: Sendable {
    /// Samples of one track that lie behind each other.
    package struct Run: Sendable, Hashable {
        package var track: UInt32
        /// Of the first sample, in ticks.
        package var decodeTime: Int64
        /// How many samples there are.
        package var count: Int

        package init(track: UInt32, decodeTime: Int64, count: Int) {
            self.track = track
            self.decodeTime = decodeTime
            self.count = count
        }
    }

    /// Where each run's entries and data offset go, and how many samples it has had.
    private var places: [(entries: Int, offset: Int, count: Int, added: Int)] = []
    private var present = 0
    private let start: Int
    private let dataStart: Int

    /// Appends the header of a fragment to `output`, and then whatever `add` is given.
    ///
    /// - Parameter sequence: the fragment's number; players do not mind gaps.
    package init(sequence: UInt32, runs: [Run], to output: inout [UInt8]) {
        start = output.count
        var places: [(Int, Int, Int, Int)] = []
        output.appendBox("moof") { moof in
            moof.appendFullBox("mfhd") { $0.append(bigEndian: sequence) }
            for run in runs where run.count > 0 {
                moof.appendBox("traf") { traf in
                    // default-base-is-moof: offsets count from the header's start, wherever it comes to lie.
                    traf.appendFullBox("tfhd", flags: 0x02_0000) { $0.append(bigEndian: run.track) }
                    traf.appendFullBox("tfdt", version: 1) { $0.append(bigEndian: UInt64(max(0, run.decodeTime))) }
                    traf.appendFullBox("trun", version: 1, flags: 0x0F01) { trun in
                        trun.append(bigEndian: UInt32(run.count))
                        let offset = trun.count
                        trun.append(zeros: 4 + 16 * run.count)
                        places.append((offset + 4, offset, run.count, 0))
                    }
                }
            }
        }
        self.places = places
        dataStart = output.count
        output.append(bigEndian: UInt32(0))
        output.append(characters: "mdat")
    }

    /// Adds the next sample; `write` appends its bytes.
    package mutating func add(_ sample: MP4Sample, to output: inout [UInt8], _ write: (inout [UInt8]) -> Void) {
        while present < places.count, places[present].added == places[present].count { present += 1 }
        precondition(present < places.count, "a fragment has as many samples as its runs say")
        if places[present].added == 0 {
            output.patch(UInt32(truncatingIfNeeded: output.count - start), at: places[present].offset)
        }
        let before = output.count
        write(&output)
        let entry = places[present].entries + 16 * places[present].added
        output.patch(sample.duration, at: entry)
        output.patch(UInt32(truncatingIfNeeded: output.count - before), at: entry + 4)
        output.patch(sample.isSync ? Self.syncFlags : Self.otherFlags, at: entry + 8)
        output.patch(UInt32(bitPattern: sample.compositionOffset), at: entry + 12)
        places[present].added += 1
    }

    /// Ends the fragment.
    package func finish(_ output: inout [UInt8]) {
        precondition(places.allSatisfy { $0.added == $0.count }, "a fragment has as many samples as its runs say")
        output.patch(UInt32(truncatingIfNeeded: output.count - dataStart), at: dataStart)
    }

    /// sample_depends_on 2: on none; 1 with sample_is_non_sync_sample: on others (§8.8.3.1).
    private static let syncFlags: UInt32 = 0x0200_0000
    private static let otherFlags: UInt32 = 0x0101_0000
}

/// The boxes that stand in front of fragments.
package enum FragmentHead {
    /// Appends the type of a segment, or of a part of one (§8.16.2; the brands of CMAF §7.3.3).
    package static func appendSegmentType(to output: inout [UInt8]) {
        output.appendBox("styp") { box in
            box.append(characters: "msdh")
            box.append(bigEndian: UInt32(0))
            box.append(characters: "msdh")
            box.append(characters: "msix")
        }
    }

    /// Appends what the wall clock showed when the picture at `mediaTime` was taken (§8.16.5, `prft`).
    ///
    /// The page measures its latency by it. `unixNanoseconds` is UTC.
    package static func appendCaptureTime(
        track: UInt32,
        unixNanoseconds: Int64,
        mediaTime: Int64,
        to output: inout [UInt8]
    ) {
        // Flags 24: the time is the capture's own, at a constant, ideally no distance.
        output.appendFullBox("prft", version: 1, flags: 24) { box in
            box.append(bigEndian: track)
            box.append(bigEndian: ntp(unixNanoseconds))
            box.append(bigEndian: UInt64(max(0, mediaTime)))
        }
    }

    /// Seconds since 1900 and 2^-32 of them (RFC 5905 §6).
    static func ntp(_ unixNanoseconds: Int64) -> UInt64 {
        let nanoseconds = UInt64(max(0, unixNanoseconds))
        let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        return (seconds &+ 2_208_988_800) << 32 | (rest << 32) / 1_000_000_000
    }
}

/// Where the fragments that decoding can start at lie, for the end of a file of fragments (§8.8.9–11).
package struct FragmentIndex: Sendable, Hashable {
    private var entries: [(time: UInt64, offset: UInt64)] = []
    private let track: UInt32
    /// Fragments that are remembered; later ones are found by walking.
    package static let limit = 100_000

    package init(track: UInt32) { self.track = track }

    /// Notes a fragment that begins with a sync sample of the track.
    package mutating func note(decodeTime: Int64, offset: UInt64) {
        if entries.count < Self.limit { entries.append((UInt64(max(0, decodeTime)), offset)) }
    }

    /// Appends the index.
    package func append(to output: inout [UInt8]) {
        let start = output.count
        output.appendBox("mfra") { mfra in
            mfra.appendFullBox("tfra", version: 1) { box in
                box.append(bigEndian: track)
                box.append(bigEndian: UInt32(0))  // numbers of run and sample in one byte each
                box.append(bigEndian: UInt32(entries.count))
                for entry in entries {
                    box.append(bigEndian: entry.time)
                    box.append(bigEndian: entry.offset)
                    box += [1, 1, 1]
                }
            }
            mfra.appendFullBox("mfro") { $0.append(bigEndian: UInt32(truncatingIfNeeded: $0.count + 4 - start)) }
        }
    }

    package static func == (left: Self, right: Self) -> Bool {
        left.track == right.track && left.entries.elementsEqual(right.entries) { $0 == $1 }
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(track)
        hasher.combine(entries.count)
    }
}
