// SPDX-License-Identifier: Apache-2.0
// Playlists as text (draft-pantos-hls-rfc8216bis §4).

import Bytes

/// Where another rendition is, so that a player can switch to it without asking for its playlist first.
package struct HLSRenditionReport: Sendable, Hashable {
    package var uri: String
    package var lastSegment: UInt64
    package var lastPart: Int

    package init(uri: String, lastSegment: UInt64, lastPart: Int) {
        self.uri = uri
        self.lastSegment = lastSegment
        self.lastPart = lastPart
    }
}

extension HLSWindow {
    /// How a playlist is told.
    package enum Form: Sendable, Hashable {
        /// With parts, for players of low latency; others pass over what they do not know.
        case full
        /// As `full`, without the segments that a client has already.
        case delta
        /// Complete segments alone.
        case plain
    }

    /// Whole seconds that no segment is longer than, rounded (§4.4.3.1).
    package var targetDuration: Int { max(1, Int(longestSegment.seconds.rounded())) }

    /// The playlist of what there is now; `folder` stands in front of the names in it.
    package func playlist(_ form: Form = .full, reports: [HLSRenditionReport] = [], folder: String = "") -> String {
        var text = "#EXTM3U\n#EXT-X-VERSION:\(form == .plain ? 7 : 9)\n#EXT-X-TARGETDURATION:\(targetDuration)\n"
        if form != .plain {
            let holdBack = max(3 * longestPart.seconds, 1)
            text += "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=\(Self.decimal(holdBack))"
            text += ",CAN-SKIP-UNTIL=\(Self.decimal(Double(6 * targetDuration)))\n"
            text += "#EXT-X-PART-INF:PART-TARGET=\(Self.decimal(longestPart.seconds))\n"
        }
        text += "#EXT-X-MEDIA-SEQUENCE:\(segments.first?.number ?? currentNumber)\n"
        text += "#EXT-X-DISCONTINUITY-SEQUENCE:\(discontinuitySequence)\n#EXT-X-INDEPENDENT-SEGMENTS\n"
        let skipped = form == .delta ? skippable : 0
        if skipped > 0 { text += "#EXT-X-SKIP:SKIPPED-SEGMENTS=\(skipped)\n" }
        let partsFrom = firstWithParts
        var map: UInt64?
        for (index, segment) in segments.enumerated() {
            defer { map = segment.map }
            if index < skipped { continue }
            if form == .plain, !segment.isComplete { continue }
            if segment.isDiscontinuity { text += "#EXT-X-DISCONTINUITY\n" }
            if map != segment.map {
                text += "#EXT-X-MAP:URI=\"\(folder)\(HLSName.initialization(segment.map).text)\"\n"
            }
            text += "#EXT-X-PROGRAM-DATE-TIME:\(Self.date(segment.began))\n"
            if form != .plain, index >= partsFrom { Self.append(segment, folder, to: &text) }
            if segment.isComplete {
                text +=
                    "#EXTINF:\(Self.decimal(segment.duration.seconds)),\n\(folder)\(HLSName.segment(segment.number).text)\n"
            }
        }
        guard form != .plain else { return text }
        let index = segments.last.map { $0.isComplete ? 0 : $0.parts.count } ?? 0
        text +=
            "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"\(folder)\(HLSName.part(segment: currentNumber, index: index).text)\"\n"
        for report in reports {
            text += "#EXT-X-RENDITION-REPORT:URI=\"\(report.uri)\",LAST-MSN=\(report.lastSegment)"
            text += ",LAST-PART=\(report.lastPart)\n"
        }
        return text
    }

    /// What other renditions' playlists say of this one, which they know by `uri`; nil while there is nothing.
    package func report(uri: String) -> HLSRenditionReport? {
        // A segment that has just begun has no part yet, and a report has to name the last one (§4.4.5.4).
        guard let last = segments.last(where: { !$0.parts.isEmpty }) else { return nil }
        return HLSRenditionReport(uri: uri, lastSegment: last.number, lastPart: last.parts.count - 1)
    }

    /// How many of the oldest segments a delta update leaves out: those further back than the skip boundary, though never
    /// one behind which the map or the time base changes.
    private var skippable: Int {
        var rest = segments.reduce(Duration.zero) { $0 + $1.duration }
        var count = 0
        for segment in segments.dropLast() {
            rest -= segment.duration
            guard rest >= .seconds(6 * targetDuration), segment.map == segments.last?.map else { break }
            count += 1
        }
        return count
    }

    /// The first segment whose parts are listed: those of the last three target durations are (§4.4.4.9).
    private var firstWithParts: Int {
        var rest = Duration.zero
        for index in segments.indices.reversed() {
            if rest >= .seconds(3 * targetDuration) { return index + 1 }
            rest += segments[index].duration
        }
        return 0
    }

    private static func append(_ segment: HLSSegment, _ folder: String, to text: inout String) {
        for (index, part) in segment.parts.enumerated() {
            text += "#EXT-X-PART:DURATION=\(decimal(part.duration.seconds))"
            text += ",URI=\"\(folder)\(HLSName.part(segment: segment.number, index: index).text)\""
            text += part.isIndependent ? ",INDEPENDENT=YES\n" : "\n"
        }
    }

    /// Seconds with five decimals.
    static func decimal(_ seconds: Double) -> String {
        let units = Int((max(0, seconds) * 100_000).rounded())
        return "\(units / 100_000).\(String(100_000 + units % 100_000).dropFirst())"
    }

    /// A date as ISO 8601 with milliseconds (RFC 3339).
    package static func date(_ unixNanoseconds: Int64) -> String {
        let milliseconds = max(0, unixNanoseconds) / 1_000_000
        let (days, rest) = milliseconds.quotientAndRemainder(dividingBy: 86_400_000)
        // Howard Hinnant's days_from_civil, the other way round: years begin in March.
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        func pad(_ value: Int64, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let (hours, minutes, seconds) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60)
        return "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))T\(pad(hours, 2)):\(pad(minutes, 2)):\(pad(seconds, 2))"
            + ".\(pad(rest % 1000, 3))Z"
    }
}

/// One stream of a multivariant playlist.
package struct HLSVariant: Sendable, Hashable {
    package var uri: String
    /// Bits a second at most.
    package var bandwidth: Int
    package var codecs: String
    package var width: UInt32
    package var height: UInt32
    /// Frames a second; 0 where it is not known.
    package var frameRate: Double

    package init(uri: String, bandwidth: Int, codecs: String, width: UInt32, height: UInt32, frameRate: Double) {
        self.uri = uri
        self.bandwidth = bandwidth
        self.codecs = codecs
        self.width = width
        self.height = height
        self.frameRate = frameRate
    }

    /// The multivariant playlist of some streams, the best one first (§4.4.6).
    package static func playlist(_ variants: [HLSVariant]) -> String {
        var text = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-INDEPENDENT-SEGMENTS\n"
        for variant in variants {
            text += "#EXT-X-STREAM-INF:BANDWIDTH=\(max(1, variant.bandwidth)),CODECS=\"\(variant.codecs)\""
            if variant.width > 0, variant.height > 0 { text += ",RESOLUTION=\(variant.width)x\(variant.height)" }
            if variant.frameRate > 0 {
                let thousandths = Int((variant.frameRate * 1000).rounded())
                text += ",FRAME-RATE=\(thousandths / 1000).\(String(1000 + thousandths % 1000).dropFirst())"
            }
            text += "\n\(variant.uri)\n"
        }
        return text
    }
}
