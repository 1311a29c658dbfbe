// SPDX-License-Identifier: Apache-2.0
// The fields of a request's or response's head (RFC 9110 §5).

/// One line of a head.
package struct HeaderField: Sendable, Equatable {
    /// In lower case when it was received.
    package var name: String
    /// Without white space at its ends.
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// The received fields of a head, in the order in which they came.
package struct HeaderFields: Sendable, Equatable {
    /// At most this many fields in one head.
    package static let countLimit = 64
    /// At most this many bytes of field lines in one head, line ends included.
    package static let byteLimit = 16 * 1024

    package private(set) var fields: [HeaderField] = []

    package init() {}

    /// Appends one received line without its line end.
    ///
    /// - Throws: 400 for anything but `token ":" text`, 431 for a field too many.
    package mutating func append(parsing line: ArraySlice<UInt8>) throws(RequestError) {
        guard fields.count < Self.countLimit else {
            throw RequestError(.fieldsTooLarge, "more than \(Self.countLimit) header fields")
        }
        guard let first = line.first, !Syntax.isWhitespace(first) else {
            // RFC 9112 §5.2: obsolete folding is refused, because intermediaries disagree on it.
            throw RequestError(.badRequest, "folded header line")
        }
        guard let colon = line.firstIndex(of: Syntax.colon) else {
            throw RequestError(.badRequest, "header line without a colon")
        }
        let name = line[..<colon]
        // RFC 9112 §5.1: white space in front of the colon must be refused; no token contains any.
        guard !name.isEmpty, name.allSatisfy(Syntax.isToken) else {
            throw RequestError(.badRequest, "invalid header name")
        }
        let value = Syntax.trimmed(line[(colon + 1)...])
        guard value.allSatisfy(Syntax.isText) else {
            throw RequestError(.badRequest, "invalid character in a header value")
        }
        fields.append(
            HeaderField(
                String(decoding: name.map { Syntax.lowercased($0) }, as: UTF8.self),
                String(decoding: value, as: UTF8.self)
            )
        )
    }

    /// Has `value` stand for all fields called `name`, which is in lower case, and which there is at least one of.
    mutating func replace(_ name: String, with value: String) {
        for index in fields.indices where fields[index].name == name { fields[index].value = value }
    }

    /// The value of the first field called `name`, which is in lower case.
    package subscript(_ name: String) -> String? { fields.first { $0.name == name }?.value }

    /// The values of all fields called `name`, which is in lower case.
    package func values(_ name: String) -> [String] { fields.filter { $0.name == name }.map(\.value) }

    /// The members of the comma-separated list that all fields called `name` make together, empty ones included.
    package func list(_ name: String) -> [String] {
        values(name)
            .flatMap { value in
                Array(value.utf8)[...].split(separator: Syntax.comma, omittingEmptySubsequences: false)
                    .map {
                        String(decoding: Syntax.trimmed($0), as: UTF8.self)
                    }
            }
    }

    /// True when the list of `name` has the member `token`, in any case; `token` itself is in lower case.
    package func contains(_ token: String, in name: String) -> Bool {
        list(name).contains { Syntax.lowercased($0) == token }
    }
}
