// SPDX-License-Identifier: Apache-2.0
// The control socket: lines in any pieces, limits, events, peers that do not read.

import Bytes
import Control
import Log
import Loop
import System
import Testing

/// A server with one peer over a socket pair, and a loop that tests turn.
private final class Bench {
    let loop: EventLoop
    let server: ControlServer
    let peer: FileDescriptor
    private var received: [UInt8] = []

    init() throws {
        loop = try EventLoop()
        let sink = LogSink(level: .error, style: .plain, clock: { 0 }, output: { _ in })
        server = ControlServer(loop, Logger("test", to: sink))
        server.commands.add(EventKind("tick", "Time passes."))
        server.commands.add(
            Verb("echo", "Says it again.", [Argument("text", .text, "What.")]) { ["text": JSON($0.text("text"))] }
        )
        let pair = try Socket.pair(.stream)
        peer = FileDescriptor(owning: pair.first.release())
        try server.adopt(FileDescriptor(owning: pair.second.release()))
    }

    func send(_ bytes: some Sequence<UInt8>) throws {
        var left = Array(bytes)
        while !left.isEmpty {
            if case .bytes(let count) = try Socket.send(peer.raw, left.span) {
                left.removeFirst(count)
            } else {
                try turn()
            }
        }
    }

    func turn() throws { try loop.turn(waitingUntil: Clock.monotonic()) }

    /// The next whole line that the server sent; nil if nothing comes, or it hung up.
    func line() throws -> JSON? {
        for _ in 0..<200 {
            if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(received[..<end])
                received.removeSubrange(...end)
                return try JSON(parsing: line.span)
            }
            try turn()
            if case .endOfStream = try read(peer.raw, appendingTo: &received, atMost: 64 << 10) { return nil }
        }
        return nil
    }

    /// Turns the loop until the server has let the peer go.
    func isDropped() throws -> Bool {
        for _ in 0..<1000 where server.peerCount > 0 { try turn() }
        return server.peerCount == 0
    }
}

@Suite("Control server")
struct ControlServerTests {
    @Test("a request is answered whatever the pieces it comes in")
    func everySplit() throws {
        let request = Array("{\"id\":1,\"do\":\"echo\",\"text\":\"ä\"}\n{\"id\":2,\"do\":\"nothing\"}\n".utf8)
        for split in 0...request.count {
            let bench = try Bench()

            try bench.send(request[..<split])
            try bench.turn()
            try bench.send(request[split...])

            #expect(try bench.line() == ["id": 1, "ok": ["text": "ä"]])
            #expect(try bench.line()?["error"]?["code"] == "unknown-verb")
        }
    }

