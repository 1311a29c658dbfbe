// SPDX-License-Identifier: Apache-2.0
// `apus user`: who may watch, publish and control.

import Access
import Config
import Control
import Daemon
import System

/// Works on the users' file.
enum UserCommand {
    static let command = Command(
        "user",
        "Lists, adds, changes and removes users.",
        details: """
            The file is that of the running instance, else of --config FILE, else the user's own. Passwords are asked for,
            or read from standard input: one line. A running instance takes over changes of its own file at once.

            Roles: \(Role.allCases.map { "\($0.rawValue) \($0.meaning)" }.joined(separator: "; ")).
            """,
        [list, add, passwd, set, remove, hash, token]
    )

    private static let file = Option("--users", "FILE", "The users' file; else the one of the configuration.")
    private static let config = Option("--config", "FILE", "The configuration; else the running instance's.")
    private static let role = Option(
        "--role",
        "ROLE",
        Role.allCases.map(\.rawValue).joined(separator: ", ") + "; viewer if none is given."
    )
    private static let cameras = Option("--cameras", "A,B", "The cameras that the user has to do with; all if none.")
    private static let place = [file, config, Option.runDirectory]

    private static let list = Command(
        "list",
        "Lists the users.",
        options: [.json] + place
    ) { arguments in
        let path = try path(arguments)
        let users = try load(path).users
        if arguments.has("--json") {
            let members = users.map { user -> JSON in
                [
                    "name": .string(user.name), "role": .string(user.role.rawValue),
                    "cameras": .string(user.cameras.text), "digest": .boolean(user.secret.digest != nil),
                    "tokens": .array(user.tokens.map { .string($0.id) }),
                ]
            }
            let answer: JSON = ["file": .string(path), "users": .array(members)]
            try Terminal.write(answer.prettyText + "\n")
        } else if users.isEmpty {
            try Terminal.write("no users in \(path); apus user add NAME adds one\n")
        } else {
            let rows = users.map { [$0.name, $0.role.rawValue, $0.cameras.text] }
            try Terminal.write(Table([["NAME", "ROLE", "CAMERAS"]] + rows).text)
        }
        return .success
    }

    private static let add = Command(
        "add",
        "Adds a user.",
        usage: "[OPTION]… NAME",
        options: [role, cameras] + place,
        operands: 1...1
    ) { arguments in
        let path = try path(arguments)
        var users = try load(path)
        let name = arguments.operands[0]
        if let problem = UserName.problem(with: name) { throw Failure(.usage, problem) }
        guard users[name] == nil else {
            throw Failure(.usage, "user \(name) is there already; apus user passwd and set change it")
        }
        let role = try role(arguments) ?? .viewer
        let cameras = try cameras(arguments) ?? .all
        users.set(User(name: name, role: role, cameras: cameras, secret: try secret(name)))
        return try save(&users, path, arguments, "added \(name)")
    }

    private static let passwd = Command(
        "passwd",
        "Gives a user another password.",
        usage: "[OPTION]… NAME",
        options: place,
        operands: 1...1
    ) { arguments in
        let path = try path(arguments)
        var users = try load(path)
        var user = try user(arguments.operands[0], users, path)
        user.secret = try secret(user.name)
        users.set(user)
        return try save(&users, path, arguments, "changed the password of \(user.name)")
    }

    private static let set = Command(
        "set",
        "Gives a user another role or other cameras.",
        usage: "[OPTION]… NAME",
        options: [role, cameras] + place,
        operands: 1...1
    ) { arguments in
        let path = try path(arguments)
        var users = try load(path)
        _ = users.hashPasswords()
        var user = try user(arguments.operands[0], users, path)
        let (role, cameras) = (try role(arguments), try cameras(arguments))
        guard role != nil || cameras != nil else { throw Failure(.usage, "give --role, --cameras or both") }
        user.role = role ?? user.role
        user.cameras = cameras ?? user.cameras
        users.set(user)
        return try save(&users, path, arguments, "changed \(user.name)")
    }

    private static let remove = Command(
        "remove",
        "Removes a user.",
        usage: "[OPTION]… NAME",
        options: place,
        operands: 1...1
    ) { arguments in
        let path = try path(arguments)
        var users = try load(path)
        _ = try user(arguments.operands[0], users, path)
        _ = users.remove(arguments.operands[0])
        return try save(&users, path, arguments, "removed \(arguments.operands[0])")
    }

