// SPDX-License-Identifier: Apache-2.0
// JSON values, and writing them (RFC 8259).

/// A JSON value; members of an object keep their order.
package enum JSON: Sendable, Equatable {
    case null
    case boolean(Bool)
    /// A number without fraction and exponent that fits.
    case integer(Int)
    /// Any other number; never infinite, never NaN.
    case number(Double)
    case string(String)
    case array([JSON])
    case object([Member])

    /// One name with its value.
    package struct Member: Sendable, Equatable {
        package var name: String
        package var value: JSON

        package init(_ name: String, _ value: JSON) {
            self.name = name
            self.value = value
        }
    }
}

// MARK: Looking inside

extension JSON {
    /// The value of a member; nil if this is no object or has no such member.
    package subscript(_ name: String) -> JSON? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    /// The string, if this is one.
    package var string: String? {
        guard case .string(let string) = self else { return nil }
        return string
    }

    /// The integer, if this is one.
    package var integer: Int? {
        guard case .integer(let integer) = self else { return nil }
        return integer
    }

    /// The number, if this is one, whole or not.
    package var number: Double? {
        switch self {
        case .integer(let integer): Double(integer)
        case .number(let number): number
        default: nil
        }
    }

    /// The truth value, if this is one.
    package var boolean: Bool? {
        guard case .boolean(let boolean) = self else { return nil }
        return boolean
    }

    /// The elements; empty if this is no array.
    package var elements: [JSON] {
        guard case .array(let elements) = self else { return [] }
        return elements
    }

    /// The members; empty if this is no object.
    package var members: [Member] {
        guard case .object(let members) = self else { return [] }
        return members
    }

    /// What kind of value this is, for errors.
    package var kind: String {
        switch self {
        case .null: "null"
        case .boolean: "a boolean"
        case .integer, .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

// MARK: Literals

extension JSON: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByStringInterpolation,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(nilLiteral: ()) { self = .null }
    package init(booleanLiteral value: Bool) { self = .boolean(value) }
    package init(integerLiteral value: Int) { self = .integer(value) }
    package init(floatLiteral value: Double) { self = .number(value) }
    package init(stringLiteral value: String) { self = .string(value) }
    package init(arrayLiteral elements: JSON...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSON)...) {
        self = .object(elements.map { Member($0.0, $0.1) })
    }

    /// The string, or null.
    package init(_ string: String?) { self = string.map(JSON.string) ?? .null }
    /// The integer, clamped to what a JSON integer can be here.
    package init(_ integer: some BinaryInteger) { self = .integer(Int(clamping: integer)) }
    /// The number; null if it is infinite or NaN.
    package init(_ number: Double) { self = number.isFinite ? .number(number) : .null }
    /// The truth value.
    package init(_ boolean: Bool) { self = .boolean(boolean) }
}

// MARK: Writing

extension JSON {
    /// The value in one line, without spaces.
    package var text: String {
        var bytes: [UInt8] = []
        write(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The value over several lines, for people.
    package var prettyText: String {
        var bytes: [UInt8] = []
        write(to: &bytes, indentation: 0)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Appends the value; with `indentation`, one element a line.
    package func write(to bytes: inout [UInt8], indentation: Int? = nil) {
        switch self {
        case .null: bytes.append(contentsOf: "null".utf8)
        case .boolean(let value): bytes.append(contentsOf: (value ? "true" : "false").utf8)
        case .integer(let value): bytes.append(contentsOf: String(value).utf8)
        case .number(let value): bytes.append(contentsOf: (value.isFinite ? "\(value)" : "null").utf8)
        case .string(let value): JSON.write(value, to: &bytes)
        case .array(let elements):
            JSON.writeList(elements, "[", "]", indentation, to: &bytes) { element, indentation, bytes in
                element.write(to: &bytes, indentation: indentation)
            }
        case .object(let members):
            JSON.writeList(members, "{", "}", indentation, to: &bytes) { member, indentation, bytes in
                JSON.write(member.name, to: &bytes)
                bytes.append(contentsOf: (indentation == nil ? ":" : ": ").utf8)
                member.value.write(to: &bytes, indentation: indentation)
            }
        }
    }

    private static func writeList<Element>(
        _ elements: [Element],
        _ open: String,
        _ close: String,
        _ indentation: Int?,
        to bytes: inout [UInt8],
        _ write: (Element, Int?, inout [UInt8]) -> Void
    ) {
        bytes.append(contentsOf: open.utf8)
        let inner = elements.isEmpty ? nil : indentation.map { $0 + 2 }
        for (index, element) in elements.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            if let inner { breakLine(inner, in: &bytes) }
            write(element, inner, &bytes)
        }
        if inner != nil, let indentation { breakLine(indentation, in: &bytes) }
        bytes.append(contentsOf: close.utf8)
    }

    private static func breakLine(_ indentation: Int, in bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: indentation))
    }

    private static func write(_ string: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for byte in string.utf8 {
            switch byte {
            case UInt8(ascii: "\""): bytes.append(contentsOf: "\\\"".utf8)
            case UInt8(ascii: "\\"): bytes.append(contentsOf: "\\\\".utf8)
            case UInt8(ascii: "\n"): bytes.append(contentsOf: "\\n".utf8)
            case UInt8(ascii: "\r"): bytes.append(contentsOf: "\\r".utf8)
            case UInt8(ascii: "\t"): bytes.append(contentsOf: "\\t".utf8)
            case 0..<0x20, 0x7F:
                bytes.append(contentsOf: "\\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8)
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
