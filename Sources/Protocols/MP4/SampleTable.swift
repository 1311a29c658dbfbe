// SPDX-License-Identifier: Apache-2.0
// Samples and the tables of a complete movie that tell of them (ISO/IEC 14496-12 §8.6, §8.7).

import Bytes

/// One sample, apart from its bytes.
package struct MP4Sample: Sendable, Hashable {
    /// When it is decoded, in ticks.
    package var decodeTime: Int64
    /// How much later it is shown; negative where pictures are coded out of their order.
    package var compositionOffset: Int32
    /// In ticks.
    package var duration: UInt32
    package var isSync: Bool
    /// In bytes.
    package var size: UInt32

    package init(
        decodeTime: Int64,
        compositionOffset: Int32 = 0,
        duration: UInt32,
        isSync: Bool = true,
        size: UInt32 = 0
    ) {
        self.decodeTime = decodeTime
        self.compositionOffset = compositionOffset
        self.duration = duration
        self.isSync = isSync
        self.size = size
    }
}

/// The samples of one track of a complete movie, and where they lie in the file.
struct MP4SampleTable {
    var samples: [MP4Sample] = []
    /// The file offsets of the samples.
    var offsets: [UInt64] = []
    /// How much later than the movie the track begins, in milliseconds.
    var delay: UInt64 = 0

    /// From the first sample's decoding to the last one's end, in ticks.
    var duration: UInt64 {
        guard let first = samples.first, let last = samples.last else { return 0 }
        return UInt64(max(0, last.decodeTime - first.decodeTime)) + UInt64(last.duration)
    }

    func milliseconds(_ timescale: UInt32) -> UInt64 {
        duration * UInt64(MP4Movie.timescale) / UInt64(max(1, timescale))
    }

    /// Appends the edit list of a track that begins later than others.
    func appendEdits(_ timescale: UInt32, to trak: inout [UInt8]) {
        guard delay > 0 else { return }
        trak.appendBox("edts") { edts in
            edts.appendFullBox("elst", version: 1) { elst in
                elst.append(bigEndian: UInt32(2))
                elst.append(bigEndian: delay)
                elst.append(bigEndian: Int64(-1))
                elst.append(bigEndian: UInt32(0x10000))
                elst.append(bigEndian: milliseconds(timescale))
                elst.append(bigEndian: Int64(0))
                elst.append(bigEndian: UInt32(0x10000))
            }
        }
    }

    /// Appends the tables; they are empty in front of fragments.
    func append(to stbl: inout [UInt8]) {
        appendTimes(to: &stbl)
        if samples.contains(where: { $0.compositionOffset != 0 }) { appendCompositionOffsets(to: &stbl) }
        if samples.contains(where: { !$0.isSync }) { appendSyncSamples(to: &stbl) }
        stbl.appendFullBox("stsc") { box in
            box.append(bigEndian: UInt32(samples.isEmpty ? 0 : 1))
            // Each sample is a chunk of its own: they lie interleaved in the order of their times.
            if !samples.isEmpty { for _ in 0..<3 { box.append(bigEndian: UInt32(1)) } }
        }
        stbl.appendFullBox("stsz") { box in
            box.append(bigEndian: UInt32(0))
            box.append(bigEndian: UInt32(samples.count))
            for sample in samples { box.append(bigEndian: sample.size) }
        }
        stbl.appendFullBox("co64") { box in
            box.append(bigEndian: UInt32(offsets.count))
            for offset in offsets { box.append(bigEndian: offset) }
        }
    }

    /// Each duration is the time to the next sample, as times are sums of them here.
    private func appendTimes(to stbl: inout [UInt8]) {
        stbl.appendFullBox("stts") { box in
            let count = box.count
            box.append(bigEndian: UInt32(0))
            var entries: UInt32 = 0
            var run: (count: UInt32, delta: UInt32) = (0, 0)
            for (index, sample) in samples.enumerated() {
                var delta = sample.duration
                if index + 1 < samples.count {
                    delta = UInt32(clamping: samples[index + 1].decodeTime - sample.decodeTime)
                }
                if run.count > 0, run.delta != delta {
                    Self.append(run, &entries, to: &box)
                    run.count = 0
                }
                run = (run.count + 1, delta)
            }
            if run.count > 0 { Self.append(run, &entries, to: &box) }
            box.patch(entries, at: count)
        }
    }

    private func appendCompositionOffsets(to stbl: inout [UInt8]) {
        stbl.appendFullBox("ctts", version: 1) { box in
            box.append(bigEndian: UInt32(samples.count))
            for sample in samples {
                box.append(bigEndian: UInt32(1))
                box.append(bigEndian: sample.compositionOffset)
            }
        }
    }

    private func appendSyncSamples(to stbl: inout [UInt8]) {
        stbl.appendFullBox("stss") { box in
            box.append(bigEndian: UInt32(samples.count { $0.isSync }))
            for (index, sample) in samples.enumerated() where sample.isSync {
                box.append(bigEndian: UInt32(index + 1))
            }
        }
    }

    private static func append(_ run: (count: UInt32, delta: UInt32), _ entries: inout UInt32, to box: inout [UInt8]) {
        box.append(bigEndian: run.count)
        box.append(bigEndian: run.delta)
        entries += 1
    }
}
