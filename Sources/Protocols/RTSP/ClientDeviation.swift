// SPDX-License-Identifier: Apache-2.0
// What servers do differently from RFC 2326, and what the client makes of it.

/// A way in which a server departs from the standard, and which the client tolerates.
package enum ClientDeviation: String, Sendable, Hashable, CaseIterable {
    case missingPublic = "missing-public"
    case missingSequence = "missing-cseq"
    case wrongSequence = "wrong-cseq"
    case malformedHeader = "malformed-header"
    case lowercaseHeader = "lowercase-header"
    case extraLineEnds = "extra-line-ends"
    case strayBytes = "stray-bytes"
    case bodyWithoutLength = "body-without-length"
    case malformedMessage = "malformed-message"
    case missingContentBase = "missing-content-base"
    case relativeContentBase = "relative-content-base"
    case missingContentType = "missing-content-type"
    case missingControl = "missing-control"
    case absolutePathControl = "absolute-path-control"
    case missingSession = "missing-session"
    case oddSession = "odd-session"
    case changedSession = "changed-session"
    case missingTransport = "missing-transport"
    case malformedTransport = "malformed-transport"
    case otherTransport = "other-transport"
    case missingServerPort = "missing-server-port"
    case missingChannels = "missing-channels"
    case sharedChannels = "shared-channels"
    case missingRTPInfo = "missing-rtp-info"
    case malformedRTPInfo = "malformed-rtp-info"
    case earlyPackets = "early-packets"
    case unknownChannel = "unknown-channel"
    case keepAliveRefused = "keep-alive-refused"
    case keepAliveUnanswered = "keep-alive-unanswered"
    case optionsRefused = "options-refused"
    case redirectWithoutLocation = "redirect-without-location"
    case unasked = "unasked-response"

    /// One line for the log: what was seen, and what is done about it.
    package var explanation: String {
        switch self {
        case .missingPublic: "OPTIONS names no methods; OPTIONS itself keeps the session alive"
        case .missingSequence: "a response has no CSeq; it is taken for the oldest request's"
        case .wrongSequence: "a response has another CSeq; it is taken for the oldest request's"
        case .malformedHeader: "a header line is malformed; it is left out"
        case .lowercaseHeader: "header names are in lower case"
        case .extraLineEnds: "empty lines stand between messages; they are skipped"
        case .strayBytes: "bytes stand between messages; they are skipped"
        case .bodyWithoutLength: "a body has no Content-Length; it is skipped"
        case .malformedMessage: "a message cannot be read; it is skipped"
        case .missingContentBase: "DESCRIBE names no Content-Base; the request's URL is taken"
        case .relativeContentBase: "Content-Base is relative; it is put behind the request's URL"
        case .missingContentType: "DESCRIBE names no Content-Type; the body is taken for SDP"
        case .missingControl: "a medium has no control attribute; the session's URL is taken"
        case .absolutePathControl: "a control attribute is an absolute path; it is put behind the host"
        case .missingSession: "SETUP names no session; requests go on without one"
        case .oddSession: "the Session header has unknown parameters; they are ignored"
        case .changedSession: "the session changed its name; the new one is taken"
        case .missingTransport: "SETUP names no transport; what was asked for is assumed"
        case .malformedTransport: "the Transport header cannot be read; what was asked for is assumed"
        case .otherTransport: "the server decided for another transport; it is taken"
        case .missingServerPort: "the transport has no server_port; packets are taken from any port of the server"
        case .missingChannels: "the transport has no interleaved channels; those asked for are assumed"
        case .sharedChannels: "two tracks share interleaved channels; the first gets the packets"
        case .missingRTPInfo: "PLAY names no RTP-Info; tracks are aligned by sender reports"
        case .malformedRTPInfo: "RTP-Info cannot be read; tracks are aligned by sender reports"
        case .earlyPackets: "packets came before PLAY was answered; they are taken"
        case .unknownChannel: "packets came on a channel that nobody set up; they are dropped"
        case .keepAliveRefused: "GET_PARAMETER is refused; OPTIONS keeps the session alive"
        case .keepAliveUnanswered: "a request to keep the session alive was not answered"
        case .optionsRefused: "OPTIONS is refused; DESCRIBE is tried anyhow"
        case .redirectWithoutLocation: "a redirect names no place to go"
        case .unasked: "a response came that nobody waits for; it is ignored"
        }
    }
}

/// Why a client's session ended.
package enum ClientFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// A request was refused.
    case refused(RTSPMethod, RTSPStatus)
    /// Name and password are missing or wrong.
    case unauthorized(hasCredentials: Bool)
    /// The server does not know the session any more.
    case sessionLost
    /// No answer came in time.
    case noAnswer(RTSPMethod)
    /// The description cannot be read, or has nothing that is wanted.
    case badDescription(String)
    /// The server takes none of the transports offered.
    case transportRefused
    /// One redirect after the other, or one to nowhere.
    case badRedirect
    /// The server closed the connection.
    case closed

    package var description: String {
        switch self {
        case .refused(let method, let status): "\(method.name) is answered \(status.rawValue) \(status.reason)"
        case .unauthorized(let has):
            has ? "user name or password is wrong (401)" : "the server asks for a user name and password (401)"
        case .sessionLost: "the server has forgotten the session (454)"
        case .noAnswer(let method): "\(method.name) is not answered"
        case .badDescription(let reason): "the description is no good: \(reason)"
        case .transportRefused: "the server takes none of the transports offered (461)"
        case .badRedirect: "redirected too often, or to nowhere"
        case .closed: "the server closed the connection"
        }
    }
}
