// SPDX-License-Identifier: Apache-2.0
// Share links as they are kept: one line a link in a file of its own.

package import Config
import Crypto
package import System

/// A link with which somebody without a password watches one camera.
package struct Share: Sendable, Equatable {
    /// What it is called, to revoke it.
    package let id: String
    /// SHA-256 of the link's token in hexadecimal.
    let hash: String
    package let camera: String
    /// Seconds since 1970 UTC from which on it is no good; nil for never.
    package let expires: Int64?
    /// So many may watch at the same time.
    package let viewers: Int
    /// Who made it, and when: seconds since 1970 UTC.
    package let by: String
    package let made: Int64
    /// What it is for, in the maker's words; may be empty.
    package let label: String

    /// More viewers of one link cannot be allowed.
    package static let maximumViewers = 1000
    /// The longest label, in bytes.
    package static let maximumLabel = 100

    /// True as long as it is good; `utc` is in seconds since 1970.
    package func isValid(at utc: Int64) -> Bool { expires.map { utc < $0 } ?? true }
}

/// The share links of an instance.
package struct ShareList: Sendable, Equatable {
    /// More links are refused.
    package static let capacity = 256
    private static let maximumFileSize = 1 << 20

    package private(set) var shares: [Share] = []

    package init() {}

    /// Adds a link; false if there are too many.
    mutating func add(_ share: Share) -> Bool {
        guard shares.count < Self.capacity else { return false }
        shares.append(share)
        return true
    }

    /// Removes a link; nil if there is none of that name.
    mutating func remove(_ id: String) -> Share? {
        guard let index = shares.firstIndex(where: { $0.id == id }) else { return nil }
        return shares.remove(at: index)
    }

    /// Forgets the links that are no good any more; `utc` is in seconds since 1970.
    mutating func removeExpired(at utc: Int64) { shares.removeAll { !$0.isValid(at: utc) } }
}

// MARK: The file

extension ShareList {
    /// Reads a file's text.
    ///
    /// - Throws: the first line that is no link.
    package init(parsing text: String, name: String) throws(ConfigError) {
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            guard !line.isEmpty, !line.hasPrefix("#") else { continue }
            guard let share = Share(line: line), !shares.contains(where: { $0.id == share.id }), add(share) else {
                let message = "no share link, one that was there before, or more than \(Self.capacity)"
                throw ConfigError([ConfigIssue(file: name, line: index + 1, message: message)])
            }
        }
    }

    package var text: String {
        "# Share links of Apus: made and revoked with apus share.\n" + shares.map { $0.line + "\n" }.joined()
    }

    /// Reads the file; one that is not there holds no links.
    ///
    /// - Throws: naming the file: it can be read by others, cannot be read at all, or is malformed.
    package static func load(_ path: String) throws(ConfigError) -> ShareList {
        guard let mode = File.mode(path) else { return ShareList() }
        func fault(_ message: String) -> ConfigError {
            ConfigError([ConfigIssue(file: path, line: 0, message: message)])
        }
        guard mode & 0o077 == 0 else { throw fault("other users can get at the file: chmod 600 \(path)") }
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try File.contents(path, limit: maximumFileSize)
        } catch {
            throw fault("cannot read the share links: \(error.reason)")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw fault("the file is not UTF-8 text") }
        return try ShareList(parsing: text, name: path)
    }

    /// Writes the file for its owner alone, and makes its directory if that is missing.
    package func save(_ path: String) throws(SystemError) {
        if let slash = path.lastIndex(of: "/"), slash > path.startIndex {
            try File.makeDirectory(String(path[..<slash]), mode: 0o755)
        }
        try File.replace(path, with: Array(text.utf8).span, mode: 0o600)
    }
}

extension Share {
    fileprivate var line: String {
        "\(id) camera=\(camera) expires=\(expires.map(String.init) ?? "-") viewers=\(viewers) by=\(by) made=\(made) "
            + "hash=\(hash) label=\(label)"
    }

    fileprivate init?(line: Substring) {
        let words = line.split(separator: " ", maxSplits: 7, omittingEmptySubsequences: false)
        let names = ["camera", "expires", "viewers", "by", "made", "hash", "label"]
        guard words.count == 8 else { return nil }
        var values: [String] = []
        for (word, name) in zip(words.dropFirst(), names) {
            guard word.hasPrefix(name + "=") else { return nil }
            values.append(String(word.dropFirst(name.utf8.count + 1)))
        }
        let expires = Int64(values[1])
        guard AccessToken.problem(withID: String(words[0])) == nil, CameraName.problem(with: values[0]) == nil,
            values[1] == "-" || expires.map({ $0 >= 0 }) == true,
            let viewers = Int(values[2]), (1...Share.maximumViewers).contains(viewers),
            values[3] == "-" || UserName.problem(with: values[3]) == nil, let made = Int64(values[4]),
            Ticket.isHash(values[5]), Share.problem(withLabel: values[6]) == nil
        else { return nil }
        id = String(words[0])
        camera = values[0]
        self.expires = expires
        self.viewers = viewers
        by = values[3]
        self.made = made
        hash = values[5].lowercased()
        label = values[6]
    }

    /// Why a link cannot have this label; nil if it can.
    package static func problem(withLabel label: String) -> String? {
        if label.utf8.count > maximumLabel { return "the label is longer than \(maximumLabel) bytes" }
        if label.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) { return "the label has a control character" }
        return nil
    }
}
