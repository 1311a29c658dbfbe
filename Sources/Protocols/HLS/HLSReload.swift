// SPDX-License-Identifier: Apache-2.0
// What a request for a playlist wants: the present one, or the one with what comes next (§6.2.5).

import Bytes

/// The delivery directives of a request.
package struct HLSReload: Sendable, Hashable {
    /// Why directives are refused, for people.
    package struct Refusal: Error, Sendable, Hashable {
        package var reason: String
    }

    /// What is there for a request.
    package enum Availability: Sendable, Hashable {
        case ready
        /// Answer when there is a new part.
        case wait
        /// What is asked for is further ahead than a client may ask: 400.
        case refused(String)
    }

    /// The segment that the playlist has to hold, `_HLS_msn`, and its part, `_HLS_part`.
    package var segment: UInt64?
    package var part: Int?
    /// `_HLS_skip`: old segments may be left out.
    package var skips = false

    /// Reads directives among other query items; the last one of a name counts.
    package init(_ query: [(name: String, value: String)]) throws(Refusal) {
        for item in query {
            switch item.name {
            case "_HLS_msn":
                guard let number = HLSName.number(item.value[...]) else {
                    throw Refusal(reason: "_HLS_msn is no number")
                }
                segment = number
            case "_HLS_part":
                guard let number = HLSName.number(item.value[...]), number <= 10_000 else {
                    throw Refusal(reason: "_HLS_part is no number")
                }
                part = Int(number)
            case "_HLS_skip":
                guard ["YES", "v2"].contains(item.value) else { throw Refusal(reason: "_HLS_skip is YES or v2") }
                skips = true
            default: break
            }
        }
        if part != nil, segment == nil { throw Refusal(reason: "_HLS_part needs _HLS_msn") }
    }
}

extension HLSWindow {
    /// Whether a playlist can be sent now that has what `reload` wants.
    package func availability(_ reload: HLSReload) -> HLSReload.Availability {
        guard let wanted = reload.segment else { return .ready }
        let current = currentNumber
        // More than two segments ahead is a client that has gone wrong.
        guard wanted <= current + 2 else { return .refused("segment \(wanted) is too far behind \(current)") }
        if wanted < current { return isAfterLastPart(reload, wanted) ? .wait : .ready }
        guard wanted == current else { return .wait }
        guard let part = reload.part else { return .wait }
        let count = self[wanted]?.parts.count ?? 0
        let limit = Int((3 / max(0.01, min(3, longestPart.seconds))).rounded(.up)) + Self.partLimit
        guard part <= count + limit else { return .refused("part \(part) is too far behind \(count)") }
        return part < count ? .ready : .wait
    }

    /// True if a part behind the last one of a complete segment is wanted, which is the next one's first (§6.2.5.2).
    private func isAfterLastPart(_ reload: HLSReload, _ wanted: UInt64) -> Bool {
        guard let part = reload.part, let segment = self[wanted], part >= segment.parts.count else { return false }
        return wanted + 1 == currentNumber && (self[wanted + 1]?.parts.isEmpty ?? true)
    }
}
