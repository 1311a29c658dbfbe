// SPDX-License-Identifier: Apache-2.0
// Asking another daemon without waiting: answers, refusals, silence, events, daemons that go and come back.

import Bytes
import Control
import Log
import Loop
import System
import Testing

/// A daemon and a link to it, both on one loop that the tests turn.
private final class Bench {
    let loop: EventLoop
    let path = "/tmp/apus-link-\(Process.id)-\(Random.uint64()).sock"
    var server: ControlServer?
    let link: ControlLink

    init(timeout: Duration = .seconds(5)) throws {
        loop = try EventLoop()
        link = ControlLink(loop, path, timeout: timeout)
    }

    deinit { server?.close() }

    func serve() throws {
        let sink = LogSink(level: .error, style: .plain, clock: { 0 }, output: { _ in })
        let server = ControlServer(loop, Logger("test", to: sink))
        server.commands.add(EventKind("tick", "Time passes."))
        server.commands.add(
            Verb("echo", "Says it again.", [Argument("text", .text, "What.")]) { ["text": JSON($0.text("text"))] }
        )
        try server.listen(path)
        self.server = server
    }

    /// Turns the loop until `isDone`, at most for 5 s.
    func turn(until isDone: () -> Bool) throws {
        let end = Clock.monotonic() + .seconds(5)
        while !isDone(), Clock.monotonic() < end {
            try loop.turn(waitingUntil: Clock.monotonic() + .milliseconds(20))
        }
        #expect(isDone())
    }
}

@Suite("Control link", .serialized)
struct ControlLinkTests {
    @Test("requests on one link are answered each with its own answer")
    func requests() throws {
        let bench = try Bench()
        try bench.serve()
        var answers: [String] = []

        for text in ["a", "b", "c"] {
            bench.link.request("echo", [JSON.Member("text", .string(text))]) { answer in
                if case .success(let value) = answer { answers.append(value["text"]?.string ?? "") }
            }
        }
        try bench.turn { answers.count == 3 }

        #expect(answers == ["a", "b", "c"])
    }

    @Test("a refusal names the key, and a daemon that is not there is unreachable")
    func failures() throws {
        let bench = try Bench()
        var faults: [String] = []
        let note = { (answer: ControlLink.Answer) in
            if case .failure(let error) = answer {
                if case .refused(let refusal) = error { faults.append("\(refusal.code.rawValue) \(refusal.key ?? "")") }
                if case .unreachable = error { faults.append("unreachable") }
            }
        }

        bench.link.request("echo", [], note)
        try bench.turn { faults.count == 1 }
        try bench.serve()
        bench.link.request("echo", [], note)
        try bench.turn { faults.count == 2 }

        #expect(faults == ["unreachable", "missing-key text"])
    }

    @Test("a daemon that says nothing is given up on, and more requests than the limit are refused")
    func silence() throws {
        let bench = try Bench(timeout: .milliseconds(30))
        let listener = try Socket.listenUnix(bench.path, kind: .stream, mode: 0o600)
        defer { File.remove(bench.path) }
        var timeouts = 0
        var refusals = 0

        for _ in 0...ControlLink.maximumRequests {
            bench.link.request("echo") { answer in
                switch answer {
                case .failure(.timedOut): timeouts += 1
                case .failure(.refused): refusals += 1
                default: break
                }
            }
        }
        try bench.turn { timeouts + refusals > ControlLink.maximumRequests }

        #expect(timeouts == ControlLink.maximumRequests)
        #expect(refusals == 1)
        extendLifetime(listener)
    }

    @Test("a link that a request has connected while it waited to try again leaves no try behind when it goes")
    func goneWhileWaiting() throws {
        let bench = try Bench()
        var link: ControlLink? = ControlLink(bench.loop, bench.path)
        link?.subscribe(["tick"])
        try bench.serve()
        var isAnswered = false
        link?.request("echo", [JSON.Member("text", "a")]) { _ in isAnswered = true }
        try bench.turn { isAnswered }
        bench.server?.close()
        bench.server = nil
        try bench.turn { link?.isConnected == false }

        link = nil

        let afterTries = Clock.monotonic() + ControlLink.retryDelay + .milliseconds(200)
        try bench.turn { Clock.monotonic() >= afterTries }
    }

    @Test("a subscription outlives the daemon")
    func subscription() throws {
        let bench = try Bench()
        var events: [String] = []
        var isConnected = false
        bench.link.onEvent = { kind, members in events.append("\(kind) \(members["count"]?.integer ?? 0)") }
        bench.link.onConnection = { isConnected = $0 }

        bench.link.subscribe(["tick", "another daemon's"])
        try bench.serve()
        try bench.turn { isConnected }
        bench.server?.emit("tick", [JSON.Member("count", 1)])
        try bench.turn { events.count == 1 }
        bench.server?.close()
        bench.server = nil
        try bench.turn { !isConnected }
        try bench.serve()
        try bench.turn { isConnected }
        bench.server?.emit("tick", [JSON.Member("count", 2)])
        try bench.turn { events.count == 2 }

        #expect(events == ["tick 1", "tick 2"])
    }

    @Test("what was asked when the link closes is answered, and nothing can be asked any more")
    func closing() throws {
        let bench = try Bench()
        try bench.serve()
        var answers = 0

        bench.link.request("help") { _ in answers += 1 }
        bench.link.close()
        #expect(answers == 1)
        bench.link.request("help") { _ in answers += 1 }
        try bench.turn { answers == 2 }
    }
}