    private static let hash = Command(
        "hash",
        "Hashes the passwords that were written into the file by hand.",
        options: place
    ) { arguments in
        let path = try path(arguments)
        var users = try load(path)
        let names = users.plain
        try write(&users, path)
        try Terminal.write(names.isEmpty ? "nothing to hash\n" : "hashed: \(names.joined(separator: " "))\n")
        return .success
    }
}

// MARK: Tokens

extension UserCommand {
    private static let token = Command(
        "token",
        "Makes a token that a program shows instead of the user's password, or revokes one.",
        usage: "[OPTION]… NAME",
        options: [
            Option("--expires", "TIME", "How long it is good: 12h, 30d; for ever if none is given."),
            Option("--name", "ID", "What it is called; a random word if none is given."),
            Option("--revoke", "ID", "Revokes the token of that name instead."),
            Option("--list", nil, "Lists the user's tokens instead."), .json,
        ] + place,
        operands: 1...1,
        details: """
            The token is shown once; the file keeps its hash. Clients send Authorization: Bearer TOKEN. A running instance
            takes over what was made or revoked at once if the file is its own.
            """
    ) { arguments in
        let path = try path(arguments)
        var users = try load(path)
        var user = try user(arguments.operands[0], users, path)
        let utc = Clock.realtimeNanoseconds() / 1_000_000_000
        if arguments.has("--list") { return try list(user.tokens, arguments, utc) }
        if let id = arguments.value("--revoke") {
            guard let index = user.tokens.firstIndex(where: { $0.id == id }) else {
                let hint = Suggestion.phrase(for: id, among: user.tokens.map(\.id))
                throw Failure(.usage, "\(user.name) has no token \"\(id)\"\(hint)")
            }
            user.tokens.remove(at: index)
            users.set(user, keepingPassword: true)
            return try save(&users, path, arguments, "revoked \(id) of \(user.name)")
        }
        let id = arguments.value("--name") ?? String(Random.uint64() >> 32, radix: 16)
        if let problem = AccessToken.problem(withID: id) { throw Failure(.usage, problem) }
        user.tokens.removeAll { !$0.isValid(at: utc) }
        guard !user.tokens.contains(where: { $0.id == id }) else {
            throw Failure(.usage, "\(user.name) has a token \"\(id)\" already; --revoke \(id) revokes it")
        }
        guard user.tokens.count < User.maximumTokens else {
            throw Failure(.usage, "\(user.name) has \(User.maximumTokens) tokens; --revoke ID revokes one")
        }
        let lifetime = try Lifetime.seconds(arguments, "--expires")
        let made = AccessToken.make(id: id, expires: lifetime.map { utc + $0 })
        user.tokens.append(made.kept)
        users.set(user, keepingPassword: true)
        try write(&users, path)
        _ = try takeOver(path, arguments)
        let answer: JSON = [
            "id": .string(id), "token": .string(made.token), "expires": made.kept.expires.map { JSON($0) } ?? .null,
        ]
        try Terminal.write(arguments.has("--json") ? answer.prettyText + "\n" : made.token + "\n")
        return .success
    }

    private static func list(_ tokens: [AccessToken], _ arguments: ParsedArguments, _ utc: Int64) throws -> ExitCode {
        if arguments.has("--json") {
            let members = tokens.map { token -> JSON in
                ["id": .string(token.id), "expires": token.expires.map { JSON($0) } ?? .null]
            }
            try Terminal.write(JSON.array(members).prettyText + "\n")
        } else {
            try Terminal.write(Table([["ID", "LASTS"]] + tokens.map { [$0.id, Lifetime.text($0.expires, utc)] }).text)
        }
        return .success
    }
}

// MARK: What they share

