// SPDX-License-Identifier: Apache-2.0
// What a daemon can be told to do: one table of verbs, checked before any handler sees a request.

/// The answer to a request that was not carried out.
package struct ControlError: Error, Equatable, Sendable {
    /// What kind of fault it is; programs decide by it.
    package enum Code: String, Sendable, CaseIterable {
        /// The line is not a request.
        case badRequest = "bad-request"
        case unknownVerb = "unknown-verb"
        case unknownKey = "unknown-key"
        case missingKey = "missing-key"
        case wrongType = "wrong-type"
        case outOfRange = "out-of-range"
        /// The request is right, but cannot be carried out now.
        case unavailable = "unavailable"
        case failed = "failed"
    }

    package let code: Code
    /// The request's key that is at fault, if one is.
    package let key: String?
    package let message: String

    package init(_ code: Code, key: String? = nil, _ message: String) {
        self.code = code
        self.key = key
        self.message = message
    }

    /// The error as a reply carries it.
    package var json: JSON {
        var members = [JSON.Member("code", .string(code.rawValue))]
        if let key { members.append(JSON.Member("key", .string(key))) }
        members.append(JSON.Member("message", .string(message)))
        return .object(members)
    }
}

/// The type of an argument, with its range.
package enum ArgumentType: Sendable, Equatable {
    case text
    case boolean
    case integer(ClosedRange<Int>)
    case number(ClosedRange<Double>)
    case choice([String])
    /// An array of the named words.
    case choices([String])
    /// An array of any texts.
    case texts
    /// A number, a truth value or a text: what it must be depends on another argument.
    case value

    /// What a value must be, for errors and for help.
    package var expectation: String {
        switch self {
        case .text: "a text"
        case .boolean: "true or false"
        case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .number(let range): "a number from \(range.lowerBound) to \(range.upperBound)"
        case .choice(let names): "one of \(names.joined(separator: ", "))"
        case .choices(let names): "a list of \(names.joined(separator: ", "))"
        case .texts: "a list of texts"
        case .value: "a number, true, false or a text"
        }
    }
}

/// One key of a request.
package struct Argument: Sendable, Equatable {
    package let name: String
    package let type: ArgumentType
    package let isOptional: Bool
    /// One sentence.
    package let documentation: String

    package init(_ name: String, _ type: ArgumentType, optional: Bool = false, _ documentation: String) {
        self.name = name
        self.type = type
        isOptional = optional
        self.documentation = documentation
    }
}

/// The arguments of a request after they were checked against the verb's table.
package struct Arguments: Sendable {
    private let values: [JSON.Member]

    fileprivate init(_ values: [JSON.Member]) { self.values = values }

    /// A text or a choice; nil if it was left out.
    package func text(_ name: String) -> String? { value(name)?.string }
    /// A whole number; nil if it was left out.
    package func integer(_ name: String) -> Int? { value(name)?.integer }
    /// A number; nil if it was left out.
    package func number(_ name: String) -> Double? { value(name)?.number }
    /// A truth value; nil if it was left out.
    package func boolean(_ name: String) -> Bool? { value(name)?.boolean }
    /// A list of words; nil if it was left out.
    package func texts(_ name: String) -> [String]? { value(name)?.elements.compactMap(\.string) }

    /// Any value, as it came; nil if it was left out.
    package func value(_ name: String) -> JSON? { values.first { $0.name == name }?.value }
}

/// One thing that a daemon can be told to do.
package struct Verb {
    package let name: String
    package let arguments: [Argument]
    /// One sentence.
    package let documentation: String
    private let handler: (Arguments) throws(ControlError) -> JSON

    /// Describes a verb; `handler` gets arguments that fit the table, and its result is the reply's `ok`.
    package init(
        _ name: String,
        _ documentation: String,
        _ arguments: [Argument] = [],
        _ handler: @escaping (Arguments) throws(ControlError) -> JSON
    ) {
        self.name = name
        self.arguments = arguments
        self.documentation = documentation
        self.handler = handler
    }

    /// Checks a request's members, without `id` and `do`, and carries it out.
    package func perform(_ members: [JSON.Member]) throws(ControlError) -> JSON {
        for member in members {
            guard let argument = arguments.first(where: { $0.name == member.name }) else {
                let known =
                    arguments.isEmpty ? "it takes none" : "it takes \(arguments.map(\.name).joined(separator: ", "))"
                throw ControlError(.unknownKey, key: member.name, "\(name) has no key \"\(member.name)\"; \(known)")
            }
            try check(member.value, argument)
        }
        for argument in arguments where !argument.isOptional {
            guard members.contains(where: { $0.name == argument.name }) else {
                throw ControlError(
                    .missingKey,
                    key: argument.name,
                    "\(name) needs \(argument.name): \(argument.type.expectation)"
                )
            }
        }
        return try handler(Arguments(members))
    }

    /// The verb as `help` tells it.
    package var json: JSON {
        let arguments = arguments.map { argument in
            JSON.object([
                JSON.Member("name", .string(argument.name)),
                JSON.Member("type", .string(argument.type.name)),
                JSON.Member("value", .string(argument.type.expectation)),
                JSON.Member("optional", .boolean(argument.isOptional)),
                JSON.Member("doc", .string(argument.documentation)),
            ])
        }
        return ["name": .string(name), "doc": .string(documentation), "arguments": .array(arguments)]
    }

    private func check(_ value: JSON, _ argument: Argument) throws(ControlError) {
        let isOfType: Bool
        var isInRange = true
        switch argument.type {
        case .text: isOfType = value.string != nil
        case .boolean: isOfType = value.boolean != nil
        case .integer(let range):
            isOfType = value.integer != nil
            isInRange = value.integer.map(range.contains) ?? false
        case .number(let range):
            isOfType = value.number != nil
            isInRange = value.number.map(range.contains) ?? false
        case .choice(let names):
            isOfType = value.string != nil
            isInRange = value.string.map(names.contains) ?? false
        case .choices(let names):
            if case .array(let elements) = value {
                isOfType = elements.allSatisfy { $0.string != nil }
                isInRange = elements.allSatisfy { $0.string.map(names.contains) ?? false }
            } else {
                isOfType = false
            }
        case .texts:
            if case .array(let elements) = value {
                isOfType = elements.allSatisfy { $0.string != nil }
            } else {
                isOfType = false
            }
        case .value: isOfType = value.number != nil || value.boolean != nil || value.string != nil
        }
        guard isOfType else {
            throw ControlError(
                .wrongType,
                key: argument.name,
                "\(argument.name) must be \(argument.type.expectation), not \(value.kind)"
            )
        }
        guard isInRange else {
            throw ControlError(
                .outOfRange,
                key: argument.name,
                "\(argument.name) must be \(argument.type.expectation), not \(value.text)"
            )
        }
    }
}

extension ArgumentType {
    /// The type's name in `help`.
    fileprivate var name: String {
        switch self {
        case .text: "text"
        case .boolean: "boolean"
        case .integer: "integer"
        case .number: "number"
        case .choice: "choice"
        case .choices: "choices"
        case .texts: "texts"
        case .value: "value"
        }
    }
}
