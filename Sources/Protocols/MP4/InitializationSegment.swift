// SPDX-License-Identifier: Apache-2.0
// The head of a movie: file type, tracks, and where fragments take their defaults from (ISO/IEC 14496-12 §8).

import Bytes
import Media

/// The tracks that a movie consists of, and the boxes that tell of them.
package struct MP4Movie: Sendable, Hashable {
    package let tracks: [MP4Track]

    /// Tracks are numbered 1, 2, … in this order.
    package init(_ tracks: [MP4Track]) { self.tracks = tracks }

    /// The codecs' names behind commas, as in CODECS of a playlist and `codecs=` of a MIME type.
    package var codecs: String { tracks.map(\.codecs).joined(separator: ",") }

    /// The MIME type with which a browser decides whether it can play this.
    package var mimeType: String {
        "\(tracks.contains { !$0.description.codec.isAudio } ? "video" : "audio")/mp4; codecs=\"\(codecs)\""
    }

    /// Appends the initialisation segment: what a player must have before the first fragment.
    package func appendInitialization(to output: inout [UInt8]) {
        appendFileType(to: &output)
        output.appendBox("moov") { moov in
            appendHeader(duration: 0, to: &moov)
            for track in tracks { append(track, MP4SampleTable(), to: &moov) }
            moov.appendBox("mvex") { mvex in
                for track in tracks {
                    mvex.appendFullBox("trex") { trex in
                        // Track, sample description, and no defaults: each sample says all.
                        for value in [track.id, 1, 0, 0, 0] { trex.append(bigEndian: value) }
                    }
                }
            }
        }
    }

    /// Appends the file type (§4.3); one track alone is a CMAF track (ISO/IEC 23000-19 §7.2).
    func appendFileType(to output: inout [UInt8]) {
        output.appendBox("ftyp") { box in
            box.append(characters: "iso6")
            box.append(bigEndian: UInt32(0))
            for brand: StaticString in ["iso6", "iso5", "isom", "mp42"] { box.append(characters: brand) }
            if tracks.count == 1 { box.append(characters: "cmfc") }
        }
    }

    /// Appends `mvhd`; the duration is in milliseconds.
    func appendHeader(duration: UInt64, to moov: inout [UInt8]) {
        moov.appendFullBox("mvhd", version: 1) { box in
            box.append(zeros: 16)
            box.append(bigEndian: MP4Movie.timescale)
            box.append(bigEndian: duration)
            box.append(bigEndian: UInt32(0x10000))
            box.append(bigEndian: UInt16(0x100))
            box.append(zeros: 10)
            box.appendUnityMatrix()
            box.append(zeros: 24)
            box.append(bigEndian: UInt32(tracks.count + 1))
        }
    }

    /// Ticks a second of the movie's own times.
    static let timescale: UInt32 = 1000

    /// Appends a track with what is known of its samples.
    func append(_ track: MP4Track, _ table: MP4SampleTable, to moov: inout [UInt8]) {
        let stream = track.description
        let isSound = stream.codec.isAudio
        moov.appendBox("trak") { trak in
            trak.appendFullBox("tkhd", version: 1, flags: 3) { box in
                box.append(zeros: 16)
                box.append(bigEndian: track.id)
                box.append(zeros: 4)
                box.append(bigEndian: table.delay + table.milliseconds(track.timescale))
                box.append(zeros: 12)
                box.append(bigEndian: UInt16(isSound ? 0x100 : 0))
                box.append(zeros: 2)
                box.appendUnityMatrix()
                box.append(bigEndian: stream.width << 16)
                box.append(bigEndian: stream.height << 16)
            }
            table.appendEdits(track.timescale, to: &trak)
            trak.appendBox("mdia") { mdia in
                mdia.appendFullBox("mdhd", version: 1) { box in
                    box.append(zeros: 16)
                    box.append(bigEndian: track.timescale)
                    box.append(bigEndian: table.duration)
                    box.append(bigEndian: UInt16(0x55C4))  // und
                    box.append(zeros: 2)
                }
                mdia.appendFullBox("hdlr") { box in
                    box.append(zeros: 4)
                    box.append(characters: isSound ? "soun" : "vide")
                    box.append(zeros: 12)
                    box += Array("Apus".utf8) + [0]
                }
                mdia.appendBox("minf") { minf in
                    if isSound {
                        minf.appendFullBox("smhd") { $0.append(zeros: 4) }
                    } else {
                        minf.appendFullBox("vmhd", flags: 1) { $0.append(zeros: 8) }
                    }
                    minf.appendBox("dinf") { dinf in
                        dinf.appendFullBox("dref") { box in
                            box.append(bigEndian: UInt32(1))
                            box.appendFullBox("url ", flags: 1) { _ in }
                        }
                    }
                    minf.appendBox("stbl") { stbl in
                        stbl.appendFullBox("stsd") { box in
                            box.append(bigEndian: UInt32(1))
                            track.appendSampleEntry(to: &box)
                        }
                        table.append(to: &stbl)
                    }
                }
            }
        }
    }
}
