// SPDX-License-Identifier: Apache-2.0
// Where the users' file is, and whether it has changed: what users may do is for `Access` to read.

import System

/// The users' file as the configuration sees it.
package struct UsersLocation: Sendable, Equatable {
    /// Absolute.
    package let path: String
    /// Another one whenever the file is another, so that a reload notices; "" while there is none.
    package let stamp: String

    /// Looks for the file.
    ///
    /// - Parameters:
    ///   - value: `users` of the configuration: a path, taken from the configuration file's directory, or `auto`.
    ///   - configuration: the path of the configuration file, or `ConfigDocument.defaultsName`.
    package init(_ value: String, configuration: String) {
        let directory =
            configuration == ConfigDocument.defaultsName
            ? Self.standardDirectory : Self.directory(of: File.absolute(configuration))
        let file = value == "auto" ? "users" : value
        path = file.hasPrefix("/") ? file : "\(directory)/\(file)"
        stamp = File.stamp(path) ?? ""
    }

    /// The file of share links: beside the users, whose secrets they are like.
    package var shares: String { "\(Self.directory(of: path))/shares" }

    /// True if the file holds a line that could be a user; one that cannot be read counts, its reader has to complain.
    package var hasUsers: Bool {
        guard !stamp.isEmpty else { return false }
        guard let bytes = try? File.contents(path) else { return true }
        return bytes.split(separator: UInt8(ascii: "\n"))
            .contains { line in
                let first = line.first { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }
                return first != nil && first != UInt8(ascii: "#")
            }
    }

    /// Where a user's own configuration is: `$XDG_CONFIG_HOME/apus`, else root's `/etc/apus`, else `~/.config/apus`.
    package static var standardDirectory: String {
        if let home = Process.environment("XDG_CONFIG_HOME"), home.hasPrefix("/") { return home + "/apus" }
        guard Process.user != 0, let home = Process.environment("HOME"), home.hasPrefix("/") else { return "/etc/apus" }
        return home + "/.config/apus"
    }

    private static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return "" }
        return String(path[..<slash])
    }
}
