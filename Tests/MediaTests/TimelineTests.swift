// SPDX-License-Identifier: Apache-2.0
// Instants in order, and the exceptions.

import Bytes
import Media
import Testing

@Suite("Timeline")
struct TimelineTests {
    private static func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    @Test("instants that rise are kept, others are put just behind the newest")
    func rising() {
        var timeline = Timeline()
        let placed = [10, 20, 15, 20, 40].map { timeline.place(Self.at($0)) }
        #expect(placed == [10, 20, 21, 22, 40].map(Self.at))
        #expect(timeline.newest == Self.at(40))
    }

    @Test("instants that would be one tick of RTP's clock are put apart")
    func close() {
        var timeline = Timeline()
        let start = Self.at(10)
        let placed = [0, 1, 19_999, 1_000_002, 2_000_000].map { timeline.place(start + .nanoseconds($0)) - start }
        #expect(placed == [0, 1_000_000, 2_000_000, 3_000_000, 4_000_000].map { Duration.nanoseconds($0) })
        #expect(timeline.place(timeline.newest + Timeline.resolution) == start + .nanoseconds(4_020_000))
    }

    @Test("pictures coded out of the order of presentation keep their places")
    func reordered() {
        var timeline = Timeline()
        let order: [Int64] = [1000, 1120, 1040, 1080, 1240, 1160, 1200]
        let placed = order.map { timeline.place(Self.at($0), mayGoBack: $0 != 1000) }
        #expect(placed == order.map(Self.at))
    }

    @Test("nothing goes back behind a break, or by a second and more")
    func breaks() {
        var timeline = Timeline()
        _ = timeline.place(Self.at(5000))
        #expect(timeline.place(Self.at(4000), mayGoBack: true) == Self.at(5001))
        timeline.breakOff()
        #expect(timeline.place(Self.at(4900), mayGoBack: true) == Self.at(5002))
        #expect(timeline.place(Self.at(5100)) == Self.at(5100))
        #expect(timeline.place(Self.at(5050), mayGoBack: true) == Self.at(5050))
    }

    @Test("frames that come again after a restart are not older than it") func restart() {
        let start = Instant(nanoseconds: 10_000_000_000)
        var timeline = Timeline(after: start)

        let again = (1...3).map { timeline.place(start - .milliseconds(500 - 40 * $0), mayGoBack: $0 > 1) }
        let new = timeline.place(start + .milliseconds(20))

        #expect(again == (1...3).map { start + .milliseconds($0) })
        #expect(new == start + .milliseconds(20))
    }
}
