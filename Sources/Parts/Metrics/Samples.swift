// SPDX-License-Identifier: Apache-2.0
// Figures of one moment: collected in each daemon, sent as JSON over its control socket, put together on the page.

package import Control

/// The figures of one moment.
package struct Samples: Sendable, Equatable {
    /// More are left out, so that an answer over a control socket stays within its limits.
    package static let maximumCount = 4096

    /// What was measured.
    package enum Value: Sendable, Equatable {
        case number(Double)
        /// Counts of each bucket alone, and the sum of all observations.
        case distribution(counts: [UInt64], sum: Double)
    }

    /// One figure.
    package struct Sample: Sendable, Equatable {
        package let metric: Metric
        /// The labels' values, as many as the metric has labels.
        package let labels: [String]
        package let value: Value
    }

    package private(set) var all: [Sample] = []

    package init() {}

    /// Adds a number; `labels` are as many as the metric's.
    package mutating func add(_ metric: Metric, _ labels: String..., value: Double) {
        append(Sample(metric: metric, labels: labels, value: .number(value)))
    }

    /// Adds a count.
    package mutating func add(_ metric: Metric, _ labels: String..., count: some BinaryInteger) {
        append(Sample(metric: metric, labels: labels, value: .number(Double(count))))
    }

    /// Adds what a histogram has counted.
    package mutating func add(_ histogram: Histogram, _ labels: String...) {
        let value = Value.distribution(counts: histogram.counts, sum: histogram.sum)
        append(Sample(metric: histogram.metric, labels: labels, value: value))
    }

    /// Adds another daemon's figures.
    package mutating func add(_ other: Samples) {
        for sample in other.all { append(sample) }
    }

    private mutating func append(_ sample: Sample) {
        precondition(sample.labels.count == sample.metric.labels.count, "\(sample.metric.name) has other labels")
        guard all.count < Self.maximumCount else { return }
        all.append(sample)
    }
}

// MARK: Over a control socket

extension Samples {
    /// The answer to `metrics`.
    package var json: JSON {
        let samples = all.map { sample -> JSON in
            var members = [
                JSON.Member("metric", .string(sample.metric.name)),
                JSON.Member("labels", .array(sample.labels.map(JSON.string))),
            ]
            switch sample.value {
            case .number(let number): members.append(JSON.Member("value", JSON(number)))
            case .distribution(let counts, let sum):
                members.append(JSON.Member("counts", .array(counts.map { JSON($0) })))
                members.append(JSON.Member("sum", JSON(sum)))
            }
            return .object(members)
        }
        return ["samples": .array(samples)]
    }

    /// Takes the answer of another daemon; what does not fit the table, as that of another version, is left out.
    package init(_ json: JSON) {
        for element in json["samples"]?.elements.prefix(Self.maximumCount) ?? [] {
            guard let metric = element["metric"]?.string.flatMap(Metric.named) else { continue }
            let labels = element["labels"]?.elements.compactMap(\.string) ?? []
            guard labels.count == metric.labels.count else { continue }
            if metric.kind == .histogram {
                let counts = element["counts"]?.elements.compactMap { $0.integer.flatMap(UInt64.init(exactly:)) } ?? []
                guard counts.count == metric.bounds.count + 1, let sum = element["sum"]?.number else { continue }
                all.append(Sample(metric: metric, labels: labels, value: .distribution(counts: counts, sum: sum)))
            } else if let number = element["value"]?.number {
                all.append(Sample(metric: metric, labels: labels, value: .number(number)))
            }
        }
    }

    /// The verb that every daemon with figures has.
    package static func verb(_ collect: @escaping () -> Samples) -> Verb {
        Verb("metrics", "Tells the daemon's figures; apus-http makes /metrics of them.") { _ in collect().json }
    }
}
