// SPDX-License-Identifier: Apache-2.0
// The request target: path and query, percent-decoded and safe to compare (RFC 3986, RFC 9112 §3.2).

/// What a request is for.
///
/// A path is a list of decoded segments. A segment that could mean another place once it is joined again (`..`,
/// a slash or backslash from `%2F`, NUL) is refused, so traversal is impossible by construction.
package struct Target: Sendable, Equatable {
    /// At most this many segments and this many query items.
    package static let segmentLimit = 32
    package static let queryLimit = 32

    /// One `name=value` of the query; the value is empty where there is no `=`.
    package struct QueryItem: Sendable, Equatable {
        package var name: String
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// The decoded segments of the path; none for `/`.
    package private(set) var segments: [String] = []
    /// The decoded query, in order.
    package private(set) var query: [QueryItem] = []
    /// The authority of the absolute form, as it was written; it stands for the Host field (RFC 9112 §3.2.2).
    package private(set) var authority: [UInt8]?
    /// True for the `*` of `OPTIONS *`.
    package private(set) var isServer = false

    /// The path `/`.
    static let root = Target()

    private init() {}

    /// Parses origin form, absolute form or the asterisk.
    ///
    /// - Throws: 400 for anything else and for a path that is not safe.
    package init(parsing bytes: ArraySlice<UInt8>) throws(RequestError) {
        if bytes.elementsEqual("*".utf8) {
            isServer = true
            return
        }
        guard bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }) else {
            throw RequestError(.badRequest, "invalid character in the request target")
        }
        let (origin, authority) = try Self.origin(bytes)
        self.authority = authority.map(Array.init)
        let mark = origin.firstIndex(of: UInt8(ascii: "?")) ?? origin.endIndex
        try parsePath(origin[..<mark])
        if mark < origin.endIndex { try parseQuery(origin[(mark + 1)...]) }
    }

    /// The path joined again; its segments hold no slash.
    package var path: String { "/" + segments.joined(separator: "/") }

    /// Path and query as they are written on the wire, decoding to the same.
    package var encoded: String {
        var text = "/" + segments.map { Self.encode($0) }.joined(separator: "/")
        for (index, item) in query.enumerated() {
            text += (index == 0 ? "?" : "&") + Self.encode(item.name)
            if !item.value.isEmpty { text += "=" + Self.encode(item.value) }
        }
        return text
    }

    /// Writes all but the unreserved characters as `%XX` (RFC 3986 §2.3).
    private static func encode(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                bytes.append(byte)
            default: bytes += [Syntax.percent, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The value of the first query item called `name`.
    package subscript(_ name: String) -> String? { query.first { $0.name == name }?.value }

    /// Cuts scheme and authority off the absolute form, which a server has to accept (RFC 9112 §3.2.2).
    private static func origin(
        _ bytes: ArraySlice<UInt8>
    ) throws(RequestError) -> (path: ArraySlice<UInt8>, authority: ArraySlice<UInt8>?) {
        if bytes.first == Syntax.slash { return (bytes, nil) }
        for scheme in ["http://", "https://"] {
            guard bytes.count > scheme.utf8.count else { continue }
            let start = bytes.startIndex + scheme.utf8.count
            guard bytes[..<start].map({ Syntax.lowercased($0) }).elementsEqual(scheme.utf8) else { continue }
            let rest = bytes[start...]
            guard let end = rest.firstIndex(where: { $0 == Syntax.slash || $0 == UInt8(ascii: "?") }) else {
                return ([Syntax.slash], rest)
            }
            return (rest[end] == Syntax.slash ? rest[end...] : [Syntax.slash] + rest[end...], rest[..<end])
        }
        throw RequestError(.badRequest, "the request target is neither a path nor an http URL")
    }

    private mutating func parsePath(_ path: ArraySlice<UInt8>) throws(RequestError) {
        for raw in path.dropFirst().split(separator: Syntax.slash, omittingEmptySubsequences: true) {
            guard segments.count < Self.segmentLimit else {
                throw RequestError(.targetTooLong, "more than \(Self.segmentLimit) path segments")
            }
            let segment = try Self.decode(raw, plusIsSpace: false)
            guard segment != ".", segment != "..",
                !segment.utf8.contains(where: { $0 == Syntax.slash || $0 == UInt8(ascii: "\\") })
            else { throw RequestError(.badRequest, "path segment that leads elsewhere") }
            segments.append(segment)
        }
    }

    private mutating func parseQuery(_ bytes: ArraySlice<UInt8>) throws(RequestError) {
        for item in bytes.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: true) {
            guard query.count < Self.queryLimit else {
                throw RequestError(.targetTooLong, "more than \(Self.queryLimit) query items")
            }
            let equals = item.firstIndex(of: UInt8(ascii: "=")) ?? item.endIndex
            let name = try Self.decode(item[..<equals], plusIsSpace: true)
            let value = try Self.decode(item[equals...].dropFirst(), plusIsSpace: true)
            query.append(QueryItem(name: name, value: value))
        }
    }

    /// Decodes `%XX`, and `+` where it stands for a space; the result is valid UTF-8 without control characters.
    private static func decode(_ bytes: ArraySlice<UInt8>, plusIsSpace: Bool) throws(RequestError) -> String {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            var byte = bytes[index]
            if byte == Syntax.percent {
                guard bytes.endIndex - index > 2, let high = Syntax.hexadecimal(bytes[index + 1]),
                    let low = Syntax.hexadecimal(bytes[index + 2])
                else { throw RequestError(.badRequest, "incomplete percent-encoding") }
                byte = UInt8(high << 4 | low)
                index += 2
            } else if plusIsSpace, byte == UInt8(ascii: "+") {
                byte = Syntax.space
            }
            guard byte >= 0x20, byte != 0x7F else {
                throw RequestError(.badRequest, "control character in the request target")
            }
            decoded.append(byte)
            index += 1
        }
        guard let text = String(validating: decoded, as: UTF8.self) else {
            throw RequestError(.badRequest, "the request target is not UTF-8")
        }
        return text
    }
}
