// SPDX-License-Identifier: Apache-2.0
// What the kernel tells of this machine at one moment: processors, memory, heat, fan, disk, network.

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

    /// One thermal zone.
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
    package var interfaces: [Interface] = []

    /// The hottest zone; nil without any.
    package var hottest: Double? { temperatures.map(\.celsius).max() }
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
    /// More zones, fans and interfaces are not read.
    package static let maximumEntries = 64

    /// Reads everything below `root`, which is empty for the machine itself.
    package init(root: String) {
        let files = KernelFiles(root: root)
        model = files.text("/sys/firmware/devicetree/base/model")
        processors = Self.processors(files)
        load = files.text("/proc/loadavg")?.split(separator: " ").first.flatMap { Double($0) }
        for line in files.lines("/proc/meminfo") {
            let words = line.split(separator: " ")
            guard words.count > 1, let kilobytes = Int(words[1]) else { continue }
            if words[0] == "MemTotal:" { memoryTotal = kilobytes << 10 }
            if words[0] == "MemAvailable:" { memoryAvailable = kilobytes << 10 }
        }
        temperatures = Self.temperatures(files)
        fans = Self.fans(files)
        throttling = Self.throttling(files)
        interfaces = Self.interfaces(files)
    }

    private static func processors(_ files: KernelFiles) -> [Processor] {
        files.lines("/proc/stat")
            .compactMap { line in
                let words = line.split(separator: " ")
                guard let first = words.first, first.hasPrefix("cpu"), first.count > 3 else { return nil }
                // user nice system idle iowait irq softirq steal; guests are in user already (proc_stat(5)).
                let ticks = words.dropFirst().prefix(8).compactMap { Double($0) }
                guard ticks.count >= 4 else { return nil }
                let total = ticks.reduce(0, +) / KernelFiles.ticksPerSecond
                let idle = (ticks[3] + (ticks.count > 4 ? ticks[4] : 0)) / KernelFiles.ticksPerSecond
                return Processor(name: String(first.dropFirst(3)), busy: total - idle, total: total)
            }
    }

    private static func temperatures(_ files: KernelFiles) -> [Temperature] {
        var temperatures: [Temperature] = []
        for zone in files.list("/sys/class/thermal", prefix: "thermal_zone") {
            let path = "/sys/class/thermal/\(zone)"
            guard let value = files.number("\(path)/temp") else { continue }
            let name = files.text("\(path)/type") ?? zone
            let isTaken = temperatures.contains { $0.zone == name }
            temperatures.append(
                Temperature(zone: isTaken ? "\(name)-\(zone.dropFirst(12))" : name, celsius: Double(value) / 1000)
            )
        }
        return temperatures
    }

    private static func fans(_ files: KernelFiles) -> [Fan] {
        files.list("/sys/class/hwmon", prefix: "hwmon")
            .compactMap { monitor in
                let path = "/sys/class/hwmon/\(monitor)"
                guard let speed = files.number("\(path)/fan1_input") else { return nil }
                return Fan(name: files.text("\(path)/name") ?? monitor, speed: speed)
            }
    }

    /// The firmware's own word, where the kernel passes it on; else the voltage monitor's, which knows of one bit.
    private static func throttling(_ files: KernelFiles) -> Throttling? {
        for bus in files.list("/sys/devices/platform", prefix: "soc") {
            for device in files.list("/sys/devices/platform/\(bus)", suffix: "firmware") {
                let text = files.text("/sys/devices/platform/\(bus)/\(device)/get_throttled")
                if let bits = text.flatMap({ UInt32($0.hasPrefix("0x") ? $0.dropFirst(2) : $0[...], radix: 16) }) {
                    return Throttling(rawValue: bits)
                }
            }
        }
        for monitor in files.list("/sys/class/hwmon", prefix: "hwmon") {
            let path = "/sys/class/hwmon/\(monitor)"
            guard files.text("\(path)/name") == "rpi_volt", let alarm = files.number("\(path)/in0_lcrit_alarm") else {
                continue
            }
            return alarm == 0 ? [] : .underVoltage
        }
        return nil
    }

    private static func interfaces(_ files: KernelFiles) -> [Interface] {
        files.lines("/proc/net/dev")
            .compactMap { line in
                guard let colon = line.firstIndex(of: ":") else { return nil }
                let name = line[..<colon].drop { $0 == " " }
                let words = line[line.index(after: colon)...].split(separator: " ")
                guard name != "lo", words.count > 8, let received = UInt64(words[0]), let sent = UInt64(words[8]) else {
                    return nil
                }
                return Interface(name: String(name), received: received, sent: sent)
            }
            .prefix(maximumEntries).map(\.self)
    }
}

/// Small files of the kernel's below a root.
struct KernelFiles {
    /// The unit of /proc/stat and /proc/PID/stat, the same on all machines since Linux 2.6: USER_HZ.
    static let ticksPerSecond = 100.0

    let root: String

    /// The first line, without what ends it; nil if the file is not there or cannot be read.
    func text(_ path: String) -> String? {
        guard let bytes = try? File.contents(root + path, limit: 64 << 10), !bytes.isEmpty else { return nil }
        let line = bytes.prefix { $0 != UInt8(ascii: "\n") && $0 != 0 }
        return String(decoding: line, as: UTF8.self)
    }

    func number(_ path: String) -> Int? { text(path).flatMap { Int($0) } }

    func lines(_ path: String) -> [String] {
        guard let bytes = try? File.contents(root + path, limit: 1 << 20) else { return [] }
        return bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
    }

    func list(_ path: String, prefix: String = "", suffix: String = "") -> [String] {
        let names = (try? File.list(root + path)) ?? []
        return Array(
            names.filter { $0.hasPrefix(prefix) && $0.hasSuffix(suffix) }.prefix(SystemReading.maximumEntries)
        )
    }
}
