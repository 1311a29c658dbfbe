// SPDX-License-Identifier: Apache-2.0
// Passwords that are looked at apart from the loop: a few at once, remembered, and counted.

import Bytes
import Testing

@testable import Access

@Suite("Passwords")
struct PasswordTests {
    /// An access with a user who has a crypt(3) hash alone, beside the usual ones.
    private func access() throws -> Access { try makeAccess(failures: 3) }

    private func step(_ access: inout Access, _ user: String, _ password: String, _ seconds: Double = 0) -> PasswordStep
    {
        access.begin(user: user, password: password, host: "192.0.2.1", at: .at(seconds))
    }

    @Test("the right password opens, and is known at once the next time")
    func right() throws {
        var access = try access()
        guard case .check(let check) = step(&access, "bob", "builder") else {
            Issue.record("not looked at")
            return
        }
        #expect(check.run())
        let bob = try #require(access.user("bob"))
        let verdict = access.conclude(check, isRight: true, at: .at(0))
        #expect(verdict == .right(bob))

        guard case .right(let user) = step(&access, "bob", "builder", 1) else {
            Issue.record("not known")
            return
        }
        #expect(user.name == "bob")
        guard case .check = step(&access, "bob", "builder2", 1) else {
            Issue.record("another password is known")
            return
        }
    }

    @Test("what is known is forgotten when the password changes, and a change meanwhile counts")
    func changed() throws {
        var access = try access()
        guard case .check(let check) = step(&access, "bob", "builder") else { return }
        access.replace(try UserList(parsing: "bob password=another", name: "users"))

        let verdict = access.conclude(check, isRight: true, at: .at(0))
        #expect(verdict == .wrong)

        guard case .check(let next) = step(&access, "bob", "another", 1) else { return }
        _ = access.conclude(next, isRight: true, at: .at(1))
        access.replace(try UserList(parsing: "bob password=builder", name: "users"))
        guard case .check = step(&access, "bob", "another", 2) else {
            Issue.record("the old password is known")
            return
        }
    }

    @Test("a wrong password and an unknown user are looked at alike, counted, and locked out in the end")
    func wrong() throws {
        for user in ["bob", "nobody"] {
            var access = try access()
            for second in [0.0, 1, 2] {
                guard case .check(let check) = step(&access, user, "wrong", second) else {
                    Issue.record("not looked at")
                    return
                }
                #expect(!check.run())
                let verdict = access.conclude(check, isRight: false, at: .at(second))
                #expect(verdict == (second < 2 ? .wrong : .locked(until: .at(62))))
            }
            guard case .locked(until: .at(62)) = step(&access, user, "builder", 3) else {
                Issue.record("not locked")
                return
            }
        }
    }

    @Test("one address has one password looked at after the other, and all together have a few")
    func bounded() throws {
        var access = try access()
        guard case .check(let check) = step(&access, "bob", "one") else { return }
        guard case .slowed = step(&access, "bob", "two") else {
            Issue.record("two at once")
            return
        }
        access.abandon(check)
        for index in 0...PasswordLedger.maximumChecks {
            let step = access.begin(user: "bob", password: "x", host: "198.51.100.\(index)", at: .at(0))
            if case .check = step { #expect(index < PasswordLedger.maximumChecks) }
            if case .slowed = step { #expect(index == PasswordLedger.maximumChecks) }
        }
    }

    @Test("a bearer token opens until it expires or is revoked, and another does not")
    func tokens() throws {
        var users = try UserList(parsing: "bob role=viewer cameras=front password=builder", name: "users")
        var bob = try #require(users["bob"])
        let ever = AccessToken.make(id: "nvr", expires: nil)
        let short = AccessToken.make(id: "tab", expires: 100)
        bob.tokens = [ever.kept, short.kept]
        users.set(bob, keepingPassword: true)
        var access = try access()
        access.replace(try UserList(parsing: users.text, name: "users"))

        #expect(access.bearer(ever.token, utc: 1000)?.user.name == "bob")
        #expect(access.bearer(short.token, utc: 99)?.token.id == "tab")
        #expect(access.bearer(short.token, utc: 100) == nil)
        #expect(access.bearer(ever.token + "x", utc: 0) == nil && access.bearer("", utc: 0) == nil)
        #expect(access.owner(of: ever.kept, utc: 0)?.name == "bob" && access.owner(of: short.kept, utc: 100) == nil)
        #expect(!users.text.contains(ever.token))

        bob.tokens = [short.kept]
        users.set(bob)
        access.replace(users)
        #expect(access.bearer(ever.token, utc: 0) == nil && access.owner(of: ever.kept, utc: 0) == nil)
    }

    @Test(
        "tokens in the users' file are read or refused with their line",
        arguments: [
            ("a:HASH:-", true), ("a:HASH:100,b:HASH:-", true), ("a:HASH:-,a:HASH:-", false), ("a:HASH", false),
            ("a:abc:-", false), ("a b:HASH:-", false), ("a:HASH:-1", false), ("a:HASH:x", false),
            ((0...User.maximumTokens).map { "t\($0):HASH:-" }.joined(separator: ","), false),
        ]
    )
    func tokenSyntax(_ text: String, _ isRight: Bool) {
        let hash = Ticket.hash("x")
        let line = "bob tokens=\(text.replacing("HASH", with: hash)) password=x"
        let users = try? UserList(parsing: line, name: "users")

        #expect((users != nil) == isRight)
        if let users { #expect(users.text.contains("tokens=\(text.replacing("HASH", with: hash))")) }
    }

    @Test(
        "a new password has at least eight characters; an old one may be shorter",
        arguments: [("", false), ("1234567", false), ("12345678", true), ("äöüäöüä", false), ("correct horse", true)]
    )
    func newPasswords(password: String, isGood: Bool) {
        #expect((Secret.problem(withNew: password) == nil) == isGood)
        #expect((Secret.problem(with: password) == nil) == !password.isEmpty)
    }
}
