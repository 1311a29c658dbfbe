// SPDX-License-Identifier: Apache-2.0
// Finding the encoder that works on this machine, by trying.

import Bytes
import Media

/// Picks an encoder for each stream, and remembers what does not work here.
///
/// Being listed proves nothing: a library or a driver may be missing, a card may be out of sessions. So each candidate
/// is opened and has to encode a picture.
///
/// One serves all streams of a camera, so that each encoder is tried once.
package final class EncoderSelection {
    /// The kinds to try, best first.
    package let candidates: [EncoderKind]
    /// Why a kind is not to be tried now; nil if it may be. Asked once before each try.
    package var objection: (EncoderKind) -> String? = { _ in nil }
    private var broken: [Failed: String] = [:]

    private var untold: [EncoderReport.Refusal] = []

    private struct Failed: Hashable {
        var kind: EncoderKind
        var name: String
    }

    /// Takes `auto`, a kind such as `software`, or a library's encoder name such as `libx264` or `h264_nvenc`.
    ///
    /// - Returns: nil for a name that is none of them.
    package init?(parsing text: String) {
        if text == "auto" {
            candidates = EncoderKind.automatic
            return
        }
        let match = EncoderKind.allCases.first { kind in
            text == kind.rawValue || text == kind.name(for: .h264) || text == kind.name(for: .h265)
        }
        guard let match else { return nil }
        candidates = [match]
    }

    /// The words that `init(parsing:)` takes, for messages.
    package static let names = ["auto"] + EncoderKind.allCases.map(\.rawValue)

    /// Opens the best encoder that really encodes.
    ///
    /// - Throws: the last candidate's `EncodeError` if none does.
    package func open(
        _ settings: EncoderSettings
    ) throws(EncodeError) -> (encoder: VideoEncoder, report: EncoderReport) {
        var refused: [EncoderReport.Refusal] = []
        var failure = EncodeError("open encoder", "no encoder is known for \(settings.codec.name)")
        for kind in candidates {
            guard let name = kind.name(for: settings.codec) else { continue }
            let key = Failed(kind: kind, name: name)
            if let reason = broken[key] {
                refused.append(.init(name: name, reason: reason))
                continue
            }
            do throws(EncodeError) {
                if let reason = objection(kind) { throw EncodeError("try encoder", reason) }
                if kind != .software { try Self.tryOut(settings, kind) }
                let encoder = try VideoEncoder(settings, kind: kind)
                let report = EncoderReport(chosen: name, kind: kind, refused: refused)
                return (encoder, report)
            } catch {
                failure = error
                broken[key] = error.reason
                refused.append(.init(name: name, reason: error.reason))
                untold.append(.init(name: name, reason: error.reason))
            }
        }
        throw failure
    }

    /// Notes that an encoder failed while it was in use, so that the next `open` takes another.
    package func refuse(_ report: EncoderReport, because reason: String) {
        // Software is the last resort: it is tried again.
        guard report.kind != .software else { return }
        broken[Failed(kind: report.kind, name: report.chosen)] = reason
    }

    /// Takes the refusals since the last call, each of which is told once for all streams.
    package func takeRefusals() -> [EncoderReport.Refusal] {
        defer { untold.removeAll() }
        return untold
    }

    /// Encodes a black picture, to see whether anything comes out.
    private static func tryOut(_ settings: EncoderSettings, _ kind: EncoderKind) throws(EncodeError) {
        /// Hardware may hold back its first units; more than this is too slow for a live stream.
        let patience = 4
        let encoder = try VideoEncoder(settings, kind: kind)
        let picture = try PictureBuffer(width: settings.width, height: settings.height)
        for plane in 0..<3 { picture.withPlane(plane) { $0.update(repeating: plane == 0 ? 16 : 128) } }
        var units = 0
        for _ in 0..<patience where units == 0 {
            try encoder.encode(picture, captured: .zero) { _, _ in units += 1 }
        }
        if units == 0 { throw EncodeError("try encoder", "put out nothing for \(patience) pictures") }
    }
}
