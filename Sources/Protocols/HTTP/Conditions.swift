// SPDX-License-Identifier: Apache-2.0
// Conditional requests: entity tags, dates, and what they make of a request (RFC 9110 §8.8, §13).

/// A name for one version of a representation.
package struct EntityTag: Sendable, Equatable, CustomStringConvertible {
    /// Without the quotes.
    package let text: String
    /// True if versions with the same tag may differ in bytes.
    package let isWeak: Bool

    /// Names a version; `text` has printable characters of ASCII only, and no quotes.
    package init(_ text: String, isWeak: Bool = false) {
        self.text = text
        self.isWeak = isWeak
    }

    /// As a field has it.
    package var description: String { (isWeak ? "W/" : "") + "\"\(text)\"" }

    /// True if both may be used for each other as long as bytes do not matter (RFC 9110 §8.8.3.2).
    package func matchesWeakly(_ other: EntityTag) -> Bool { text == other.text }

    /// True if both name the same bytes.
    package func matchesStrongly(_ other: EntityTag) -> Bool { !isWeak && !other.isWeak && text == other.text }

    /// More tags in a field than these are not looked at.
    package static let countLimit = 64

    /// The tags of a list, up to where it is malformed; commas may stand inside of a tag.
    static func list(_ value: String) -> [EntityTag] {
        var tags: [EntityTag] = []
        var rest = Array(value.utf8)[...]
        while tags.count < countLimit {
            while let byte = rest.first, Syntax.isWhitespace(byte) || byte == Syntax.comma { rest = rest.dropFirst() }
            let isWeak = rest.starts(with: "W/".utf8)
            if isWeak { rest = rest.dropFirst(2) }
            guard rest.first == quote else { return tags }
            rest = rest.dropFirst()
            guard let end = rest.firstIndex(of: quote), rest[..<end].allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
                return tags
            }
            tags.append(EntityTag(String(decoding: rest[..<end], as: UTF8.self), isWeak: isWeak))
            rest = rest[(end + 1)...]
        }
        return tags
    }

    private static let quote = UInt8(ascii: "\"")
}

/// What tells a representation's versions apart.
package struct Validators: Sendable, Equatable {
    package var tag: EntityTag?
    /// Seconds since 1970 UTC.
    package var modified: Int64?

    /// What becomes of a request with conditions.
    package enum Verdict: Sendable, Equatable {
        case proceed
        /// 304: the client has it already.
        case unmodified
        /// 412: it is not what the client means.
        case failed
    }

    package init(tag: EntityTag? = nil, modified: Int64? = nil) {
        self.tag = tag
        self.modified = modified
    }

    /// How an answer tells them.
    package var fields: [HeaderField] {
        var fields: [HeaderField] = []
        if let tag { fields.append(HeaderField("ETag", tag.description)) }
        if let modified { fields.append(HeaderField("Last-Modified", HTTPDate.format(epochSeconds: modified))) }
        return fields
    }

    /// Weighs the conditions of a request in the order of RFC 9110 §13.2.2.
    package func verdict(_ head: RequestHead) -> Verdict {
        let fields = head.fields
        if let wanted = Self.tags("if-match", fields) {
            guard wanted.isAny || wanted.tags.contains(where: { tag?.matchesStrongly($0) == true }) else {
                return .failed
            }
        } else if let modified, let limit = fields["if-unmodified-since"].flatMap(HTTPDate.parse), modified > limit {
            return .failed
        }
        let isReading = head.method == .get || head.method == .head
        if let known = Self.tags("if-none-match", fields) {
            guard known.isAny || known.tags.contains(where: { tag?.matchesWeakly($0) == true }) else {
                return .proceed
            }
            return isReading ? .unmodified : .failed
        }
        if isReading, let modified, let since = fields["if-modified-since"].flatMap(HTTPDate.parse), modified <= since {
            return .unmodified
        }
        return .proceed
    }

    /// True unless If-Range says that the range is of another version (RFC 9110 §13.1.5).
    package func rangeApplies(_ head: RequestHead) -> Bool {
        guard let condition = head.fields["if-range"] else { return true }
        if let wanted = EntityTag.list(condition).first { return tag?.matchesStrongly(wanted) == true }
        guard let date = HTTPDate.parse(condition) else { return false }
        return modified == date
    }

    private static func tags(_ name: String, _ fields: HeaderFields) -> (isAny: Bool, tags: [EntityTag])? {
        let values = fields.values(name)
        guard !values.isEmpty else { return nil }
        if values == ["*"] { return (true, []) }
        return (false, values.flatMap { EntityTag.list($0) })
    }
}

extension HTTPDate {
    /// Reads an IMF-fixdate, in seconds since 1970 UTC; nil for anything else, the two obsolete forms included, which
    /// a recipient may take as no condition at all.
    package static func parse(_ text: String) -> Int64? {
        // Sun, 06 Nov 1994 08:49:37 GMT
        let bytes = Array(text.utf8)
        guard bytes.count == 29, let day = Syntax.decimal(bytes[5..<7]), let year = Syntax.decimal(bytes[12..<16]),
            let hour = Syntax.decimal(bytes[17..<19]), let minute = Syntax.decimal(bytes[20..<22]),
            let second = Syntax.decimal(bytes[23..<25]), hour < 24, minute < 60, second < 60, year >= 1970,
            let month = months.firstIndex(of: String(decoding: bytes[8..<11], as: UTF8.self))
        else { return nil }
        let shifted = month < 2 ? year - 1 : year
        let marchMonth = (month + 10) % 12
        let dayOfYear = (153 * marchMonth + 2) / 5 + day - 1
        let days = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + dayOfYear - 719_468
        let seconds = Int64(days * 86_400 + hour * 3600 + minute * 60 + second)
        // Written again it is the same, or it was no date: the 30th of February, a wrong weekday.
        return format(epochSeconds: seconds) == text ? seconds : nil
    }
}
