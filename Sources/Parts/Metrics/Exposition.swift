// SPDX-License-Identifier: Apache-2.0
// Figures as text: Prometheus' text format 0.0.4, or OpenMetrics 1.0.

/// The text formats that figures can be written in.
package enum Exposition: Sendable, CaseIterable {
    /// Prometheus' text format 0.0.4.
    case prometheus
    /// OpenMetrics 1.0.
    case openMetrics

    /// The format that fits an `Accept` field best; without one, Prometheus' own.
    package init(accept: String?) {
        self = accept?.contains("application/openmetrics-text") == true ? .openMetrics : .prometheus
    }

    package var contentType: String {
        switch self {
        case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }

    /// Writes figures, each family with its help and type in front, in the order of the table.
    package func text(_ samples: Samples) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(samples.all.count * 96)
        let byName = Dictionary(grouping: samples.all, by: \.metric.name)
        for metric in Metric.all {
            guard let family = byName[metric.name] else { continue }
            let name = familyName(metric)
            output += "# HELP \(name) \(Self.escaped(metric.documentation, quotes: false))\n".utf8
            output += "# TYPE \(name) \(metric.kind.rawValue)\n".utf8
            for sample in family { write(sample, into: &output) }
        }
        if self == .openMetrics { output += "# EOF\n".utf8 }
        return output
    }

    /// OpenMetrics calls a family of counters without the ending of its samples.
    private func familyName(_ metric: Metric) -> String {
        guard self == .openMetrics, metric.kind == .counter, metric.name.hasSuffix("_total") else { return metric.name }
        return String(metric.name.dropLast(6))
    }

    private func write(_ sample: Samples.Sample, into output: inout [UInt8]) {
        let metric = sample.metric
        let labels = zip(metric.labels, sample.labels).map { "\($0)=\"\(Self.escaped($1, quotes: true))\"" }
        switch sample.value {
        case .number(let number):
            output += "\(metric.name)\(Self.braced(labels)) \(Self.number(number))\n".utf8
        case .distribution(let counts, let sum):
            var total: UInt64 = 0
            for (index, count) in counts.enumerated() {
                total += count
                let bound = index < metric.bounds.count ? Self.number(metric.bounds[index], isBound: true) : "+Inf"
                output += "\(metric.name)_bucket\(Self.braced(labels + ["le=\"\(bound)\""])) \(total)\n".utf8
            }
            output += "\(metric.name)_sum\(Self.braced(labels)) \(Self.number(sum))\n".utf8
            output += "\(metric.name)_count\(Self.braced(labels)) \(total)\n".utf8
        }
    }

    private static func braced(_ labels: [String]) -> String {
        labels.isEmpty ? "" : "{\(labels.joined(separator: ","))}"
    }

    /// Whole numbers without a fraction, except for bounds, which OpenMetrics writes as floats.
    private static func number(_ number: Double, isBound: Bool = false) -> String {
        if !isBound, number == number.rounded(), abs(number) < 1e15 { return String(Int64(number)) }
        return "\(number)"
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
