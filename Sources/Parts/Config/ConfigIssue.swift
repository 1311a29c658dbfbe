// SPDX-License-Identifier: Apache-2.0
// What is wrong with a configuration, where, and what was probably meant.

/// One fault of a configuration file.
package struct ConfigIssue: Error, Sendable, Equatable, CustomStringConvertible {
    package let file: String
    /// Counted from 1; 0 if the fault belongs to no line.
    package let line: Int
    package let message: String

    package init(file: String, line: Int, message: String) {
        self.file = file
        self.line = line
        self.message = message
    }

    package var description: String { line > 0 ? "\(file):\(line): \(message)" : "\(file): \(message)" }
}

/// All faults of a configuration; at least one.
package struct ConfigError: Error, Sendable, Equatable, CustomStringConvertible {
    package let issues: [ConfigIssue]

    package init(_ issues: [ConfigIssue]) { self.issues = issues }

    /// One line a fault.
    package var description: String { issues.map(\.description).joined(separator: "\n") }
}

/// Finds what a misspelt word was meant to be.
package enum Suggestion {
    /// The candidate nearest to `word`, if it is near enough to be meant.
    package static func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
        let limit = max(1, min(3, word.utf8.count / 3))
        var best: (candidate: String, distance: Int)?
        for candidate in candidates {
            let distance = Suggestion.distance(word.lowercased(), candidate)
            if distance <= limit, distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        return best?.candidate
    }

    /// `; did you mean "bitrate"?`, or nothing.
    package static func phrase(for word: String, among candidates: some Sequence<String>) -> String {
        nearest(to: word, among: candidates).map { "; did you mean \"\($0)\"?" } ?? ""
    }

    /// How many single-letter changes or swaps of neighbours lie between two words; words over 64 bytes are far.
    private static func distance(_ left: String, _ right: String) -> Int {
        let left = Array(left.utf8)
        let right = Array(right.utf8)
        guard left.count <= 64, right.count <= 64 else { return .max }
        var before: [Int] = []
        var above = Array(0...right.count)
        for row in 0..<left.count {
            var current = [row + 1]
            for column in 0..<right.count {
                let replaced = above[column] + (left[row] == right[column] ? 0 : 1)
                var best = min(replaced, above[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    best = min(best, before[column - 1] + 1)
                }
                current.append(best)
            }
            before = above
            above = current
        }
        return above[right.count]
    }
}
