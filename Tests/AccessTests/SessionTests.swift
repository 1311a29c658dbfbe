// SPDX-License-Identifier: Apache-2.0
// What requests are answered: challenges, replays, stale nonces, permissions, slowing and locks.

import Bytes
import HTTP
import Testing

@testable import Access

@Suite("Access")
struct SessionTests {
    @Test("without users everybody is granted, with authentication off too")
    func open() throws {
        let limits = Access.Limits(failures: 4, lockout: .seconds(1))
        let users = try UserList(parsing: "anna password=x", name: "users")
        for var access in [Access(UserList(), limits: limits), Access(users, mode: .off, limits: limits)] {
            let visitor = Visitor("nobody", "")

            #expect(visitor.ask(&access, 0) == .granted(nil))
        }
    }

    @Test("the challenge offers SHA-256 and MD5, Basic only where nobody can listen")
    func challenge() throws {
        var access = try makeAccess()
        let remote = Visitor("anna", "a secret")
        let local = Visitor("anna", "a secret", isPrivate: true)
        guard case .challenge(let wide) = remote.ask(&access, 0), case .challenge(let near) = local.ask(&access, 0)
        else {
            Issue.record("no challenge")
            return
        }

        #expect(wide.map { $0.hasSuffix("SHA-256") } == [true, false])
        #expect(wide.allSatisfy { $0.hasPrefix("Digest realm=\"Apus\", nonce=\"") && $0.contains("qop=\"auth\"") })
        #expect(near.last == "Basic realm=\"Apus\"" && near.count == 3)
    }

    @Test("who knows the password is granted, by SHA-256, MD5, and MD5 without qop")
    func granted() throws {
        for index in 0..<3 {
            var access = try makeAccess()
            let visitor = Visitor("bob", "builder")
            guard case .challenge(var values) = visitor.ask(&access, 0) else { return }
            if index > 0 { values.removeFirst() }
            if index == 2 { values = values.map { $0.replacing(", qop=\"auth\"", with: "") } }
            let isTaken = visitor.client.take(AuthenticationField.challenges(in: values))
            #expect(isTaken)

            #expect(visitor.ask(&access, 1).user == "bob")
            #expect(visitor.ask(&access, 2).user == "bob")
        }
    }

    @Test("who does not is challenged again, whether there is such a user or not")
    func wrong() throws {
        for (user, password) in [("bob", "wrong"), ("nobody", "builder"), ("", "")] {
            var access = try makeAccess()
            let visitor = Visitor(user, password)

            #expect(visitor.enter(&access, 0).isChallenge)
            #expect(access.ledger.count == 1)
        }
    }

    @Test("a replayed request is refused as stale")
    func replay() throws {
        var access = try makeAccess()
        let visitor = Visitor("bob", "builder")
        guard case .challenge(let values) = visitor.ask(&access, 0) else { return }
        _ = visitor.client.take(AuthenticationField.challenges(in: values))
        let value = visitor.client.authorization(
            method: "DESCRIBE",
            uri: "rtsp://h/front",
            clientNonce: "c",
            Access.hashes
        )

        #expect(visitor.send(&access, 1, value).user == "bob")
        #expect(visitor.send(&access, 2, value).isStale)
        #expect(access.ledger.count == 0)
    }

    @Test("the nonce of another connection is stale there, and no failure")
    func foreignNonce() throws {
        var access = try makeAccess()
        let one = Visitor("bob", "builder")
        let other = Visitor("bob", "builder")
        _ = one.enter(&access, 0)
        other.client = one.client

        #expect(other.ask(&access, 1).isStale)
        #expect(access.ledger.count == 0)
        #expect(other.enter(&access, 2).user == "bob")
    }

    @Test("two sessions of two users from one address do not mind each other")
    func twoAtOnce() throws {
        var access = try makeAccess()
        let one = Visitor("cam", "film")
        let other = Visitor("anna", "a secret")

        #expect(one.enter(&access, 0, "front", .publish).user == "cam")
        #expect(other.enter(&access, 0, "front", .publish).user == "anna")
        for second in 1..<5 {
            #expect(one.ask(&access, Double(second), "front", .publish).user == "cam")
            #expect(other.ask(&access, Double(second), "front", .publish).user == "anna")
        }
    }

    @Test("a nonce that was not used for its lifetime is stale, one in use is not")
    func lifetime() throws {
        var access = try makeAccess()
        let visitor = Visitor("bob", "builder")
        _ = visitor.enter(&access, 0)

        #expect(visitor.ask(&access, 299).user == "bob")
        #expect(visitor.ask(&access, 598).user == "bob")
        #expect(visitor.ask(&access, 899).isStale)
    }

    @Test("a request of an authenticated connection needs no credentials, but wrong ones count")
    func trusted() throws {
        var access = try makeAccess()
        let visitor = Visitor("bob", "builder")
        _ = visitor.enter(&access, 0)

        #expect(visitor.send(&access, 1, nil).user == "bob")
        #expect(visitor.send(&access, 2, "Digest nonsense").isChallenge)
        #expect(visitor.send(&access, 3, nil).user == "bob")
    }

