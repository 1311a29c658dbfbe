// SPDX-License-Identifier: Apache-2.0
// Status codes, methods, versions, and the error that a request is refused with.

/// The code of a response's status line (RFC 9110 §15).
package enum Status: Int, Sendable {
    case `continue` = 100
    case switchingProtocols = 101
    case ok = 200
    case created = 201
    case noContent = 204
    case partialContent = 206
    case seeOther = 303
    case notModified = 304
    case permanentRedirect = 308
    case badRequest = 400
    case unauthorized = 401
    case forbidden = 403
    case notFound = 404
    case methodNotAllowed = 405
    case requestTimeout = 408
    case conflict = 409
    case preconditionFailed = 412
    case contentTooLarge = 413
    case targetTooLong = 414
    case unsupportedMediaType = 415
    case rangeNotSatisfiable = 416
    case expectationFailed = 417
    case misdirected = 421
    case unprocessable = 422
    case upgradeRequired = 426
    case tooManyRequests = 429
    case fieldsTooLarge = 431
    case internalError = 500
    case notImplemented = 501
    case unavailable = 503
    case versionNotSupported = 505

    /// The reason phrase that goes with the code.
    package var phrase: StaticString {
        switch self {
        case .continue: "Continue"
        case .switchingProtocols: "Switching Protocols"
        case .ok: "OK"
        case .created: "Created"
        case .noContent: "No Content"
        case .partialContent: "Partial Content"
        case .seeOther: "See Other"
        case .permanentRedirect: "Permanent Redirect"
        case .notModified: "Not Modified"
        case .badRequest: "Bad Request"
        case .unauthorized: "Unauthorized"
        case .forbidden: "Forbidden"
        case .notFound: "Not Found"
        case .methodNotAllowed: "Method Not Allowed"
        case .requestTimeout: "Request Timeout"
        case .conflict: "Conflict"
        case .preconditionFailed: "Precondition Failed"
        case .contentTooLarge: "Content Too Large"
        case .targetTooLong: "URI Too Long"
        case .unsupportedMediaType: "Unsupported Media Type"
        case .rangeNotSatisfiable: "Range Not Satisfiable"
        case .expectationFailed: "Expectation Failed"
        case .unprocessable: "Unprocessable Content"
        case .misdirected: "Misdirected Request"
        case .upgradeRequired: "Upgrade Required"
        case .tooManyRequests: "Too Many Requests"
        case .fieldsTooLarge: "Request Header Fields Too Large"
        case .internalError: "Internal Server Error"
        case .notImplemented: "Not Implemented"
        case .unavailable: "Service Unavailable"
        case .versionNotSupported: "HTTP Version Not Supported"
        }
    }

    /// True for a response that never has a body, whatever its fields say (RFC 9112 §6.3).
    package var forbidsBody: Bool { rawValue < 200 || self == .noContent || self == .notModified }
}

/// The methods that are told apart; any other is answered 501.
package enum Method: String, Sendable, CaseIterable {
    case get = "GET"
    case head = "HEAD"
    case post = "POST"
    case put = "PUT"
    case patch = "PATCH"
    case delete = "DELETE"
    case options = "OPTIONS"
    case trace = "TRACE"
}

/// The minor version of HTTP/1; a later minor version is treated as 1.1 (RFC 9110 §2.5).
package enum Version: Sendable {
    case http10
    case http11
}

/// Why a request is refused: the status to answer with, and what is wrong in words for the client and the log.
///
/// The connection closes after the answer, since what follows on it can no longer be told apart.
package struct RequestError: Error, Equatable, Sendable {
    package var status: Status
    package var reason: String

    package init(_ status: Status, _ reason: String) {
        self.status = status
        self.reason = reason
    }
}
