// SPDX-License-Identifier: Apache-2.0
// Pictures of what the source gives, one for each turn of the loop.

import Bytes
import Encode
import Loop
import Media

/// Hands on the newest picture of each turn of the loop: if several come at once, only the last is worth encoding.
///
/// What is coded is decoded for it, and only while somebody wants pictures.
final class NewestPicture {
    /// Called once in a turn in which pictures have come, after all of it.
    var onPicture: (PictureBuffer, Instant) -> Void = { _, _ in }
    /// Pictures that gave way to a newer one.
    private(set) var superseded: UInt64 = 0
    /// Frames that could not be decoded.
    var failures: UInt64 { decoder.failures }

    private let loop: EventLoop
    private var decoder = UnitDecoder()
    private var waiting: (picture: PictureBuffer, captured: Instant)?
    /// A JPEG is decoded only once it is known to be the newest.
    private var image = WaitingImage()
    private var toldFailures: UInt64 = 0

    init(loop: EventLoop) { self.loop = loop }

    /// Takes a picture of the source.
    func take(_ picture: PictureBuffer, _ captured: Instant) {
        if waiting == nil { loop.later { [weak self] in self?.handOn() } } else { superseded += 1 }
        waiting = (picture, captured)
    }

    /// Takes a coded frame of the source; of some codecs it is needed for later ones even if no pictures are wanted.
    func take(_ info: UnitInfo, _ unit: Span<UInt8>, wanted: Bool) {
        guard info.codec == .jpeg else {
            if let (picture, captured) = decoder.take(info, unit, wanted: wanted) { take(picture, captured) }
            return
        }
        guard wanted else { return }
        if image.keep(info, unit) { loop.later { [weak self] in self?.decodeImage() } } else { superseded += 1 }
    }

    /// How many frames could not be decoded since this was asked last, and why the last one could not; nil if none.
    func newFailures() -> (count: UInt64, error: EncodeError)? {
        guard decoder.failures > toldFailures, let error = decoder.lastFailure else { return nil }
        defer { toldFailures = decoder.failures }
        return (decoder.failures - toldFailures, error)
    }

    private func handOn() {
        guard let (picture, captured) = waiting else { return }
        waiting = nil
        onPicture(picture, captured)
    }

    private func decodeImage() {
        if let (picture, captured) = image.decode(by: &decoder) { onPicture(picture, captured) }
    }
}
