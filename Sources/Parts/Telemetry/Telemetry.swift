// SPDX-License-Identifier: Apache-2.0
// Figures of this machine and of processes, with rates between one reading and the next.

package import Bytes

/// A reading of this machine with rates since the one before.
package struct SystemSample: Sendable, Equatable {
    package var reading: SystemReading
    /// What part of the time each processor was busy, 0 to 1, in the order of `reading.processors`; empty at first.
    package var usage: [Double] = []
    /// Bytes a second of each interface, in the order of `reading.interfaces`; empty at first.
    package var rates: [(received: Double, sent: Double)] = []
    /// Bytes a second written to each device, in the order of `reading.storage`; empty at first, nil if it does not tell.
    package var writeRates: [Double?] = []

    package static func == (left: SystemSample, right: SystemSample) -> Bool {
        left.reading == right.reading && left.usage == right.usage && left.writeRates == right.writeRates
            && left.rates.elementsEqual(right.rates) { $0 == $1 }
    }

    /// All processors together, 0 to 1; nil at first.
    package var totalUsage: Double? { usage.isEmpty ? nil : usage.reduce(0, +) / Double(usage.count) }
}

/// A reading of a process with its rate since the one before.
package struct ProcessSample: Sendable, Equatable {
    package var reading: ProcessReading
    /// What part of one processor it used, 0 and up; nil at first.
    package var usage: Double?
}

/// Keeps the kernel's figures, so that there are rates; what was read a moment ago is not read again.
package final class Telemetry {
    /// What is younger than this is told again.
    package static let freshness = Duration.milliseconds(900)
    /// More processes are not kept.
    package static let maximumProcesses = 256

    private let root: String
    private let disks: [String]
    private var last: (sample: SystemSample, at: Instant)?
    private var processes: [Int32: (sample: ProcessSample, at: Instant)] = [:]

    /// Looks at the disks that hold `disks`. Reads below `root` instead of the machine's own files; for tests.
    package init(root: String = "", disks: [String] = []) {
        self.root = root
        self.disks = disks
    }

    /// What was taken last; nil at first.
    package var newest: SystemSample? { last?.sample }

    /// True if what was taken last is young enough to be told again.
    package func isFresh(at now: Instant) -> Bool { last.map { now - $0.at < Self.freshness } ?? false }

    /// The work of reading this machine, for a thread that may wait; `take` gets what it returns.
    package var reading: @Sendable () -> SystemReading {
        let (root, disks) = (root, disks)
        return { SystemReading(root: root, disksOf: disks) }
    }

    /// Takes what was read, and returns it with rates.
    @discardableResult
    package func take(_ reading: SystemReading, at now: Instant) -> SystemSample {
        var sample = SystemSample(reading: reading)
        if let (before, at) = last {
            sample.usage = Self.usage(reading, since: before.reading)
            sample.rates = Self.rates(reading, since: before.reading, seconds: (now - at).seconds)
            sample.writeRates = Self.writeRates(reading, since: before.reading, seconds: (now - at).seconds)
        }
        last = (sample, now)
        return sample
    }

    /// This machine as it is now, read on this thread.
    package func system(at now: Instant) -> SystemSample {
        if let last, now - last.at < Self.freshness { return last.sample }
        return take(reading(), at: now)
    }

    /// A process as it is now; nil if it is gone.
    package func process(_ pid: Int32, at now: Instant) -> ProcessSample? {
        let before = processes[pid]
        if let before, now - before.at < Self.freshness { return before.sample }
        guard let reading = ProcessReading(pid, root: root) else {
            processes[pid] = nil
            return nil
        }
        var sample = ProcessSample(reading: reading)
        if let before, now > before.at {
            let spent = reading.processorTime - before.sample.reading.processorTime
            sample.usage = max(0, spent / (now - before.at).seconds)
        }
        if processes.count >= Self.maximumProcesses { processes.removeAll() }
        processes[pid] = (sample, now)
        return sample
    }

    private static func usage(_ reading: SystemReading, since before: SystemReading) -> [Double] {
        reading.processors.map { processor in
            guard let old = before.processors.first(where: { $0.name == processor.name }),
                processor.total > old.total
            else { return 0 }
            return min(1, max(0, (processor.busy - old.busy) / (processor.total - old.total)))
        }
    }

    private static func rates(
        _ reading: SystemReading,
        since before: SystemReading,
        seconds: Double
    ) -> [(received: Double, sent: Double)] {
        reading.interfaces.map { interface in
            // An interface that was made anew counts from zero again.
            guard let old = before.interfaces.first(where: { $0.name == interface.name }), seconds > 0,
                interface.received >= old.received, interface.sent >= old.sent
            else { return (0, 0) }
            return (
                Double(interface.received - old.received) / seconds, Double(interface.sent - old.sent) / seconds
            )
        }
    }

    private static func writeRates(
        _ reading: SystemReading,
        since before: SystemReading,
        seconds: Double
    ) -> [Double?] {
        reading.storage.map { device in
            guard let written = device.written else { return nil }
            // A card that was changed counts from zero again.
            guard let old = before.storage.first(where: { $0.device == device.device })?.written, seconds > 0,
                written >= old
            else { return 0 }
            return Double(written - old) / seconds
        }
    }
}
