// SPDX-License-Identifier: Apache-2.0
// The configuration file as it was written: every line is kept, so that a change keeps comments and order.

/// A configuration file's lines, of which only those that are set anew ever change.
///
/// `[section]` opens a section, `key = value` sets a key in it, `#` or `;` at the start of a line opens a comment, as
/// does `#` after a space behind a value. A value in double quotes may hold anything; `\"` and `\\` stand for
/// themselves.
package struct ConfigDocument: Sendable, Equatable {
    /// Longer lines are refused, in bytes.
    package static let maximumLineLength = 4096
    /// What a document is called that no file stands behind.
    package static let defaultsName = "defaults"
    /// Longer files are refused, in lines.
    package static let maximumLines = 20_000

    /// One `key = value` of the file.
    package struct Entry: Sendable, Equatable {
        package let section: String
        package let key: String
        package let value: String
        /// Counted from 1.
        package let line: Int
    }

    /// One `[section]` of the file.
    package struct Section: Sendable, Equatable {
        package let name: String
        /// Counted from 1.
        package let line: Int
    }

    private enum Line: Sendable, Equatable {
        /// A blank line or a comment.
        case other(String)
        case section(name: String, text: String)
        /// `tail` is what follows the value: spaces and a comment.
        case entry(key: String, value: String, text: String, tail: String)

        var text: String {
            switch self {
            case .other(let text), .section(_, let text), .entry(_, _, let text, _): text
            }
        }
    }

    /// What the document is called in errors: the file's path.
    package let name: String
    private var lines: [Line] = []

    /// An empty document.
    package init(name: String) { self.name = name }

    /// Splits `text` into lines; what is neither a section, a key nor a comment is reported and kept as it is.
    package static func parse(_ text: String, name: String) -> (document: ConfigDocument, issues: [ConfigIssue]) {
        var document = ConfigDocument(name: name)
        var issues: [ConfigIssue] = []
        var rows = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if rows.last?.isEmpty == true { rows.removeLast() }
        var hasSection = false
        for (index, row) in rows.enumerated() {
            func report(_ message: String) {
                issues.append(ConfigIssue(file: name, line: index + 1, message: message))
            }
            guard index < maximumLines else {
                report("the file has more than \(maximumLines) lines")
                break
            }
            let text = row.last == UInt8(ascii: "\r") ? String(Substring(row.dropLast())) : String(Substring(row))
            guard row.count <= maximumLineLength else {
                report("the line is longer than \(maximumLineLength) bytes")
                document.lines.append(.other(text))
                continue
            }
            do {
                let line = try parseLine(text)
                if case .section = line { hasSection = true }
                if case .entry(let key, _, _, _) = line, !hasSection {
                    report("key \"\(key)\" stands before the first [section]")
                }
                document.lines.append(line)
            } catch {
                report(error.message)
                document.lines.append(.other(text))
            }
        }
        return (document, issues)
    }

    /// The whole file.
    package var text: String {
        var text = ""
        for line in lines {
            text += line.text
            text += "\n"
        }
        return text
    }

    /// All keys in the file's order; keys before the first section have the section "".
    package var entries: [Entry] {
        var section = ""
        var entries: [Entry] = []
        for (index, line) in lines.enumerated() {
            switch line {
            case .other: break
            case .section(let name, _): section = name
            case .entry(let key, let value, _, _):
                entries.append(Entry(section: section, key: key, value: value, line: index + 1))
            }
        }
        return entries
    }

    /// All sections in the file's order.
    package var sections: [Section] {
        lines.enumerated()
            .compactMap { index, line in
                guard case .section(let name, _) = line else { return nil }
                return Section(name: name, line: index + 1)
            }
    }

    /// The value of a key as it is written; nil if the file does not set it.
    package func value(_ section: String, _ key: String) -> String? {
        entries.first { $0.section == section && $0.key == key }?.value
    }

    /// Sets a key: in its place if the file has it, else at the end of its section, which is added if it is missing.
    package mutating func set(_ section: String, _ key: String, to value: String) {
        let written = ConfigDocument.quoted(value)
        if let entry = entries.first(where: { $0.section == section && $0.key == key }),
            case .entry(_, _, let text, let tail) = lines[entry.line - 1]
        {
            let head = text.prefix(while: { $0 != "=" })
            let gap = text.dropFirst(head.count + 1).prefix(while: { $0 == " " || $0 == "\t" })
            let line = "\(head)=\(gap)\(written)\(tail)"
            lines[entry.line - 1] = .entry(key: key, value: value, text: line, tail: tail)
            return
        }
        let line = Line.entry(key: key, value: value, text: "\(key) = \(written)", tail: "")
        if let last = lastLine(of: section) {
            lines.insert(line, at: last + 1)
        } else {
            if !lines.isEmpty { lines.append(.other("")) }
            lines.append(.section(name: section, text: "[\(section)]"))
            lines.append(line)
        }
    }

    /// Removes every section for which `isUnwanted` is true, with all its lines.
    package mutating func removeSections(where isUnwanted: (String) -> Bool) {
        var isRemoving = false
        lines.removeAll { line in
            if case .section(let name, _) = line { isRemoving = isUnwanted(name) }
            return isRemoving
        }
    }

    /// The last line of a section that is not blank or a comment; nil if there is no such section.
    private func lastLine(of section: String) -> Int? {
        var last: Int?
        var current = ""
        for (index, line) in lines.enumerated() {
            switch line {
            case .other: break
            case .section(let name, _):
                current = name
                if name == section { last = index }
            case .entry: if current == section { last = index }
            }
        }
        return last
    }

    /// The value as it must be written to be read back.
    private static func quoted(_ value: String) -> String {
        let needsQuotes =
            value.isEmpty || value.hasPrefix("\"") || value.hasPrefix("#") || value.contains(" #")
            || value.contains("\t#") || value != value.trimmed
        guard needsQuotes else { return value }
        var text = "\""
        for character in value.unicodeScalars {
            if character == "\"" || character == "\\" { text += "\\" }
            text.unicodeScalars.append(character)
        }
        return text + "\""
    }
}

