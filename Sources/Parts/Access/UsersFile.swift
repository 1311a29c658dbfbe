// SPDX-License-Identifier: Apache-2.0
// The users' file on disk: read only if nobody else can, replaced at once or not at all.

package import Config
package import System

extension UserList {
    /// Larger files are refused, in bytes.
    private static let maximumFileSize = 4 << 20

    /// Reads the file; one that is not there holds no users.
    ///
    /// - Throws: naming the file: it can be read by others, cannot be read at all, or is malformed.
    package static func load(_ path: String) throws(ConfigError) -> UserList {
        guard let mode = File.mode(path) else { return UserList() }
        func fault(_ message: String) -> ConfigError {
            ConfigError([ConfigIssue(file: path, line: 0, message: message)])
        }
        guard mode & 0o077 == 0 else {
            let octal = String(mode & 0o777, radix: 8)
            throw fault("other users can get at the file (mode 0\(octal)), and it holds secrets: chmod 600 \(path)")
        }
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try File.contents(path, limit: maximumFileSize)
        } catch {
            throw fault("cannot read the users: \(error.reason)")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw fault("the file is not UTF-8 text") }
        return try UserList(parsing: text, name: path)
    }

    /// Writes the file for its owner alone, and makes its directory if that is missing.
    package func save(_ path: String) throws(SystemError) {
        if let slash = path.lastIndex(of: "/"), slash > path.startIndex {
            try File.makeDirectory(String(path[..<slash]), mode: 0o755)
        }
        try File.replace(path, with: Array(text.utf8).span, mode: 0o600)
    }
}
