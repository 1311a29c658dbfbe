// SPDX-License-Identifier: Apache-2.0
// What the kernel tells of one process at one moment.

import Bytes
import System

/// A process at one moment.
package struct ProcessReading: Sendable, Equatable {
    /// User and system time used so far, in seconds.
    package var processorTime: Double
    package var threads: Int
    /// Bytes in memory, shared ones counted in full.
    package var residentBytes: Int
    /// Bytes in memory, shared ones counted by the part that falls to this process; nil if that is not told.
    package var proportionalBytes: Int?
    /// Bytes in memory that no other process has; nil if that is not told.
    package var privateBytes: Int?

    /// Reads below `root`, which is empty for the machine itself; nil if the process is gone.
    package init?(_ pid: Int32, root: String = "") { self.init(pid, KernelFiles(root: root)) }

    init?(_ pid: Int32, _ files: KernelFiles) {
        guard let stat = files.text("/proc/\(pid)/stat") else { return nil }
        // The name in parentheses may hold anything; the numbers stand behind the last one (proc_pid_stat(5)).
        let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
        guard fields.count > 18, let user = UInt64(fields[12]), let system = UInt64(fields[13]) else { return nil }
        processorTime = (Double(user) + Double(system)) / KernelFiles.ticksPerSecond
        threads = UInt16(fields[18]).map(Int.init) ?? 1
        residentBytes = 0
        for line in files.lines("/proc/\(pid)/status") where line.hasPrefix("VmRSS:") {
            residentBytes = Self.bytes(line) ?? 0
        }
        var own = 0
        for line in files.lines("/proc/\(pid)/smaps_rollup") {
            if line.hasPrefix("Pss:") { proportionalBytes = Self.bytes(line) }
            if line.hasPrefix("Private_Clean:") || line.hasPrefix("Private_Dirty:") {
                own = min(own + (Self.bytes(line) ?? 0), Self.mostBytes)
            }
        }
        privateBytes = proportionalBytes == nil ? nil : own
    }

    /// The number of `Name:   12 kB` in bytes.
    private static func bytes(_ line: String) -> Int? {
        let words = line.split(separator: " ")
        guard words.count > 1, let kilobytes = UInt64(words[1]), kilobytes <= mostBytes >> 10 else { return nil }
        return Int(kilobytes << 10)
    }

    /// No process has more: an address has 57 bits at most.
    private static let mostBytes = 1 << 57
}