extension UserCommand {
    private static func path(_ arguments: ParsedArguments) throws(Failure) -> String {
        if let path = arguments.value("--users") { return File.absolute(path) }
        do throws(ConfigError) {
            if let file = arguments.value("--config") { return try Configuration.load(file).users.path }
            let inForce = arguments.runDirectory.configuration
            if (try? Instance(arguments.runDirectory)) != nil, File.exists(inForce) {
                return try Configuration.load(inForce).users.path
            }
        } catch {
            // Without users, a configuration may be refused for just that.
            let file = arguments.value("--config") ?? ""
            guard let (document, _) = try? ConfigDocument.load(file) else {
                throw Failure(.usage, error.description)
            }
            return UsersLocation(document.value("apus", "users") ?? "auto", configuration: file).path
        }
        return UsersLocation("auto", configuration: ConfigDocument.defaultsName).path
    }

    private static func load(_ path: String) throws(Failure) -> UserList {
        do throws(ConfigError) {
            return try UserList.load(path)
        } catch {
            throw Failure(.usage, error.description)
        }
    }

    /// Writes the file, puts it in force where it is the running instance's, and tells what was done.
    private static func save(
        _ users: inout UserList,
        _ path: String,
        _ arguments: ParsedArguments,
        _ deed: String
    ) throws -> ExitCode {
        try write(&users, path)
        let isInForce = try takeOver(path, arguments)
        try Terminal.write("\(deed)\(isInForce ? "; in force" : "; in force once an instance with \(path) starts")\n")
        return .success
    }

    /// Lets the running instance read its users again; false if none runs whose users these are.
    private static func takeOver(_ path: String, _ arguments: ParsedArguments) throws(Failure) -> Bool {
        let runDirectory = arguments.runDirectory
        guard (try? Instance(runDirectory)) != nil,
            (try? Configuration.load(runDirectory.configuration))?.users.path == path
        else { return false }
        _ = try Instance.request("supervisor", "config-reload", [], runDirectory)
        return true
    }

    /// Writes the file, in which no password is in the clear any more.
    private static func write(_ users: inout UserList, _ path: String) throws(Failure) {
        _ = users.hashPasswords()
        do throws(SystemError) {
            try users.save(path)
        } catch {
            throw Failure(.failure, "cannot write \(path): \(error.reason); --users names another file")
        }
    }

    private static func user(_ name: String, _ users: UserList, _ path: String) throws(Failure) -> User {
        if let user = users[name] { return user }
        let hint = Suggestion.phrase(for: name, among: users.users.map(\.name))
        throw Failure(.usage, "there is no user \"\(name)\" in \(path)\(hint)")
    }

    private static func role(_ arguments: ParsedArguments) throws(Failure) -> Role? {
        guard let text = arguments.value("--role") else { return nil }
        if let role = Role(rawValue: text) { return role }
        let names = Role.allCases.map(\.rawValue)
        let hint = Suggestion.phrase(for: text, among: names)
        throw Failure(.usage, "--role must be one of \(names.joined(separator: ", ")), not \"\(text)\"\(hint)")
    }

    private static func cameras(_ arguments: ParsedArguments) throws(Failure) -> CameraScope? {
        guard let text = arguments.value("--cameras") else { return nil }
        guard let cameras = CameraScope(text: text) else {
            throw Failure(.usage, "--cameras must be * or names with commas between, not \"\(text)\"")
        }
        return cameras
    }

    /// Asks for a password: twice at a terminal, else one line of standard input.
    private static func secret(_ user: String) throws -> Secret {
        let password: [UInt8]
        let limit = Secret.maximumPassword + 1
        if Process.isTerminal(0) {
            guard let first = try Console.readSecret("Password of \(user): ", atMost: limit),
                let second = try Console.readSecret("Once more: ", atMost: limit)
            else { throw Failure(.failure, "nothing was changed") }
            guard first == second else { throw Failure(.usage, "the passwords differ; nothing was changed") }
            password = first
        } else {
            var input: [UInt8] = []
            while !input.contains(0x0A), input.count <= limit,
                case .bytes = try read(0, appendingTo: &input, atMost: limit)
            {}
            password = Array(input.prefix { $0 != 0x0A && $0 != 0x0D })
        }
        guard let text = String(validating: password, as: UTF8.self) else {
            throw Failure(.usage, "the password is not UTF-8 text")
        }
        if let problem = Secret.problem(withNew: text) { throw Failure(.usage, problem) }
        guard let secret = Secret(user: user, password: text) else {
            throw Failure(.failure, "the password cannot be hashed")
        }
        return secret
    }
}
