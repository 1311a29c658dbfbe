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
        var rest = text[...]
        if !text.hasPrefix("/") {
            guard let end = text.firstRange(of: "://") else { return nil }
            scheme = text[..<end.lowerBound].lowercased()
            guard ["rtsp", "rtsps", "rtspu", "http", "https"].contains(scheme) else { return nil }
            rest = text[end.upperBound...]
            let slash = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
            // RFC 3986 §3.2.1: what stands in front of the last @ is the user's.
            authority = String(rest[..<slash].split(separator: "@", omittingEmptySubsequences: false).last ?? "")
            guard !authority.isEmpty else { return nil }
            rest = rest[slash...]
        }
        rest = rest.prefix { $0 != "#" }
        if let mark = rest.firstIndex(of: "?") {
            query = String(rest[rest.index(after: mark)...])
            rest = rest[..<mark]
            // Clients append the track to the whole URL, query and all.
            if let slash = query.lastIndex(of: "/"), let number = Self.track(query[query.index(after: slash)...]) {
                track = number
                query = String(query[..<slash])
            }
        }
        for part in rest.split(separator: "/") {
            guard segments.count < Self.maximumSegments, let segment = Self.decode(part), segment != ".." else {
                return nil
            }
            segments.append(segment)
        }
        if track == nil, let last = segments.last, let number = Self.track(last[...]) {
            track = number
            segments.removeLast()
        }
    }

    /// The URL of the stream as it is safe to send back: without user, password and track.
    package var streamURL: String {
        let path = segments.map { "/" + Self.encode($0) }.joined()
        return "\(scheme)://\(authority)\(path)\(query.isEmpty ? "" : "?\(query)")"
    }

    /// The URL of a track of the stream.
    package func trackURL(_ track: Int) -> String {
        let base = streamURL
        return "\(base)\(base.hasSuffix("/") ? "" : "/")\(Self.trackPrefix)\(track)"
    }

    /// The number of a track segment; the names that other servers use are understood too.
    private static func track(_ segment: Substring) -> Int? {
        for prefix in [trackPrefix, "trackid=", "track", "streamid="] where segment.hasPrefix(prefix) {
            let digits = segment.dropFirst(prefix.count)
            guard !digits.isEmpty, digits.utf8.count <= 2 else { return nil }
            return Int(digits)
        }
        return nil
    }

    /// Decodes %XX; nil for broken escapes, controls and slashes, which a path's segment cannot mean.
    private static func decode(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            var value = byte
            if byte == UInt8(ascii: "%") {
                guard let digits = String(rest.prefix(2)), digits.utf8.count == 2,
                    digits.allSatisfy(\.isHexDigit), let code = UInt8(digits, radix: 16)
                else { return nil }
                rest = rest.dropFirst(2)
                value = code
            }
            guard value >= 0x20, value != 0x7F, value != UInt8(ascii: "/") || byte != UInt8(ascii: "%") else {
                return nil
            }
            bytes.append(value)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func encode(_ segment: String) -> String {
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
