// SPDX-License-Identifier: Apache-2.0
// Measured times and their percentiles.

import Bytes

/// Times, in nanoseconds.
struct Samples {
    private var sorted: [Int64] = []

    init(_ nanoseconds: [Int64]) { sorted = nanoseconds.sorted() }

    var count: Int { sorted.count }

    /// The `share`-quantile, 0 to 1, in nanoseconds.
    func quantile(_ share: Double) -> Int64 {
        sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
    }

    /// One line for people: the median and the tail in microseconds.
    var summary: String {
        "p50 \(Self.microseconds(quantile(0.5))) µs, p99 \(Self.microseconds(quantile(0.99))) µs, n \(count)"
    }

    static func microseconds(_ nanoseconds: Int64) -> String { fixed(Double(nanoseconds) / 1000, 1) }

    /// A number with so many digits behind the point.
    static func fixed(_ value: Double, _ digits: Int) -> String {
        var scale: Int64 = 1
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int64((value * Double(scale)).rounded())
        let fraction = String(abs(scaled % scale))
        let sign = scaled < 0 && scaled / scale == 0 ? "-" : ""
        return "\(sign)\(scaled / scale)." + String(repeating: "0", count: digits - fraction.count) + fraction
    }
}
