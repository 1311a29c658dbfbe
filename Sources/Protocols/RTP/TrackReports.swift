// SPDX-License-Identifier: Apache-2.0
// What a track's receiver takes from the sender's reports, and what it sends back.

package import Bytes

extension TrackReceiver {
    /// How a keyframe is asked for.
    package enum KeyframeRequest: Sendable, Hashable {
        /// Picture loss indication (RFC 4585 §6.3.1).
        case pictureLoss
        /// Full intra request (RFC 5104 §4.3.1).
        case fullIntra
    }

    /// Keyframes are asked for no more often than this.
    package static let keyframeInterval = Duration.seconds(1)

    /// Takes a compound RTCP packet of the sender's; one that breaks the rules is taken as far as it goes.
    package mutating func receiveReport(_ compound: Span<UInt8>, at now: Instant) {
        guard let packets = try? RTCPPacket.parse(compound) else { return }
        for packet in packets {
            switch packet {
            case .senderReport(let info, _):
                // Before the first packet nobody knows who sends; some cameras report under another source.
                if let source, info.source != source, lastReport?.info.source == source { continue }
                if info.utcNanoseconds(of: Int64(info.timestamp), clockRate: format.clockRate) == nil {
                    deviations.note(.senderReportWithoutTime)
                }
                lastReport = (info, now)
            case .goodbye(let sources):
                if let source, sources.contains(source) { noteGoodbye() }
            default: break
            }
        }
    }

    /// Appends a receiver report with the canonical name `name`, from the source identifier `own`.
    ///
    /// Due every few seconds (RFC 3550 §6.2); what it says of the last interval starts anew with each call.
    package mutating func appendReport(from own: UInt32, name: String, at now: Instant, to output: inout [UInt8]) {
        guard let source else {
            RTCP.appendReceiverReport([], from: own, name: name, to: &output)
            return
        }
        let block = RTCP.ReportBlock(
            source: source,
            fractionLost: takeFractionLost(),
            lost: Int32(max(-0x80_0000, min(0x7F_FFFF, statistics.lost))),
            highestSequence: UInt32(truncatingIfNeeded: statistics.highest),
            jitter: statistics.jitter,
            lastReport: lastReport?.info.time.middle ?? 0,
            delaySinceLastReport: lastReport.map { Self.shortTime(now - $0.arrival) } ?? 0
        )
        RTCP.appendReceiverReport([block], from: own, name: name, to: &output)
    }

    /// Appends a report and a request for a keyframe, if one is needed and none was asked for a moment ago.
    ///
    /// - Returns: True if there is something to send.
    package mutating func appendKeyframeRequest(
        _ kind: KeyframeRequest,
        from own: UInt32,
        name: String,
        at now: Instant,
        to output: inout [UInt8]
    ) -> Bool {
        guard needsKeyframe, let source else { return false }
        if let keyframeRequested, now - keyframeRequested < Self.keyframeInterval { return false }
        keyframeRequested = now
        appendReport(from: own, name: name, at: now, to: &output)
        switch kind {
        case .pictureLoss: RTCP.appendPictureLoss(from: own, media: source, to: &output)
        case .fullIntra:
            RTCP.appendFullIntraRequest(from: own, media: source, number: keyframeRequests, to: &output)
            keyframeRequests &+= 1  // Wraps by definition (RFC 5104 §4.3.1.1).
        }
        return true
    }

    /// A duration in 65 536ths of a second.
    private static func shortTime(_ duration: Duration) -> UInt32 {
        let nanoseconds = max(0, min(duration.nanoseconds, 65_535_000_000_000))
        return UInt32(
            truncatingIfNeeded: nanoseconds / 1_000_000_000 * 65_536
                + nanoseconds % 1_000_000_000 * 65_536 / 1_000_000_000
        )
    }
}

extension RTCP.SenderInfo {
    /// Reports of times before the year 2000 come from clocks that were never set.
    private static let earliest: Int64 = 946_684_800_000_000_000

    /// The time of day of an RTP timestamp, in nanoseconds since 1970; nil if the sender does not know its own.
    package func utcNanoseconds(of ticks: Int64, clockRate: UInt32) -> Int64? {
        let base = time.unixNanoseconds
        guard base >= Self.earliest, clockRate > 0 else { return nil }
        let difference = Int64(Int32(truncatingIfNeeded: ticks &- Int64(timestamp)))
        return base + difference * 1_000_000_000 / Int64(clockRate)
    }
}
