// SPDX-License-Identifier: Apache-2.0
// The users' file: what it may say, what is told of mistakes, who may read it.

import Bytes
import Config
import Crypto
import System
import Testing

@testable import Access

@Suite("Users")
struct UserListTests {
    @Test("a file is read and written back as it was, comments included")
    func roundTrip() throws {
        let text = """
            # who may watch

            anna role=admin cameras=* crypt=$y$j9T$abc md5=\(String(repeating: "a", count: 32)) \
            sha256=\(String(repeating: "b", count: 64))
            bob role=viewer cameras=front,yard crypt=$6$abc$def
            eve role=operator cameras=* password=two words = one # secret

            """
        let users = try UserList(parsing: text, name: "users")

        #expect(users.text == text)
        #expect(users.users.map(\.name) == ["anna", "bob", "eve"] && users.plain == ["eve"])
        #expect(users["bob"]?.cameras == .only(["front", "yard"]) && users["bob"]?.secret.digest == nil)
        #expect(users["eve"]?.secret.digest?.matches(user: "eve", password: "two words = one # secret") == true)
    }

    @Test("passwords in the clear are hashed on request")
    func hashing() throws {
        var users = try UserList(parsing: "eve password=plain\n", name: "users")

        let hashed = users.hashPasswords()

        #expect(hashed == ["eve"])
        #expect(users.plain.isEmpty && !users.text.contains("plain") && users.text.contains("crypt=$y$"))
        let again = try UserList(parsing: users.text, name: "users")
        let secret = try #require(again["eve"]?.secret)
        #expect(Crypt.matches("plain", secret.crypt) && !Crypt.matches("plains", secret.crypt))
        let digest = try #require(secret.digest)
        #expect(digest.matches(user: "eve", password: "plain") && !digest.matches(user: "eve", password: "plains"))
    }

    @Test(
        "mistakes are named with their line",
        arguments: [
            ("a$b password=x", "user name"), ("anna", "no crypt="), ("anna rol=viewer password=x", "\"role\""),
            ("anna role=root password=x", "role=root"), ("anna password=", "empty"),
            ("anna cameras= password=x", "cameras="), ("anna cameras=A,b password=x", "cameras="),
            ("anna role", "KEY=VALUE"), ("anna crypt=x", "no crypt="), ("anna crypt=$y$a md5=1", "both or none"),
            ("anna role=viewer role=admin password=x", "twice"), ("anna crypt=$y$a password=x", "stands for"),
            ("bob password=x\nbob password=y", "there already"),
        ]
    )
    func mistakes(line: String, word: String) throws {
        let error = #expect(throws: ConfigError.self) { try UserList(parsing: "# first\n" + line, name: "users") }
        let description = try #require(error).description

        #expect(description.contains(word) && description.hasPrefix(line.contains("\n") ? "users:3" : "users:2"))
        #expect(!description.contains("password=x") || word == "stands for")
    }

    @Test("lengths and counts are limited")
    func limits() throws {
        let name = String(repeating: "a", count: UserName.maximumLength)
        let many = (0..<UserList.maximumUsers).map { "u\($0) crypt=$6$x\n" }.joined()
        let password = String(repeating: "p", count: Secret.maximumPassword)

        #expect(UserName.problem(with: name) == nil && UserName.problem(with: name + "a") != nil)
        #expect(try UserList(parsing: many, name: "u").users.count == UserList.maximumUsers)
        #expect(throws: ConfigError.self) { try UserList(parsing: many + "x crypt=$6$x\n", name: "u") }
        #expect(Secret.problem(with: password) == nil && Secret.problem(with: password + "p") != nil)
    }

    @Test("users are set, replaced and removed in their lines")
    func editing() throws {
        var users = try UserList(parsing: "# top\nanna crypt=$6$a\nbob crypt=$6$b\n", name: "users")
        var anna = try #require(users["anna"])
        anna.role = .operator
        users.set(anna)

        let isBobRemoved = users.remove("bob")
        let isEveRemoved = users.remove("eve")
        #expect(isBobRemoved && !isEveRemoved)
        #expect(users.text == "# top\nanna role=operator cameras=* crypt=$6$a\n")
    }

    @Test("a file that others can read is refused with the remedy; a missing one holds nobody")
    func permissions() throws {
        let path = "/tmp/apus-users-\(Random.uint64())/deep/users"
        var users = UserList()
        #expect(try UserList.load(path).isEmpty)
        users.set(User(name: "anna", role: .admin, cameras: .all, secret: Secret(crypt: "$6$x", digest: nil)))
        try users.save(path)
        defer { File.remove(path) }

        #expect(File.mode(path).map { $0 & 0o777 } == 0o600)
        #expect(try UserList.load(path) == users)
        try File.replace(path, with: Array(users.text.utf8).span, mode: 0o640, keepsMode: false)
        let error = #expect(throws: ConfigError.self) { try UserList.load(path) }
        #expect(error?.description.contains("chmod 600 \(path)") == true)
    }

    @Test("a user says nothing of the secret in a log")
    func description() throws {
        let users = try UserList(parsing: "eve password=plain", name: "users")

        #expect("\(users["eve"]!) \(users["eve"]!.secret)" == "eve …")
    }
}
