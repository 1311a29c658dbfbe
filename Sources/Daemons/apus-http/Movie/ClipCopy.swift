// SPDX-License-Identifier: Apache-2.0
// A clip of the past: copied out of the rings, then sent as a complete movie.

import Bytes
import FanOut
import MP4
import Media
import Ring

/// Copies frames out of the rings into a complete movie.
final class ClipCopy {
    enum Progress {
        case more
        case done
        case failed(String)
    }

    let first: FrameInfo
    /// When the last picture was taken.
    private(set) var last: Instant
    private let feed: MovieFeed
    private let epoch: UInt64
    private let soundEpoch: UInt64?
    private var writer: MovieWriter
    private var pictures: Range<UInt64>
    private var sound: Range<UInt64>
    private var chunk = PacketImage()
    private var chunks: [WireImage] = []
    private var bytes = 0

    /// Bytes that one clip may have, and that are copied at a time.
    private static let limit = 64 << 20
    private static let pieceSize = 512 << 10

    init(_ feed: MovieFeed, _ span: ClipSpan, _ first: FrameInfo) {
        self.feed = feed
        self.first = first
        last = first.captured
        epoch = feed.pictures.epoch
        soundEpoch = feed.sound?.epoch
        pictures = Self.range(feed.pictures, from: first.sequence, until: span.end)
        let heard = ClipSpan.firstSound(feed, from: first.captured)
        sound = feed.sound.map { Self.range($0, from: heard, until: span.end) } ?? 0..<0
        var tracks = feed.pictures.track.map { [$0] } ?? []
        if !sound.isEmpty, let track = feed.sound?.track { tracks.append(track) }
        writer = MovieWriter(MP4Movie(tracks))
    }

    private static func range(_ ring: MovieRing, from first: UInt64, until end: Instant) -> Range<UInt64> {
        guard let view = ring.view, ring.frames.contains(first) else { return 0..<0 }
        var upper = first
        while upper < ring.frames.upperBound, (view.info(upper)?.captured ?? .zero) <= end { upper += 1 }
        return first..<upper
    }

    /// Copies the next few frames, pictures and sound in the order of their capture.
    func copyPiece() -> Progress {
        guard feed.pictures.epoch == epoch, feed.sound?.epoch == soundEpoch else {
            return .failed("the camera's process was started again in the middle of the clip")
        }
        chunk.removeAll()
        chunk.bytes.reserveCapacity(Self.pieceSize + (Self.pieceSize >> 1))
        while chunk.bytes.count < Self.pieceSize, !pictures.isEmpty || !sound.isEmpty {
            guard writer.hasRoom, bytes + chunk.bytes.count <= Self.limit else {
                return .failed("the clip would have more than \(Self.limit >> 20) MB")
            }
            let picture = pictures.first.flatMap { feed.pictures.view?.info($0)?.captured }
            let heard = sound.first.flatMap { feed.sound?.view?.info($0)?.captured }
            let isPicture = sound.isEmpty || !pictures.isEmpty && (picture ?? .zero) <= (heard ?? .zero)
            guard isPicture ? addPicture() : addSound() else {
                return .failed("the ring does not hold that time any more")
            }
        }
        if !chunk.bytes.isEmpty {
            bytes += chunk.bytes.count
            chunks.append(WireImage(chunk, info: MovieFeed.noFrame))
        }
        return pictures.isEmpty && sound.isEmpty ? .done : .more
    }

    private func addPicture() -> Bool {
        guard let sequence = pictures.popFirst(), let info = feed.pictures.view?.info(sequence) else { return false }
        last = max(last, info.captured)
        return add(sequence, of: feed.pictures, index: 0)
    }

    private func addSound() -> Bool {
        guard let sequence = sound.popFirst(), let ring = feed.sound else { return false }
        return add(sequence, of: ring, index: 1)
    }

    private func add(_ sequence: UInt64, of ring: MovieRing, index: Int) -> Bool {
        guard let track = ring.track, let time = ring.time(of: sequence) else { return false }
        let before = chunk.bytes.count
        var isSync = true
        let result = ring.view?
            .read(sequence) { info, frame in
                isSync = track.description.codec.isAudio || info.flags.contains(.keyframe)
                track.appendSample(frame, to: &chunk.bytes)
            }
        guard result == .valid else { return false }
        let sample = MP4Sample(
            decodeTime: time.decode,
            compositionOffset: time.compositionOffset,
            duration: time.duration,
            isSync: isSync,
            size: UInt32(chunk.bytes.count - before)
        )
        writer.add(sample, index: index)
        return true
    }

    /// The file.
    func images() -> [WireImage] {
        var head = PacketImage()
        writer.appendHead(to: &head.bytes)
        return [WireImage(head, info: MovieFeed.noFrame)] + chunks
    }
}
