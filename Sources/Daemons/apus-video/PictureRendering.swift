// SPDX-License-Identifier: Apache-2.0
// Makes a picture of frames: decodes, scales, encodes as JPEG. Runs on the background queue's thread.

import Bytes
import Encode
import Media
import Pictures
import Ring

/// Frames that were copied out of a ring, from which one picture is to be made.
struct PictureFrames: Sendable {
    /// Frames copied for one picture, in bytes; a longer way from the keyframe is not gone.
    static let limit = 32 << 20
    /// So much older than asked for, a picture still is the one that was meant; of slower cameras two frames' time.
    private static let freshness = Duration.seconds(1)
    private static let usualQuality = 80

    private let job: PictureJob
    private let description: StreamDescription
    /// The frame that is wanted.
    private let info: FrameInfo
    /// From the keyframe to it.
    private var units: [(captured: Instant, bytes: [UInt8])] = []

    /// Copies what a job needs, or says why it cannot be had.
    static func copy(_ job: PictureJob, from view: RingView) -> Result<PictureFrames, Missing> {
        let number: UInt64
        switch job.frame {
        case .number(let wanted, let incarnation):
            guard view.incarnation == incarnation else { return .failure(.ring) }
            number = wanted
        case .takenBy(let instant):
            guard let found = view.newestFrame(takenBy: instant), let taken = view.info(found)?.captured else {
                return .failure(.time)
            }
            // The streams rest while nobody wants them: what was before the rest is no picture of the time within.
            let rate = view.description()?.description.frameRate.value ?? 0
            guard instant - taken <= max(freshness, rate > 0 ? .seconds(2 / rate) : freshness) else {
                return .failure(.gap)
            }
            number = found
        }
        guard let info = view.info(number), let description = view.description()?.description,
            let keyframe = view.keyframe(of: number)
        else { return .failure(.frame) }
        var frames = PictureFrames(job: job, description: description, info: info)
        let first = description.codec == .jpeg ? number : keyframe
        var total = 0
        for sequence in first...number {
            var bytes: [UInt8] = sequence == first ? description.configuration : []
            var captured = Instant.zero
            let result = view.read(sequence) { info, frame in
                captured = info.captured
                bytes.append(frame)
            }
            total += bytes.count
            guard result == .valid else { return .failure(.frame) }
            guard total <= limit else { return .failure(.tooMuch) }
            frames.units.append((captured, bytes))
        }
        return .success(frames)
    }

    /// Why there are no frames.
    enum Missing: String, Error {
        case ring = "the camera's process was started again"
        case time = "the ring does not reach back so far"
        case gap = "nothing was recorded at that time, as nobody watched"
        case frame = "the frame has left the ring"
        case tooMuch = "it is too far from a keyframe"
    }

    /// Makes the picture.
    func picture() -> PictureReply {
        do throws(EncodeError) {
            guard let picture = try decode() else { return .failed("nothing came out of the decoder") }
            return try encode(picture)
        } catch {
            return .failed(error.description)
        }
    }

    private init(job: PictureJob, description: StreamDescription, info: FrameInfo) {
        self.job = job
        self.description = description
        self.info = info
    }

    private func decode() throws(EncodeError) -> PictureBuffer? {
        if description.codec == .jpeg {
            let bytes = units.first?.bytes ?? []
            return try JPEGDecoder().decode(bytes.span)
        }
        let decoder = try VideoDecoder(codec: description.codec)
        var best: (picture: PictureBuffer, captured: Instant)?
        let take = { (picture: PictureBuffer, captured: Instant) in
            let isCloser = best.map { captured > $0.captured } ?? true
            if captured <= info.captured, isCloser { best = (picture, captured) }
        }
        for (captured, bytes) in units { try decoder.decode(bytes.span, captured: captured, emit: take) }
        try decoder.finish(emit: take)
        return best?.picture
    }

    private func encode(_ picture: PictureBuffer) throws(EncodeError) -> PictureReply {
        let size = job.size(of: picture.width, picture.height)
        var scaled = picture
        if picture.format != .yuv420 || (picture.width, picture.height) != size {
            scaled = try PictureBuffer(width: size.width, height: size.height)
            var scaler = Scaler()
            try scaler.scale(picture, into: scaled)
        }
        var bytes: [UInt8] = []
        try JPEGEncoder(quality: job.quality ?? Self.usualQuality).encode(scaled) { bytes.append($0) }
        let facts = PictureReply.Facts(
            sequence: info.sequence,
            captured: info.captured,
            published: info.published,
            width: scaled.width,
            height: scaled.height,
            isSlate: info.flags.contains(.slate)
        )
        return .picture(facts, bytes)
    }
}
