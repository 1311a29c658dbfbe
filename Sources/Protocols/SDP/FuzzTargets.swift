// SPDX-License-Identifier: Apache-2.0
// What the fuzzers and the corpus tests call: any bytes in, and rules that must hold whatever they are.

import Bytes
import Media
import RTP

/// Entry points for fuzzing this module.
package enum SDPFuzz {
    /// Parses `bytes` as a description and looks for its tracks; Apus's own description of each must be read back.
    package static func offer(_ bytes: Span<UInt8>) {
        guard let description = try? SessionDescription(parsing: bytes) else { return }
        let offer = description.offer(base: "rtsp://host/path?query")
        precondition(offer.tracks.count + offer.ignored.count == description.media.count, "a medium was lost")
        for track in offer.tracks {
            let stream = track.format.stream
            precondition(!track.control.isEmpty, "a track without URL")
            precondition((1...1_000_000).contains(track.format.clockRate), "clock rate out of range")
            precondition(stream.configuration.count <= SessionDescription.Media.maximumConfiguration, "too long")
            if stream.codec.isAudio {
                precondition((1...8).contains(stream.channels) || stream.codec == .aac, "channels out of range")
            } else {
                precondition(stream.width <= H264.maximumDimension, "width out of range")
            }
            let printed = SessionDescription.Media(stream: stream, payloadType: 96, control: "x")
            if !track.format.isLATM, let printed {
                precondition((try? printed.trackFormat()) != nil, "a printed medium cannot be read")
            }
        }
    }
}