    @Test("many requests in one piece are answered in order, blank lines are left out")
    func pipelining() throws {
        let bench = try Bench()
        let requests = (0..<500).map { "{\"id\":\($0),\"do\":\"echo\",\"text\":\"x\"}\n\r\n \n" }.joined()

        try bench.send(requests.utf8)

        for id in 0..<500 { #expect(try bench.line()?["id"] == .integer(id)) }
    }

    @Test("a line that is no request is answered, and the connection goes on")
    func badLine() throws {
        let bench = try Bench()

        try bench.send("nonsense\n{\"do\":\"help\"}\n".utf8)

        #expect(try bench.line()?["error"]?["code"] == "bad-request")
        #expect(try bench.line()?["ok"] != nil)
        #expect(bench.server.peerCount == 1)
    }

    @Test("a request at the limit is answered, a longer one ends the connection with an error")
    func lineLimit() throws {
        let frame = "{\"do\":\"echo\",\"text\":\"\"}".utf8.count
        let text = String(repeating: "x", count: ControlServer.maximumLine - frame)

        let bench = try Bench()
        try bench.send("{\"do\":\"echo\",\"text\":\"\(text)\"}\n".utf8)
        #expect(try bench.line()?["ok"]?["text"]?.string?.utf8.count == text.utf8.count)

        try bench.send(repeatElement(UInt8(ascii: "x"), count: ControlServer.maximumLine + 8192))
        #expect(try bench.line()?["error"]?["code"] == "bad-request")
        #expect(try bench.isDropped())
    }

    @Test("one byte more than the limit is refused, although its line feed has come", arguments: [0, 1])
    func lineFeedBehindTheLimit(over: Int) throws {
        let frame = "{\"do\":\"echo\",\"text\":\"\"}".utf8.count
        let text = String(repeating: "x", count: ControlServer.maximumLine + over - frame)
        let bench = try Bench()

        try bench.send("{\"do\":\"echo\",\"text\":\"\(text)\"}\n".utf8)
        let answer = try bench.line()

        #expect((answer?["ok"] != nil) == (over == 0))
        #expect((answer?["error"]?["code"] == "bad-request") == (over == 1))
        if over == 1 {
            let isDropped = try bench.isDropped()
            #expect(isDropped)
        }
    }

    @Test("events go to those who asked for them")
    func events() throws {
        let bench = try Bench()
        bench.server.emit("tick", [JSON.Member("n", 0)])
        try bench.send("{\"id\":1,\"do\":\"subscribe\",\"events\":[\"tick\"]}\n".utf8)
        #expect(try bench.line() == ["id": 1, "ok": ["events": ["tick"]]])

        bench.server.emit("tick", [JSON.Member("n", 1)])
        bench.server.emit("tock", [])
        bench.server.emit("tick", [JSON.Member("n", 2)])

        #expect(try bench.line() == ["event": "tick", "n": 1])
        #expect(try bench.line() == ["event": "tick", "n": 2])
    }

    @Test("a subscriber that does not read is dropped at the limit")
    func slowSubscriber() throws {
        let bench = try Bench()
        try bench.send("{\"do\":\"subscribe\",\"events\":[\"tick\"]}\n".utf8)
        _ = try bench.line()
        let text = JSON.string(String(repeating: "x", count: 10_000))

        var sent = 0
        while bench.server.peerCount > 0, sent < 10_000 {
            bench.server.emit("tick", [JSON.Member("text", text)])
            sent += 1
        }

        #expect(sent * 10_000 > ControlServer.maximumOutput)
        #expect(bench.server.peerCount == 0)
    }

    @Test("requests of a peer that does not read are not carried out until it does")
    func slowReader() throws {
        let bench = try Bench()
        let request = Array("{\"do\":\"echo\",\"text\":\"\(String(repeating: "x", count: 30_000))\"}\n".utf8)
        var sent = 0
        // Until both directions are full: the server reads no more while its replies wait.
        var isFull = false
        var rest: ArraySlice<UInt8> = []
        while !isFull, sent < 1000 {
            if rest.isEmpty {
                rest = request[...]
                sent += 1
            }
            if case .bytes(let count) = try Socket.send(bench.peer.raw, Array(rest).span) {
                rest = rest.dropFirst(count)
            } else {
                isFull = true
            }
            try bench.turn()
        }

        #expect(isFull)
        #expect(bench.server.peerCount == 1)
        for _ in 1..<sent { #expect(try bench.line()?["ok"] != nil) }
    }

    @Test("a peer that hangs up is let go, in the middle of a line, too")
    func hangUp() throws {
        let bench = try Bench()

        try bench.send("{\"do\":".utf8)
        Socket.finishSending(bench.peer.raw)

        #expect(try bench.isDropped())
    }

    @Test("a client asks over the socket's path, and the socket is gone with the server")
    func path() throws {
        let bench = try Bench()
        let path = "/tmp/apus-control-test-\(Random.uint64()).sock"
        try bench.server.listen(path)
        let client = try ControlClient(path, timeout: .milliseconds(1))
        for _ in 0..<20 { try bench.turn() }

        // The client waits for an answer on the thread that would have to give it.
        #expect(throws: ControlClientError.self) { try client.request("echo", [JSON.Member("text", "a")]) }
        for _ in 0..<20 { try bench.turn() }
        #expect(try client.next(until: Clock.monotonic() + .seconds(1)) == ["id": 1, "ok": ["text": "a"]])

        bench.server.close()
        #expect(!File.exists(path))
        #expect(throws: ControlClientError.self) { try ControlClient(path) }
    }

    @Test("connections up to the limit are served, more are closed at once")
    func peerLimit() throws {
        let bench = try Bench()
        let path = "/tmp/apus-control-test-\(Random.uint64()).sock"
        try bench.server.listen(path)

        var clients: [ControlClient] = []
        for _ in 0..<ControlServer.maximumPeers + 5 { clients.append(try ControlClient(path)) }
        for _ in 0..<200 { try bench.turn() }

        #expect(bench.server.peerCount == ControlServer.maximumPeers)
        bench.server.close()
        #expect(clients.count == ControlServer.maximumPeers + 5)
    }
}
