// SPDX-License-Identifier: Apache-2.0
// What other processes have cost so far: processor time and private memory.

import System

/// Readings from /proc.
struct ProcessCost {
    /// Processor time in seconds, to a hundredth.
    var seconds: Double
    /// Anonymous resident memory in kilobytes.
    var anonymousKilobytes: Int

    /// The sum for some processes.
    init(of pids: [Int32]) throws {
        let costs = try pids.map { try ProcessCost(of: $0) }
        seconds = costs.reduce(0) { $0 + $1.seconds }
        anonymousKilobytes = costs.reduce(0) { $0 + $1.anonymousKilobytes }
    }

    private init(of pid: Int32) throws {
        let stat = String(decoding: try File.contents("/proc/\(pid)/stat"), as: UTF8.self)
        // Fields behind the name in parentheses: user time is the 12th, system time the 13th, in hundredths.
        let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
        seconds = Double((fields.count > 13 ? (Int(fields[12]) ?? 0) + (Int(fields[13]) ?? 0) : 0)) / 100
        let status = String(decoding: try File.contents("/proc/\(pid)/status"), as: UTF8.self)
        let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") } ?? ""
        anonymousKilobytes =
            line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) } ?? 0
    }
}
