// SPDX-License-Identifier: Apache-2.0
// Reads the project's own files, so that the rules can be checked on their text.

import Foundation
import Testing

/// The project as files.
enum Repository {
    /// Three levels up from this file.
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Folders with nothing of ours in them.
    private static let skipped: Set<String> = [".build", ".git", ".venv", "build", "corpus", "__pycache__", ".swiftpm"]

    /// Every file under `folder`, as paths from the root, sorted.
    static func files(under folder: String = "", ending suffixes: String...) -> [String] {
        let start = folder.isEmpty ? root : root.appending(path: folder)
        guard
            let walk = FileManager.default.enumerator(
                at: start,
                includingPropertiesForKeys: [.isRegularFileKey],
                options: []
            )
        else { return [] }
        var found: [String] = []
        for case let url as URL in walk {
            if skipped.contains(url.lastPathComponent) {
                walk.skipDescendants()
                continue
            }
            guard (try? url.resourceValues(forKeys: [.isRegularFileKey]))?.isRegularFile == true else { continue }
            let path = String(url.standardizedFileURL.path.dropFirst(root.standardizedFileURL.path.count + 1))
            if suffixes.isEmpty || suffixes.contains(where: path.hasSuffix) { found.append(path) }
        }
        return found.sorted()
    }

    /// The text of a file; nil when it is not UTF-8.
    static func text(_ path: String) throws -> String? {
        try String(data: Data(contentsOf: root.appending(path: path)), encoding: .utf8)
    }

    /// True when a file or folder is there.
    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appending(path: path).path)
    }
}

/// A Swift file's text as the rules see it.
struct SwiftSource {
    let path: String
    /// The lines as written.
    let lines: [Substring]
    /// The lines without comments and string contents.
    let code: [String]

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        code = SwiftSource.withoutCommentsAndStrings(text)
    }

    /// All Swift files under `folder`.
    static func all(under folder: String) throws -> [SwiftSource] {
        try Repository.files(under: folder, ending: ".swift")
            .map { path in
                SwiftSource(path: path, text: try Repository.text(path) ?? "")
            }
    }

    /// The layer folder, as in `Sources/<layer>/<module>/…`.
    var layer: String { component(1) }
    /// The module's folder.
    var module: String { component(2) }

    private func component(_ index: Int) -> String {
        let parts = path.split(separator: "/")
        return index < parts.count ? String(parts[index]) : ""
    }

    /// The modules imported here, with the line number of each.
    var imports: [(module: String, line: Int)] {
        code.enumerated()
            .flatMap { index, line -> [(module: String, line: Int)] in
                // Most lines have none; looking for the word is cheaper than matching.
                guard line.contains("import ") else { return [] }
                return
                    line.matches(
                        of:
                            /(?:^|;)\s*(?:@\w+\s+|package\s+|public\s+|internal\s+|private\s+|fileprivate\s+)*import\s+(?:(?:struct|class|enum|func|var|let|protocol|typealias)\s+)?(\w+)/
                    )
                    .map { (String($0.1), index + 1) }
            }
    }

    /// The lines of code that `pattern` is found in, as "path:line: text".
    ///
    /// Unicode sees one word in `Task.detached`; here, as in the language, a full stop ends a word.
    func matches(_ pattern: Regex<some Any>) -> [String] {
        let pattern = pattern.wordBoundaryKind(.simple)
        return code.indices.filter { code[$0].contains(pattern) }.map(place)
    }

    /// How a finding on a line (counted from 0) is reported.
    func place(_ index: Int) -> String {
        "\(path):\(index + 1): \(lines[index].trimmingCharacters(in: .whitespaces))"
    }

    private static func withoutCommentsAndStrings(_ text: String) -> [String] {
        var inBlockString = false
        var commentDepth = 0
        var result: [String] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            var rest = line
            if inBlockString {
                guard let end = line.firstRange(of: "\"\"\"") else {
                    result.append("")
                    continue
                }
                inBlockString = false
                rest = line[end.upperBound...]
            }
            let code = plainCode(of: rest, &commentDepth)
            if code.ranges(of: "\"\"\"").count % 2 == 1 { inBlockString = true }
            result.append(code)
        }
        return result
    }

    /// `commentDepth` is how many `/*` are open; they nest, and go on in the next line.
    private static func plainCode(of line: Substring, _ commentDepth: inout Int) -> String {
        var code = ""
        var inString = false
        var previous: Character = " "
        for character in line {
            if commentDepth > 0 {
                let pair = (previous, character)
                if pair == ("*", "/") { commentDepth -= 1 }
                if pair == ("/", "*") { commentDepth += 1 }
                // A character is part of one mark only: `/*/` opens and does not close.
                previous = pair == ("*", "/") || pair == ("/", "*") ? " " : character
                continue
            }
            if inString {
                if character == "\"", previous != "\\" {
                    inString = false
                    code.append(character)
                }
                previous = previous == "\\" ? " " : character
                continue
            }
            if character == "\"" { inString = true }
            if character == "/", previous == "/" {
                code.removeLast()
                break
            }
            if character == "*", previous == "/" {
                code.removeLast()
                code.append(" ")
                commentDepth = 1
                previous = " "
                continue
            }
            code.append(character)
            previous = character
        }
        return code
    }
}

/// Records an issue that lists the findings, one a line, unless there are none.
func expectNone(_ findings: [String], sourceLocation: SourceLocation = #_sourceLocation) {
    guard !findings.isEmpty else { return }
    Issue.record("\(findings.count) found:\n\(findings.joined(separator: "\n"))", sourceLocation: sourceLocation)
}
