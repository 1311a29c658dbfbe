// SPDX-License-Identifier: Apache-2.0
// The users' file as it was written: one line a user, comments kept.

package import Config

/// Users, and the lines of the file that they come from.
///
/// ```
/// # comment
/// anna role=admin cameras=* crypt=$y$… md5=HEX sha256=HEX
/// bob role=viewer cameras=front,yard password=in the clear, up to the end of the line
/// ```
package struct UserList: Sendable, Equatable {
    /// More users are refused.
    package static let maximumUsers = 1000
    /// Longer lines are refused, in bytes.
    package static let maximumLine = 4096

    private enum Line: Sendable, Equatable {
        case other(String)
        case user(User)
    }

    private var lines: [Line] = []
    /// The passwords that stand in the clear, by user.
    private var passwords: [String: String] = [:]

    package init() {}

    /// Reads a file's text.
    ///
    /// - Throws: every fault with its line.
    package init(parsing text: String, name: String) throws(ConfigError) {
        var issues: [ConfigIssue] = []
        var rows = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if rows.last?.isEmpty == true { rows.removeLast() }
        for (index, row) in rows.enumerated() {
            do throws(Fault) {
                try take(Substring(row))
            } catch {
                issues.append(ConfigIssue(file: name, line: index + 1, message: error.message))
            }
            guard users.count <= Self.maximumUsers else {
                issues.append(ConfigIssue(file: name, line: index + 1, message: "more than \(Self.maximumUsers) users"))
                break
            }
        }
        if !issues.isEmpty { throw ConfigError(issues) }
    }

    /// All users in the file's order.
    package var users: [User] {
        lines.compactMap { line in
            guard case .user(let user) = line else { return nil }
            return user
        }
    }

    package var isEmpty: Bool { users.isEmpty }

    /// The users whose password stands in the clear.
    package var plain: [String] { users.map(\.name).filter { passwords[$0] != nil } }

    /// Replaces the passwords that stand in the clear by their hashes, each in a tenth of a second.
    ///
    /// - Returns: the users whose passwords they were.
    package mutating func hashPasswords() -> [String] {
        let names = plain
        for name in names {
            guard var user = self[name], let password = passwords[name],
                let secret = Secret(user: name, password: password)
            else { continue }
            user.secret = secret
            set(user)
        }
        return names.filter { passwords[$0] == nil }
    }

    /// The user called `name`.
    package subscript(_ name: String) -> User? { users.first { $0.name == name } }

    /// Adds a user, or replaces the one of that name, whose password in the clear is forgotten or kept.
    package mutating func set(_ user: User, keepingPassword: Bool = false) {
        if !keepingPassword { passwords[user.name] = nil }
        if let index = index(of: user.name) {
            lines[index] = .user(user)
        } else {
            lines.append(.user(user))
        }
    }

    /// Removes a user; false if there is none of that name.
    package mutating func remove(_ name: String) -> Bool {
        guard let index = index(of: name) else { return false }
        lines.remove(at: index)
        passwords[name] = nil
        return true
    }

    /// The file's text.
    package var text: String {
        lines.map { line in
            switch line {
            case .other(let text): text + "\n"
            case .user(let user): text(of: user) + "\n"
            }
        }
        .joined()
    }

    private func index(of name: String) -> Int? {
        lines.firstIndex { line in
            guard case .user(let user) = line else { return false }
            return user.name == name
        }
    }

    private func text(of user: User) -> String {
        var text = "\(user.name) role=\(user.role.rawValue) cameras=\(user.cameras.text)"
        if let password = passwords[user.name] { return text + tokens(of: user) + " password=\(password)" }
        text += " crypt=\(user.secret.crypt)"
        if let digest = user.secret.digest { text += " md5=\(digest.md5) sha256=\(digest.sha256)" }
        return text + tokens(of: user)
    }
}

extension UserList {
    private func tokens(of user: User) -> String {
        user.tokens.isEmpty ? "" : " tokens=" + user.tokens.map(\.text).joined(separator: ",")
    }
}

// MARK: One line

extension UserList {
    private struct Fault: Error {
        let message: String
    }

    private static let keys = ["role", "cameras", "crypt", "md5", "sha256", "tokens", "password"]

