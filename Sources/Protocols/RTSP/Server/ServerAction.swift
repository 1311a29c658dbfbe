// SPDX-License-Identifier: Apache-2.0
// What passes between a server's session and its daemon: actions, questions, answers.

extension ServerSession {
    /// The feature tag of the way back to the camera's speaker (ONVIF Streaming Specification §5.3).
    package static let backchannelTag = "www.onvif.org/ver20/backchannel"

    /// A track that was set up.
    package struct Track: Sendable, Hashable {
        package var number: Int
        /// What a publisher's URL has behind the announced one; empty for players.
        package var control: String
        package var transport: RTSPTransport

        /// True if both name the same track.
        func isSame(_ number: Int, _ control: String) -> Bool { self.number == number && self.control == control }
    }

    /// What the daemon has to do.
    package enum Action: Sendable, Hashable {
        /// Send this.
        case respond(RTSPResponse)
        /// Find the stream, then call `answerDescribe`.
        case describe(RTSPAddress, wantsBackchannel: Bool)
        /// Look whether this may be published, then call `answerAnnounce`.
        case announce(RTSPAddress, description: [UInt8])
        /// Prepare the track's transport, then call `answerSetup`.
        case setup(SetupRequest)
        /// Find where each track starts, call `answerPlay`, send that, and only then start to send packets.
        case play(RTSPAddress)
        /// Get ready to receive, then call `answerRecord`.
        case record(RTSPAddress)
        /// Stop sending and receiving packets, then send this.
        case pause(RTSPResponse)
        /// Stop sending and receiving packets, release the transports, then send this.
        case teardown(RTSPResponse)
    }

    /// A track that is to be set up.
    package struct SetupRequest: Sendable, Hashable {
        package var address: RTSPAddress
        /// The track's number as the URL has it, 0 if it has none.
        package var track: Int
        /// What the URL has behind the announced one, as a publisher's `a=control` says; empty for players.
        package var control: String
        /// What the client can do, best first: the daemon answers with one of them.
        package var offers: [RTSPTransport]
        /// The KeyMgmt header (RFC 4567 §3.2), as sent.
        package var keyManagement: String?
        /// True if packets come from the client.
        package var isRecording: Bool
    }

    /// How a track was set up.
    package struct SetupAnswer: Sendable, Hashable {
        package var transport: RTSPTransport
        /// The KeyMgmt header to answer with.
        package var keyManagement: String?

        package init(_ transport: RTSPTransport, keyManagement: String? = nil) {
            self.transport = transport
            self.keyManagement = keyManagement
        }
    }

    /// Where a track starts, for RTP-Info (RFC 2326 §12.33).
    package struct Start: Sendable, Hashable {
        package var track: Int
        /// The first packet's sequence number.
        package var sequence: UInt16
        /// The first packet's timestamp; nil if it is not known yet.
        package var timestamp: UInt32?

        package init(track: Int, sequence: UInt16, timestamp: UInt32?) {
            self.track = track
            self.sequence = sequence
            self.timestamp = timestamp
        }
    }

    /// Why the daemon cannot do what a request asks for.
    package struct Refusal: Error, Sendable, Hashable {
        package var status: RTSPStatus
        /// One line for people, sent as the body.
        package var reason: String

        package init(_ status: RTSPStatus, _ reason: String) {
            self.status = status
            self.reason = reason
        }
    }

    /// What the daemon was asked.
    enum Question: Sendable, Hashable {
        case describe(RTSPAddress)
        case announce(RTSPAddress, target: String)
        case setup(RTSPAddress, track: Int, control: String)
        case play(RTSPAddress)
        case record(RTSPAddress)
    }
}
