// SPDX-License-Identifier: Apache-2.0
// The event loop: descriptors, timers, cancellation.

import Bytes
import Loop
import System
import Testing

@Suite("Event loop")
struct LoopTests {
    @Test("timers fire in the order of their due times, not of their making")
    func timerOrder() throws {
        let loop = try EventLoop()
        var order: [Int] = []
        for delay in [3, 1, 2] {
            loop.timer(after: .milliseconds(delay)) {
                order.append(delay)
                if order.count == 3 { loop.stop() }
            }
        }

        try loop.run()

        #expect(order == [1, 2, 3])
    }

    @Test("a cancelled timer never fires, and a repeating one fires until cancelled")
    func timerCancel() throws {
        let loop = try EventLoop()
        var fired = 0
        var repeating: LoopTimer?
        loop.timer(after: .milliseconds(1)) { Issue.record("cancelled timer fired") }.cancel()
        repeating = loop.timer(every: .milliseconds(1)) {
            fired += 1
            if fired == 3 { repeating?.cancel() }
        }
        loop.timer(after: .milliseconds(20)) { loop.stop() }

        try loop.run()

        #expect(fired == 3)
    }

    @Test("a watch cancelled by another handler in the same turn is not called any more")
    func cancelWithinTurn() throws {
        let loop = try EventLoop()
        let first = try EventDescriptor.create()
        let second = try EventDescriptor.create()
        EventDescriptor.signal(first.raw)
        EventDescriptor.signal(second.raw)
        var calls = 0
        var watches: [Watch] = []
        for fd in [first.raw, second.raw] {
            watches.append(
                try loop.watch(fd, .read) { _ in
                    calls += 1
                    for watch in watches { watch.cancel() }
                    loop.stop()
                }
            )
        }

        try loop.run()

        #expect(calls == 1)
    }

    @Test("the index of a cancelled watch serves a new watch without mixing them up")
    func indexReuse() throws {
        let loop = try EventLoop()
        let event = try EventDescriptor.create()
        for round in 0..<100 {
            var called = -1
            let watch = try loop.watch(event.raw, .read) { _ in called = round }
            EventDescriptor.signal(event.raw)
            try loop.turn(waitingUntil: Clock.monotonic() + .seconds(1))
            #expect(called == round)
            EventDescriptor.clear(event.raw)
            watch.cancel()
        }
    }

    @Test("bytes and descriptors cross a socket pair")
    func descriptorPassing() throws {
        let pair = try Socket.pair(.sequencedPackets)
        let event = try EventDescriptor.create()
        let message: [UInt8] = [1, 2, 3]
        var received = [UInt8](repeating: 0, count: 16)
        var descriptors: [Int32] = []

        _ = try Socket.send(pair.first.raw, message.span, descriptors: [event.raw])
        var span = received.mutableSpan
        let result = try Socket.receive(pair.second.raw, into: &span, descriptors: &descriptors)

        #expect(result == .bytes(3))
        try #require(descriptors.count == 1)
        let passed = FileDescriptor(owning: descriptors[0])
        EventDescriptor.signal(passed.raw)
        #expect(EventDescriptor.clear(event.raw))
    }
}

@Suite("Processes")
struct ProcessTests {
    @Test("a child's exit code and a signal's number are reported")
    func exitStatus() throws {
        for (script, expected) in [("exit 7", ExitStatus.exited(7)), ("kill -9 $$", .killed(signal: 9))] {
            let pid = try Process.spawn(.init(path: "/bin/sh", arguments: ["-c", script]))
            let ended = try Process.watch(pid)
            #expect(try waitUntilReady(ended.raw, timeout: .seconds(10)))
            #expect(try Process.reap(pid) == expected)
        }
    }

    @Test("a program that is not there is an error that names it")
    func missingProgram() {
        #expect(throws: SystemError("start /nowhere/program", code: 2)) {
            try Process.spawn(.init(path: "/nowhere/program", arguments: []))
        }
    }
}

@Suite("Socket addresses")
struct SocketAddressTests {
    @Test(
        "numeric hosts parse and print",
        arguments: [
            ("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80"), ("0.0.0.0", "0.0.0.0:80"), ("*", "[::]:80"),
            ("::ffff:10.0.0.1", "10.0.0.1:80"),
        ]
    )
    func numeric(host: String, printed: String) {
        #expect(SocketAddress(host: host, port: 80)?.description == printed)
    }

    @Test("names and rubbish do not parse", arguments: ["localhost", "1.2.3", "1.2.3.4.5", "[::1]", "fe80::g"])
    func rubbish(host: String) {
        #expect(SocketAddress(host: host, port: 80) == nil)
    }

    @Test("a Unix path may have 107 bytes and no more")
    func unixPath() {
        #expect(SocketAddress(unixPath: String(repeating: "a", count: 107)) != nil)
        #expect(SocketAddress(unixPath: String(repeating: "a", count: 108)) == nil)
    }
}
