// SPDX-License-Identifier: Apache-2.0
// What a client is told to play: an RTSP URL with host, port, user and password taken apart.

import SDP

/// Where a client connects, and what it asks for there.
///
/// It has no description, as it may hold a password: print `redacted`.
package struct RTSPTarget: Sendable, Hashable {
    /// Bytes of a URL.
    package static let maximumLength = RTSPAddress.maximumLength
    /// The ports of RTSP and of RTSP over TLS.
    package static let port: UInt16 = 554
    package static let securePort: UInt16 = 322

    /// Who asks.
    package struct Credentials: Sendable, Hashable {
        package var user: String
        package var password: String

        package init(user: String, password: String) {
            self.user = user
            self.password = password
        }
    }

    /// True for `rtsps`: TLS from the first byte.
    package var isSecure: Bool
    /// A name or a numeric address, without brackets.
    package var host: String
    package var port: UInt16
    /// Path and query as written; empty or beginning with `/` or `?`.
    package var resource: String
    package var credentials: Credentials?
    /// What requests name; nil if it is this target's own URL. Differs behind a proxy (RFC 2326 §11.3.4).
    private var requested: String?

    /// Parses `rtsp://` or `rtsps://[user[:password]@]host[:port][/path][?query]`; nil if it is malformed.
    package init?(_ text: String) {
        guard text.utf8.count <= Self.maximumLength, text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }),
            let end = text.firstRange(of: "://")
        else { return nil }
        switch text[..<end.lowerBound].lowercased() {
        case "rtsp", "rtspt": isSecure = false
        case "rtsps": isSecure = true
        default: return nil
        }
        let rest = text[end.upperBound...]
        let slash = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        var authority = rest[..<slash]
        resource = String(rest[slash...].prefix { $0 != "#" })
        if let at = authority.lastIndex(of: "@") {
            let parts = authority[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard let user = Self.decode(parts[0]), let password = Self.decode(parts.count > 1 ? parts[1] : "") else {
                return nil
            }
            credentials = Credentials(user: user, password: password)
            authority = authority[authority.index(after: at)...]
        }
        var portText: Substring = ""
        if authority.first == "[" {
            guard let bracket = authority.firstIndex(of: "]") else { return nil }
            host = String(authority[authority.index(after: authority.startIndex)..<bracket])
            guard host.utf8.contains(UInt8(ascii: ":")) else { return nil }
            portText = authority[authority.index(after: bracket)...]
            guard portText.isEmpty || portText.first == ":" else { return nil }
            portText = portText.dropFirst()
        } else if let colon = authority.firstIndex(of: ":") {
            host = String(authority[..<colon])
            portText = authority[authority.index(after: colon)...]
        } else {
            host = String(authority)
        }
        let isBracketed = authority.first == "["
        guard !host.isEmpty, host.utf8.count <= 255, host.utf8.allSatisfy({ Self.isHost($0, isBracketed) }) else {
            return nil
        }
        port = isSecure ? Self.securePort : Self.port
        if !portText.isEmpty {
            guard portText.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt16(portText), number > 0
            else { return nil }
            port = number
        }
    }

    /// The URL that requests name: without user and password.
    package var url: String { requested ?? "\(scheme)://\(authority)\(resource)" }

    /// The URL as it may be printed: `rtsp://user:***@host/path`.
    package var redacted: String {
        let user = credentials.map { "\(RTSPAddress.encode($0.user)):***@" } ?? ""
        return "\(scheme)://\(user)\(authority)\(resource)"
    }

    /// Takes `name=value` out of the query; nil if it is not there.
    package mutating func takeOption(_ name: String) -> String? {
        guard let mark = resource.firstIndex(of: "?") else { return nil }
        var options = resource[resource.index(after: mark)...].split(separator: "&")
        guard let index = options.firstIndex(where: { $0.hasPrefix(name + "=") }) else { return nil }
        let value = options.remove(at: index).dropFirst(name.count + 1)
        resource = resource[..<mark] + (options.isEmpty ? "" : "?" + options.joined(separator: "&"))
        return String(value)
    }

    /// Where a `Location` header sends the client; nil if it makes no sense.
    ///
    /// The user's name and password go along to the same host only, and never from an encrypted connection to a plain
    /// one. With `isProxy` the requests keep their URL (305 Use Proxy).
    package func following(_ location: String, isProxy: Bool = false) -> RTSPTarget? {
        let absolute = location.contains("://") ? location : ControlURL.resolve(location, base: url)
        guard var next = RTSPTarget(absolute) else { return nil }
        if next.credentials == nil, next.host == host, next.isSecure || !isSecure { next.credentials = credentials }
        if isProxy { next.requested = url }
        return next
    }

    private var scheme: String { isSecure ? "rtsps" : "rtsp" }

    private var authority: String {
        let shown = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? Self.securePort : Self.port) ? shown : "\(shown):\(port)"
    }

    /// Letters, digits and what names have besides; in brackets what an IPv6 address has, with its zone.
    private static func isHost(_ byte: UInt8, _ isBracketed: Bool) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        case UInt8(ascii: ":"), UInt8(ascii: "%"): isBracketed
        default: false
        }
    }

    /// Decodes %XX where it stands; nil if that is no text.
    private static func decode(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2, let high = hexadecimal(rest[rest.startIndex]),
                let low = hexadecimal(rest[rest.startIndex + 1])
            {
                bytes.append(high << 4 | low)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt8? {
        Character(.init(byte)).hexDigitValue.map { UInt8($0) }
    }
}

/// The URLs of tracks, as descriptions and servers write them.
package enum ControlURL {
    /// The URL that `control` means below `base`.
    ///
    /// A name or password in it is left out, which some cameras copy into their answers.
    package static func resolve(_ control: String, base: String) -> String {
        withoutUser(SessionDescription.resolve(control, against: base))
    }

    /// The URL without user and password.
    static func withoutUser(_ url: String) -> String {
        guard let end = url.firstRange(of: "://") else { return url }
        let authority = url[end.upperBound...].prefix { $0 != "/" && $0 != "?" }
        guard let at = authority.lastIndex(of: "@") else { return url }
        return String(url[..<end.upperBound]) + url[url.index(after: at)...]
    }
}
