// SPDX-License-Identifier: Apache-2.0
// Figures: the table, counting, the way over a control socket, the text formats.

import Control
import Metrics
import Testing

@Suite("Metrics")
struct MetricsTests {
    @Test("names are of one kind, have their unit, and stand once")
    func names() {
        #expect(Set(Metric.all.map(\.name)).count == Metric.all.count)
        for metric in Metric.all {
            #expect(metric.name.hasPrefix("apus_"))
            #expect(metric.name.hasSuffix("_total") == (metric.kind == .counter), "\(metric.name)")
            #expect(metric.documentation.hasSuffix("."))
            #expect(metric.bounds == metric.bounds.sorted())
            #expect((metric.kind == .histogram) == !metric.bounds.isEmpty)
        }
    }

    @Test("an observation counts in the first bucket whose bound it does not pass")
    func histogram() {
        let histogram = Histogram(.encodeTime)

        for value in [0.0005, 0.001, 0.0011, 0.2, 7, .nan, .infinity] { histogram.observe(value) }

        #expect(histogram.counts == [2, 1, 0, 0, 0, 0, 0, 0, 1, 1])
        #expect(histogram.count == 5)
        #expect(abs(histogram.sum - 7.2026) < 1e-9)
    }

    /// One of each kind.
    private func samples() -> Samples {
        var samples = Samples()
        let histogram = Histogram(.joinTime)
        histogram.observe(0.002)
        histogram.observe(99)
        samples.add(.up, "video.a\"b\\c\nd", value: 1)
        samples.add(.sentFrames, "cam", "main", "tcp", count: 12)
        samples.add(histogram, "cam", "main", "tcp")
        samples.add(.systemTemperature, "cpu-thermal", value: 48.312)
        return samples
    }

    @Test("Prometheus' text has help, type, escaped labels and cumulated buckets")
    func prometheus() {
        let text = String(decoding: Exposition.prometheus.text(samples()), as: UTF8.self)

        #expect(text.contains("# HELP apus_up Whether the daemon answers: 1, else 0.\n# TYPE apus_up gauge\n"))
        #expect(text.contains(#"apus_up{daemon="video.a\"b\\c\nd"} 1"#))
        #expect(text.contains("# TYPE apus_sent_frames_total counter\n"))
        #expect(text.contains(#"apus_sent_frames_total{camera="cam",stream="main",transport="tcp"} 12"#))
        let labels = #"camera="cam",stream="main",transport="tcp""#
        #expect(text.contains("apus_join_seconds_bucket{\(labels),le=\"0.001\"} 0\n"))
        #expect(text.contains("apus_join_seconds_bucket{\(labels),le=\"0.0025\"} 1\n"))
        #expect(text.contains("apus_join_seconds_bucket{\(labels),le=\"+Inf\"} 2\n"))
        #expect(text.contains("apus_join_seconds_count{\(labels)} 2\n"))
        #expect(text.contains("apus_system_temperature_celsius{zone=\"cpu-thermal\"} 48.312\n"))
        #expect(!text.contains("# EOF"))
    }

    @Test("OpenMetrics calls counters without their ending, and says where it ends")
    func openMetrics() {
        let format = Exposition(accept: "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
        let text = String(decoding: format.text(samples()), as: UTF8.self)

        #expect(format == .openMetrics)
        #expect(Exposition(accept: nil) == .prometheus)
        #expect(Exposition(accept: "*/*") == .prometheus)
        #expect(text.contains("# TYPE apus_sent_frames counter\napus_sent_frames_total{"))
        #expect(text.contains("le=\"1.0\""))
        #expect(text.hasSuffix("# EOF\n"))
    }

    @Test("figures come over a control socket as they were, and what does not fit the table is left out")
    func json() throws {
        let samples = samples()
        let sent = try JSON(parsing: samples.json.text)
        let odd: JSON = [
            "samples": [
                ["metric": "apus_of_tomorrow", "labels": [], "value": 1],
                ["metric": "apus_up", "labels": [], "value": 1],
                ["metric": "apus_up", "labels": ["a"]], ["metric": "apus_up", "labels": ["a"], "value": "1"],
                ["metric": "apus_join_seconds", "labels": ["a", "b", "c"], "counts": [1], "sum": 1], 7,
            ]
        ]

        #expect(Samples(sent) == samples)
        #expect(Samples(odd) == Samples())
        #expect(Samples(nil) == Samples())
    }

    @Test("no more than the limit are collected")
    func limit() {
        var samples = Samples()
        for _ in 0...Samples.maximumCount { samples.add(.up, "a", value: 1) }
        #expect(samples.all.count == Samples.maximumCount)
    }
}
