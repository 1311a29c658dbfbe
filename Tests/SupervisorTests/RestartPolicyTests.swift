// SPDX-License-Identifier: Apache-2.0
// When a process that ended is started again.

import Bytes
import Supervisor
import Testing

@Suite("Restart policy")
struct RestartPolicyTests {
    @Test("the first restart is immediate, each later one waits twice as long")
    func growth() {
        var policy = RestartPolicy()

        let delays = (0..<6).map { _ in policy.ended(afterRunning: .zero, jitter: 0.5).milliseconds }

        #expect(delays == [0, 250, 500, 1000, 2000, 4000])
    }

    @Test("no restart waits longer than the limit and its jitter")
    func limit() {
        var policy = RestartPolicy()
        for _ in 0..<100 { _ = policy.ended(afterRunning: .zero, jitter: 0) }

        #expect(policy.ended(afterRunning: .zero, jitter: 0.5) == RestartPolicy.longestDelay)
        #expect(policy.ended(afterRunning: .zero, jitter: 1) == RestartPolicy.longestDelay * 5 / 4)
        #expect(policy.ended(afterRunning: .zero, jitter: 0) == RestartPolicy.longestDelay * 3 / 4)
    }

    @Test("the time that a process ran counts towards its pause")
    func spacing() {
        var policy = RestartPolicy()
        for _ in 0..<3 { _ = policy.ended(afterRunning: .zero, jitter: 0.5) }

        #expect(policy.ended(afterRunning: .milliseconds(400), jitter: 0.5) == .milliseconds(600))
        #expect(policy.ended(afterRunning: .seconds(3), jitter: 0.5) == .zero)
    }

    @Test("a healthy run makes the next restart immediate again")
    func reset() {
        var policy = RestartPolicy()
        for _ in 0..<5 { _ = policy.ended(afterRunning: .seconds(2), jitter: 0.5) }
        #expect(policy.isCrashLooping)

        let delay = policy.ended(afterRunning: .seconds(10), jitter: 0.5)

        #expect(delay == .zero)
        #expect(!policy.isCrashLooping)
    }

    @Test("four failures in a row are no crash loop, five are")
    func crashLoop() {
        var policy = RestartPolicy()
        for _ in 0..<4 { _ = policy.ended(afterRunning: .seconds(9), jitter: 0.5) }
        #expect(!policy.isCrashLooping)

        _ = policy.ended(afterRunning: .seconds(9), jitter: 0.5)

        #expect(policy.isCrashLooping)
    }
}
