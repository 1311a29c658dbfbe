// SPDX-License-Identifier: Apache-2.0
// Names, sites and methods: DNS rebinding, cross-site requests, and what a browser shows of itself. Login bodies.

import HTTP
import Testing

@testable import Access

@Suite("Sites")
struct SiteTests {
    private let site = SitePolicy(
        hosts: "cams.example.com, *.Example.org",
        origins: "https://friend.example:8443/",
        machine: "Pi"
    )

    private func fields(_ lines: [String]) throws -> HeaderFields {
        var fields = HeaderFields()
        for line in lines { try fields.append(parsing: Array(line.utf8)[...]) }
        return fields
    }

    @Test(
        "the machine's names and addresses are ours, other names are not",
        arguments: [
            ("192.168.1.5:8080", true), ("[::1]:8080", true), ("127.0.0.1", true), ("localhost:80", true),
            ("x.localhost", true), ("pi", true), ("PI.local:8080", true), ("pi.fritz.box", false), ("cam", true),
            ("cams.example.com", true), ("CAMS.example.com.:443", true), ("a.example.org", true),
            ("example.org", false), ("evil.com", false), ("pi.evil.com", false), ("cams.example.com.evil.com", false),
            ("1.2.3.4.evil.com", false), ("1.2.3", false), ("1.2.3.256", false),
        ]
    )
    func names(_ host: String, _ isOurs: Bool) {
        #expect(site.isOurs(host: host) == isOurs)
    }

    @Test("an asterisk takes all names, and a client of HTTP/1.0 needs none")
    func allNames() {
        #expect(SitePolicy(hosts: "*", origins: "", machine: "").isOurs(host: "evil.com"))
        #expect(site.isOurs(host: nil))
    }

    @Test(
        "a request comes from where the browser says",
        arguments: [
            (["host: a"], SitePolicy.Source.program), (["host: a:80", "origin: http://a"], .own),
            (["host: a:8080", "origin: http://a:8080"], .own), (["host: a:8080", "origin: http://a"], .foreign),
            (["host: a", "origin: https://A"], .own), (["host: a", "origin: null"], .foreign),
            (["host: a", "origin: https://friend.example:8443"], .friend("https://friend.example:8443")),
            (["host: a", "origin: https://friend.example"], .foreign),
            (["host: inner", "origin: https://outer", "sec-fetch-site: same-origin"], .own),
            (["host: a", "origin: http://a", "sec-fetch-site: cross-site"], .foreign),
            (["host: a", "sec-fetch-site: same-site"], .foreign), (["host: a", "sec-fetch-site: none"], .program),
            (["host: a", "origin: ftp://a"], .foreign),
        ]
    )
    func sources(_ lines: [String], _ source: SitePolicy.Source) throws {
        #expect(site.source(try fields(lines)) == source)
    }

    private func problem(
        _ method: HTTP.Method,
        _ lines: [String],
        hasBody: Bool = true,
        token: Bool = false,
        form: Bool = false
    ) throws -> Bool {
        site.problem(with: method, try fields(lines), hasBody: hasBody, showsToken: token, takesForm: form) != nil
    }

    @Test("what changes something is JSON from our own page, or shows a token; reading is free")
    func changes() throws {
        let json = "content-type: application/json; charset=utf-8"
        let plain = "content-type: text/plain"
        let form = "content-type: application/x-www-form-urlencoded"

        #expect(try !problem(.post, ["host: a", json, "origin: http://a"]))
        #expect(try !problem(.post, ["host: a", json]))
        for type in [plain, form, "content-type: multipart/form-data; boundary=x", "x: y"] {
            #expect(try problem(.post, ["host: a", type, "origin: http://a"]), "\(type)")
            #expect(try problem(.post, ["host: a", type], hasBody: false), "\(type)")
            #expect(try !problem(.post, ["host: a", type, "origin: http://evil"], token: true), "\(type)")
            #expect(try !problem(.get, ["host: a", type, "origin: http://evil"]), "\(type)")
        }
        for origin in [
            "origin: http://evil", "origin: null", "sec-fetch-site: cross-site", "sec-fetch-site: same-site",
        ] {
            #expect(try problem(.post, ["host: a", json, origin]), "\(origin)")
            #expect(try problem(.delete, ["host: a", origin], hasBody: false), "\(origin)")
        }
        #expect(try !problem(.post, ["host: a", form, "origin: http://a"], form: true))
        #expect(try problem(.post, ["host: a", form, "origin: http://evil"], form: true))
        #expect(try !problem(.delete, ["host: a", "origin: http://a"], hasBody: false))
        #expect(try !problem(.post, ["host: a", json, "origin: https://friend.example:8443"]))
    }

    @Test("friends by the asterisk read, and change nothing without a token")
    func asterisk() throws {
        let open = SitePolicy(hosts: "", origins: "*", machine: "")
        let fields = try fields(["host: a", "content-type: application/json", "origin: http://evil"])

        #expect(open.problem(with: .post, fields, hasBody: true, showsToken: false, takesForm: false) != nil)
        #expect(open.problem(with: .post, fields, hasBody: true, showsToken: true, takesForm: false) == nil)
        #expect(open.friend("http://evil") != nil)
    }