    private mutating func take(_ row: Substring) throws(Fault) {
        let row = row.utf8.last == UInt8(ascii: "\r") ? row.dropLast() : row
        guard row.utf8.count <= Self.maximumLine else {
            throw Fault(message: "the line is longer than \(Self.maximumLine) bytes")
        }
        guard row.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
            throw Fault(message: "the line holds a control character")
        }
        let start = row.drop { $0 == " " || $0 == "\t" }
        guard let first = start.first, first != "#" else {
            lines.append(.other(String(row)))
            return
        }
        let name = String(start.prefix { $0 != " " && $0 != "\t" })
        if let problem = UserName.problem(with: name) { throw Fault(message: problem) }
        guard self[name] == nil else { throw Fault(message: "user \(name) is there already") }
        let values = try Self.values(start.dropFirst(name.count), name)
        lines.append(.user(try Self.user(name, values)))
        passwords[name] = values["password"]
    }

    private static func values(_ text: Substring, _ user: String) throws(Fault) -> [String: String] {
        var values: [String: String] = [:]
        var rest = text.drop { $0 == " " || $0 == "\t" }
        while !rest.isEmpty {
            let key = String(rest.prefix { $0 != "=" && $0 != " " && $0 != "\t" })
            rest = rest.dropFirst(key.count)
            guard rest.first == "=" else { throw Fault(message: "user \(user): expected KEY=VALUE, got \"\(key)\"") }
            guard keys.contains(key) else {
                throw Fault(message: "user \(user): unknown key \"\(key)\"\(Suggestion.phrase(for: key, among: keys))")
            }
            guard values[key] == nil else { throw Fault(message: "user \(user): \(key) is set twice") }
            rest = rest.dropFirst()
            // A password is all that follows, spaces included.
            let value = key == "password" ? rest : rest.prefix { $0 != " " && $0 != "\t" }
            values[key] = String(value)
            rest = rest.dropFirst(value.count).drop { $0 == " " || $0 == "\t" }
        }
        return values
    }

    private static func user(_ name: String, _ values: [String: String]) throws(Fault) -> User {
        let names = Role.allCases.map(\.rawValue)
        guard let role = Role(rawValue: values["role"] ?? "viewer") else {
            let wrong = values["role"] ?? ""
            let hint = Suggestion.phrase(for: wrong, among: names)
            throw Fault(message: "user \(name): role=\(wrong) must be \(names.joined(separator: ", "))\(hint)")
        }
        guard let cameras = CameraScope(text: values["cameras"] ?? "*") else {
            throw Fault(message: "user \(name): cameras= must be * or names with commas between")
        }
        var user = User(name: name, role: role, cameras: cameras, secret: try secret(name, values))
        user.tokens = try tokens(name, values["tokens"] ?? "")
        return user
    }

    private static func tokens(_ name: String, _ text: String) throws(Fault) -> [AccessToken] {
        var tokens: [AccessToken] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: true) {
            guard let token = AccessToken(text: part), !tokens.contains(where: { $0.id == token.id }) else {
                throw Fault(message: "user \(name): tokens= are ID:SHA256:EXPIRES with commas between, each ID once")
            }
            tokens.append(token)
        }
        guard tokens.count <= User.maximumTokens else {
            throw Fault(message: "user \(name): more than \(User.maximumTokens) tokens")
        }
        return tokens
    }

    private static func secret(_ name: String, _ values: [String: String]) throws(Fault) -> Secret {
        if let password = values["password"] {
            guard values["crypt"] == nil, values["md5"] == nil, values["sha256"] == nil else {
                throw Fault(message: "user \(name): password= stands for all of crypt=, md5= and sha256=")
            }
            if let problem = Secret.problem(with: password) { throw Fault(message: "user \(name): \(problem)") }
            // Not hashed by crypt(3) here: a daemon would stand still for it.
            return Secret(crypt: "", digest: Secret.digest(user: name, password: password))
        }
        guard let crypt = values["crypt"], Crypt.isHash(crypt) else {
            throw Fault(message: "user \(name): no crypt= with a hash; apus user passwd \(name) sets a password")
        }
        switch (values["md5"], values["sha256"]) {
        case (nil, nil): return Secret(crypt: crypt, digest: nil)
        case (let md5?, let sha256?) where isHexadecimal(md5, 32) && isHexadecimal(sha256, 64):
            return Secret(crypt: crypt, digest: .init(md5: md5.lowercased(), sha256: sha256.lowercased()))
        default:
            throw Fault(message: "user \(name): md5= and sha256= are 32 and 64 hexadecimal digits, both or none")
        }
    }

    private static func isHexadecimal(_ text: String, _ count: Int) -> Bool {
        text.utf8.count == count && text.utf8.allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
    }
}

extension CameraScope {
    /// Reads `*` or names with commas between; nil for anything else.
    package init?(text: String) {
        guard text != "*" else {
            self = .all
            return
        }
        let names = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard names.count <= Self.maximumCount, names.allSatisfy({ CameraName.problem(with: $0) == nil }) else {
            return nil
        }
        self = .only(names)
    }
}
