// SPDX-License-Identifier: Apache-2.0
// The values of WWW-Authenticate and Authorization, which RTSP shares with HTTP (RFC 9110 §11, RFC 7617).

package import Bytes

/// One scheme with its parameters: a challenge of a server's, or the credentials of a client's.
package struct AuthenticationField: Sendable, Equatable {
    /// Bytes of one header's value.
    package static let byteLimit = 4096
    /// Parameters of one scheme.
    package static let parameterLimit = 32
    /// Challenges of one header's value.
    package static let challengeLimit = 8

    /// One `name=value`.
    package struct Parameter: Sendable, Equatable {
        /// In lower case.
        package var name: String
        /// Without quotes and escapes.
        package var value: String
    }

    /// In lower case: `digest`, `basic`.
    package private(set) var scheme: String
    /// What follows the scheme where that is no list: the base64 of Basic, the token of Bearer.
    package private(set) var token: String?
    package private(set) var parameters: [Parameter] = []

    /// The value of the parameter called `name`, which is in lower case.
    package subscript(_ name: String) -> String? { parameters.first { $0.name == name }?.value }

    /// Parses an `Authorization` value: one scheme and nothing behind it.
    ///
    /// - Throws: what is wrong, also for a parameter that is there twice.
    package init(credentials text: Span<UInt8>) throws(WireError) {
        var scanner = try Scanner(text)
        guard let field = try scanner.next() else { throw .truncated(needed: 1, available: 0) }
        guard try scanner.next() == nil else { throw .limit(field: "Authorization schemes", limit: 1) }
        self = field
    }

    /// Parses a `WWW-Authenticate` value: one or more challenges, also of schemes that nobody here knows.
    ///
    /// Cameras leave out the commas between parameters, or the quotes around values; both are understood.
    package static func challenges(_ text: Span<UInt8>) throws(WireError) -> [AuthenticationField] {
        var scanner = try Scanner(text)
        var fields: [AuthenticationField] = []
        while let field = try scanner.next() {
            guard fields.count < challengeLimit else { throw .limit(field: "challenges", limit: challengeLimit) }
            fields.append(field)
        }
        return fields
    }

    /// Parses the `WWW-Authenticate` values of a response; one that is malformed is left out.
    package static func challenges(in values: [String]) -> [AuthenticationField] {
        values.flatMap { value -> [AuthenticationField] in
            let bytes = Array(value.utf8)
            return (try? challenges(bytes.span)) ?? []
        }
    }

    private init(scheme: String) { self.scheme = scheme }
}

// MARK: Grammar

extension AuthenticationField {
    /// Takes schemes off the front of a value.
    private struct Scanner: ~Escapable {
        private let bytes: Span<UInt8>
        private var offset = 0

        @_lifetime(copy bytes)
        init(_ bytes: Span<UInt8>) throws(WireError) {
            guard bytes.count <= byteLimit else { throw .limit(field: "authentication header", limit: byteLimit) }
            self.bytes = bytes
        }

        private var byte: UInt8? { offset < bytes.count ? bytes[offset] : nil }

        /// The next scheme with all its parameters; nil at the end.
        @_lifetime(self: copy self)
        mutating func next() throws(WireError) -> AuthenticationField? {
            skipSeparators()
            guard byte != nil else { return nil }
            var field = AuthenticationField(scheme: Syntax.lowercased(try token("scheme")))
            guard let byte, Syntax.isWhitespace(byte) else {
                guard byte == nil || byte == Syntax.comma else { throw unexpected("scheme") }
                return field
            }
            skipWhitespace()
            if let token = token68() {
                field.token = token
                return field
            }
            try takeParameters(&field)
            return field
        }

        /// Reads parameters up to the end or to what is the next scheme.
        @_lifetime(self: copy self)
        private mutating func takeParameters(_ field: inout AuthenticationField) throws(WireError) {
            while true {
                skipSeparators()
                guard byte != nil else { return }
                let start = offset
                let name = Syntax.lowercased(try token("parameter"))
                skipWhitespace()
                guard byte == UInt8(ascii: "=") else {
                    offset = start
                    return
                }
                offset += 1
                skipWhitespace()
                guard field.parameters.count < parameterLimit else {
                    throw .limit(field: "authentication parameters", limit: parameterLimit)
                }
                guard field[name] == nil else {
                    throw .invalid(field: "parameter twice, at byte", value: UInt64(start))
                }
                let value = byte == UInt8(ascii: "\"") ? try quoted() : try bare()
                field.parameters.append(Parameter(name: name, value: value))
            }
        }