    @Test(
        "a WebSocket is opened by our pages and by friends; pages of other ports where that is meant",
        arguments: [
            // host, origin, may it, may it where any port is let in
            ("a:8080", "http://a:8080", true, true), ("a:8080", "http://A:8080", true, true),
            ("a", "http://a", true, true), ("a:80", "http://a", true, true), ("a", "http://a:80", true, true),
            ("a", "https://a", true, true), ("a:443", "https://a", true, true), ("a", "https://a:443", true, true),
            ("a:443", "http://a", false, true), ("a:80", "https://a", false, true),
            ("a", "http://a:8080", false, true), ("a:8080", "http://a", false, true),
            ("a:8080", "http://a:8081", false, true), ("a:8080", "https://a:8080", true, true),
            ("[::1]:8080", "http://[::1]:8080", true, true), ("[::1]:8080", "http://[::1]", false, true),
            ("[::1]:8080", "http://[::2]:8080", false, false),
            ("127.0.0.1:33961", "http://127.0.0.1:33961.evil.example", false, false),
            ("127.0.0.1:33961", "http://127.0.0.1:33961@evil.example", false, false),
            ("127.0.0.1:33961", "http://127.0.0.1:+33961", false, false), ("a:8080", "http://a:", false, true),
            ("a:8080", "http://a:80800", false, false), ("a:8080", "http://a:8080/", false, false),
            ("a:8080", "http://a.evil:8080", false, false), ("a:8080", "http://evil", false, false),
            ("a:8080", "null", false, false), ("a:8080", "", false, false), ("a:8080", "http://", false, false),
            ("a:8080", "ws://a:8080", false, false), ("a:8080", "file://a:8080", false, false),
            ("[::1", "http://[::1", false, false), ("[::1]x", "http://[::1]x", false, false),
            ("a:8080", "https://friend.example:8443", true, true), ("a:8080", "https://friend.example", false, false),
        ]
    )
    func webSockets(_ host: String, _ origin: String, _ isOpened: Bool, _ isOpenedFromAnyPort: Bool) throws {
        let fields = try fields(["host: \(host)", "origin: \(origin)"])

        #expect(site.mayOpenWebSocket(fields) == isOpened)
        #expect(site.mayOpenWebSocket(fields, fromAnyPort: true) == isOpenedFromAnyPort)
    }

    @Test("a program opens a WebSocket, and a page that its browser knows to be ours behind a proxy")
    func webSocketsWithoutOrigin() throws {
        #expect(site.mayOpenWebSocket(try fields(["host: a"])))
        let proxied = ["host: inner:8080", "origin: https://outer"]
        #expect(site.mayOpenWebSocket(try fields(proxied + ["sec-fetch-site: same-origin"])))
        #expect(try !site.mayOpenWebSocket(fields(proxied + ["sec-fetch-site: same-site"])))
    }

    @Test("what a page asks for is told from what is typed, and from programs")
    func pages() throws {
        for (lines, isPage) in [
            (["accept: */*"], false), ([], false), (["sec-fetch-mode: navigate", "accept: text/html"], false),
            (["sec-fetch-mode: cors"], true), (["sec-fetch-mode: no-cors"], true),
            (["sec-fetch-mode: websocket"], true),
            (["x-requested-with: XMLHttpRequest"], true), (["accept: application/json"], true),
            (["accept: text/html,application/json;q=0.9"], false), (["origin: http://a"], true),
        ] {
            #expect(Browser.isPage(try fields(lines), cookies: []) == isPage, "\(lines)")
        }
        #expect(Browser.isPage(try fields(["accept: image/*"]), cookies: ["old"]))
    }
}

@Suite("Login bodies")
struct LoginTests {
    private func login(_ body: String, _ type: String = "application/json") -> String? {
        let bytes = Array(body.utf8)
        guard let login = try? Login(parsing: bytes.span, type: type) else { return nil }
        return "\(login.user) \(login.password)"
    }

    @Test("JSON and forms are read")
    func right() {
        #expect(login(#"{"user": "anna", "password": "a b\u00e9"}"#) == "anna a bé")
        #expect(
            login("user=anna&password=a+b%C3%A9%26", "application/x-www-form-urlencoded; charset=UTF-8") == "anna a bé&"
        )
    }

    @Test(
        "anything else is refused",
        arguments: [
            "", "{}", "[]", #"{"user": "anna"}"#, #"{"user": 1, "password": "x"}"#,
            #"{"user": "anna", "password": ""}"#,
            #"{"user": "an na", "password": "x"}"#, #"{"user": "anna", "password": "x\n"}"#, "user=anna&password=x",
            #"{"user":"anna","password":"x","password":"y"}"#, #"{"user":"anna","password":"x"} "# + "x",
        ]
    )
    func wrong(_ body: String) {
        #expect(login(body) == nil)
    }

    @Test("forms that are malformed, other types, and what is too long are refused")
    func forms() {
        let form = "application/x-www-form-urlencoded"
        for body in ["", "user=anna", "user=anna&password=%0a", "user=anna&password=%", "user=%ff&password=x", "a b"] {
            #expect(login(body, form) == nil, "\(body)")
        }
        let right = #"{"user":"anna","password":"x"}"#
        #expect(login(right) != nil && login(right, "text/plain") == nil && login(right, "") == nil)
        let padding = String(repeating: " ", count: Login.byteLimit - right.utf8.count)
        #expect(login(right + padding) != nil && login(right + padding + " ") == nil)
    }
}
