// SPDX-License-Identifier: Apache-2.0
// The kinds of source that exist, as far as a configuration can check them without opening one.

/// The first part of a source string, up to its colon.
package enum SourceScheme: String, CaseIterable, Sendable {
    case auto
    case v4l2
    case file
    case stdin
    case pattern

    /// A list of examples, for the reference and for errors.
    package static let examples =
        "auto, v4l2:/dev/video0?size=1280x720&fps=30&format=mjpeg, file:/path/clip.mp4?loop, stdin:mjpeg, stdin:h264, "
        + "pattern:?size=1920x1080&fps=30"

    /// The scheme of `source`; nil if it is none of these.
    package init?(of source: String) {
        let name = source.prefix { $0 != ":" }
        guard let scheme = SourceScheme(rawValue: String(name)) else { return nil }
        // Only `auto` stands alone.
        guard scheme == .auto ? name.count == source.count : name.count < source.count else { return nil }
        self = scheme
    }

    /// Why `source` cannot be a source; nil if it may be one.
    ///
    /// What follows the scheme is looked at by the daemon that opens it.
    static func problem(with source: String) -> String? {
        guard let scheme = SourceScheme(of: source) else {
            let name = String(source.prefix { $0 != ":" })
            let hint = Suggestion.phrase(for: name, among: allCases.map(\.rawValue))
            return "a source such as \(examples)\(hint)"
        }
        let rest = source.dropFirst(scheme.rawValue.count + 1)
        let path = rest.prefix { $0 != "?" }
        switch scheme {
        case .auto, .pattern: return nil
        case .v4l2: return path.hasPrefix("/dev/") ? nil : "a device such as v4l2:/dev/video0"
        case .file: return path.isEmpty ? "a path such as file:/path/clip.mp4" : nil
        case .stdin: return path == "mjpeg" || path == "h264" ? nil : "stdin:mjpeg or stdin:h264"
        }
    }
}

/// What can be told of an IP address by its text.
enum IPAddressText {
    /// True for an IPv4 address in dotted form or an IPv6 address without brackets or zone.
    static func isValid(_ text: String) -> Bool { text.contains(":") ? isIPv6(text) : octets(text) != nil }

    /// True for an address that only this machine reaches.
    static func isLoopback(_ text: String) -> Bool { octets(text)?.first == 127 || text == "::1" }

    /// True for an address that stands for all of the machine's.
    static func isAny(_ text: String) -> Bool { text == "0.0.0.0" || text == "::" }

    private static func octets(_ text: String) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let octets = parts.compactMap { part in
            part.utf8.allSatisfy { (0x30...0x39).contains($0) } ? UInt8(part) : nil
        }
        return parts.count == 4 && octets.count == 4 ? octets : nil
    }

    private static func isIPv6(_ text: String) -> Bool {
        let halves = text.split(separator: ":", omittingEmptySubsequences: false)
        guard halves.count >= 3, halves.count <= 9, !text.contains(":::") else { return false }
        guard halves.allSatisfy({ $0.utf8.count <= 4 && ($0.isEmpty || UInt16($0, radix: 16) != nil) }) else {
            return false
        }
        // Groups are left out in one place at most, which shows as two colons.
        let inner = halves.dropFirst().dropLast()
        let gaps = inner.filter(\.isEmpty).count
        let startsOpen = halves.first?.isEmpty == true
        let endsOpen = halves.last?.isEmpty == true
        if text == "::" { return true }
        if startsOpen && !text.hasPrefix("::") || endsOpen && !text.hasSuffix("::") { return false }
        return gaps == 1 ? halves.count <= 8 + (startsOpen || endsOpen ? 1 : 0) : gaps == 0 && halves.count == 8
    }
}
