// SPDX-License-Identifier: Apache-2.0
// The description of a track's samples (ISO/IEC 14496-12 §8.5.2, §12.1.3, §12.2.3).

import Bytes
import Media

extension MP4Track {
    /// Appends the track's sample entry.
    func appendSampleEntry(to output: inout [UInt8]) {
        let (entry, configurationBox) = boxes
        output.appendBox(entry) { box in
            box.append(zeros: 6)
            box.append(bigEndian: UInt16(1))  // data_reference_index
            if description.codec.isAudio { appendSoundFields(to: &box) } else { appendPictureFields(to: &box) }
            if let configurationBox { box.appendBox(configurationBox) { $0 += configuration } }
            if !description.codec.isAudio {
                box.appendBox("pasp") { pasp in
                    pasp.append(bigEndian: UInt32(1))
                    pasp.append(bigEndian: UInt32(1))
                }
            }
        }
    }

    /// The types of the sample entry and of the box in it that configures the decoder.
    private var boxes: (StaticString, StaticString?) {
        let isInBand = place == .inBand
        return switch description.codec {
        case .h264: (isInBand ? "avc3" : "avc1", "avcC")
        case .h265: (isInBand ? "hev1" : "hvc1", "hvcC")
        case .av1: ("av01", "av1C")
        case .jpeg: ("mp4v", "esds")
        case .aac: ("mp4a", "esds")
        case .opus: ("Opus", "dOps")
        case .l16: ("ipcm", "pcmC")
        case .pcmu: ("ulaw", nil)
        case .pcma: ("alaw", nil)
        case .nv12, .grey: preconditionFailure("raw pictures are no track")
        }
    }

    private func appendPictureFields(to box: inout [UInt8]) {
        box.append(zeros: 16)
        box.append(bigEndian: UInt16(truncatingIfNeeded: description.width))
        box.append(bigEndian: UInt16(truncatingIfNeeded: description.height))
        box.append(bigEndian: UInt32(0x48_0000))  // 72 dpi
        box.append(bigEndian: UInt32(0x48_0000))
        box.append(zeros: 4)
        box.append(bigEndian: UInt16(1))
        box.append(zeros: 32)
        box.append(bigEndian: UInt16(24))
        box.append(bigEndian: UInt16(0xFFFF))
    }

    private func appendSoundFields(to box: inout [UInt8]) {
        box.append(zeros: 8)
        box.append(bigEndian: UInt16(truncatingIfNeeded: max(1, description.channels)))
        box.append(bigEndian: UInt16(16))
        box.append(zeros: 4)
        // 16.16; a rate that does not fit is told by the decoder's configuration.
        box.append(bigEndian: timescale <= UInt32(UInt16.max) ? timescale << 16 : 0)
    }
}
