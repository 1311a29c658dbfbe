// SPDX-License-Identifier: Apache-2.0
// Sessions of browsers: how they begin, last and end; share links and who counts as their viewer.

import Bytes
import Testing

@testable import Access

/// A table whose calls can stand in an expectation.
private final class Table {
    private var table: SessionTable

    init(patience: Duration) { table = SessionTable(patience: patience) }

    var count: Int { table.count }
    func open(_ user: User, at now: Instant) -> String { table.open(user, at: now) }
    func use(_ key: SessionKey, _ access: Access, at now: Instant) -> User? { table.use(key, access, at: now) }
    func isRenewalDue(_ key: SessionKey, at now: Instant) -> Bool { table.isRenewalDue(key, at: now) }
    func close(_ key: SessionKey) -> User? { table.close(key) }
    func closeAll(of user: String) -> Int { table.closeAll(of: user) }
    func usersChanged(_ access: Access) { table.usersChanged(access) }
}

/// Links whose calls can stand in an expectation.
private final class Book {
    private var book: ShareBook

    init(_ list: ShareList = ShareList()) { book = ShareBook(list) }

    var list: ShareList { book.list }
    func add(
        lifetime: Int64? = nil,
        viewers: Int = 1,
        label: String = "",
        utc: Int64 = 0
    ) throws(ShareFault) -> (share: Share, token: String) {
        try book.add(camera: "front", lifetime: lifetime, viewers: viewers, label: label, by: "anna", utc: utc)
    }
    func revoke(_ id: String) -> Share? { book.revoke(id) }
    func open(_ token: String, utc: Int64, at now: Instant) -> (share: Share, cookie: String)? {
        book.open(token, utc: utc, at: now)
    }
    func share(of key: SessionKey, utc: Int64, at now: Instant) -> Share? { book.share(of: key, utc: utc, at: now) }
    func watch(_ key: SessionKey, _ share: Share, at now: Instant) -> Bool { book.watch(key, share, at: now) }
    func viewers(of id: String, at now: Instant) -> Int { book.viewers(of: id, at: now) }
}

@Suite("Browser sessions")
struct SessionTableTests {
    private func begin(
        _ table: Table,
        _ access: Access,
        _ name: String,
        _ seconds: Double
    ) throws -> SessionKey {
        let user = try #require(access.user(name))
        let cookie = table.open(user, at: .at(seconds))
        return try #require(SessionKey(cookie: cookie))
    }

    @Test("a session lasts while it is used, and no longer")
    func sliding() throws {
        let access = try makeAccess()
        let table = Table(patience: .seconds(100))
        let key = try begin(table, access, "bob", 0)

        #expect(table.use(key, access, at: .at(100))?.name == "bob")
        #expect(table.use(key, access, at: .at(200))?.name == "bob")
        #expect(table.use(key, access, at: .at(301)) == nil)
        #expect(table.use(key, access, at: .at(200)) == nil, "what is over stays over")
    }

    @Test("a session ends after its lifetime, however much it is used")
    func lifetime() throws {
        let access = try makeAccess()
        let table = Table(patience: SessionTable.lifetime)
        let key = try begin(table, access, "bob", 0)

        #expect(table.use(key, access, at: .at(29 * 86_400)) != nil)
        #expect(table.use(key, access, at: .at(30 * 86_400 + 1)) == nil)
    }

    @Test("cookies are 256 random bits, each another, and a guess opens nothing")
    func cookies() throws {
        let access = try makeAccess()
        let table = Table(patience: .seconds(100))
        let bob = try #require(access.user("bob"))
        let cookies = Set((0..<20).map { _ in table.open(bob, at: .at(0)) })

        #expect(cookies.count == 20 && cookies.allSatisfy { $0.utf8.count == 43 })
        let guess = try #require(SessionKey(cookie: "guess"))
        #expect(table.use(guess, access, at: .at(0)) == nil)
        #expect(SessionKey(cookie: "") == nil && SessionKey(cookie: String(repeating: "a", count: 129)) == nil)
    }

    @Test("another password or no user any more ends the session, a hashed password does not")
    func users() throws {
        var access = try makeAccess()
        let table = Table(patience: .seconds(100))
        let bob = try begin(table, access, "bob", 0)
        let anna = try begin(table, access, "anna", 0)
        var users = try UserList(parsing: "bob role=operator password=builder\nanna password=other", name: "users")
        _ = users.hashPasswords()
        access.replace(users)
        table.usersChanged(access)

        #expect(table.count == 1)
        #expect(table.use(bob, access, at: .at(1))?.role == .operator, "the role is the new one")
        #expect(table.use(anna, access, at: .at(1)) == nil)
    }

    @Test("so many sessions of one user and no more; the one that was not used for longest goes")
    func bounded() throws {
        let access = try makeAccess()
        let table = Table(patience: .seconds(1000))
        let first = try begin(table, access, "bob", 0)
        let second = try begin(table, access, "bob", 1)
        for index in 2..<SessionTable.maximumPerUser { _ = try begin(table, access, "bob", Double(index)) }
        #expect(table.use(first, access, at: .at(100)) != nil)
        _ = try begin(table, access, "bob", 101)

        #expect(table.count == SessionTable.maximumPerUser)
        #expect(table.use(first, access, at: .at(102)) != nil && table.use(second, access, at: .at(102)) == nil)
    }

