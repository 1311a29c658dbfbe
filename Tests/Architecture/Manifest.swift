// SPDX-License-Identifier: Apache-2.0
// Package.swift as a list of targets, read from its text.

import Foundation

/// The targets that Package.swift declares.
struct Manifest {
    struct Target: Equatable {
        enum Kind: Equatable { case c, library, module, program, tests }

        let kind: Kind
        let name: String
        /// The folder under `Sources` ("Values", "Parts", …); empty for tests.
        let layer: String
        let dependencies: [String]
    }

    let targets: [Target]

    /// Reads the manifest of this project.
    init() throws {
        self.init(text: try Repository.text("Package.swift") ?? "")
    }

    init(text: String) {
        // Before this line stand the functions that make the targets.
        let list = text.range(of: "targets: [").map { text[$0.upperBound...] } ?? ""
        let source = list.split(separator: "\n").filter { !$0.contains(/^\s*\/\//) }.joined(separator: "\n")
        targets = source.matches(of: /(?m)^\s*(module|program|library|tests|\.target)\(/)
            .compactMap { match in
                Manifest.target(call: String(match.1), arguments: Manifest.balanced(source[match.range.upperBound...]))
            }
    }

    subscript(name: String) -> Target? { targets.first { $0.name == name } }

    private static func target(call: String, arguments: Substring) -> Target? {
        var strings = arguments.matches(of: /"([^"]*)"/).map { String($0.1) }
        guard !strings.isEmpty else { return nil }
        let first = strings.removeFirst()
        switch call {
        case "module", "program":
            let name = strings.isEmpty ? "" : strings.removeFirst()
            return Target(
                kind: call == "module" ? .module : .program,
                name: name,
                layer: first,
                dependencies: strings
            )
        case "library": return Target(kind: .library, name: first, layer: "C", dependencies: [])
        case "tests": return Target(kind: .tests, name: first, layer: "", dependencies: strings)
        // Behind the name stand other C targets, and the folder.
        default: return Target(kind: .c, name: first, layer: "C", dependencies: strings.filter { $0.hasPrefix("C") })
        }
    }

    /// The text up to the parenthesis that closes one opened before it.
    private static func balanced(_ text: Substring) -> Substring {
        var depth = 1
        for index in text.indices {
            if text[index] == "(" { depth += 1 }
            if text[index] == ")" { depth -= 1 }
            if depth == 0 { return text[..<index] }
        }
        return text
    }
}
