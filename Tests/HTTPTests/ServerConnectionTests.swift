// SPDX-License-Identifier: Apache-2.0
// The connection: answers, persistence, pipelining, HEAD, 100-continue, time limits.

import Bytes
import HTTP
import Testing

@Suite("Server connection")
struct ServerConnectionTests {
    private let now = Instant(nanoseconds: 1_000_000_000)

    @Test("an answer carries date, length and body")
    func answer() {
        var connection = ServerConnection(at: now)
        _ = connection.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n")

        let (text, outcome) = connection.answer(Response(.ok, text: "hi", fields: [HeaderField("X-A", "b\r\nc: d")]))

        #expect(
            text == "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                + "Content-Type: text/plain; charset=utf-8\r\nX-A: b??c: d\r\nContent-Length: 3\r\n\r\nhi\n"
        )
        #expect(!outcome.bodyFollows && !outcome.closes)
    }

    @Test(
        "the connection lives on as version and Connection field say",
        arguments: [
            ("HTTP/1.1", "", nil), ("HTTP/1.1", "keep-alive", nil), ("HTTP/1.1", "close", "close"),
            ("HTTP/1.1", "x, Close", "close"), ("HTTP/1.0", "", "close"), ("HTTP/1.0", "Keep-Alive", "keep-alive"),
            ("HTTP/1.0", "keep-alive, close", "close"), ("HTTP/1.9", "", nil),
        ] as [(String, String, String?)]
    )
    func persistence(version: String, field: String, answered: String?) {
        var connection = ServerConnection(at: now)
        _ = connection.receive("GET / \(version)\r\nHost: a\r\nConnection: \(field)\r\n\r\n")

        let (text, outcome) = connection.answer(Response(.noContent))

        #expect(outcome.closes == (answered == "close"))
        #expect(text.contains("Connection: ") == (answered != nil))
        if let answered { #expect(text.contains("\r\nConnection: \(answered)\r\n")) }
    }

    @Test("HEAD is answered with the head alone, and so are statuses without a body")
    func withoutBody() {
        var connection = ServerConnection(at: now)
        _ = connection.receive("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        let (head, _) = connection.answer(Response(.ok, text: "hi"))
        _ = connection.receive("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        let (_, outcome) = connection.answer(Response(.ok, body: .length(5)))
        _ = connection.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let (unmodified, _) = connection.answer(Response(.notModified, body: .bytes([1])))

        #expect(head.hasSuffix("Content-Length: 3\r\n\r\n"))
        #expect(!outcome.bodyFollows && !outcome.closes)
        #expect(unmodified.hasSuffix("\r\n\r\n"))
        #expect(!unmodified.contains("Content-Length"))
    }

    @Test("a body without an end closes the connection, for HEAD as well")
    func untilClose() {
        var connection = ServerConnection(at: now)
        _ = connection.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let (text, outcome) = connection.answer(Response(.ok, body: .untilClose))

        #expect(text.hasSuffix("\r\nConnection: close\r\n\r\n"))
        #expect(outcome.bodyFollows && outcome.closes)
        let later = connection.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(later.consumed == 0 && later.action == .wait)
    }

    @Test("pipelined requests come one at a time, the next one after the answer")
    func pipelining() {
        let text = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
        var connection = ServerConnection(at: now)
        let first = connection.receive(text)
        let meanwhile = connection.receive(String(decoding: text.utf8.dropFirst(first.consumed), as: UTF8.self))
        _ = connection.answer(Response(.ok))
        let second = connection.receive(String(decoding: text.utf8.dropFirst(first.consumed), as: UTF8.self))

        guard case .route(let one) = first.action, case .route(let two) = second.action else {
            Issue.record("no two requests")
            return
        }
        #expect(one.head.target.path == "/1")
        #expect(meanwhile.consumed == 0 && meanwhile.action == .wait)
        #expect(two.head.target.path == "/2")
    }

    @Test("a client that waits for it is told to go on, one that does not wait is not")
    func continuing() {
        let head = "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n"
        var waiting = ServerConnection(at: now)
        var hasty = ServerConnection(at: now)
        let interim = waiting.receive(head)
        let routed = waiting.receive("ab")
        let direct = hasty.receive(head + "ab")

        #expect(interim.action == .sendContinue)
        guard case .route(let one) = routed.action, case .route(let two) = direct.action else {
            Issue.record("no two requests")
            return
        }
        #expect(one == two)
    }

    @Test("after a refusal the connection closes and takes nothing more")
    func refusing() {
        var connection = ServerConnection(at: now)
        let (_, action) = connection.receive("GET / HTTP/3.0\r\nHost: a\r\n\r\n")
        guard case .refuse(let error) = action else {
            Issue.record("not refused")
            return
        }
        let (text, outcome) = connection.answer(Response(refusing: error))
        let later = connection.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n")

        #expect(text.hasPrefix("HTTP/1.1 505 "))
        #expect(outcome.closes)
        #expect(later.consumed == 0 && later.action == .wait)
    }

    @Test("an idle connection is closed, a slow head or body is answered 408, an answer has no time limit")
    func timeouts() {
        var idle = ServerConnection(at: now)
        #expect(idle.deadline == now + ServerConnection.idleTimeout)
        #expect(idle.handleTimeout(at: now + .seconds(1)) == .wait)
        #expect(idle.handleTimeout(at: now + ServerConnection.idleTimeout) == .close)
        #expect(idle.deadline == nil)

        var slow = ServerConnection(at: now)
        _ = slow.receive("GET / ", at: now)
        // More bytes do not give more time.
        _ = slow.receive("HTTP/1.1\r\n", at: now + .seconds(5))
        #expect(slow.deadline == now + ServerConnection.headTimeout)
        guard case .refuse(let error) = slow.handleTimeout(at: now + ServerConnection.headTimeout) else {
            Issue.record("not refused")
            return
        }
        #expect(error.status == .requestTimeout)

        var body = ServerConnection(at: now)
        _ = body.receive("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na", at: now)
        #expect(body.deadline == now + ServerConnection.bodyTimeout)
        _ = body.receive("b", at: now)
        #expect(body.deadline == nil)
        let (_, outcome) = body.answer(Response(.ok), at: now + .seconds(3))
        #expect(!outcome.closes)
        #expect(body.deadline == now + .seconds(3) + ServerConnection.idleTimeout)
    }
}
