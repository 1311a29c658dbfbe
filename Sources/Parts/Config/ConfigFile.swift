// SPDX-License-Identifier: Apache-2.0
// Configuration files: loading, saving at once or not at all.

package import System

extension ConfigDocument {
    /// Larger files are refused, in bytes.
    package static let maximumFileSize = 1 << 20

    /// Reads a file.
    ///
    /// - Throws: `ConfigError` naming the file if it cannot be read or is not text; its own faults are returned.
    package static func load(_ path: String) throws(ConfigError) -> (document: ConfigDocument, issues: [ConfigIssue]) {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try File.contents(path, limit: maximumFileSize)
        } catch {
            throw ConfigError([ConfigIssue(file: path, line: 0, message: "cannot read the file: \(error.reason)")])
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ConfigError([ConfigIssue(file: path, line: 0, message: "the file is not UTF-8 text")])
        }
        return parse(text, name: path)
    }

    /// Replaces the file that the document is named after, at once or not at all.
    ///
    /// Who may read it stays as it was; but a file with passwords that everybody could read is its owner's alone then.
    package func save() throws(SystemError) {
        var mode = File.mode(name).map { $0 & 0o777 } ?? 0o640
        if holdsPasswords, mode & 0o007 != 0 { mode = 0o600 }
        try File.replace(name, with: Array(text.utf8).span, mode: mode, keepsMode: false)
    }

    private var holdsPasswords: Bool { entries.contains { SourceScheme.redacted($0.value) != $0.value } }

    /// What to say of a file that shows sources' passwords to every user of this machine; nil if it does not.
    package var exposure: String? {
        guard let mode = File.mode(name), mode & 0o004 != 0, holdsPasswords else { return nil }
        return "\(name) holds passwords and everybody on this machine can read it (mode "
            + "\(String(mode & 0o777, radix: 8))); chmod 600 \(name)"
    }
}

extension Configuration {
    /// Reads and checks a file.
    package static func load(_ path: String) throws(ConfigError) -> Configuration {
        let (document, issues) = try ConfigDocument.load(path)
        return try Configuration(document, issues: issues)
    }
}
