// SPDX-License-Identifier: Apache-2.0
// The server's session, bytes in and bytes out: requests, bodies as windows allow, floods, cuts.

import Bytes
import HTTP
import HTTP2
import Testing

/// Frames as a client writes them.
enum ClientFrame {
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(4, 0, 0)

    static func frame(_ type: UInt8, _ flags: UInt8, _ stream: UInt8, _ payload: [UInt8] = []) -> [UInt8] {
        [0, UInt8(payload.count >> 8), UInt8(payload.count & 255), type, flags, 0, 0, 0, stream] + payload
    }

    /// HPACK without its tables: literal fields (RFC 7541 §6.2.2).
    static func head(_ fields: [(String, String)]) -> [UInt8] {
        fields.flatMap { name, value in
            [0, UInt8(name.utf8.count)] + name.utf8 + length(value.utf8.count) + value.utf8
        }
    }

    /// A length of seven bits and more (RFC 7541 §5.1).
    private static func length(_ count: Int) -> [UInt8] {
        guard count >= 127 else { return [UInt8(count)] }
        var (bytes, rest): ([UInt8], Int) = ([127], count - 127)
        while rest >= 128 {
            bytes.append(UInt8(rest & 127 | 128))
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    static func request(_ method: String = "GET", _ path: String = "/", _ more: [(String, String)] = []) -> [UInt8] {
        head([(":method", method), (":scheme", "https"), (":authority", "cam"), (":path", path)] + more)
    }
}

/// What a session sends, taken apart.
struct SentFrame: Equatable {
    var type: UInt8
    var flags: UInt8
    var stream: Int32
    var payload: [UInt8]

    static func all(_ bytes: [UInt8]) -> [SentFrame] {
        var (frames, at): ([SentFrame], Int) = ([], 0)
        while at + 9 <= bytes.count {
            let count = Int(bytes[at]) << 16 | Int(bytes[at + 1]) << 8 | Int(bytes[at + 2])
            let payload = Array(bytes[(at + 9)..<(at + 9 + count)])
            frames.append(
                SentFrame(type: bytes[at + 3], flags: bytes[at + 4], stream: Int32(bytes[at + 8]), payload: payload)
            )
            at += 9 + count
        }
        return frames
    }
}

/// A body that has what the test gave it.
private final class TestBody: HTTP2Body {
    var bytes: [UInt8] = []
    var isComplete = false
    var longest = 0

    func prepare() -> Int { bytes.count }

    func take(_ count: Int, into output: inout [UInt8]) {
        longest = max(longest, count)
        output += bytes.prefix(count)
        bytes.removeFirst(count)
    }
}

@Suite("HTTP/2 session")
struct SessionTests {
    private let session: HTTP2Session

    init() throws {
        session = try HTTP2Session(at: .zero)
        #expect(try receive(ClientFrame.preface).isEmpty)
        _ = try sent()
    }

    @discardableResult
    private func receive(_ bytes: [UInt8], at now: Instant = .zero) throws -> [HTTP2Event] {
        try session.receive(bytes.span, at: now)
    }

    private func sent(at now: Instant = .zero) throws -> [SentFrame] {
        var all: [UInt8] = []
        while case let bytes = try session.nextOutput(at: now), !bytes.isEmpty { all += bytes }
        return SentFrame.all(all)
    }

    private func ask(_ stream: UInt8 = 1, _ head: [UInt8] = ClientFrame.request()) throws -> [HTTP2Event] {
        try receive(ClientFrame.frame(1, 5, stream, head))
    }

    @Test("a request becomes what HTTP/1 would have made of it, its cookies one field")
    func request() throws {
        let head = ClientFrame.request("GET", "/cam/x?a=b", [("cookie", "a=1"), ("cookie", "b=2"), ("accept", "*/*")])
        guard case .request(1, let request)? = try ask(1, head).first else {
            Issue.record("no request")
            return
        }

        #expect(request.head.method == .get && request.head.target.path == "/cam/x" && request.head.target["a"] == "b")
        #expect(request.head.fields["cookie"] == "a=1; b=2")
        #expect(request.head.fields["host"] == "cam" && request.body.isEmpty)
    }

    @Test("an answer has lower-case fields, none of the connection's, and its body")
    func answer() throws {
        _ = try ask()

        let fields = [HeaderField("Content-Type", "text/plain"), HeaderField("Connection", "close")]
        session.respond(1, Response(.ok, fields: fields, body: .bytes([1, 2, 3])), date: 0)

        let frames = try sent()
        #expect(frames.map(\.type) == [1, 0])
        #expect(frames.last == SentFrame(type: 0, flags: 1, stream: 1, payload: [1, 2, 3]))
        #expect(session.takeEvents() == [.closed(stream: 1, code: 0)])
        #expect(session.streamCount == 0)
        let names = Response(.ok, fields: fields).streamFields(date: 0).map(\.name)
        #expect(names == [":status", "date", "content-type", "content-length"])
    }

    @Test("HEAD is answered without a body")
    func headOnly() throws {
        _ = try ask(1, ClientFrame.request("HEAD"))

        session.respond(1, Response(.ok, body: .bytes([1, 2, 3])), date: 0)

        #expect(try sent().map { [$0.type, $0.flags & 1] } == [[1, 1]])
    }

    @Test("a body is pulled as the peer's window allows, and a body without bytes waits")
    func windows() throws {
        _ = try ask()
        let body = TestBody()
        session.respond(1, Response(.ok, body: .untilClose), date: 0, body: body)
        #expect(try sent().map(\.type) == [1])

        body.bytes = [UInt8](repeating: 7, count: 100_000)
        session.resume(1)
        let first = try sent()

        // The window is 65 535 bytes at first (RFC 9113 §6.9.2).
        #expect(first.reduce(0) { $0 + $1.payload.count } == 65_535)
        #expect(body.bytes.count == 100_000 - 65_535)
        #expect(body.longest <= 16_384 - 9)
        try receive(ClientFrame.frame(8, 0, 0, [0, 1, 0, 0]) + ClientFrame.frame(8, 0, 1, [0, 1, 0, 0]))
        body.isComplete = true
        let second = try sent()
        #expect(second.reduce(0) { $0 + $1.payload.count } == 100_000 - 65_535)
        #expect(second.last?.flags == 1)
    }

    @Test("a stream that takes nothing is overdue, one without bytes is not")
    func overdue() throws {
        _ = try ask(1)
        _ = try ask(3)
        let (full, empty) = (TestBody(), TestBody())
        full.bytes = [UInt8](repeating: 7, count: 100_000)
        session.respond(1, Response(.ok, body: .untilClose), date: 0, body: full)
        session.respond(3, Response(.ok, body: .untilClose), date: 0, body: empty)
        _ = try sent()

        let late = Instant.zero + .seconds(31)

        #expect(session.overdue(at: late, request: .seconds(30), body: .seconds(30)) == [1])
    }

    @Test("a body of 64 KiB is taken, one byte more is refused")
    func bodyLimit() throws {
        let piece = [UInt8](repeating: 1, count: 16_384)
        for (stream, last) in [(UInt8(1), [UInt8]()), (3, [1])] {
            try receive(ClientFrame.frame(1, 4, stream, ClientFrame.request("POST")))
            for _ in 0..<4 {
                #expect(try receive(ClientFrame.frame(0, 0, stream, piece)).isEmpty)
                _ = try sent()
            }
            let events = try receive(ClientFrame.frame(0, 1, stream, last))
            switch events.first {
            case .request(1, let request)?: #expect(request.body.count == 65_536)
            case .refuse(3, let error)?: #expect(error.status == .contentTooLarge)
            default: Issue.record("\(events)")
            }
        }
    }

    @Test("fields beyond their limit are refused with 431, of many frames end the connection")
    func fieldsLimit() throws {
        let long = String(repeating: "x", count: 8000)
        let many = (0..<3).map { ("x-\($0)", long) }
        let head = ClientFrame.request("GET", "/", many)
        let events = try receive(
            ClientFrame.frame(1, 1, 1, Array(head.prefix(16_000)))
                + ClientFrame.frame(9, 4, 1, Array(head.dropFirst(16_000)))
        )
        guard case .refuse(1, let error)? = events.first else {
            Issue.record("\(events)")
            return
        }
        #expect(error.status == .fieldsTooLarge)

        var flood = ClientFrame.frame(1, 1, 3, ClientFrame.request())
        for _ in 0..<20 { flood += ClientFrame.frame(9, 0, 3, ClientFrame.head([("a", "b")])) }
        #expect(throws: HTTP2Error.self) { try receive(flood) }
        #expect(try sent().contains { $0.type == 7 })
    }

    @Test("rapid resets end the connection, slow ones do not")
    func resets() throws {
        for index in 0..<120 {
            let stream = UInt8(2 * index + 1)
            try receive(ClientFrame.frame(1, 5, stream, ClientFrame.request()), at: .zero + .seconds(index))
            try receive(ClientFrame.frame(3, 0, stream, [0, 0, 0, 8]), at: .zero + .seconds(index))
        }

        let rapid = try HTTP2Session(at: .zero)
        var bytes = ClientFrame.preface
        for index in 0..<250 {
            var head = ClientFrame.frame(1, 5, UInt8((2 * index + 1) & 255), ClientFrame.request())
            var reset = ClientFrame.frame(3, 0, UInt8((2 * index + 1) & 255), [0, 0, 0, 8])
            head[7] = UInt8((2 * index + 1) >> 8)
            reset[7] = head[7]
            bytes += head + reset
        }
        #expect(throws: HTTP2Error.self) { _ = try rapid.receive(bytes.span, at: .zero) }
        let told = SentFrame.all(try rapid.nextOutput(at: .zero))
        // ENHANCE_YOUR_CALM
        #expect(told.contains { $0.type == 7 && $0.payload[7] == 11 })
    }

    @Test("frames that say nothing end the connection when there are many", arguments: [UInt8(6), 4, 2])
    func idleFrames(_ type: UInt8) throws {
        let payload: [UInt8] = type == 6 ? [UInt8](repeating: 0, count: 8) : type == 2 ? [0, 0, 0, 0, 1] : []
        let frame = ClientFrame.frame(type, 0, type == 2 ? 3 : 0, payload)
        for _ in 0..<10 { try receive(frame) }
        #expect(throws: HTTP2Error.self) {
            for _ in 0..<600 {
                try receive(frame)
                _ = try sent()
            }
        }
    }

    @Test("more streams than the limit are refused, those below go on")
    func streamLimit() throws {
        var count = 0
        for index in 0..<110 { count += try ask(UInt8(2 * index + 1)).count }

        // The limit counts once the peer has seen it; until then nghttp2 resets what is beyond.
        #expect(count <= HTTP2Session.streamLimit + 10 && session.streamCount <= HTTP2Session.streamLimit + 10)
        #expect(count >= HTTP2Session.streamLimit)
    }

    @Test("the end is told with GOAWAY")
    func goAway() throws {
        session.goAway()

        #expect(try sent().map(\.type) == [7])
        #expect(session.isOver)
    }

    @Test("requests are the same however the bytes are split")
    func splits() throws {
        let bytes =
            ClientFrame.preface + ClientFrame.frame(1, 4, 1, ClientFrame.request("POST", "/a"))
            + ClientFrame.frame(0, 1, 1, [1, 2, 3])
        for step in 1...bytes.count { HTTP2Fuzz.session(bytes.span, step: step) }
    }
}
