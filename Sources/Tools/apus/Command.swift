// SPDX-License-Identifier: Apache-2.0
// What a command of `apus` is: name, help, options, and the work.

import Bytes
import Config
import Daemon

/// A command, or a group of commands.
struct Command: Sendable {
    let name: String
    /// One sentence.
    let summary: String
    /// What follows the name: `[OPTION]… NAME`.
    let usage: String
    let options: [Option]
    let operands: ClosedRange<Int>
    /// Paragraphs behind the options in help.
    let details: String
    let subcommands: [Command]
    let run: (@Sendable (ParsedArguments) throws -> ExitCode)?

    /// A command that does something.
    init(
        _ name: String,
        _ summary: String,
        usage: String = "[OPTION]…",
        options: [Option] = [],
        operands: ClosedRange<Int> = 0...0,
        details: String = "",
        run: @escaping @Sendable (ParsedArguments) throws -> ExitCode
    ) {
        self.name = name
        self.summary = summary
        self.usage = usage
        self.options = options + [.help]
        self.operands = operands
        self.details = details
        self.subcommands = []
        self.run = run
    }

    /// A group of commands.
    ///
    /// An option is another way of writing the subcommand of its name: `--version` for `version`.
    init(_ name: String, _ summary: String, options: [Option] = [], details: String = "", _ subcommands: [Command]) {
        self.name = name
        self.summary = summary
        self.usage = "COMMAND …"
        self.options = options + [.help]
        self.operands = 0...0
        self.details = details
        self.subcommands = subcommands
        self.run = nil
    }

    /// Carries the command out; `path` is how it was called: `apus ring`.
    func perform(_ path: String, _ arguments: [String]) throws -> ExitCode {
        guard let run else { return try performSubcommand(path, arguments) }
        let parsed = try ArgumentParser(path, options, operands: operands).parse(arguments)
        guard !parsed.has("--help") else {
            try Terminal.write(help(path))
            return .success
        }
        return try run(parsed)
    }

    private func performSubcommand(_ path: String, _ arguments: [String]) throws -> ExitCode {
        guard let first = arguments.first else {
            try Terminal.write(help(path))
            return .usage
        }
        if first == "--help" || first == "-h" || first == "help" {
            return try showHelp(path, Array(arguments.dropFirst()))
        }
        if let command = subcommands.first(where: { $0.name == first }) {
            return try command.perform("\(path) \(first)", Array(arguments.dropFirst()))
        }
        if options.contains(where: { $0.name == first }),
            let command = subcommands.first(where: { "--\($0.name)" == first })
        {
            return try command.perform("\(path) \(command.name)", Array(arguments.dropFirst()))
        }
        let hint = Suggestion.phrase(for: first, among: subcommands.map(\.name))
        throw Failure(.usage, "unknown command \"\(first)\"\(hint); \(path) --help shows what there is")
    }

    private func showHelp(_ path: String, _ words: [String]) throws -> ExitCode {
        guard let word = words.first, let command = subcommands.first(where: { $0.name == word }) else {
            try Terminal.write(help(path))
            return .success
        }
        return try command.perform("\(path) \(word)", words.count > 1 ? ["--help"] + words.dropFirst() : ["--help"])
    }

    /// The command's help page.
    func help(_ path: String) -> String {
        var text = "\(summary)\n\nUsage: \(path) \(usage)\n"
        if !subcommands.isEmpty {
            text += "\nCommands:\n" + Table(subcommands.map { ["  \($0.name)", $0.summary] }).text
        }
        text += "\nOptions:\n" + ArgumentParser(path, options).optionHelp
        if !details.isEmpty { text += "\n\(details)\n" }
        return text
    }
}

// MARK: The reference page

extension Command {
    /// `docs/reference/cli.md`: the help of every command, and the exit codes.
    var referencePage: String {
        var page = "# Command line\n\nWritten by `apus reference`; `apus COMMAND --help` says the same.\n"
        for command in subcommands { page += command.section(name, heading: "##") }
        page += "\n## Exit codes\n\n| code | meaning |\n|---|---|\n"
        for code in ExitCode.allCases { page += "| \(code.rawValue) | \(code.meaning) |\n" }
        return page
    }

    private func section(_ parent: String, heading: String) -> String {
        let path = "\(parent) \(name)"
        var text = "\n\(heading) \(path)\n\n```\n\(help(path))```\n"
        for command in subcommands { text += command.section(path, heading: heading + "#") }
        return text
    }
}

/// Rows of text in columns as wide as their widest cell.
struct Table {
    private var rows: [[String]]

    /// Texts may be from outside: each stays in its line.
    init(_ rows: [[String]]) { self.rows = rows.map { $0.map(\.harmless) } }

    mutating func append(_ row: [String]) { rows.append(row.map(\.harmless)) }

    var text: String {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns)
            .map { column in
                rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
            }
        return
            rows.map { row in
                var line = ""
                for (column, cell) in row.enumerated() {
                    line += cell
                    guard column < row.count - 1 else { break }
                    line += String(repeating: " ", count: widths[column] - cell.count + 2)
                }
                while line.last == " " { line.removeLast() }
                return line + "\n"
            }
            .joined()
    }
}
