// SPDX-License-Identifier: Apache-2.0
// Makes pictures of a coded source, but only while some stream wants them.

import Bytes
import Encode
import Media

/// Decodes a source's coded frames on demand.
///
/// While nobody wants pictures, frames since the last keyframe are kept, so that decoding can begin at once when
/// somebody does; what was kept is then decoded a few frames at a time, not to hold up the loop.
struct UnitDecoder {
    /// Bytes kept at most; beyond, decoding waits for the next keyframe.
    static let keptLimit = 16 << 20
    /// Kept frames decoded with each new one.
    static let catchUp = 8

    private struct Kept {
        var info: UnitInfo
        var bytes: [UInt8]
    }

    private var codec: Codec?
    private var video: VideoDecoder?
    private var images: JPEGDecoder?
    private var kept: [Kept] = []
    private var next = 0
    private var keptBytes = 0
    private var isSynchronous = false
    /// Frames that could not be decoded.
    private(set) var failures: UInt64 = 0
    private(set) var lastFailure: EncodeError?

    /// Takes a coded frame; if pictures are wanted, returns the newest that it makes available.
    mutating func take(_ info: UnitInfo, _ unit: Span<UInt8>, wanted: Bool) -> (PictureBuffer, Instant)? {
        if info.codec != codec { reset(info.codec) }
        if info.codec == .jpeg { return wanted ? decodeImage(info, unit) : nil }
        if info.isKeyframe && (!wanted || kept.isEmpty) {
            forget()
            isSynchronous = true
        }
        guard isSynchronous else { return nil }
        if wanted, kept.isEmpty { return decode(info, unit) }
        keep(info, unit)
        guard wanted else {
            // The decoder has missed frames: it starts over with what is kept.
            next = 0
            video = nil
            return nil
        }
        return catchUp()
    }

    private mutating func reset(_ codec: Codec) {
        self.codec = codec
        video = nil
        images = nil
        isSynchronous = false
        forget()
    }

    private mutating func forget() {
        kept.removeAll(keepingCapacity: true)
        keptBytes = 0
        next = 0
    }

    private mutating func keep(_ info: UnitInfo, _ unit: Span<UInt8>) {
        guard keptBytes + unit.count <= Self.keptLimit else {
            forget()
            isSynchronous = false
            return
        }
        kept.append(Kept(info: info, bytes: [UInt8](unit)))
        keptBytes += unit.count
    }

    private mutating func catchUp() -> (PictureBuffer, Instant)? {
        var newest: (PictureBuffer, Instant)?
        let end = min(kept.count, next + Self.catchUp)
        for index in next..<end {
            let unit = kept[index]
            newest = decode(unit.info, unit.bytes.span) ?? newest
        }
        next = end
        guard next == kept.count else { return nil }
        forget()
        return newest
    }

    private mutating func decode(_ info: UnitInfo, _ unit: Span<UInt8>) -> (PictureBuffer, Instant)? {
        var newest: (PictureBuffer, Instant)?
        do throws(EncodeError) {
            let decoder: VideoDecoder
            if let video { decoder = video } else { decoder = try VideoDecoder(codec: info.codec) }
            video = decoder
            try decoder.decode(unit, captured: info.captured) { picture, captured in newest = (picture, captured) }
        } catch {
            failures += 1
            lastFailure = error
        }
        return newest
    }

    private mutating func decodeImage(_ info: UnitInfo, _ image: Span<UInt8>) -> (PictureBuffer, Instant)? {
        do throws(EncodeError) {
            let decoder: JPEGDecoder
            if let images { decoder = images } else { decoder = try JPEGDecoder() }
            images = decoder
            return (try decoder.decode(image), info.captured)
        } catch {
            failures += 1
            lastFailure = error
            return nil
        }
    }
}
