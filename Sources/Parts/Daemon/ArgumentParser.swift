// SPDX-License-Identifier: Apache-2.0
// Command lines: options, operands, help, and errors that say what was probably meant.

import Config

/// One option of a program: `--config FILE`.
package struct Option: Sendable {
    /// With its dashes: `--config`.
    package let name: String
    /// One letter with its dash, `-h`; nil for none.
    package let short: String?
    /// What the value is called in help; nil if the option takes none.
    package let value: String?
    /// One sentence.
    package let documentation: String

    package init(
        _ name: String,
        short: String? = nil,
        _ value: String? = nil,
        _ documentation: String
    ) {
        self.name = name
        self.short = short
        self.value = value
        self.documentation = documentation
    }

    /// `--help`, which every program has.
    package static let help = Option("--help", short: "-h", nil, "Shows this help.")
    /// `--version`, which every program has.
    package static let version = Option("--version", nil, "Shows the version.")
}

/// A command line after it was taken apart.
package struct ParsedArguments: Sendable {
    fileprivate var values: [(name: String, value: String)] = []
    /// What is not an option, in order.
    package fileprivate(set) var operands: [String] = []

    /// The value of an option, the last one if it was given more than once; nil if it was not given.
    package func value(_ name: String) -> String? { values.last { $0.name == name }?.value }

    /// All values of an option, in order.
    package func values(_ name: String) -> [String] { values.filter { $0.name == name }.map(\.value) }

    /// True if the option was given.
    package func has(_ name: String) -> Bool { values.contains { $0.name == name } }

    /// The value of an option as a number in `range`.
    package func integer(_ name: String, _ range: ClosedRange<Int>) throws(Failure) -> Int? {
        guard let text = value(name) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw Failure(
                .usage,
                "\(name) must be a number from \(range.lowerBound) to \(range.upperBound), not \"\(text)\""
            )
        }
        return number
    }
}

/// Takes command lines apart.
package struct ArgumentParser: Sendable {
    /// As it is called: `apus up`.
    package let program: String
    package let options: [Option]
    /// How many operands there may be.
    package let operands: ClosedRange<Int>

    package init(_ program: String, _ options: [Option], operands: ClosedRange<Int> = 0...0) {
        self.program = program
        self.options = options
        self.operands = operands
    }

    /// Takes `arguments`, without the program's name, apart; `--` ends the options.
    package func parse(_ arguments: [String]) throws(Failure) -> ParsedArguments {
        var parsed = ParsedArguments()
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if argument == "--" {
                parsed.operands += rest
                break
            }
            guard argument.hasPrefix("-"), argument != "-" else {
                parsed.operands.append(argument)
                continue
            }
            let name = String(argument.prefix { $0 != "=" })
            guard let option = options.first(where: { $0.name == name || $0.short == name }) else {
                let hint = Suggestion.phrase(for: name, among: options.map(\.name))
                throw failure("unknown option \(name)\(hint)")
            }
            parsed.values.append((option.name, try value(of: option, argument, &rest)))
        }
        guard parsed.has("--help") || operands.contains(parsed.operands.count) else {
            if parsed.operands.count > operands.upperBound {
                throw failure("unexpected argument \"\(parsed.operands[operands.upperBound])\"")
            }
            throw failure("an argument is missing")
        }
        return parsed
    }

    /// The options, one a line, for help.
    package var optionHelp: String {
        let heads = options.map { option in
            (option.short.map { "\($0), " } ?? "") + option.name + (option.value.map { " \($0)" } ?? "")
        }
        let width = (heads.map(\.count).max() ?? 0) + 2
        return zip(heads, options)
            .map { head, option in
                "  " + head + String(repeating: " ", count: width - head.count) + option.documentation + "\n"
            }
            .joined()
    }

    private func value(
        of option: Option,
        _ argument: String,
        _ rest: inout ArraySlice<String>
    ) throws(Failure) -> String {
        let inline = argument.firstIndex(of: "=").map { String(argument[argument.index(after: $0)...]) }
        guard option.value != nil else {
            guard inline == nil else { throw failure("\(option.name) takes no value") }
            return ""
        }
        guard let value = inline ?? rest.popFirst() else {
            throw failure("\(option.name) needs a value: \(option.name) \(option.value ?? "")")
        }
        return value
    }

    private func failure(_ message: String) -> Failure {
        Failure(.usage, "\(message); \(program) --help shows what there is")
    }
}
