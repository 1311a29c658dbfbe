// SPDX-License-Identifier: Apache-2.0
// Reading JSON (RFC 8259), strictly: no duplicate names, no lone surrogates, no bytes behind the value.

/// Why bytes are not JSON, and where.
package struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The byte at which it shows.
    package let offset: Int
    package let reason: String

    package var description: String { "\(reason) at byte \(offset)" }
}

extension JSON {
    /// Values nest at most so deep.
    package static let maximumDepth = 32
    /// An array or object has at most so many elements.
    package static let maximumElements = 4096

    /// Reads one value and nothing else.
    package init(parsing bytes: Span<UInt8>) throws(JSONError) {
        var parser = JSONParser(bytes)
        self = try parser.document()
    }

    /// Reads one value and nothing else.
    package init(parsing text: String) throws(JSONError) {
        try self.init(parsing: Array(text.utf8).span)
    }
}

/// A cursor over JSON text.
private struct JSONParser: ~Escapable {
    private let bytes: Span<UInt8>
    private var offset = 0

    @_lifetime(copy bytes)
    init(_ bytes: Span<UInt8>) { self.bytes = bytes }

    @_lifetime(self: copy self)
    mutating func document() throws(JSONError) -> JSON {
        let value = try value(depth: 0)
        skipSpace()
        guard offset == bytes.count else { throw failure("something stands behind the value") }
        return value
    }

    @_lifetime(self: copy self)
    private mutating func value(depth: Int) throws(JSONError) -> JSON {
        guard depth < JSON.maximumDepth else { throw failure("values nest deeper than \(JSON.maximumDepth)") }
        skipSpace()
        switch peek {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"):
            try word("true")
            return .boolean(true)
        case UInt8(ascii: "f"):
            try word("false")
            return .boolean(false)
        case UInt8(ascii: "n"):
            try word("null")
            return .null
        case nil: throw failure("the value is missing")
        case let byte? where byte == UInt8(ascii: "-") || JSONParser.isDigit(byte): return try number()
        default: throw failure("unexpected character")
        }
    }

    @_lifetime(self: copy self)
    private mutating func object(depth: Int) throws(JSONError) -> JSON {
        offset += 1
        var members: [JSON.Member] = []
        var names: Set<String> = []
        if take("}") { return .object(members) }
        repeat {
            guard members.count < JSON.maximumElements else { throw failure("the object has too many members") }
            skipSpace()
            guard peek == UInt8(ascii: "\"") else { throw failure("a name in quotes is missing") }
            let name = try string()
            guard names.insert(name).inserted else { throw failure("the name \"\(name)\" stands twice") }
            guard take(":") else { throw failure("\":\" is missing") }
            members.append(JSON.Member(name, try value(depth: depth + 1)))
        } while take(",")
        guard take("}") else { throw failure("\",\" or \"}\" is missing") }
        return .object(members)
    }

    @_lifetime(self: copy self)
    private mutating func array(depth: Int) throws(JSONError) -> JSON {
        offset += 1
        var elements: [JSON] = []
        if take("]") { return .array(elements) }
        repeat {
            guard elements.count < JSON.maximumElements else { throw failure("the array has too many elements") }
            elements.append(try value(depth: depth + 1))
        } while take(",")
        guard take("]") else { throw failure("\",\" or \"]\" is missing") }
        return .array(elements)
    }

    @_lifetime(self: copy self)
    private mutating func number() throws(JSONError) -> JSON {
        let start = offset
        if peek == UInt8(ascii: "-") { offset += 1 }
        let leading = peek
        let whole = digits()
        guard whole > 0, whole == 1 || leading != UInt8(ascii: "0") else { throw failure("malformed number") }
        var isWhole = true
        if peek == UInt8(ascii: ".") {
            offset += 1
            isWhole = false
            guard digits() > 0 else { throw failure("malformed number") }
        }
        if peek == UInt8(ascii: "e") || peek == UInt8(ascii: "E") {
            offset += 1
            isWhole = false
            if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { offset += 1 }
            guard digits() > 0 else { throw failure("malformed number") }
        }
        guard offset - start <= 64 else { throw failure("the number is too long") }
        var text = ""
        for index in start..<offset { text.unicodeScalars.append(Unicode.Scalar(bytes[index])) }
        if isWhole, let integer = Int(text) { return .integer(integer) }
        guard let number = Double(text), number.isFinite else { throw failure("the number is out of range") }
        return .number(number)
    }

    @_lifetime(self: copy self)
    private mutating func digits() -> Int {
        let start = offset
        while let byte = peek, JSONParser.isDigit(byte) { offset += 1 }
        return offset - start
    }

    @_lifetime(self: copy self)
    private mutating func string() throws(JSONError) -> String {
        let start = offset
        offset += 1
        var text: [UInt8] = []
        while let byte = peek {
            offset += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw JSONError(offset: start, reason: "the string is not UTF-8")
                }
                return string
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0..<0x20: throw failure("the string holds a control character")
            default: text.append(byte)
            }
        }
        throw failure("the closing quote is missing")
    }

    @_lifetime(self: copy self)
    private mutating func escape(into text: inout [UInt8]) throws(JSONError) {
        guard let byte = peek else { throw failure("the escape ends early") }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var code = try hexadecimal()
            if (0xD800..<0xDC00).contains(code) {
                try word("\\u")
                let low = try hexadecimal()
                guard (0xDC00..<0xE000).contains(low) else { throw failure("a low surrogate is missing") }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw failure("lone surrogate") }
            text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        default: throw failure("unknown escape")
        }
    }

    @_lifetime(self: copy self)
    private mutating func hexadecimal() throws(JSONError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            let digit: UInt8
            switch peek {
            case let byte? where JSONParser.isDigit(byte): digit = byte - 0x30
            case let byte? where (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte): digit = byte - 0x57
            case let byte? where (UInt8(ascii: "A")...UInt8(ascii: "F")).contains(byte): digit = byte - 0x37
            default: throw failure("four hexadecimal digits are missing")
            }
            code = code << 4 | UInt32(digit)
            offset += 1
        }
        return code
    }

    @_lifetime(self: copy self)
    private mutating func word(_ word: StaticString) throws(JSONError) {
        for byte in word.description.utf8 {
            guard peek == byte else { throw failure("expected \(word)") }
            offset += 1
        }
    }

    @_lifetime(self: copy self)
    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard peek == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    @_lifetime(self: copy self)
    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private var peek: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private func failure(_ reason: String) -> JSONError { JSONError(offset: offset, reason: reason) }
}
