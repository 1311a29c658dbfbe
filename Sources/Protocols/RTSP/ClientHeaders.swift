// SPDX-License-Identifier: Apache-2.0
// Response headers as servers really write them: Session, RTP-Info, Public.

/// What a Session header says (RFC 2326 §12.37).
struct SessionHeader: Sendable, Hashable {
    /// Seconds that are believed; a server that says 0 or a year means neither.
    static let believableTimeouts = 5...3600
    /// Bytes of an identifier that are sent back.
    static let maximumIdentifier = 512

    var identifier: String
    var timeout: Duration?
    /// There were parameters that RFC 2326 does not have.
    var isOdd = false

    /// Nil if there is no identifier in it.
    init?(_ text: String) {
        let parts = text.split(separator: ";").map { $0.trimmingSpaces() }
        guard let first = parts.first, !first.isEmpty, first.utf8.count <= Self.maximumIdentifier else { return nil }
        identifier = first
        for part in parts.dropFirst() {
            let pair = part.split(separator: "=", maxSplits: 1).map { $0.trimmingSpaces() }
            guard pair.count == 2, pair[0].lowercased() == "timeout" else {
                isOdd = true
                continue
            }
            let digits = pair[1].drop { $0 == "\"" }.prefix { $0.isASCII && $0.isNumber }
            if digits.count < pair[1].count { isOdd = true }
            if let seconds = Int(digits) {
                if Self.believableTimeouts.contains(seconds) { timeout = .seconds(seconds) } else { isOdd = true }
            }
        }
    }
}

/// One entry of RTP-Info: where a track starts (RFC 2326 §12.33).
package struct TrackStart: Sendable, Hashable {
    package var url: String
    /// The first packet's sequence number.
    package var sequence: UInt16?
    /// The timestamp at the start of the range played.
    package var timestamp: UInt32?

    package init(url: String, sequence: UInt16?, timestamp: UInt32?) {
        self.url = url
        self.sequence = sequence
        self.timestamp = timestamp
    }

    /// Entries read from one header.
    static let maximumCount = 16

    /// The entries of a header; nil if one of them makes no sense.
    package static func parse(_ header: String) -> [TrackStart]? {
        var starts: [TrackStart] = []
        // URLs may hold commas and semicolons: an entry begins at `url=` only.
        for part in header.split(separator: ",") {
            let text = part.trimmingSpaces()
            guard text.lowercased().hasPrefix("url=") else { return nil }
            guard starts.count < maximumCount else { return nil }
            var start = TrackStart(url: "", sequence: nil, timestamp: nil)
            for parameter in text.split(separator: ";") {
                let pair = parameter.split(separator: "=", maxSplits: 1).map { $0.trimmingSpaces() }
                guard pair.count == 2 else { continue }
                switch pair[0].lowercased() {
                case "url": start.url = String(pair[1].filter { $0 != "\"" })
                case "seq":
                    guard let value = UInt32(pair[1]) else { return nil }
                    start.sequence = UInt16(truncatingIfNeeded: value)
                case "rtptime":
                    // Some write it as a signed or a 64-bit number.
                    guard let value = Int64(pair[1]) else { return nil }
                    start.timestamp = UInt32(truncatingIfNeeded: value)
                default: break
                }
            }
            starts.append(start)
        }
        return starts.isEmpty ? nil : starts
    }
}
