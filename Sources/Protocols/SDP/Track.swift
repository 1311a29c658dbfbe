// SPDX-License-Identifier: Apache-2.0
// The tracks of somebody else's description: which can be received, how, and under which URL.

import Media
package import RTP

extension SessionDescription {
    /// Who sends on a track, seen from the description's author (RFC 8866 §6.7).
    package enum Direction: String, Sendable, Hashable, CaseIterable {
        case sendReceive = "sendrecv"
        case sendOnly = "sendonly"
        case receiveOnly = "recvonly"
        case inactive
    }

    /// A `c=` line (RFC 8866 §5.7).
    package struct Connection: Sendable, Hashable {
        /// An address or a name.
        package var address: String
        package var isIPv6: Bool
        /// Of multicast over IPv4; nil if it is not told.
        package var timeToLive: UInt8?

        package init(address: String, isIPv6: Bool = false, timeToLive: UInt8? = nil) {
            self.address = address
            self.isIPv6 = isIPv6
            self.timeToLive = timeToLive
        }

        /// Reads the content of a `c=` line; nil if it is malformed.
        package init?(_ text: String) {
            let words = text.split(separator: " ")
            guard words.count >= 3, words[0].uppercased() == "IN" else { return nil }
            isIPv6 = words[1].uppercased() == "IP6"
            let parts = words[2].split(separator: "/")
            guard let first = parts.first else { return nil }
            address = String(first)
            timeToLive = !isIPv6 && parts.count > 1 ? UInt8(parts[1]) : nil
        }

        /// True for an address of a multicast group.
        package var isMulticast: Bool {
            if isIPv6 { return address.lowercased().hasPrefix("ff") }
            return address.split(separator: ".").first.flatMap { UInt8($0) }.map { (224...239).contains($0) } ?? false
        }

        /// The content of a `c=` line.
        package var text: String {
            "IN \(isIPv6 ? "IP6" : "IP4") \(address)\(timeToLive.map { "/\($0)" } ?? "")"
        }
    }

    /// A medium that Apus can receive or send.
    package struct Track: Sendable, Hashable {
        /// Which `m=` line it is, from 0 on.
        package var index: Int
        /// `video` or `audio`.
        package var kind: String
        package var format: TrackFormat
        /// The track's URL for SETUP; relative if there was nothing to resolve it against.
        package var control: String
        package var direction: Direction
        /// `RTP/AVP`, `RTP/SAVP` and the like.
        package var transport: String
        package var port: UInt16
        package var connection: Connection?
        /// Contents of `a=crypto` (RFC 4568), in the order of preference.
        package var crypto: [String]
        /// The MIKEY message of `a=key-mgmt` (RFC 4567), in Base64; the medium's or the session's.
        package var mikey: String?

        /// A track of one format, from nobody's description.
        package init(sending format: TrackFormat) {
            index = 0
            kind = format.stream.codec.isAudio ? "audio" : "video"
            self.format = format
            control = ""
            direction = .sendOnly
            transport = "RTP/AVP"
            port = 0
            connection = nil
            crypto = []
            mikey = nil
        }

        init(
            index: Int,
            kind: String,
            format: TrackFormat,
            control: String,
            direction: Direction,
            transport: String,
            port: UInt16,
            connection: Connection?,
            crypto: [String],
            mikey: String?
        ) {
            self.index = index
            self.kind = kind
            self.format = format
            self.control = control
            self.direction = direction
            self.transport = transport
            self.port = port
            self.connection = connection
            self.crypto = crypto
            self.mikey = mikey
        }
    }

    /// A medium that is passed over, and why.
    package struct IgnoredMedia: Sendable, Hashable {
        package var index: Int
        package var kind: String
        package var reason: String
    }

    /// What a description offers.
    package struct Offer: Sendable, Hashable {
        package var tracks: [Track]
        package var ignored: [IgnoredMedia]
        /// The URL of all tracks together; empty if there was nothing to resolve it against.
        package var control: String
    }

    /// The tracks that this description offers; `base` is the URL against which names are resolved (Content-Base,
    /// Content-Location or the request's, RFC 2326 appendix C.1.1).
    package func offer(base: String = "") -> Offer {
        let session = Self.resolve(self["control"] ?? "*", against: base)
        var offer = Offer(tracks: [], ignored: [], control: session)
        for (index, medium) in media.enumerated() {
            do throws(TrackReason) {
                let format = try medium.trackFormat()
                offer.tracks.append(
                    Track(
                        index: index,
                        kind: medium.kind.lowercased(),
                        format: format,
                        control: Self.resolve(medium["control"] ?? "*", against: session),
                        direction: medium.direction ?? Self.direction(in: attributes) ?? .sendReceive,
                        transport: medium.transport,
                        port: medium.port,
                        connection: (medium.connection ?? connection).flatMap { Connection($0) },
                        crypto: medium.attributes.filter { $0.name == "crypto" }.compactMap(\.value),
                        mikey: Self.mikey(in: medium.attributes) ?? Self.mikey(in: attributes)
                    )
                )
            } catch {
                offer.ignored.append(IgnoredMedia(index: index, kind: medium.kind, reason: error.text))
            }
        }
        return offer
    }

    /// A control attribute as URL: absolute ones as they are, `*` means `base`, others go below it.
    package static func resolve(_ control: String, against base: String) -> String {
        let control = control.trimmed
        if control.isEmpty || control == "*" { return base }
        if control.utf8.firstRange(of: "://".utf8) != nil || base.isEmpty { return control }
        if control.hasPrefix("/"), let scheme = base.utf8.firstRange(of: "://".utf8) {
            // Bytes, not characters: a combining accent would make a slash another character.
            let authority = base.utf8[scheme.upperBound...]
                .prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
            return String(base[..<authority.endIndex]) + control
        }
        // Not RFC 3986's resolution: servers and clients alike take the base for a folder, with its query if any.
        return base.utf8.last == UInt8(ascii: "/") ? base + control : base + "/" + control
    }

    static func direction(in attributes: [Attribute]) -> Direction? {
        for attribute in attributes where attribute.value == nil {
            if let direction = Direction(rawValue: attribute.name.lowercased()) { return direction }
        }
        return nil
    }

    private static func mikey(in attributes: [Attribute]) -> String? {
        for attribute in attributes where attribute.name == "key-mgmt" {
            let words = (attribute.value ?? "").split(separator: " ", maxSplits: 1)
            if words.count == 2, words[0].lowercased() == "mikey" { return String(words[1]).trimmed }
        }
        return nil
    }
}

extension SessionDescription.Media {
    /// The medium's own direction; nil if it has the session's.
    package var direction: SessionDescription.Direction? { SessionDescription.direction(in: attributes) }
}

extension StringProtocol {
    /// The text without blanks at its ends.
    var trimmed: String {
        var rest = Substring(self)
        while let first = rest.first, first == " " || first == "\t" { rest.removeFirst() }
        while let last = rest.last, last == " " || last == "\t" { rest.removeLast() }
        return String(rest)
    }
}
