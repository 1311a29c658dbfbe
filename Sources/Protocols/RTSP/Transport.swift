// SPDX-License-Identifier: Apache-2.0
// The Transport header (RFC 2326 §12.39).

/// One transport that a client offers or a server answers with.
package struct RTSPTransport: Sendable, Hashable {
    /// Offers read from one header.
    package static let maximumOffers = 8

    /// How packets travel.
    package enum Lower: Sendable, Hashable {
        case udp
        case tcp
    }

    /// A pair of ports or channels: the first for RTP, the second for RTCP.
    package struct Pair<Number: FixedWidthInteger & Sendable>: Sendable, Hashable {
        package var rtp: Number
        package var rtcp: Number

        package init(_ rtp: Number, _ rtcp: Number) {
            self.rtp = rtp
            self.rtcp = rtcp
        }
    }

    package var lower: Lower
    /// RTP/SAVP: packets are encrypted.
    package var isSecure = false
    package var isMulticast = false
    /// True for `mode=record`.
    package var isRecording = false
    package var interleaved: Pair<UInt8>?
    package var clientPorts: Pair<UInt16>?
    package var serverPorts: Pair<UInt16>?
    /// The synchronisation source identifier.
    package var source: UInt32?
    /// The group that packets go to, for multicast.
    package var group: Group?

    /// A multicast group.
    package struct Group: Sendable, Hashable {
        /// The address in digits.
        package var address: String
        package var ports: Pair<UInt16>
        /// How many routers packets may pass.
        package var timeToLive: UInt8

        package init(_ address: String, _ ports: Pair<UInt16>, timeToLive: UInt8) {
            self.address = address
            self.ports = ports
            self.timeToLive = timeToLive
        }
    }

    package init(_ lower: Lower) { self.lower = lower }

    /// The offers of a header in their order; those that are no RTP are left out.
    ///
    /// Nil if the header is malformed. Addresses in it are ignored: packets go to the client's own only.
    package static func offers(_ header: String) -> [RTSPTransport]? {
        var offers: [RTSPTransport] = []
        let texts = header.split(separator: ",")
        guard !texts.isEmpty, texts.count <= maximumOffers else { return nil }
        for text in texts {
            let parameters = text.split(separator: ";").map { $0.trimmingSpaces() }
            guard let specification = parameters.first else { return nil }
            let words = specification.uppercased().split(separator: "/")
            guard words.count >= 2, words[0] == "RTP", words[1].hasSuffix("AVP") || words[1].hasSuffix("AVPF") else {
                continue
            }
            var offer = RTSPTransport(words.count > 2 && words[2] == "TCP" ? .tcp : .udp)
            offer.isSecure = words[1].hasPrefix("S")
            // RFC 2326 §12.39: the default is multicast, but clients leave `unicast` out together with the rest.
            for parameter in parameters.dropFirst() {
                guard offer.take(parameter) else { return nil }
            }
            offers.append(offer)
        }
        return offers
    }

    private mutating func take(_ parameter: String) -> Bool {
        let pair = parameter.split(separator: "=", maxSplits: 1).map { $0.trimmingSpaces() }
        guard let name = pair.first?.lowercased() else { return true }
        let value = pair.count > 1 ? pair[1] : ""
        switch name {
        case "multicast": isMulticast = true
        case "interleaved":
            interleaved = Self.pair(value)
            return interleaved != nil
        case "client_port":
            clientPorts = Self.pair(value)
            return clientPorts.map { $0.rtp > 0 && $0.rtcp > 0 } ?? false
        case "server_port":
            serverPorts = Self.pair(value)
            return serverPorts != nil
        case "ssrc": source = UInt32(value, radix: 16)
        case "mode": isRecording = value.lowercased().contains("record")
        default: break
        }
        return true
    }

    /// `a-b`, or `a` alone for `a` and the next.
    private static func pair<Number>(_ text: String) -> Pair<Number>? {
        let numbers = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
            .map { $0.trimmingSpaces() }
        guard let first = numbers.first.flatMap({ Number($0) }) else { return nil }
        if numbers.count == 2 { return Number(numbers[1]).map { Pair(first, $0) } }
        return first < Number.max ? Pair(first, first + 1) : nil
    }

    /// The transport as a header's value.
    package var text: String {
        var parts = ["RTP/\(isSecure ? "SAVP" : "AVP")\(lower == .tcp ? "/TCP" : "")"]
        parts.append(isMulticast ? "multicast" : "unicast")
        if let group {
            parts += [
                "destination=\(group.address)", "port=\(group.ports.rtp)-\(group.ports.rtcp)",
                "ttl=\(group.timeToLive)",
            ]
        }
        if let interleaved { parts.append("interleaved=\(interleaved.rtp)-\(interleaved.rtcp)") }
        if let clientPorts { parts.append("client_port=\(clientPorts.rtp)-\(clientPorts.rtcp)") }
        if let serverPorts { parts.append("server_port=\(serverPorts.rtp)-\(serverPorts.rtcp)") }
        if let source {
            let digits = String(source, radix: 16, uppercase: true)
            parts.append("ssrc=\(String(repeating: "0", count: 8 - digits.count))\(digits)")
        }
        if isRecording { parts.append("mode=\"RECORD\"") }
        return parts.joined(separator: ";")
    }
}
