// SPDX-License-Identifier: Apache-2.0
// A session description (RFC 8866), as a value that is parsed and printed.

/// A session description: what a server offers, and under which names.
///
/// Keeps what RTSP needs; lines of other types are passed over when parsing.
package struct SessionDescription: Sendable, Hashable {
    /// One `a=` line.
    package struct Attribute: Sendable, Hashable {
        package var name: String
        /// Nil for a flag such as `a=recvonly`.
        package var value: String?

        package init(_ name: String, _ value: String? = nil) {
            self.name = name
            self.value = value
        }
    }

    /// One `m=` line with what follows it.
    package struct Media: Sendable, Hashable {
        /// `video`, `audio` or `application`.
        package var kind: String
        package var port: UInt16
        /// `RTP/AVP` and the like.
        package var transport: String
        /// Payload types in the order of preference.
        package var formats: [String]
        /// `b=AS`, in kilobits a second.
        package var bandwidth: Int?
        /// The content of the medium's own `c=`; nil if it has the session's.
        package var connection: String?
        package var attributes: [Attribute]

        package init(
            kind: String,
            port: UInt16 = 0,
            transport: String = "RTP/AVP",
            formats: [String],
            bandwidth: Int? = nil,
            connection: String? = nil,
            attributes: [Attribute] = []
        ) {
            self.kind = kind
            self.port = port
            self.transport = transport
            self.formats = formats
            self.bandwidth = bandwidth
            self.connection = connection
            self.attributes = attributes
        }

        /// The value of the first attribute called `name`.
        package subscript(_ name: String) -> String? { attributes.first { $0.name == name }?.value }

        /// Encoding name, clock rate and channels of a payload type (`a=rtpmap`, RFC 8866 §6.6).
        package func mapping(of format: String) -> (encoding: String, rate: UInt32, channels: Int)? {
            guard let content = content("rtpmap", of: format) else { return nil }
            let parts = content.split(separator: "/").map(\.trimmed)
            guard parts.count >= 2, let rate = UInt32(parts[1]) else { return nil }
            return (parts[0], rate, parts.count > 2 ? Int(parts[2]) ?? 1 : 1)
        }

        /// One format parameter of a payload type (`a=fmtp`, RFC 8866 §6.15); names are compared without case.
        package func parameter(_ name: String, of format: String) -> String? {
            guard let content = content("fmtp", of: format) else { return nil }
            for parameter in content.split(separator: ";") {
                let pair = parameter.split(separator: "=", maxSplits: 1).map(\.trimmed)
                if pair.count == 2, pair[0].lowercased() == name.lowercased() { return pair[1] }
            }
            return nil
        }

        /// What an attribute says of one payload type, which stands in front, with blanks around as they may be.
        private func content(_ name: String, of format: String) -> Substring? {
            for attribute in attributes where attribute.name == name {
                let words = (attribute.value ?? "").split(maxSplits: 1) { $0 == " " || $0 == "\t" }
                if words.count == 2, words[0] == format { return words[1] }
            }
            return nil
        }
    }

    /// The content of `o=`: user, identifier, version, network and address.
    package var origin: String
    package var name: String
    /// The content of the session's `c=`; nil if every medium has its own.
    package var connection: String?
    package var attributes: [Attribute]
    package var media: [Media]

    package init(
        origin: String,
        name: String,
        connection: String? = nil,
        attributes: [Attribute] = [],
        media: [Media] = []
    ) {
        self.origin = origin
        self.name = name
        self.connection = connection
        self.attributes = attributes
        self.media = media
    }

    /// The value of the first session attribute called `name`.
    package subscript(_ name: String) -> String? { attributes.first { $0.name == name }?.value }

    /// The description as text, lines ended by CR LF.
    package var text: String {
        var lines = ["v=0", "o=\(origin)", "s=\(name.isEmpty ? "-" : name)"]
        if let connection { lines.append("c=\(connection)") }
        lines.append("t=0 0")
        lines += attributes.map(Self.line)
        for medium in media {
            lines.append(
                "m=\(medium.kind) \(medium.port) \(medium.transport) \(medium.formats.joined(separator: " "))"
            )
            if let connection = medium.connection { lines.append("c=\(connection)") }
            if let bandwidth = medium.bandwidth { lines.append("b=AS:\(bandwidth)") }
            lines += medium.attributes.map(Self.line)
        }
        // A line end inside a value would let it add lines of its own.
        return lines.map { Self.printable($0.utf8) + "\r\n" }.joined()
    }

    /// The text without control characters.
    static func printable(_ text: some Sequence<UInt8>) -> String {
        String(decoding: text.filter { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }, as: UTF8.self)
    }

    private static func line(_ attribute: Attribute) -> String {
        attribute.value.map { "a=\(attribute.name):\($0)" } ?? "a=\(attribute.name)"
    }
}
