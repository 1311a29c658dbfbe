// SPDX-License-Identifier: Apache-2.0
// What players and publishers are told, and why they end.

import Bytes
package import Crypto
package import RTSP

/// How a client behaves.
package struct PlayerSettings: Sendable {
    /// A UDP track must bring its first packet within this time.
    package static let datagramPatience = Duration.seconds(3)

    package var transport = TransportChoice.auto
    /// True to end rather than to switch from UDP to TCP.
    package var isStrict = false
    /// Whom `rtsps` believes.
    package var trust = TLSTrust.system
    /// What requests carry as their User-Agent.
    package var agent = "Apus"
    /// The time from the start to the connection.
    package var connectTimeout = Duration.seconds(10)
    /// So long without a packet ends a playing session.
    package var stallTimeout = Duration.seconds(10)
    /// Sound is wanted, too.
    package var wantsAudio = true

    package init() {}

    /// What a location asks for.
    package init(_ location: RTSPLocation) {
        transport = location.transport
        switch location.trust {
        case .system: trust = .system
        case .fingerprint(let digest): trust = .fingerprint(digest)
        case .anybody: trust = .anybody
        }
    }
}

/// Why a player or publisher ended. It is not started again by itself.
package enum PlayerEnd: Error, Sendable, Hashable, CustomStringConvertible {
    /// The connection did not come about, or broke.
    case connection(String)
    case session(ClientFailure)
    /// No packet came for so long.
    case stalled(Duration)
    /// The server said that the stream is over.
    case goodbye

    package var description: String {
        switch self {
        case .connection(let reason): reason
        case .session(let failure): failure.description
        case .stalled(let time): "no packet for \(Int(time.seconds)) s"
        case .goodbye: "the server ended the stream"
        }
    }
}
