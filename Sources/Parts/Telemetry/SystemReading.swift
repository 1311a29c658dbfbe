// SPDX-License-Identifier: Apache-2.0
// What the kernel tells of this machine at one moment: processors, memory, heat, fans, disks, network.

import Bytes
import System

/// This machine at one moment. What the machine does not have is empty or nil.
package struct SystemReading: Sendable, Equatable {
    /// Time of one processor since the machine's start, in seconds.
    package struct Processor: Sendable, Equatable {
        /// `0`, `1`, …
        package var name: String
        package var busy: Double
        package var total: Double
    }

    /// One sensor of heat.
    package struct Temperature: Sendable, Equatable {
        /// `cpu-thermal`; with a number where several have one name.
        package var zone: String
        package var celsius: Double
    }

    /// Bytes that went through an interface, `lo` left out.
    package struct Interface: Sendable, Equatable {
        package var name: String
        package var received: UInt64
        package var sent: UInt64
    }

    /// One fan.
    package struct Fan: Sendable, Equatable {
        package var name: String
        /// Turns a minute.
        package var speed: Int
        /// What part of its power it is given, 0 to 1; nil if that is not told.
        package var power: Double?
    }

    /// The file system that a path lies on, in bytes.
    package struct Disk: Sendable, Equatable {
        package var path: String
        package var total: Int
        /// What users may still fill.
        package var free: Int
    }

    /// `Raspberry Pi 5 Model B Rev 1.0`.
    package var model: String?
    package var processors: [Processor] = []
    /// Processes that ran or wanted to, as a mean of the last minute.
    package var load: Double?
    /// Bytes.
    package var memoryTotal = 0
    package var memoryAvailable = 0
    package var temperatures: [Temperature] = []
    package var fans: [Fan] = []
    /// nil on machines that do not tell.
    package var throttling: Throttling?
    package var disks: [Disk] = []
    package var storage: [StorageReading] = []
    package var interfaces: [Interface] = []

    /// The hottest sensor; nil without any.
    package var hottest: Temperature? { temperatures.max { $0.celsius < $1.celsius } }

    /// The hottest sensor of those that are the processor's by their name, or of all if none is; nil without any.
    package var processorTemperature: Temperature? {
        let own = temperatures.filter { sensor in Self.processorSensors.contains { sensor.zone.hasPrefix($0) } }
        return own.max { $0.celsius < $1.celsius } ?? hottest
    }

    private static let processorSensors = ["cpu", "soc", "x86_pkg_temp", "coretemp", "k10temp", "zenpower"]
}

/// Why a Raspberry Pi slows down: the bits of its firmware's `get_throttled`.
package struct Throttling: OptionSet, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let underVoltage = Throttling(rawValue: 1 << 0)
    package static let frequencyCapped = Throttling(rawValue: 1 << 1)
    package static let throttled = Throttling(rawValue: 1 << 2)
    package static let softTemperatureLimit = Throttling(rawValue: 1 << 3)
    /// The same since the machine's start.
    package static let hadUnderVoltage = Throttling(rawValue: 1 << 16)

    /// The reasons of this moment, with their names in figures.
    package static let reasons: [(name: String, bit: Throttling)] = [
        ("under-voltage", .underVoltage), ("frequency-capped", .frequencyCapped), ("throttled", .throttled),
        ("soft-temperature-limit", .softTemperatureLimit),
    ]
}

// MARK: Reading

extension SystemReading {
    /// More sensors, fans, disks and interfaces are not told of.
    package static let maximumEntries = 64
    /// More processors are not told of.
    package static let maximumProcessors = 1024

    /// Reads everything below `root`, which is empty for the machine itself; `paths` are those whose disks are looked at.
    ///
    /// All comes from /proc and /sys; a sensor behind a slow bus may take milliseconds, so that no loop waits for this.
    package init(root: String, disksOf paths: [String] = []) {
        self.init(KernelFiles(root: root))
        disks = paths.prefix(Self.maximumEntries)
            .compactMap { path in
                File.space(root + path).map { Disk(path: path, total: $0.total, free: $0.free) }
            }
    }

    init(_ files: KernelFiles) {
        model = files.text("/sys/firmware/devicetree/base/model")
        processors = Self.processors(files)
        let load = files.text("/proc/loadavg")?.split(separator: " ").first.flatMap { Double($0) }
        self.load = load.flatMap { $0.isFinite && $0 >= 0 ? $0 : nil }
        for line in files.lines("/proc/meminfo") {
            let words = line.split(separator: " ", maxSplits: 2)
            guard words.count > 1, let kilobytes = UInt64(words[1]), kilobytes < 1 << 50 else { continue }
            if words[0] == "MemTotal:" { memoryTotal = Int(kilobytes << 10) }
            if words[0] == "MemAvailable:" { memoryAvailable = Int(kilobytes << 10) }
        }
        temperatures = Self.temperatures(files)
        fans = Self.fans(files)
        throttling = Self.throttling(files)
        storage = StorageReading.all(files)
        interfaces = Self.interfaces(files)
    }

    private static func processors(_ files: KernelFiles) -> [Processor] {
        let processors = files.lines("/proc/stat").lazy
            .compactMap { line -> Processor? in
                let words = line.split(separator: " ", maxSplits: 11)
                guard let first = words.first, first.hasPrefix("cpu"), let number = UInt16(first.dropFirst(3)) else {
                    return nil
                }
                // user nice system idle iowait irq softirq steal; guests are in user already (proc_stat(5)).
                let ticks = words.dropFirst().prefix(8).compactMap { UInt64($0) }.map { Double($0) }
                guard ticks.count >= 4 else { return nil }
                let total = ticks.reduce(0, +) / KernelFiles.ticksPerSecond
                let idle = (ticks[3] + (ticks.count > 4 ? ticks[4] : 0)) / KernelFiles.ticksPerSecond
                return Processor(name: "\(number)", busy: total - idle, total: total)
            }
        return Array(processors.prefix(maximumProcessors))
    }

    private static func interfaces(_ files: KernelFiles) -> [Interface] {
        let interfaces = files.lines("/proc/net/dev").lazy
            .compactMap { line -> Interface? in
                // An alias has a colon in its name; the numbers have none.
                guard let colon = line.lastIndex(of: ":") else { return nil }
                let name = KernelFiles.name(line[..<colon])
                let words = line[line.index(after: colon)...].split(separator: " ", maxSplits: 9)
                guard name != "lo", !name.isEmpty, words.count > 8, let received = UInt64(words[0]),
                    let sent = UInt64(words[8])
                else { return nil }
                return Interface(name: name, received: received, sent: sent)
            }
        return Array(interfaces.prefix(maximumEntries))
    }
}
