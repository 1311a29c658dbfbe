// SPDX-License-Identifier: Apache-2.0
// Request heads: what is understood, what is refused and with which status, and the limits.

import HTTP
import Testing

@Suite("Request parsing")
struct RequestTests {
    @Test("method, target, version and fields are taken from the head")
    func head() throws {
        let request = try #require(
            requests("GET /front/mjpeg?key=a+b&x HTTP/1.1\r\nHost: cam:8080\r\nX-Odd:\t v w \r\nEmpty:\r\n\r\n").first
        )

        #expect(request.head.method == .get)
        #expect(request.head.target.segments == ["front", "mjpeg"])
        #expect(request.head.target["key"] == "a b")
        #expect(request.head.target["x"] == "")
        #expect(request.head.target["y"] == nil)
        #expect(request.head.version == .http11)
        #expect(request.head.fields["host"] == "cam:8080")
        #expect(request.head.fields["x-odd"] == "v w")
        #expect(request.head.fields["empty"] == "")
        #expect(request.body.isEmpty)
    }

    @Test(
        "a head that breaks the rules is refused with the status that says why",
        arguments: [
            // The request line.
            ("\0", .badRequest), ("\u{16}\u{3}\u{1}", .badRequest),
            ("GET / HTTP/1.1\nHost: a\n\n", .badRequest),
            ("GET / HTTP/1.1\rHost: a\r\n\r\n", .badRequest),
            ("GET  / HTTP/1.1\r\n", .badRequest), ("GET /\r\n", .badRequest), ("GET / HTTP/1.1 \r\n", .badRequest),
            (" GET / HTTP/1.1\r\n", .badRequest), ("G(T / HTTP/1.1\r\n", .badRequest),
            ("GET / http/1.1\r\n", .badRequest), ("GET / HTTP/1.10\r\n", .badRequest),
            ("GET / HTTP/x.1\r\n", .badRequest), ("GET / HTTP/2.0\r\n", .versionNotSupported),
            ("PRI * HTTP/2.0\r\n", .versionNotSupported), ("GET / HTTP/0.9\r\n", .versionNotSupported),
            ("BREW / HTTP/1.1\r\n", .notImplemented), ("get / HTTP/1.1\r\n", .notImplemented),
            ("CONNECT a:1 HTTP/1.1\r\n", .notImplemented), ("\r\n\r\n\r\n\r\n\r\n", .badRequest),
            // The target.
            ("GET * HTTP/1.1\r\n", .badRequest), ("GET a HTTP/1.1\r\n", .badRequest),
            ("GET ftp://a/ HTTP/1.1\r\n", .badRequest), ("GET /../etc HTTP/1.1\r\n", .badRequest),
            ("GET /a/%2e%2E/b HTTP/1.1\r\n", .badRequest), ("GET /a/.%2e HTTP/1.1\r\n", .badRequest),
            ("GET /./a HTTP/1.1\r\n", .badRequest), ("GET /a%2fb HTTP/1.1\r\n", .badRequest),
            ("GET /a%5cb HTTP/1.1\r\n", .badRequest), ("GET /a\\b HTTP/1.1\r\n", .badRequest),
            ("GET /a%00 HTTP/1.1\r\n", .badRequest), ("GET /?a=%0d%0a HTTP/1.1\r\n", .badRequest),
            ("GET /% HTTP/1.1\r\n", .badRequest), ("GET /%4 HTTP/1.1\r\n", .badRequest),
            ("GET /%4g HTTP/1.1\r\n", .badRequest), ("GET /%ff HTTP/1.1\r\n", .badRequest),
            ("GET /#a HTTP/1.1\r\n", .badRequest), ("GET /ä HTTP/1.1\r\n", .badRequest),
            // The fields.
            ("GET / HTTP/1.1\r\n\r\n", .badRequest), ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", .badRequest),
            ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", .badRequest), ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", .badRequest),
            ("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", .badRequest),
            ("GET / HTTP/1.1\r\n Host: a\r\n", .badRequest), ("GET / HTTP/1.1\r\nHost: a\r\n b\r\n", .badRequest),
            ("GET / HTTP/1.1\r\nHost : a\r\n", .badRequest), ("GET / HTTP/1.1\r\nHost\r\n", .badRequest),
            ("GET / HTTP/1.1\r\n: a\r\n", .badRequest), ("GET / HTTP/1.1\r\nA: b\u{0}\r\n", .badRequest),
            ("GET / HTTP/1.1\r\nA: b\u{7f}\r\n", .badRequest), ("GET / HTTP/1.1\r\nA: b\rc\r\n", .badRequest),
            ("GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", .expectationFailed),
        ] as [(String, Status)]
    )
    func refusals(text: String, status: Status) {
        #expect(refusal(text) == status)
    }

    @Test(
        "what says two things about the body's length is refused",
        arguments: [
            ("Content-Length: 1\r\nTransfer-Encoding: chunked", .badRequest),
            ("Transfer-Encoding: chunked\r\nContent-Length: 1", .badRequest),
            ("Content-Length: 1\r\nContent-Length: 2", .badRequest), ("Content-Length: 1, 2", .badRequest),
            ("Content-Length: 1,", .badRequest), ("Content-Length: +1", .badRequest),
            ("Content-Length: -1", .badRequest), ("Content-Length: 0x1", .badRequest),
            ("Content-Length: 1 1", .badRequest), ("Content-Length:", .badRequest),
            ("Content-Length: 99999999999999999999", .badRequest),
            ("Transfer-Encoding: chunked, chunked", .badRequest), ("Transfer-Encoding: chunked, gzip", .badRequest),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", .badRequest),
            ("Transfer-Encoding: identity", .badRequest), ("Transfer-Encoding: xchunked", .badRequest),
            ("Transfer-Encoding:", .badRequest), ("Transfer-Encoding: ,chunked", .badRequest),
            ("Transfer-Encoding: gzip, chunked", .notImplemented),
            ("Content-Length: 65537", .contentTooLarge),
            ("Expect: 100-continue\r\nContent-Length: 65537", .contentTooLarge),
        ] as [(String, Status)]
    )
    func smuggling(fields: String, status: Status) {
        #expect(refusal("POST / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n") == status)
    }

    @Test("a transfer coding in HTTP/1.0 is refused")
    func codingInOldVersion() {
        #expect(refusal("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") == .badRequest)
    }

    @Test(
        "targets are decoded",
        arguments: [
            ("/", "/"), ("//", "/"), ("/a//b/", "/a/b"), ("/a%20b", "/a b"), ("/%C3%A4", "/ä"), ("/a+b", "/a+b"),
            ("/...", "/..."), ("/?x=1", "/"), ("http://host", "/"), ("HTTP://host:1/a", "/a"),
            ("https://host?a=b", "/"),
        ]
    )
    func targets(target: String, path: String) throws {
        let request = try #require(requests("GET \(target) HTTP/1.0\r\n\r\n").first)

        #expect(request.head.target.path == path)
    }

    @Test("the authority of the absolute form stands for the Host field")
    func authority() throws {
        let request = try #require(requests("GET http://a:80/b HTTP/1.1\r\nHost: c\r\n\r\n").first)

        #expect(request.head.fields["host"] == "a:80" && request.head.target.path == "/b")
        #expect(refusal("GET http://a@b/ HTTP/1.1\r\nHost: c\r\n\r\n") == .badRequest)
    }

    @Test("OPTIONS * names the server")
    func asterisk() throws {
        let request = try #require(requests("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").first)

        #expect(request.head.target.isServer)
    }

    @Test("each limit holds at its value and refuses one more")
    func limits() {
        func line(_ count: Int) -> String {
            let frame = "GET / HTTP/1.0"
            return "GET /\(String(repeating: "a", count: count - frame.utf8.count)) HTTP/1.0\r\n\r\n"
        }
        func fields(_ count: Int) -> String {
            "GET / HTTP/1.0\r\n" + String(repeating: "a: b\r\n", count: count) + "\r\n"
        }
        func bytes(_ count: Int) -> String {
            "GET / HTTP/1.0\r\na: \(String(repeating: "b", count: count - 7))\r\n\r\n"
        }
        func segments(_ count: Int) -> String { "GET \(String(repeating: "/a", count: count)) HTTP/1.0\r\n\r\n" }
        func query(_ count: Int) -> String { "GET /?\(String(repeating: "a&", count: count)) HTTP/1.0\r\n\r\n" }

        #expect(requests(line(RequestParser.requestLineLimit)).count == 1)
        #expect(refusal(line(RequestParser.requestLineLimit + 1)) == .targetTooLong)
        #expect(requests(fields(HeaderFields.countLimit)).count == 1)
        #expect(refusal(fields(HeaderFields.countLimit + 1)) == .fieldsTooLarge)
        #expect(requests(bytes(HeaderFields.byteLimit)).count == 1)
        #expect(refusal(bytes(HeaderFields.byteLimit + 1)) == .fieldsTooLarge)
        #expect(requests(segments(Target.segmentLimit)).count == 1)
        #expect(refusal(segments(Target.segmentLimit + 1)) == .targetTooLong)
        #expect(requests(query(Target.queryLimit)).count == 1)
        #expect(refusal(query(Target.queryLimit + 1)) == .targetTooLong)
        let empty = String(repeating: "\r\n", count: RequestParser.emptyLineLimit)
        #expect(requests(empty + "GET / HTTP/1.0\r\n\r\n").count == 1)
    }

    @Test("a head without its end is neither a request nor an error, wherever it is cut")
    func truncation() {
        let text = "POST /a?b=c HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxyz"
        for length in 0..<text.utf8.count {
            #expect(actions(cut(text, length)) == [])
        }
        #expect(requests(text).count == 1)
    }

    @Test("requests do not depend on how their bytes are split")
    func splits() {
        let text =
            "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nPOST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
            + "3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\nHEAD /h HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        let whole = actions(text)
        #expect(whole.count == 3)
        for step in 1...text.utf8.count { #expect(actions(text, step: step) == whole) }
    }
}