    @Test("where a connection may be of many clients, each request needs credentials")
    func untrusted() throws {
        var access = try makeAccess()
        let visitor = Visitor("bob", "builder")
        visitor.session = AccessSession(host: "192.0.2.1", isPrivate: true, trustsConnection: false)

        #expect(visitor.basic(&access, 0, "bob", "builder").user == "bob")
        #expect(visitor.send(&access, 0, nil).isChallenge)
    }

    @Test("Basic is taken where nobody can listen, else it is not even looked at")
    func basic() throws {
        var access = try makeAccess()
        let near = Visitor("", "", isPrivate: true)
        let far = Visitor("", "")
        let right = BasicCredentials(user: "anna", password: "a secret").header

        #expect(near.basic(&access, 0, "anna", "a secret").user == "anna")
        #expect(far.send(&access, 0, right).isChallenge && access.ledger.count == 0)
        #expect(near.basic(&access, 0, "anna", "another").isChallenge && access.ledger.count == 1)
    }

    @Test(
        "the uri parameter may be the stream's, a track's, or the path alone, but not another stream's",
        arguments: [
            ("rtsp://h/front", true), ("/front", true), ("rtsp://h:8554/front/", true),
            ("rtsp://h/front/trackID=0", true),
            ("*", true), ("rtsp://h", true), ("rtsp://h/front?x=1", true), ("rtsp://h/yard", false), ("/fron", false),
        ]
    )
    func tolerantURI(_ uri: String, _ fits: Bool) {
        #expect(DigestURI.fits(uri, "rtsp://192.0.2.7:8554/front") == fits)
        #expect(DigestURI.fits("rtsp://192.0.2.7:8554/front", uri) == fits)
    }

    @Test("credentials of another realm or another stream are no failure and open nothing")
    func foreignRealm() throws {
        var access = try makeAccess()
        let visitor = Visitor("bob", "builder")
        _ = visitor.client.take(AuthenticationField.challenges(in: ["Digest realm=\"x\", nonce=\"n\""]))

        #expect(visitor.ask(&access, 0).isChallenge)
        #expect(access.ledger.count == 0)
    }

    @Test(
        "roles and cameras decide",
        arguments: [
            ("bob", "builder", "front", Permission.view, true), ("bob", "builder", "yard", .view, true),
            ("bob", "builder", "door", .view, false), ("bob", "builder", "front", .publish, false),
            ("bob", "builder", "front", .talk, false), ("cam", "film", "front", .publish, true),
            ("cam", "film", "front", .view, false), ("cam", "film", "yard", .publish, false),
            ("anna", "a secret", "door", .publish, true), ("anna", "a secret", "door", .configure, true),
        ]
    )
    func permissions(user: String, password: String, camera: String, permission: Permission, isAllowed: Bool) throws {
        var access = try makeAccess()
        let visitor = Visitor(user, password)
        let decision = visitor.enter(&access, 0, camera, permission)

        if isAllowed {
            #expect(decision.user == user)
        } else {
            let known = try #require(access.user(user))
            #expect(decision == .forbidden(known))
        }
    }

    @Test("a user who is removed or gets another password is asked again at once")
    func changedUsers() throws {
        var access = try makeAccess()
        let visitor = Visitor("bob", "builder")
        _ = visitor.enter(&access, 0)
        access.replace(try UserList(parsing: "bob password=another", name: "users"))

        #expect(visitor.send(&access, 1, nil).isChallenge)
        #expect(visitor.session.user == nil)
    }

    @Test("a user whose password was hashed stays who he is, one with another hash does not")
    func hashedUsers() throws {
        var access = try makeAccess()
        let visitor = Visitor("bob", "builder")
        _ = visitor.enter(&access, 0)
        var users = try UserList(parsing: "bob role=viewer password=builder", name: "users")
        _ = users.hashPasswords()
        access.replace(users)

        #expect(visitor.session.currentUser(access)?.name == "bob")
        #expect(visitor.send(&access, 1, nil).user == "bob")

        access.replace(try UserList(parsing: "bob role=viewer crypt=$6$x", name: "users"))
        #expect(visitor.session.currentUser(access) == nil)
    }

    @Test("a user without Digest hashes logs in by Basic")
    func cryptOnly() throws {
        let hash = try #require(Crypt.hash("builder"))
        var access = try makeAccess()
        access.replace(try UserList(parsing: "bob crypt=\(hash)", name: "users"))
        let visitor = Visitor("", "", isPrivate: true)

        #expect(visitor.basic(&access, 0, "bob", "builder").user == "bob")
        #expect(visitor.basic(&access, 1, "bob", "wrong").isChallenge)
    }

