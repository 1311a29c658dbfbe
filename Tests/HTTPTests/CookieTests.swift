// SPDX-License-Identifier: Apache-2.0
// Cookies: what is read of a request's, how they are set.

import HTTP
import Testing

@Suite("Cookies")
struct CookieTests {
    private func cookies(_ values: String...) throws -> [String] {
        var fields = HeaderFields()
        for value in values { try fields.append(parsing: Array("Cookie: \(value)".utf8)[...]) }
        return Cookies(fields).pairs.map { "\($0.name)=\($0.value)" }
    }

    @Test("pairs of all fields are read in order, what is malformed is left out")
    func reading() throws {
        #expect(try cookies("a=1; b=2") == ["a=1", "b=2"])
        #expect(try cookies("a=1", "b=\"2\"") == ["a=1", "b=2"])
        #expect(try cookies("a=1;b=2;;  c = 3 ;a=4") == ["a=1", "b=2", "c=3", "a=4"])
        #expect(try cookies("a", "=1", "a b=1", "a=1 2", "a=1,2", "a=\\", "é=1", "a=é", "c=") == ["c="])
        #expect(try cookies("a=b=c") == ["a=b=c"])
    }

    @Test("names are told apart by their case, and all values of one are given")
    func names() throws {
        var fields = HeaderFields()
        try fields.append(parsing: Array("cookie: s=1; S=2; s=3".utf8)[...])

        #expect(Cookies(fields)["s"] == ["1", "3"])
    }

    @Test("so many are looked at and no more")
    func limit() throws {
        let many = (0...Cookies.countLimit).map { "c\($0)=x" }.joined(separator: "; ")

        #expect(try cookies(many).count == Cookies.countLimit)
    }

    @Test("a cookie is set for this host alone, hidden from scripts and from other sites")
    func writing() {
        let plain = SetCookie("s", "v", maximumAge: .seconds(90), isSecure: false).field
        let gone = SetCookie("__Host-s", "", maximumAge: .zero, isSecure: true, sameSite: .lax).field
        let brief = SetCookie("s", "v", maximumAge: nil, isSecure: false).field

        #expect(plain == HeaderField("Set-Cookie", "s=v; Path=/; Max-Age=90; HttpOnly; SameSite=Strict"))
        #expect(gone.value == "__Host-s=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure")
        #expect(brief.value == "s=v; Path=/; HttpOnly; SameSite=Strict")
    }
}
