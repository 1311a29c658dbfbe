// SPDX-License-Identifier: Apache-2.0
// What the kernel's files say, read from a folder made like a Raspberry Pi's.

import Bytes
import System
import Testing

@testable import Telemetry

/// A folder with files like the kernel's.
private final class Machine {
    let root = "/tmp/apus-telemetry-\(Process.id)-\(Random.uint64())"
    private var paths: [String] = []
    private var directories: [String] = []

    func write(_ path: String, _ text: String) throws {
        var parts = path.split(separator: "/").map(String.init)
        parts.removeLast()
        for end in 1...max(1, parts.count) {
            let directory = root + "/" + parts.prefix(end).joined(separator: "/")
            if !directories.contains(directory) { directories.append(directory) }
        }
        try File.makeDirectory(root + "/" + parts.joined(separator: "/"))
        try File.replace(root + path, with: Array(text.utf8).span, mode: 0o600)
        paths.append(root + path)
    }

    deinit {
        for path in paths { File.remove(path) }
        for directory in directories.sorted(by: >) { File.removeDirectory(directory) }
        File.removeDirectory(root)
    }
}

@Suite("Telemetry")
struct TelemetryTests {
    @Test("a machine that tells nothing has nothing") func nothing() {
        let sample = Telemetry(root: "/nonexistent").system(at: .zero)
        #expect(sample.reading == SystemReading(root: "/nonexistent"))
        #expect(sample.reading.processors.isEmpty)
        #expect(sample.reading.throttling == nil)
        #expect(sample.totalUsage == nil)
        #expect(Telemetry(root: "/nonexistent").process(1, at: .zero) == nil)
    }

    @Test("a Raspberry Pi's files are read") func raspberry() throws {
        let machine = Machine()
        try machine.write("/sys/firmware/devicetree/base/model", "Raspberry Pi 5 Model B Rev 1.0\0")
        try machine.write("/proc/stat", "cpu  10 0 10 80 0 0 0 0 0 0\ncpu0 100 0 100 700 100 0 0 0 0 0\ncpu1 1 2\n")
        try machine.write("/proc/loadavg", "0.52 0.58 0.59 1/389 1234\n")
        try machine.write("/proc/meminfo", "MemTotal:        8000 kB\nMemFree: 1 kB\nMemAvailable:    5000 kB\n")
        try machine.write("/sys/class/thermal/thermal_zone0/type", "cpu-thermal\n")
        try machine.write("/sys/class/thermal/thermal_zone0/temp", "48312\n")
        try machine.write("/sys/class/thermal/thermal_zone1/type", "cpu-thermal\n")
        try machine.write("/sys/class/thermal/thermal_zone1/temp", "-1000\n")
        try machine.write("/sys/class/thermal/thermal_zone2/temp", "odd\n")
        try machine.write("/sys/class/hwmon/hwmon1/name", "pwmfan\n")
        try machine.write("/sys/class/hwmon/hwmon1/fan1_input", "2345\n")
        try machine.write("/sys/devices/platform/soc@107c000000/soc:firmware/get_throttled", "0x50005\n")
        try machine.write(
            "/proc/net/dev",
            """
            Inter-|   Receive                                                |  Transmit
             face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets
                lo:     900       9    0    0    0     0          0         0      900       9
              eth0: 1000000     700    0    0    0     0          0         0  2000000     800    0    0    0     0   0
              wlan0:broken

            """
        )

        let reading = Telemetry(root: machine.root).system(at: .zero).reading

        #expect(reading.model == "Raspberry Pi 5 Model B Rev 1.0")
        #expect(reading.processors == [.init(name: "0", busy: 2, total: 10)])
        #expect(reading.load == 0.52)
        #expect(reading.memoryTotal == 8000 << 10)
        #expect(reading.memoryAvailable == 5000 << 10)
        #expect(
            reading.temperatures == [
                .init(zone: "cpu-thermal", celsius: 48.312), .init(zone: "cpu-thermal-1", celsius: -1),
            ]
        )
        #expect(reading.hottest == 48.312)
        #expect(reading.fans == [.init(name: "pwmfan", speed: 2345)])
        #expect(reading.throttling == [.underVoltage, .throttled, .hadUnderVoltage, .init(rawValue: 1 << 18)])
        #expect(reading.interfaces == [.init(name: "eth0", received: 1_000_000, sent: 2_000_000)])
    }

    @Test("without the firmware's word, the voltage monitor's counts") func voltageMonitor() throws {
        let machine = Machine()
        try machine.write("/sys/class/hwmon/hwmon0/name", "rpi_volt\n")
        try machine.write("/sys/class/hwmon/hwmon0/in0_lcrit_alarm", "1\n")
        #expect(SystemReading(root: machine.root).throttling == .underVoltage)
    }

    @Test("rates are those between two readings, and a young reading is told again") func rates() throws {
        let machine = Machine()
        let telemetry = Telemetry(root: machine.root)
        func write(busy: Int, idle: Int, bytes: Int) throws {
            try machine.write("/proc/stat", "cpu0 \(busy) 0 0 \(idle) 0 0 0 0 0 0\n")
            try machine.write("/proc/net/dev", "eth0: \(bytes) 0 0 0 0 0 0 0 \(bytes * 2) 0\n")
        }
        try write(busy: 100, idle: 100, bytes: 1000)
        let first = telemetry.system(at: .zero)
        try write(busy: 150, idle: 250, bytes: 5000)

        let young = telemetry.system(at: .zero + .milliseconds(500))
        let second = telemetry.system(at: .zero + .seconds(2))
        try write(busy: 150, idle: 250, bytes: 10)
        let third = telemetry.system(at: .zero + .seconds(4))

        #expect(young == first)
        #expect(first.usage == [])
        #expect(second.usage == [0.25])
        #expect(second.totalUsage == 0.25)
        #expect(second.rates.map(\.received) == [2000])
        #expect(second.rates.map(\.sent) == [4000])
        #expect(third.usage == [0])
        #expect(third.rates.map(\.received) == [0])
    }

    @Test("a process has its time and memory, whatever it is called") func process() throws {
        let machine = Machine()
        func write(ticks: Int) throws {
            try machine.write(
                "/proc/7/stat",
                "7 (a ) (b) S 1 7 7 0 -1 4194560 1 0 0 0 \(ticks) 50 0 0 20 0 3 0 100 1000000 300\n"
            )
        }
        try write(ticks: 100)
        try machine.write("/proc/7/status", "Name:\tx\nVmRSS:\t    1200 kB\n")
        try machine.write(
            "/proc/7/smaps_rollup",
            "0000-ffff ---p 00000000 00:00 0 [rollup]\nRss: 1200 kB\nPss: 700 kB\nPrivate_Clean: 100 kB\nPrivate_Dirty: 300 kB\n"
        )
        let telemetry = Telemetry(root: machine.root)

        let first = try #require(telemetry.process(7, at: .zero))
        try write(ticks: 250)
        let second = try #require(telemetry.process(7, at: .zero + .seconds(1)))

        #expect(first.reading.processorTime == 1.5)
        #expect(first.reading.threads == 3)
        #expect(first.reading.residentBytes == 1200 << 10)
        #expect(first.reading.proportionalBytes == 700 << 10)
        #expect(first.reading.privateBytes == 400 << 10)
        #expect(first.usage == nil)
        #expect(second.usage == 1.5)
    }

    @Test("this process is there") func real() {
        let sample = Telemetry().process(Process.id, at: .zero)
        #expect((sample?.reading.residentBytes ?? 0) > 1 << 20)
        #expect(File.space("/").map { $0.total >= $0.free && $0.total > 0 } == true)
    }
}
