// SPDX-License-Identifier: Apache-2.0
// The parameter sets of a stream: collected from it, printed into it.

import Bytes

/// The newest parameter sets of an H.264 or H.265 stream.
///
/// Sets with different identifiers are kept side by side, in the order in which they first came.
package struct ParameterSets: Sendable, Hashable {
    /// Sets kept of each kind; more are refused.
    package static let maximumCount = 32
    /// Bytes of one set; longer ones are refused.
    package static let maximumLength = 4096

    package let format: NALFormat
    /// NAL units without start codes.
    package private(set) var video: [[UInt8]] = []
    package private(set) var sequence: [[UInt8]] = []
    package private(set) var picture: [[UInt8]] = []
    /// The sets as an Annex B stream with four-byte start codes: video, sequence, picture.
    package private(set) var annexB: [UInt8] = []

    /// Starts empty.
    package init(_ format: NALFormat) { self.format = format }

    /// Collects the parameter sets of an Annex B stream.
    package init(_ format: NALFormat, annexB: Span<UInt8>) {
        self.init(format)
        var units = NALUnits(annexB)
        while let range = units.next() { absorb(annexB.extracting(range)) }
    }

    /// True when a decoder can start with them.
    package var isComplete: Bool {
        !sequence.isEmpty && !picture.isEmpty && (format == .h264 || !video.isEmpty)
    }

    /// Takes `nal` in if it is a parameter set; true if that changed anything.
    @discardableResult
    package mutating func absorb(_ nal: Span<UInt8>) -> Bool {
        guard nal.count > format.headerLength, nal.count <= Self.maximumLength,
            let kind = format.parameterSet(nal[0]), let id = identifier(of: nal, kind)
        else { return false }
        let changed =
            switch kind {
            case .video: replace(in: &video, kind, id, by: nal)
            case .sequence: replace(in: &sequence, kind, id, by: nal)
            case .picture: replace(in: &picture, kind, id, by: nal)
            }
        if changed { rebuild() }
        return changed
    }

    private func replace(
        in sets: inout [[UInt8]],
        _ kind: ParameterSetKind,
        _ id: UInt32,
        by nal: Span<UInt8>
    ) -> Bool {
        for index in sets.indices {
            let set = sets[index]
            guard identifier(of: set.span, kind) == id else { continue }
            if set.span.isEqual(to: nal) { return false }
            sets[index] = [UInt8](nal)
            return true
        }
        guard sets.count < Self.maximumCount else { return false }
        sets.append([UInt8](nal))
        return true
    }

    private mutating func rebuild() {
        annexB.removeAll(keepingCapacity: true)
        for set in video { AnnexB.append(set.span, to: &annexB) }
        for set in sequence { AnnexB.append(set.span, to: &annexB) }
        for set in picture { AnnexB.append(set.span, to: &annexB) }
    }

    /// The set's own identifier: its first fields differ between codec and kind.
    private func identifier(of nal: Span<UInt8>, _ kind: ParameterSetKind) -> UInt32? {
        do throws(WireError) {
            switch (format, kind) {
            case (.h264, .sequence): return try H264.SPS(parsing: nal).identifier
            case (.h265, .sequence): return try H265.SPS(parsing: nal).identifier
            case (.h265, .video): return nal.count > 2 ? UInt32(nal[2] >> 4) : nil
            case (_, .picture), (.h264, .video):
                var bits = BitReader(nal.extracting(format.headerLength..<nal.count))
                return try bits.exponentialGolomb()
            }
        } catch {
            // A set that cannot be read is not worth keeping: it would be put in front of every keyframe.
            return nil
        }
    }
}

extension Span<UInt8> {
    /// True if both hold the same bytes.
    package func isEqual(to other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        for index in indices where self[index] != other[index] { return false }
        return true
    }
}

extension ParameterSets {
    /// What the newest sequence parameter set says of the pictures: their size in pixels and, where it tells, their rate.
    /// Nil if there is none that can be read.
    package var pictureFormat: (width: UInt32, height: UInt32, frameRate: Rational?)? {
        guard let newest = sequence.last else { return nil }
        switch format {
        case .h264: return (try? H264.SPS(parsing: newest.span)).map { ($0.width, $0.height, $0.frameRate) }
        case .h265: return (try? H265.SPS(parsing: newest.span)).map { ($0.width, $0.height, $0.frameRate) }
        }
    }
}

extension StreamDescription {
    /// Takes the pictures' size and rate from parameter sets, where they tell them.
    package mutating func take(_ sets: ParameterSets) {
        guard let format = sets.pictureFormat else { return }
        (width, height) = (format.width, format.height)
        frameRate = format.frameRate ?? frameRate
    }
}
