// SPDX-License-Identifier: Apache-2.0
// What the kernel tells of a process: processor time, memory, rings mapped.

import Bytes
import System

/// Processor time and memory of one process.
struct ProcessFigures {
    /// User and system time used so far.
    let processorTime: Duration
    /// Bytes that no other process has.
    let privateBytes: Int
    /// Bytes that other processes have, too, rings left out.
    let sharedBytes: Int
    /// Private bytes that are no file's: what the process itself has allocated.
    let anonymousBytes: Int
    /// Bytes of ring memory mapped, by the ring's inode.
    let rings: [String: Int]

    /// Reads /proc; nil if the process is gone or another user's.
    init?(_ pid: Int32) {
        guard let stat = try? File.contents("/proc/\(pid)/stat"),
            let maps = try? File.contents("/proc/\(pid)/smaps")
        else { return nil }
        // The name in parentheses may hold anything; the numbers stand behind the last one.
        let text = String(decoding: stat, as: UTF8.self)
        let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
        guard fields.count > 13, let user = Int64(fields[12]), let system = Int64(fields[13]) else { return nil }
        processorTime = .milliseconds((user + system) * 1000 / ProcessFigures.ticksPerSecond)

        var (privateBytes, sharedBytes, anonymousBytes) = (0, 0, 0)
        var rings: [String: Int] = [:]
        var ring: String?
        for line in maps.split(separator: UInt8(ascii: "\n")) {
            let words = String(decoding: line, as: UTF8.self).split(separator: " ", maxSplits: 6)
            guard let first = words.first, words.count > 1 else { continue }
            if !first.hasSuffix(":") {
                ring = words.count > 5 && words[5].hasPrefix("/memfd:") ? String(words[4]) : nil
                continue
            }
            guard let kilobytes = Int(words[1]) else { continue }
            let bytes = kilobytes << 10
            switch first {
            case "Rss:": if let ring { rings[ring, default: 0] += bytes }
            case "Private_Clean:", "Private_Dirty:": if ring == nil { privateBytes += bytes }
            case "Shared_Clean:", "Shared_Dirty:": if ring == nil { sharedBytes += bytes }
            case "Anonymous:": if ring == nil { anonymousBytes += bytes }
            default: break
            }
        }
        self.privateBytes = privateBytes
        self.sharedBytes = sharedBytes
        self.anonymousBytes = anonymousBytes
        self.rings = rings
    }

    /// The unit of /proc/PID/stat, the same on all machines since Linux 2.6: USER_HZ.
    private static let ticksPerSecond: Int64 = 100
}

/// Numbers as people read them.
enum Format {
    /// `1.4 MB`, with decimal units.
    static func bytes(_ bytes: Int) -> String {
        if bytes >= 1_000_000_000 { return "\(tenths(Double(bytes) / 1e9)) GB" }
        if bytes >= 1_000_000 { return "\(tenths(Double(bytes) / 1e6)) MB" }
        return "\(bytes / 1000) kB"
    }

    /// `12.3`.
    static func tenths(_ number: Double) -> String {
        let scaled = Int((number * 10).rounded())
        return "\(scaled / 10).\(abs(scaled % 10))"
    }

    /// `3d 4h`, `2h 5m`, `7m 12s`, `9s`.
    static func duration(_ seconds: Double) -> String {
        let seconds = Int(seconds)
        if seconds >= 86_400 { return "\(seconds / 86_400)d \(seconds / 3600 % 24)h" }
        if seconds >= 3600 { return "\(seconds / 3600)h \(seconds / 60 % 60)m" }
        if seconds >= 60 { return "\(seconds / 60)m \(seconds % 60)s" }
        return "\(seconds)s"
    }

    /// `12.345` for milliseconds of a duration.
    static func milliseconds(_ nanoseconds: Int64) -> String {
        let microseconds = nanoseconds / 1000
        let digits = String(1000 + abs(microseconds % 1000)).dropFirst()
        return "\(nanoseconds < 0 ? "-" : "")\(abs(microseconds / 1000)).\(digits)"
    }
}