    @Test(
        "connections count by the address, of IPv6 by the /64",
        arguments: [
            ("192.0.2.1", "192.0.2.2", false), ("2001:db8:1:2::1", "2001:db8:1:2:3:4:5:6", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
        ]
    )
    func networks(_ one: String, _ other: String, _ isSame: Bool) {
        #expect((AccessSession.network(of: one) == AccessSession.network(of: other)) == isSame)
    }
}

@Suite("Failed attempts")
struct FailureTests {
    @Test("attempts are slowed more and more, then the address is locked, then it may try again")
    func lockout() throws {
        var access = try makeAccess(failures: 4, lockout: .seconds(60))
        func attempt(_ seconds: Double, _ password: String = "wrong") -> AccessDecision {
            let visitor = Visitor("bob", password)
            return visitor.enter(&access, seconds)
        }

        #expect(attempt(0).isChallenge)
        #expect(attempt(0.1) == .slowed(until: .at(0.25)))
        #expect(attempt(0.1, "builder") == .slowed(until: .at(0.25)))
        #expect(attempt(0.25).isChallenge)
        #expect(attempt(0.7) == .slowed(until: .at(0.75)))
        #expect(attempt(0.75).isChallenge)
        #expect(attempt(1.75) == .locked(until: .at(61.75)))
        #expect(attempt(30, "builder") == .locked(until: .at(61.75)))
        #expect(access.locked(at: .at(30)).map(\.host) == ["192.0.2.1"])
        #expect(attempt(61.75, "builder").user == "bob")
        #expect(access.ledger.count == 0)
    }

    @Test("after the lock the counting begins anew")
    func afterLock() throws {
        var access = try makeAccess(failures: 2, lockout: .seconds(10))
        for start in [0.0, 100.0] {
            let visitor = Visitor("bob", "wrong")
            #expect(visitor.enter(&access, start).isChallenge)
            #expect(visitor.enter(&access, start + 1) == .locked(until: .at(start + 11)))
        }
    }

    @Test("an attacker locks out neither other addresses nor who is in already")
    func others() throws {
        var access = try makeAccess(failures: 2)
        let inside = Visitor("bob", "builder")
        _ = inside.enter(&access, 0)
        for second in 1..<4 {
            let attacker = Visitor("bob", "wrong")
            _ = attacker.enter(&access, Double(second))
        }
        let elsewhere = Visitor("bob", "builder", from: "192.0.2.2")
        let again = Visitor("bob", "builder")

        #expect(inside.ask(&access, 4).user == "bob")
        #expect(elsewhere.enter(&access, 4).user == "bob")
        #expect(again.enter(&access, 4) == .locked(until: .at(62)))
    }

    @Test("one's own account does not wash away attempts at another's")
    func washing() throws {
        var access = try makeAccess(failures: 3)
        let own = Visitor("bob", "builder")
        for second in 0..<2 {
            let attempt = Visitor("anna", "wrong")
            #expect(attempt.enter(&access, Double(second * 2)).isChallenge)
            #expect(own.enter(&access, Double(second * 2) + 1).user == "bob")
        }
        let last = Visitor("anna", "wrong")

        #expect(last.enter(&access, 10) == .locked(until: .at(70)))
    }

    @Test(
        "an IPv6 address counts by its /64, an IPv4 address alone",
        arguments: [
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
            ("2001:db8::1", "2001:db8:0:0::/64"), ("::1", "0:0:0:0::/64"), ("fe80::1%eth0", "fe80:0:0:0::/64"),
            ("1:2:3:4:5:6:7::", "1:2:3:4::/64"), ("192.0.2.1", "192.0.2.1"),
        ]
    )
    func networks(host: String, key: String) {
        #expect(AddressLedger.key(host) == key)
    }

    @Test("so many addresses are remembered and no more; the newest stay")
    func bounded() {
        var ledger = AddressLedger()
        for index in 0...AddressLedger.capacity {
            _ = ledger.noteFailure(
                "10.0.\(index / 256).\(index % 256)",
                user: "x",
                at: .at(Double(index) / 1000),
                limit: 1,
                lockout: .seconds(600)
            )
        }

        #expect(ledger.count <= AddressLedger.capacity)
        #expect(ledger.standing("10.0.16.0", at: .at(5)) == .locked(until: .at(4.096 + 600)))
        #expect(ledger.standing("10.0.0.0", at: .at(5)) == .free)
    }

    @Test("a session goes on in another process, with its user and its nonce; a mangled passport opens nothing")
    func passport() throws {
        var access = try makeAccess()
        let visitor = Visitor("bob", "builder")
        guard case .challenge(let values) = visitor.ask(&access, 0) else { return }
        _ = visitor.client.take(AuthenticationField.challenges(in: values))
        _ = visitor.ask(&access, 1)
        let passport = visitor.session.passport

        var elsewhere = try makeAccess()
        visitor.session = AccessSession(host: "192.0.2.1", isPrivate: false, trustsConnection: true)
        visitor.session.resume(passport, elsewhere, at: .at(2))
        let user = visitor.session.user?.name
        #expect(user == "bob")
        #expect(visitor.ask(&elsewhere, 3).user == "bob", "the nonce is known, and its count goes on")

        for mangled in ["", "bob", "bob 01", "bob 01 x", "nobody - 0", "- - 0"] {
            var session = AccessSession(host: "192.0.2.1", isPrivate: false, trustsConnection: true)
            session.resume(mangled, elsewhere, at: .at(2))
            #expect(session.user == nil, "\(mangled)")
        }
    }
}