// MARK: One line

extension ConfigDocument {
    private struct LineError: Error {
        let message: String
    }

    private static func parseLine(_ text: String) throws(LineError) -> Line {
        guard !text.unicodeScalars.contains(where: { $0.value < 0x20 && $0 != "\t" || $0.value == 0x7F }) else {
            throw LineError(message: "the line holds a control character")
        }
        let trimmed = text.trimmed
        guard let first = trimmed.first, first != "#", first != ";" else { return .other(text) }
        if first == "[" {
            let (content, _) = splitComment(trimmed)
            guard content.hasSuffix("]"), content.count > 2 else {
                throw LineError(message: "expected \"[section]\", got \"\(content)\"")
            }
            return .section(name: content.dropFirst().dropLast().trimmed, text: text)
        }
        guard let equals = text.firstIndex(of: "=") else {
            throw LineError(
                message: "expected \"key = value\" or \"[section]\", got \"\(splitComment(trimmed).content)\""
            )
        }
        let key = text[..<equals].trimmed
        guard !key.isEmpty else { throw LineError(message: "a key is missing in front of \"=\"") }
        let rest = text[text.index(after: equals)...]
        let start = rest.drop(while: { $0 == " " || $0 == "\t" })
        if start.hasPrefix("\"") {
            let (value, tail) = try parseQuoted(start)
            return .entry(key: key, value: value, text: text, tail: tail)
        }
        let (value, tail) = splitComment(start)
        return .entry(key: key, value: value, text: text, tail: tail)
    }

    /// Splits a comment off the end of `text`: `#` at its start or behind a space.
    private static func splitComment(_ text: some StringProtocol) -> (content: String, tail: String) {
        var previous: Character = " "
        var end = text.endIndex
        for index in text.indices {
            if text[index] == "#", previous == " " || previous == "\t" {
                end = index
                break
            }
            previous = text[index]
        }
        let content = text[..<end].trimmed
        return (content, String(text.dropFirst(content.count)))
    }

    /// Reads a value in double quotes and what follows it.
    private static func parseQuoted(_ text: some StringProtocol) throws(LineError) -> (value: String, tail: String) {
        var value = ""
        var index = text.index(after: text.startIndex)
        while index < text.endIndex, text[index] != "\"" {
            if text[index] == "\\" {
                index = text.index(after: index)
                guard index < text.endIndex, text[index] == "\"" || text[index] == "\\" else {
                    throw LineError(message: "in quotes, \"\\\" must stand before a quote or another \"\\\"")
                }
            }
            value.append(text[index])
            index = text.index(after: index)
        }
        guard index < text.endIndex else { throw LineError(message: "the closing quote is missing") }
        let tail = String(text[text.index(after: index)...])
        guard splitComment(tail).content.isEmpty else {
            throw LineError(message: "\"\(tail.trimmed)\" stands behind the closing quote")
        }
        return (value, tail)
    }
}

extension StringProtocol {
    /// The text without spaces and tabs at its ends.
    var trimmed: String {
        guard let first = firstIndex(where: { $0 != " " && $0 != "\t" }),
            let last = lastIndex(where: { $0 != " " && $0 != "\t" })
        else { return "" }
        return String(self[first...last])
    }
}
