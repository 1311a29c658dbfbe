// SPDX-License-Identifier: Apache-2.0
// Counts of observations by size.

/// Counts observations into the buckets of a metric.
///
/// Observing allocates nothing: the counts are there from the start.
package final class Histogram {
    package let metric: Metric
    /// How many observations fell into each bucket alone; the last one has those above all bounds.
    package private(set) var counts: [UInt64]
    package private(set) var sum = 0.0

    /// An empty histogram of a metric that is one.
    package init(_ metric: Metric) {
        precondition(metric.kind == .histogram, "\(metric.name) is no histogram")
        self.metric = metric
        counts = Array(repeating: 0, count: metric.bounds.count + 1)
    }

    /// Counts one observation; what is no number is left out.
    package func observe(_ value: Double) {
        guard value.isFinite else { return }
        var bucket = 0
        while bucket < metric.bounds.count, value > metric.bounds[bucket] { bucket += 1 }
        counts[bucket] += 1
        sum += value
    }

    /// How many observations there were.
    package var count: UInt64 { counts.reduce(0, +) }
}
