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

    @Test(
        "a process that hung, or was never ready, has failed however long that took to show",
        arguments: [
            (.hung(.seconds(10)), .seconds(11)), (.hung(.seconds(10)), .seconds(69)),
            (.hung(.seconds(30)), .seconds(89)),
            (.neverReady, .seconds(30)), (.neverReady, .seconds(3600)),
        ] as [(RestartPolicy.Ending, Duration)]
    )
    func hanging(ending: RestartPolicy.Ending, time: Duration) {
        var policy = RestartPolicy()

        let delays = (0..<5).map { _ in policy.ended(ending, afterRunning: time, jitter: 0.5).milliseconds }

        #expect(delays == [0, 250, 500, 1000, 2000], "the time in which it did nothing is no pause")
        #expect(policy.isCrashLooping)
    }

    @Test("a process that did well for a minute before it hung is there again at once")
    func trust() {
        var policy = RestartPolicy()
        for _ in 0..<5 { _ = policy.ended(.hung(.seconds(10)), afterRunning: .seconds(11), jitter: 0.5) }

        let delay = policy.ended(.hung(.seconds(10)), afterRunning: .seconds(70), jitter: 0.5)

        #expect(delay == .zero)
        #expect(policy.failures == 1)
    }

    @Test("what is wrong is over for a crashed process after a while, for one that hung much later")
    func wellness() {
        var policy = RestartPolicy()
        _ = policy.ended(afterRunning: .zero, jitter: 0)
        #expect(policy.isWell(afterRunning: .seconds(10), isReady: false))

        _ = policy.ended(.hung(.seconds(10)), afterRunning: .seconds(11), jitter: 0)
        #expect(!policy.isWell(afterRunning: .seconds(69), isReady: true))
        #expect(policy.isWell(afterRunning: .seconds(70), isReady: true))

        _ = policy.ended(.neverReady, afterRunning: .seconds(30), jitter: 0)
        #expect(!policy.isWell(afterRunning: .seconds(100), isReady: false))
        #expect(policy.isWell(afterRunning: .seconds(10), isReady: true))
    }
}
