// SPDX-License-Identifier: Apache-2.0
// The part of a source string behind its scheme: a path, then ?key=value&key=value.

/// A source's path and options, each option checked against the ones its scheme knows.
struct SourceOptions {
    let path: String
    private let scheme: String
    private var values: [String: String] = [:]

    /// Splits `text` at the last question mark, so that a path may contain others.
    init(_ text: Substring, of scheme: String, known: [String]) throws(SourceAddressError) {
        self.scheme = scheme
        guard let mark = text.lastIndex(of: "?") else {
            path = String(text)
            return
        }
        path = String(text[..<mark])
        for option in text[text.index(after: mark)...].split(separator: "&") {
            let parts = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let key = String(parts[0])
            guard known.contains(key) else {
                guard !known.isEmpty else { throw SourceAddressError("\(scheme): takes no options, found \"\(key)\"") }
                throw SourceAddressError(
                    "\(scheme): has no option \"\(key)\", only \(known.joined(separator: ", "))"
                        + Spelling.hint(for: key, among: known)
                )
            }
            guard values[key] == nil else { throw SourceAddressError("\(scheme): option \"\(key)\" is given twice") }
            values[key] = parts.count > 1 ? String(parts[1]) : ""
        }
    }

    func size() throws(SourceAddressError) -> PixelSize? {
        guard let text = values["size"] else { return nil }
        guard let size = PixelSize(parsing: text) else {
            throw SourceAddressError("\(scheme): size=\(text) is not WIDTHxHEIGHT with even sides of 16 to 8192")
        }
        return size
    }

    func frameRate() throws(SourceAddressError) -> Int? {
        guard let text = values["fps"] else { return nil }
        guard let rate = Int(text), (1...240).contains(rate) else {
            throw SourceAddressError("\(scheme): fps=\(text) is not a whole number of 1 to 240")
        }
        return rate
    }

    /// An option that is on when it stands alone.
    func flag(_ key: String, default standard: Bool) throws(SourceAddressError) -> Bool {
        switch values[key] {
        case nil: return standard
        case "", "1", "on", "yes", "true": return true
        case "0", "off", "no", "false": return false
        case let other?: throw SourceAddressError("\(scheme): \(key)=\(other) is neither 1 nor 0")
        }
    }

    func choice<T: RawRepresentable<String> & CaseIterable>(
        _ key: String,
        among type: T.Type
    ) throws(SourceAddressError) -> T? {
        guard let text = values[key] else { return nil }
        if let value = T(rawValue: text) { return value }
        let names = T.allCases.map(\.rawValue)
        throw SourceAddressError(
            "\(scheme): \(key)=\(text) is none of \(names.joined(separator: ", "))"
                + Spelling.hint(for: text, among: names)
        )
    }
}

/// Finds what was probably meant.
enum Spelling {
    /// "; did you mean …?", or nothing if no word is near.
    static func hint(for text: String, among words: [String]) -> String {
        nearest(to: text, among: words).map { "; did you mean \($0)?" } ?? ""
    }

    /// The word that takes the fewest edits to get from `text`, if they are few enough for a slip.
    private static func nearest(to text: String, among words: [String]) -> String? {
        let scored = words.map { (word: $0, edits: edits(Array(text.lowercased()), Array($0))) }
        guard let best = scored.min(by: { $0.edits < $1.edits }) else { return nil }
        return best.edits <= min(2, text.count / 2) ? best.word : nil
    }

    private static func edits(_ left: [Character], _ right: [Character]) -> Int {
        // Beyond this length nothing is a misspelling of anything here.
        guard left.count <= 32 else { return .max }
        var row = Array(0...right.count)
        for (index, character) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in right.indices {
                let replaced = diagonal + (character == right[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, min(diagonal, row[column]) + 1)
            }
        }
        return row[right.count]
    }
}