    @Test("logging out ends one session, or all of the user's")
    func logout() throws {
        let access = try makeAccess()
        let table = Table(patience: .seconds(100))
        let one = try begin(table, access, "bob", 0)
        _ = try begin(table, access, "bob", 0)
        let other = try begin(table, access, "anna", 0)

        #expect(table.close(one)?.name == "bob" && table.use(one, access, at: .at(1)) == nil)
        #expect(table.closeAll(of: "bob") == 1 && table.count == 1)
        #expect(table.use(other, access, at: .at(1)) != nil)
    }

    @Test("a cookie is renewed once a tenth of its life has passed")
    func renewal() throws {
        let access = try makeAccess()
        let table = Table(patience: .seconds(100))
        let key = try begin(table, access, "bob", 0)

        let due = [5.0, 11, 12, 30].map { table.isRenewalDue(key, at: .at($0)) }
        #expect(due == [false, true, false, true])
    }
}

@Suite("Share links")
struct ShareTests {
    private func book(viewers: Int = 2, lifetime: Int64? = 100) throws -> (Book, Share, String) {
        let book = Book()
        let made = try book.add(lifetime: lifetime, viewers: viewers, label: "for aunt = me", utc: 1000)
        return (book, made.share, made.token)
    }

    private func visit(_ book: Book, _ token: String, _ seconds: Double = 0) throws -> SessionKey {
        let opened = book.open(token, utc: 1000, at: .at(seconds))
        let cookie = try #require(opened?.cookie)
        return try #require(SessionKey(cookie: cookie))
    }

    @Test("a link opens until it expires or is revoked, and so do those who came with it")
    func opens() throws {
        let (book, share, token) = try book()
        let key = try visit(book, token)

        #expect(book.open(token + "x", utc: 1000, at: .at(0)) == nil)
        #expect(book.share(of: key, utc: 1099, at: .at(1))?.camera == "front")
        #expect(book.share(of: key, utc: 1100, at: .at(1)) == nil)
        let again = try visit(book, token)
        #expect(book.revoke(share.id) == share && book.revoke(share.id) == nil)
        #expect(book.share(of: again, utc: 1001, at: .at(1)) == nil)
        #expect(book.open(token, utc: 1001, at: .at(0)) == nil)
    }

    @Test("so many watch and no more, until one does no more")
    func viewers() throws {
        let (book, share, token) = try book()
        let keys = try (0..<3).map { _ in try visit(book, token) }

        let isLetIn = keys.map { book.watch($0, share, at: .at(1)) }
        #expect(isLetIn == [true, true, false])
        #expect(book.watch(keys[0], share, at: .at(5)), "who watches already goes on")
        #expect(book.viewers(of: share.id, at: .at(5)) == 2)
        #expect(book.watch(keys[2], share, at: .at(11.5)), "the second has gone")
        #expect(!book.watch(keys[1], share, at: .at(12)))
    }

    @Test("links survive in their file, without what opens them")
    func file() throws {
        let (book, share, token) = try book(lifetime: nil)
        let list = try ShareList(parsing: book.list.text, name: "shares")

        #expect(list == book.list && list.shares == [share])
        #expect(!book.list.text.contains(token))
        let later = Book(list)
        #expect(later.open(token, utc: 2000, at: .at(0))?.share == share)
    }

    @Test(
        "a line that is no link is refused with its number",
        arguments: [
            "x", "a camera=front", "a camera=Front expires=- viewers=1 by=- made=1 hash=HASH label=",
            "a camera=front expires=x viewers=1 by=- made=1 hash=HASH label=",
            "a camera=front expires=- viewers=0 by=- made=1 hash=HASH label=",
            "a camera=front expires=- viewers=1 by=a/b made=1 hash=HASH label=",
            "a camera=front expires=- viewers=1 by=- made=1 hash=abc label=",
            "a camera=front expires=- viewers=1 by=- made=1 hash=HASH label=\u{7}",
        ]
    )
    func malformed(_ line: String) throws {
        let text = "# comment\n\(line.replacing("HASH", with: Ticket.hash("x")))\n"

        #expect(throws: (any Error).self) { try ShareList(parsing: text, name: "shares") }
    }

    @Test("labels, viewers and the number of links have their limits")
    func limits() throws {
        let (book, _, _) = try book()
        func add(viewers: Int = 1, label: String = "") -> ShareFault? {
            do throws(ShareFault) {
                _ = try book.add(viewers: viewers, label: label)
                return nil
            } catch {
                return error
            }
        }

        #expect(add(viewers: 0) == .viewers && add(viewers: Share.maximumViewers + 1) == .viewers)
        #expect(add(label: String(repeating: "a", count: Share.maximumLabel)) == nil)
        #expect(add(label: String(repeating: "a", count: Share.maximumLabel + 1)) != nil && add(label: "\n") != nil)
        for _ in book.list.shares.count..<ShareList.capacity { #expect(add() == nil) }
        #expect(add() == .tooMany)
    }
}
