// SPDX-License-Identifier: Apache-2.0
// The numbers of responses and the words behind them.

/// A response's status code (RFC 2326 §7.1.1).
package struct RTSPStatus: RawRepresentable, Sendable, Hashable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) { self.rawValue = rawValue }

    package static let ok = RTSPStatus(rawValue: 200)
    package static let badRequest = RTSPStatus(rawValue: 400)
    package static let unauthorized = RTSPStatus(rawValue: 401)
    package static let forbidden = RTSPStatus(rawValue: 403)
    package static let notFound = RTSPStatus(rawValue: 404)
    package static let notAcceptable = RTSPStatus(rawValue: 406)
    package static let entityTooLarge = RTSPStatus(rawValue: 413)
    package static let targetTooLong = RTSPStatus(rawValue: 414)
    package static let unsupportedMediaType = RTSPStatus(rawValue: 415)
    package static let parameterNotUnderstood = RTSPStatus(rawValue: 451)
    package static let notEnoughBandwidth = RTSPStatus(rawValue: 453)
    package static let sessionNotFound = RTSPStatus(rawValue: 454)
    package static let notValidInState = RTSPStatus(rawValue: 455)
    package static let invalidRange = RTSPStatus(rawValue: 457)
    package static let aggregateNotAllowed = RTSPStatus(rawValue: 459)
    package static let onlyAggregateAllowed = RTSPStatus(rawValue: 460)
    package static let unsupportedTransport = RTSPStatus(rawValue: 461)
    package static let internalError = RTSPStatus(rawValue: 500)
    package static let notImplemented = RTSPStatus(rawValue: 501)
    package static let unavailable = RTSPStatus(rawValue: 503)
    package static let versionNotSupported = RTSPStatus(rawValue: 505)
    package static let optionNotSupported = RTSPStatus(rawValue: 551)

    /// The words behind the number: those of RFC 2326 §7.1.1.
    package var reason: String {
        switch rawValue {
        case 100: "Continue"
        case 200: "OK"
        case 201: "Created"
        case 250: "Low on Storage Space"
        case 300: "Multiple Choices"
        case 301: "Moved Permanently"
        case 302: "Moved Temporarily"
        case 303: "See Other"
        case 304: "Not Modified"
        case 305: "Use Proxy"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 402: "Payment Required"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 406: "Not Acceptable"
        case 407: "Proxy Authentication Required"
        case 408: "Request Time-out"
        case 410: "Gone"
        case 411: "Length Required"
        case 412: "Precondition Failed"
        case 413: "Request Entity Too Large"
        case 414: "Request-URI Too Long"
        case 415: "Unsupported Media Type"
        case 451: "Parameter Not Understood"
        case 452: "Conference Not Found"
        case 453: "Not Enough Bandwidth"
        case 454: "Session Not Found"
        case 455: "Method Not Valid In This State"
        case 456: "Header Field Not Valid for Resource"
        case 457: "Invalid Range"
        case 458: "Parameter Is Read-Only"
        case 459: "Aggregate Operation Not Allowed"
        case 460: "Only Aggregate Operation Allowed"
        case 461: "Unsupported Transport"
        case 462: "Destination Unreachable"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Time-out"
        case 505: "RTSP Version Not Supported"
        case 551: "Option Not Supported"
        // What an unknown number means is told by its class (RFC 2326 §7.1.1).
        case 100..<200: "Continue"
        case 200..<300: "OK"
        case 300..<400: "Redirection"
        case 400..<500: "Client Error"
        case 500..<600: "Server Error"
        default: "Unknown"
        }
    }
}
