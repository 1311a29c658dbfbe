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
                        + Suggestion.phrase(for: key, among: known)
                )
            }
            guard values[key] == nil else { throw SourceAddressError("\(scheme): option \"\(key)\" is given twice") }
            values[key] = parts.count > 1 ? String(parts[1]) : ""
        }
    }

    func size() throws(SourceAddressError) -> PictureSize? {
        guard let text = values["size"] else { return nil }
        guard case .size(let size?)? = try? ConfigType.size.parse(text) else {
            throw SourceAddressError("\(scheme): size=\(text) is not WIDTHxHEIGHT with even sides of 16 to 8192")
        }
        return size
    }

    func frameRate() throws(SourceAddressError) -> Int? { try number("fps", in: 1...240) }

    func number(_ key: String, in range: ClosedRange<Int>) throws(SourceAddressError) -> Int? {
        guard let text = values[key] else { return nil }
        guard let value = Int(text), range.contains(value) else {
            throw SourceAddressError(
                "\(scheme): \(key)=\(text) is not a whole number of \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return value
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
                + Suggestion.phrase(for: text, among: names)
        )
    }
}
