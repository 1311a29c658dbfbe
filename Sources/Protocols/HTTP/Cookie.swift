// SPDX-License-Identifier: Apache-2.0
// Cookies: reading what a client shows, writing what it is to keep (RFC 6265 and its revision 6265bis).

/// The cookies of a request.
package struct Cookies: Sendable, Equatable {
    /// More cookies of one request are not looked at.
    package static let countLimit = 64

    /// One `name=value`.
    package struct Pair: Sendable, Equatable {
        package var name: String
        package var value: String
    }

    /// In the order in which they came.
    package private(set) var pairs: [Pair] = []

    /// Reads all `Cookie` fields; HTTP/2 sends one field a cookie.
    ///
    /// A pair that is malformed is left out, as every server does: cookies of other software on the host are none of
    /// our business. Quotes around a value are taken off.
    package init(_ fields: HeaderFields) {
        for value in fields.values("cookie") {
            for part in value.utf8.split(separator: UInt8(ascii: ";")) {
                guard pairs.count < Self.countLimit else { return }
                if let pair = Self.pair(part) { pairs.append(pair) }
            }
        }
    }

    /// The values of all cookies called `name`; names are compared as they are written.
    package subscript(_ name: String) -> [String] { pairs.filter { $0.name == name }.map(\.value) }

    private static func pair(_ part: Substring.UTF8View) -> Pair? {
        let part = Syntax.trimmed(Array(part)[...])
        guard let equals = part.firstIndex(of: UInt8(ascii: "=")) else { return nil }
        let name = Syntax.trimmed(part[..<equals])
        var value = Syntax.trimmed(part[(equals + 1)...])
        guard !name.isEmpty, name.allSatisfy(Syntax.isToken) else { return nil }
        if value.count >= 2, value.first == UInt8(ascii: "\""), value.last == UInt8(ascii: "\"") {
            value = value.dropFirst().dropLast()
        }
        guard value.allSatisfy(isOctet) else { return nil }
        return Pair(name: String(decoding: name, as: UTF8.self), value: String(decoding: value, as: UTF8.self))
    }

    /// RFC 6265 §4.1.1 `cookie-octet`.
    fileprivate static func isOctet(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\\"): false
        default: byte > 0x20 && byte < 0x7F
        }
    }
}

/// A cookie that a client is to keep, or to forget.
package struct SetCookie: Sendable, Equatable {
    /// Which requests of other sites' pages it goes along with.
    package enum SameSite: String, Sendable {
        case strict = "Strict"
        case lax = "Lax"
    }

    package var name: String
    /// Of letters that need no quotes.
    package var value: String
    /// How long it is kept, in whole seconds; zero: the client forgets it; nil: until the browser ends.
    package var maximumAge: Duration?
    /// It goes over TLS only.
    package var isSecure: Bool
    package var sameSite: SameSite

    /// A cookie for all paths of this host, which no script sees.
    package init(_ name: String, _ value: String, maximumAge: Duration?, isSecure: Bool, sameSite: SameSite = .strict) {
        self.name = name
        self.value = value
        self.maximumAge = maximumAge
        self.isSecure = isSecure
        self.sameSite = sameSite
    }

    /// The `Set-Cookie` field.
    package var field: HeaderField {
        let isSpelt = value.utf8.allSatisfy(Cookies.isOctet) && name.utf8.allSatisfy(Syntax.isToken)
        precondition(isSpelt, "a cookie is made of harmless letters")
        var text = "\(name)=\(value); Path=/"
        if let maximumAge { text += "; Max-Age=\(max(0, maximumAge.components.seconds))" }
        text += "; HttpOnly; SameSite=\(sameSite.rawValue)"
        if isSecure { text += "; Secure" }
        return HeaderField("Set-Cookie", text)
    }
}