        /// RFC 9110 §11.2: `YWxhZGRpbg==` up to a comma or the end; nil if what comes is something else.
        @_lifetime(self: copy self)
        private mutating func token68() -> String? {
            var end = offset
            while end < bytes.count, Self.isToken68(bytes[end]) { end += 1 }
            guard end > offset else { return nil }
            while end < bytes.count, bytes[end] == UInt8(ascii: "=") { end += 1 }
            var behind = end
            while behind < bytes.count, Syntax.isWhitespace(bytes[behind]) { behind += 1 }
            guard behind == bytes.count || bytes[behind] == Syntax.comma else { return nil }
            defer { offset = behind }
            return text(offset..<end)
        }

        private static func isToken68(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "-._~+/".utf8.contains(byte)
            }
        }

        @_lifetime(self: copy self)
        private mutating func token(_ what: String) throws(WireError) -> String {
            let start = offset
            while let byte, Syntax.isToken(byte) { offset += 1 }
            guard offset > start else { throw unexpected(what) }
            return text(start..<offset)
        }

        /// A value without quotes: up to a comma or white space.
        @_lifetime(self: copy self)
        private mutating func bare() throws(WireError) -> String {
            let start = offset
            while let byte, byte != Syntax.comma, !Syntax.isWhitespace(byte) {
                guard Syntax.isText(byte), byte != UInt8(ascii: "\"") else { throw unexpected("value") }
                offset += 1
            }
            return text(start..<offset)
        }

        /// RFC 9110 §5.6.4.
        @_lifetime(self: copy self)
        private mutating func quoted() throws(WireError) -> String {
            var value: [UInt8] = []
            offset += 1
            while let byte, byte != UInt8(ascii: "\"") {
                if byte == UInt8(ascii: "\\") { offset += 1 }
                guard offset < bytes.count else { break }
                guard Syntax.isText(bytes[offset]) else { throw unexpected("quoted value") }
                value.append(bytes[offset])
                offset += 1
            }
            guard offset < bytes.count else { throw .truncated(needed: 1, available: 0) }
            offset += 1
            return String(decoding: value, as: UTF8.self)
        }

        @_lifetime(self: copy self)
        private mutating func skipWhitespace() {
            while let byte, Syntax.isWhitespace(byte) { offset += 1 }
        }

        @_lifetime(self: copy self)
        private mutating func skipSeparators() {
            while let byte, Syntax.isWhitespace(byte) || byte == Syntax.comma { offset += 1 }
        }

        private func text(_ range: Range<Int>) -> String {
            String(decoding: range.map { bytes[$0] }, as: UTF8.self)
        }

        private func unexpected(_ what: String) -> WireError {
            guard let byte else { return .truncated(needed: 1, available: 0) }
            return .invalid(field: "authentication \(what), byte", value: UInt64(byte))
        }
    }
}

// MARK: Basic

/// The user and password of Basic (RFC 7617).
package struct BasicCredentials: Sendable, Equatable {
    package var user: String
    package var password: String

    package init(user: String, password: String) {
        self.user = user
        self.password = password
    }

    /// Takes them out of an `Authorization` value; nil if it is of another scheme or malformed.
    package init?(_ field: AuthenticationField) {
        guard field.scheme == "basic", let token = field.token, let bytes = try? Base64.decode(token),
            let colon = bytes.firstIndex(of: Syntax.colon),
            let user = String(validating: bytes[..<colon], as: UTF8.self),
            let password = String(validating: bytes[(colon + 1)...], as: UTF8.self)
        else { return nil }
        self.init(user: user, password: password)
    }

    /// The `Authorization` value.
    package var header: String {
        let bytes = Array("\(user):\(password)".utf8)
        return "Basic " + Base64.encode(bytes.span)
    }
}
