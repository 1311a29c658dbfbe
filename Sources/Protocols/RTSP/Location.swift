// SPDX-License-Identifier: Apache-2.0
// An RTSP URL as users write it: with options of ours among the camera's.

/// How packets are to travel.
package enum TransportChoice: String, Sendable, Hashable, CaseIterable {
    /// TCP; UDP if the server refuses it.
    case auto
    case tcp
    /// UDP; TCP if the server refuses it, or nothing comes.
    case udp
}

/// A URL with what it says about the way there: `rtsp://user:password@camera/path?transport=udp`.
///
/// Our options are taken out of the query; what else is there belongs to the camera.
package struct RTSPLocation: Sendable, Hashable {
    /// Which certificates `rtsps` believes.
    package enum Trust: Sendable, Hashable {
        /// Those that the system's authorities vouch for.
        case system
        /// The one with this SHA-256 digest.
        case fingerprint([UInt8])
        /// Any: protects from those who listen only.
        case anybody
    }

    package var target: RTSPTarget
    package var transport = TransportChoice.auto
    package var trust = Trust.system

    /// Parses a URL.
    ///
    /// - Throws: What is wrong, without the URL, which may hold a password.
    package init(parsing text: String) throws(LocationError) {
        guard var target = RTSPTarget(text) else {
            throw LocationError("this is no URL like rtsp://user:password@camera:554/path")
        }
        if let name = target.takeOption("transport") {
            guard let choice = TransportChoice(rawValue: name) else {
                throw LocationError("transport is none of auto, tcp, udp")
            }
            transport = choice
        }
        if let answer = target.takeOption("verify") {
            guard answer == "yes" || answer == "no" else { throw LocationError("verify is neither yes nor no") }
            if answer == "no" { trust = .anybody }
        }
        if let digits = target.takeOption("fingerprint") {
            guard let bytes = Self.bytes(digits), bytes.count == 32 else {
                throw LocationError("fingerprint is not the 64 hexadecimal digits of a SHA-256 digest")
            }
            trust = .fingerprint(bytes)
        }
        guard trust == .system || target.isSecure else {
            throw LocationError("verify and fingerprint are for rtsps:// only")
        }
        self.target = target
    }

    /// The text with what stands for a password in it replaced by `***`, whether it is a URL or not.
    package static func redact(_ text: String) -> String {
        guard let end = text.firstRange(of: "://") else { return text }
        let authority = text[end.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard let at = authority.lastIndex(of: "@") else { return text }
        let user = authority[..<at].prefix { $0 != ":" }
        return "\(text[..<end.upperBound])\(user):***\(text[at...])"
    }

    /// Reads hexadecimal digits, with or without colons between the bytes.
    private static func bytes(_ text: String) -> [UInt8]? {
        let digits = text.filter { $0 != ":" }.compactMap(\.hexDigitValue)
        guard digits.count % 2 == 0, digits.count == text.count(where: { $0 != ":" }) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}

/// What is wrong with a location.
package struct LocationError: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
