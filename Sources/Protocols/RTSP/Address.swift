// SPDX-License-Identifier: Apache-2.0
// RTSP URLs: which stream and which track a request means.

/// What a request's URL names.
package struct RTSPAddress: Sendable, Hashable {
    /// Bytes of a URL.
    package static let maximumLength = 2048
    /// Segments of a path.
    package static let maximumSegments = 8
    /// The track segment that Apus writes, in front of its number.
    package static let trackPrefix = "trackID="

    /// Host and port as written; empty for `*` and bare paths.
    package var authority: String
    /// The path's segments, decoded, without the track.
    package var segments: [String]
    /// What follows `?`, as written.
    package var query: String
    /// The track's number, if the URL names one.
    package var track: Int?
    /// The scheme as written, `rtsp` for bare paths.
    package var scheme: String

    /// Parses an absolute URL, a bare path, or `*`; nil if it is malformed or over a limit.
    ///
    /// A user and password in it are dropped at once.
    package init?(_ text: String) {
        guard !text.isEmpty, text.utf8.count <= Self.maximumLength, text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F })
        else { return nil }
        scheme = "rtsp"
        authority = ""
        query = ""
        segments = []
        if text == "*" { return }
        // Bytes, not characters: a combining accent would make a slash another character.
        var rest = Array(text.utf8)[...]
        if rest.first != UInt8(ascii: "/") {
            guard let end = text.utf8.firstRange(of: "://".utf8) else { return nil }
            scheme = text[..<end.lowerBound].lowercased()
            guard ["rtsp", "rtsps", "rtspu", "http", "https"].contains(scheme) else { return nil }
            rest = Array(text.utf8[end.upperBound...])[...]
            let slash = rest.firstIndex { "/?".utf8.contains($0) } ?? rest.endIndex
            // RFC 3986 §3.2.1: what stands in front of the last @ is the user's.
            authority = Self.text(
                rest[..<slash].split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false).last
            )
            guard !authority.isEmpty else { return nil }
            rest = rest[slash...]
        }
        rest = rest.prefix { $0 != UInt8(ascii: "#") }
        if let mark = rest.firstIndex(of: UInt8(ascii: "?")) {
            var query = rest[(mark + 1)...]
            rest = rest[..<mark]
            // Clients append the track to the whole URL, query and all.
            if let slash = query.lastIndex(of: UInt8(ascii: "/")), let number = Self.track(query[(slash + 1)...]) {
                track = number
                query = query[..<slash]
            }
            self.query = Self.text(query)
        }
        for part in rest.split(separator: UInt8(ascii: "/")) {
            // One more than the limit: the last may be the track.
            guard segments.count <= Self.maximumSegments, let segment = Self.decode(part), segment != ".." else {
                return nil
            }
            segments.append(segment)
        }
        if track == nil, let last = segments.last, let number = Self.track(Array(last.utf8)[...]) {
            track = number
            segments.removeLast()
        }
        guard segments.count <= Self.maximumSegments else { return nil }
    }

    /// The URL of the stream as it is safe to send back: without user, password and track.
    package var streamURL: String { "\(pathURL)\(query.isEmpty ? "" : "?\(query)")" }

    /// What tracks' names are put behind, with a slash at its end: the stream's URL without its query, as clients that
    /// resolve names by RFC 3986 lose the path else.
    package var baseURL: String {
        let url = pathURL
        return url.hasSuffix("/") ? url : url + "/"
    }

    /// The URL of a track of the stream.
    package func trackURL(_ track: Int) -> String { "\(baseURL)\(Self.trackPrefix)\(track)" }

    private var pathURL: String { "\(scheme)://\(authority)\(segments.map { "/" + Self.encode($0) }.joined())" }

    /// The number of a track segment; the names that other servers use are understood too.
    private static func track(_ segment: ArraySlice<UInt8>) -> Int? {
        for prefix in [trackPrefix, "trackid=", "streamid=", "stream="] where segment.starts(with: prefix.utf8) {
            let digits = segment.dropFirst(prefix.utf8.count)
            guard (1...2).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        }
        return nil
    }

    /// Decodes %XX; nil for broken escapes, controls and slashes, which a path's segment cannot mean.
    private static func decode(_ segment: ArraySlice<UInt8>) -> String? {
        var bytes: [UInt8] = []
        var rest = segment
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let high = Character(.init(rest.removeFirst())).hexDigitValue,
                let low = Character(.init(rest.removeFirst())).hexDigitValue
            else { return nil }
            let value = UInt8(high << 4 | low)
            guard value >= 0x20, value != 0x7F, value != UInt8(ascii: "/") else { return nil }
            bytes.append(value)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func text(_ bytes: ArraySlice<UInt8>?) -> String { String(decoding: bytes ?? [], as: UTF8.self) }

    static func encode(_ segment: String) -> String {
        var text = ""
        for byte in segment.utf8 {
            let scalar = Unicode.Scalar(byte)
            let isPlain = byte < 0x7F && (scalar.properties.isAlphabetic || (0x30...0x39).contains(byte))
            if isPlain || "-._~=,:@!$&'()*+;".utf8.contains(byte) {
                text.unicodeScalars.append(scalar)
            } else {
                text += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return text
    }
}
