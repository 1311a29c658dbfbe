// SPDX-License-Identifier: Apache-2.0
// What the fuzzers and the corpus tests call: any bytes in, and rules that must hold whatever they are.

import Bytes
import Media

/// Entry points for fuzzing this module.
package enum MP4Fuzz {
    /// Reads `bytes` as a movie; what was read lies in them, and its samples can be turned into frames.
    package static func file(_ bytes: Span<UInt8>) {
        guard let reader = try? MP4Reader(parsing: bytes) else { return }
        precondition(reader.tracks.count <= MP4Reader.trackLimit, "tracks over their limit")
        precondition(reader.samples.count <= MP4Reader.sampleLimit, "samples over their limit")
        for sample in reader.samples {
            precondition(sample.range.lowerBound >= 0 && sample.range.upperBound <= bytes.count, "a sample outside")
            precondition(sample.track < reader.tracks.count, "a sample of no track")
        }
        for track in reader.tracks {
            guard let written = try? MP4Track(track.description, id: track.id) else { continue }
            var segment: [UInt8] = []
            MP4Movie([written]).appendInitialization(to: &segment)
            let again = try? MP4Reader(parsing: segment.span)
            precondition(again?.tracks.count == 1, "what is written can be read")
        }
    }
}
