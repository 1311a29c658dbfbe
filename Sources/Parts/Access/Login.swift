// SPDX-License-Identifier: Apache-2.0
// What a browser sends to log in: JSON of a script's, or a form.

import Bytes
import Control
package import HTTP

/// A name and a password.
package struct Login: Sendable, Equatable {
    /// Larger bodies are refused, in bytes.
    package static let byteLimit = 4096

    package let user: String
    package let password: String

    /// Reads a body.
    ///
    /// - Throws: what is wrong with it, in words for the client; nothing of what it holds.
    package init(parsing body: Span<UInt8>, type: String) throws(RequestError) {
        guard body.count <= Self.byteLimit else {
            throw RequestError(.contentTooLarge, "more than \(Self.byteLimit) bytes")
        }
        let values: (user: String?, password: String?)
        switch SitePolicy.mediaType(type) {
        case "application/json":
            guard let json = try? JSON(parsing: body) else { throw RequestError(.badRequest, "the body is not JSON") }
            values = (json["user"]?.string, json["password"]?.string)
        case "application/x-www-form-urlencoded":
            // The same syntax as a query's, and the same rules for what is in it (WHATWG URL §5.1).
            let bytes = Array("/?".utf8) + body.indices.map { body[$0] }
            let form = try Target(parsing: bytes[...])
            values = (form["user"], form["password"])
        default: throw RequestError(.badRequest, "Content-Type must be application/json")
        }
        guard let user = values.user, let password = values.password else {
            throw RequestError(.badRequest, "user and password must be there, and be texts")
        }
        guard UserName.problem(with: user) == nil, Secret.problem(with: password) == nil else {
            throw RequestError(.badRequest, "nobody has such a user name or password")
        }
        self.user = user
        self.password = password
    }
}

extension Login: CustomStringConvertible {
    /// The name alone: nothing of the password gets into a log.
    package var description: String { user }
}
