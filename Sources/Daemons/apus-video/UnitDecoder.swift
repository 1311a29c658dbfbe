// SPDX-License-Identifier: Apache-2.0
// Makes pictures of a coded source, but only while some stream wants them.

import Bytes
import Encode
import Media

/// Decodes a source's coded frames on demand.
///
/// Frames since the last keyframe are kept, so that decoding can begin at once when pictures are wanted, not only at
/// the next keyframe; what was missed is then decoded a few frames at a time, not to hold up the loop.
struct UnitDecoder {
    /// Bytes kept at most; beyond, decoding may have to wait for the next keyframe.
    static let keptLimit = 16 << 20
    /// Frames decoded at most for each one that comes.
    static let catchUp = 8

    private struct Kept {
        var info: UnitInfo
        var bytes: [UInt8]
    }

    private var codec: Codec?
    private var video: VideoDecoder?
    private var images: JPEGDecoder?
    /// The frames since the last keyframe, in slots that are used again; of them, the first `next` are decoded.
    private var slots: [Kept] = []
    private var count = 0
    private var next = 0
    private var keptBytes = 0
    /// False if frames are missing that the ones to come refer to.
    private var isWhole = false
    /// Frames that could not be decoded.
    private(set) var failures: UInt64 = 0
    private(set) var lastFailure: EncodeError?

    /// Takes a coded frame; if pictures are wanted, returns the newest that it makes available.
    mutating func take(_ info: UnitInfo, _ unit: Span<UInt8>, wanted: Bool) -> (PictureBuffer, Instant)? {
        if info.codec != codec {
            self = UnitDecoder(failures: failures)
            codec = info.codec
        }
        if info.codec == .jpeg { return wanted ? decodeImage(info, unit) : nil }
        if info.isKeyframe {
            count = 0
            next = 0
            keptBytes = 0
            isWhole = true
        }
        guard isWhole else { return nil }
        if keptBytes + unit.count <= Self.keptLimit {
            keep(info, unit)
        } else if wanted, next == count {
            return decode(info, unit)
        } else {
            isWhole = false
        }
        return wanted ? decodeKept() : nil
    }

    init() {}

    private init(failures: UInt64) { self.failures = failures }

    private mutating func keep(_ info: UnitInfo, _ unit: Span<UInt8>) {
        if count == slots.count { slots.append(Kept(info: info, bytes: [])) }
        slots[count].info = info
        slots[count].bytes.removeAll(keepingCapacity: true)
        slots[count].bytes.append(unit)
        count += 1
        keptBytes += unit.count
    }

    private mutating func decodeKept() -> (PictureBuffer, Instant)? {
        var newest: (PictureBuffer, Instant)?
        let end = min(count, next + Self.catchUp)
        while next < end {
            let bytes = slots[next].bytes
            newest = decode(slots[next].info, bytes.span) ?? newest
            next += 1
        }
        // Pictures on the way to the present one are not shown.
        return next == count ? newest : nil
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

/// The newest JPEG of a turn of the loop, until it is decoded; its memory is used again.
struct WaitingImage {
    private var bytes: [UInt8] = []
    private var info: UnitInfo?

    /// Keeps a copy of an image, made whole; false if it takes the place of another.
    mutating func keep(_ info: UnitInfo, _ image: Span<UInt8>) -> Bool {
        defer { self.info = info }
        bytes.removeAll(keepingCapacity: true)
        if let repair = info.repair { repair.append(image, to: &bytes) } else { bytes.append(image) }
        return self.info == nil
    }

    /// Makes a picture of what is kept, and forgets it.
    mutating func decode(by decoder: inout UnitDecoder) -> (PictureBuffer, Instant)? {
        guard let info else { return nil }
        self.info = nil
        return decoder.take(info, bytes.span, wanted: true)
    }
}
