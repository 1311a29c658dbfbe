// SPDX-License-Identifier: Apache-2.0
// Playlists and parts of HLS: made when they are asked for, kept for the others who ask, made again if need be.

import Bytes
import FanOut
import HLS

/// The newest parts that were asked for, and the lengths of all.
final class PartCache {
    private struct Key: Hashable {
        var segment: UInt64
        var index: Int
    }

    private var images: [(key: Key, image: WireImage)] = []
    private var lengths: [Key: Int] = [:]
    private var bytes = 0

    /// Bytes kept: the parts that viewers at the live edge want. What is older is built again from the ring.
    private static let budget = 1 << 20

    /// A part's bytes; nil if its frames have left the rings.
    func image(_ segment: UInt64, _ index: Int, in feed: MovieFeed) -> WireImage? {
        let key = Key(segment: segment, index: index)
        if let found = images.last(where: { $0.key == key }) { return found.image }
        // Frames of another movie than the present one are in no ring any more, or have no times.
        guard let listed = feed.window[segment], listed.map == feed.map, let part = feed.window.part(segment, index)
        else { return nil }
        var image = PacketImage()
        guard feed.appendFragment(pictures: part.pictures, sound: part.sound, to: &image.bytes) else { return nil }
        let built = WireImage(image, info: MovieFeed.noFrame)
        images.append((key, built))
        lengths[key] = built.count
        bytes += built.count
        while images.count > 1, bytes > Self.budget { bytes -= images.removeFirst().image.count }
        if lengths.count > Self.lengthLimit { lengths = lengths.filter { feed.window[$0.key.segment] != nil } }
        return built
    }

    /// How long a part is; nil if its frames have left the rings.
    func length(_ segment: UInt64, _ index: Int, in feed: MovieFeed) -> Int? {
        lengths[Key(segment: segment, index: index)] ?? image(segment, index, in: feed)?.count
    }

    private static let lengthLimit = 2 * HLSWindow.segmentLimit * HLSWindow.partLimit
}

/// The playlists that were asked for since the last part: all players of a stream ask at the same moments.
final class PlaylistCache {
    private var texts: [(form: HLSWindow.Form, reports: [HLSRenditionReport], text: [UInt8])] = []

    /// More different ones are not kept: forms, and where the other stream was meanwhile.
    private static let limit = 8

    /// The playlist of that form with these reports; `make` writes it if nobody asked for it before.
    func text(_ form: HLSWindow.Form, _ reports: [HLSRenditionReport], make: () -> [UInt8]) -> [UInt8] {
        if let found = texts.last(where: { $0.form == form && $0.reports == reports }) { return found.text }
        let made = make()
        if texts.count == Self.limit { texts.removeFirst() }
        texts.append((form, reports, made))
        return made
    }

    /// Forgets all, as there is a new part.
    func removeAll() { texts.removeAll(keepingCapacity: true) }
}
