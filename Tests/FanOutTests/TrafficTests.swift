// SPDX-License-Identifier: Apache-2.0
// What is counted of viewers, those that have left included.

import Bytes
import FanOut
import Media
import Metrics
import Testing

@Suite("Traffic")
struct TrafficTests {
    private func number(_ samples: Samples, _ metric: Metric, _ reason: String? = nil) -> Double? {
        for sample in samples.all where sample.metric == metric && (reason == nil || sample.labels.last == reason) {
            if case .number(let number) = sample.value { return number }
            if case .distribution(let counts, _) = sample.value { return Double(counts.reduce(0, +)) }
        }
        return nil
    }

    @Test("what a viewer got counts when it has left, and its drops count once")
    func counting() {
        var table = TrafficTable()
        let traffic = table.traffic("cam", "main", "tcp")
        let now = Instant.zero + .seconds(10)
        let frame = FrameInfo(
            sequence: 1,
            captured: now,
            published: now + .milliseconds(2),
            flags: .keyframe,
            length: 10
        )
        var drops = DropCounts()
        let first = ViewerMeter(traffic, at: now)
        do {
            let second = ViewerMeter(table.traffic("cam", "main", "tcp"), at: now)
            drops[.tooSlow] = 3
            second.sent(frame, bytes: 10, drops: drops, at: now + .milliseconds(5))
            drops[.tooSlow] = 5
            second.sent(frame, bytes: 10, drops: drops, at: now + .milliseconds(6))
            #expect(traffic.viewers == 2)
        }
        first.leave()
        first.leave()
        first.rejoin(at: now)

        var samples = Samples()
        table.collect(into: &samples)

        #expect(number(samples, .viewers) == 1)
        #expect(number(samples, .sentFrames) == 2)
        #expect(number(samples, .sentBytes) == 20)
        #expect(number(samples, .droppedFrames, "too-slow") == 5)
        #expect(number(samples, .ringLag) == 0.004)
        #expect(number(samples, .joinTime) == 1)
        #expect(number(samples, .viewerLatency) == 2)
        #expect(table.all.count == 1)
    }

    @Test("beyond the limit, traffic is counted together")
    func limit() {
        var table = TrafficTable()
        for number in 0...TrafficTable.maximumCount { _ = table.traffic("cam\(number)", "main", "tcp") }
        #expect(table.all.count == TrafficTable.maximumCount)
    }
}
