// SPDX-License-Identifier: Apache-2.0
// Work on another thread: results in order, limits, ends.

import Bytes
import Loop
import System
import Testing

@Suite("Background queue")
struct BackgroundQueueTests {
    /// Runs turns until `isDone`, at most ten seconds.
    private func run(_ loop: EventLoop, until isDone: () -> Bool) throws {
        let end = Clock.monotonic() + .seconds(10)
        while !isDone(), Clock.monotonic() < end { try loop.turn(waitingUntil: end) }
    }

    @Test("results come back to the loop in the order of the work, with their types")
    func order() throws {
        let loop = try EventLoop()
        let queue = try BackgroundQueue(loop)
        var results: [String] = []

        for number in 0..<20 {
            let isAccepted = queue.run({ "\(number)" }, then: { results.append($0) })
            #expect(isAccepted)
        }
        #expect(results.isEmpty)
        try run(loop) { results.count == 20 }

        #expect(results == (0..<20).map(String.init))
        #expect(queue.count == 0)
    }

    @Test("the loop turns while work is being done")
    func loopGoesOn() throws {
        let loop = try EventLoop()
        let queue = try BackgroundQueue(loop)
        var hasTurned = false
        let hasSeen = Monitor(false)
        var result: Bool?

        queue.run(
            { hasSeen.wait(atMost: .seconds(10)) { $0 ? true : nil } ?? false },
            then: { result = $0 }
        )
        loop.later {
            hasTurned = true
            hasSeen.with { $0 = true }
        }
        try run(loop) { result != nil }

        #expect(result == true)
        #expect(hasTurned)
    }

    @Test("work above the limit is refused, and taken again when there is room")
    func limit() throws {
        let loop = try EventLoop()
        let queue = try BackgroundQueue(loop)
        let gate = Monitor(false)
        var done = 0

        for _ in 0..<BackgroundQueue.limit {
            let isAccepted = queue.run(
                { _ = gate.wait(atMost: .seconds(10)) { $0 ? true : nil } },
                then: { done += 1 }
            )
            #expect(isAccepted)
        }
        let isOneMore = queue.run({}, then: {})
        gate.with { $0 = true }
        try run(loop) { done == BackgroundQueue.limit }
        let isAcceptedAgain = queue.run({}, then: { done += 1 })
        try run(loop) { done == BackgroundQueue.limit + 1 }

        #expect(!isOneMore)
        #expect(isAcceptedAgain)
        #expect(done == BackgroundQueue.limit + 1)
    }

    @Test("a thread that ended for want of work is started again")
    func idle() throws {
        let loop = try EventLoop()
        let queue = try BackgroundQueue(loop, idleTime: .milliseconds(1))
        var done = 0

        for number in 1...200 {
            queue.run({}, then: { done += 1 })
            try run(loop) { done == number }
            // Now and then long enough for the thread to go.
            if number % 20 == 0 { try loop.turn(waitingUntil: Clock.monotonic() + .milliseconds(3)) }
        }

        #expect(done == 200)
    }

    @Test("a queue that goes while work is done leaves nothing behind and calls nothing")
    func goes() throws {
        let loop = try EventLoop()
        let gate = Monitor(false)
        let hasBegun = Monitor(false)
        let isFinished = Monitor(false)
        do {
            let queue = try BackgroundQueue(loop)
            queue.run(
                {
                    hasBegun.with { $0 = true }
                    _ = gate.wait(atMost: .seconds(10)) { $0 ? true : nil }
                    isFinished.with { $0 = true }
                },
                then: { Issue.record("called after the end") }
            )
            _ = hasBegun.wait(atMost: .seconds(10)) { $0 ? true : nil }
        }

        gate.with { $0 = true }
        let hasFinished = isFinished.wait(atMost: .seconds(10)) { $0 ? true : nil }
        try loop.turn(waitingUntil: Clock.monotonic() + .milliseconds(5))

        #expect(hasFinished == true)
    }
}
