// SPDX-License-Identifier: Apache-2.0
// What the kernel's files say, read from a folder made like a Raspberry Pi's.

import Bytes
import System
import Testing

@testable import Telemetry

/// A folder with files like the kernel's.
final class Machine {
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
        try machine.write("/sys/class/hwmon/hwmon1/pwm1", "51\n")
        try machine.write("/sys/block/mmcblk0/stat", "  1 2 3 4 5 6 1000 8 9 10 11\n")
        try machine.write("/sys/block/mmcblk0/device/type", "SD\n")
        try machine.write("/sys/block/mmcblk0/device/name", "SR64G\n")
        try machine.write("/sys/block/loop0/stat", "1 2 3 4 5 6 7 8\n")
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
        #expect(reading.hottest?.celsius == 48.312)
        #expect(reading.processorTemperature?.zone == "cpu-thermal")
        #expect(reading.fans == [.init(name: "pwmfan", speed: 2345, power: 0.2)])
        #expect(reading.throttling == [.underVoltage, .throttled, .hadUnderVoltage, .init(rawValue: 1 << 18)])
        #expect(reading.interfaces == [.init(name: "eth0", received: 1_000_000, sent: 2_000_000)])
        #expect(reading.storage.map(\.device) == ["mmcblk0"])
        #expect(reading.storage.first?.kind == "SD")
        #expect(reading.storage.first?.model == "SR64G")
        #expect(reading.storage.first?.written == 512_000)
        // A card does not say how worn it is.
        #expect(reading.storage.first?.wear == nil)
    }

    @Test("an eMMC says how worn it is, by the worse of its two kinds of cells")
    func wear() throws {
        for (text, expected) in [
            ("0x01 0x02\n", 0.2), ("0x0b 0x01\n", 1), ("0x00 0x00\n", nil), ("0x0c 0xff\n", nil), ("worn\n", nil),
        ] as [(String, Double?)] {
            let machine = Machine()
            try machine.write("/sys/block/mmcblk0/device/life_time", text)
            try machine.write("/sys/block/mmcblk0/device/pre_eol_info", "0x02\n")
            try machine.write("/sys/block/mmcblk0boot0/device/life_time", "0x0b 0x0b\n")

            let storage = SystemReading(root: machine.root).storage

            #expect(storage.map(\.wear) == [expected], "\(text)")
            #expect(storage.first?.spare == .warning)
        }
    }

    @Test("UFS says how worn it is by its controller")
    func controller() throws {
        let machine = Machine()
        try machine.write("/sys/block/sda/device/type", "0\n")
        // What a link leads to on a machine: /sys/devices/…/host0/target0:0:0/0:0:0:0.
        try machine.write("/sys/health_descriptor/life_time_estimation_a", "0x03\n")
        try machine.write("/sys/health_descriptor/life_time_estimation_b", "0x01\n")
        try machine.write("/sys/health_descriptor/eol_info", "0x01\n")

        let storage = SystemReading(root: machine.root).storage

        #expect(storage.map(\.wear) == [0.3])
        #expect(storage.first?.spare == .normal)
    }

    @Test("a card that does not say how worn it is has what was written to it, in all its life and a second")
    func card() throws {
        let machine = Machine()
        func write(_ sectors: Int) throws {
            try machine.write(
                "/sys/block/mmcblk0/stat",
                "9 9 9 9 9 9 \(sectors) 9 0 9 9 5 0 16 0 9 9\n"
            )
        }
        try write(100)
        try machine.write("/sys/block/mmcblk0/device/type", "SD\n")
        try machine.write("/sys/block/mmcblk0/mmcblk0p1/partition", "1\n")
        try machine.write("/sys/block/mmcblk0/mmcblk0p2/partition", "2\n")
        try machine.write("/sys/fs/ext4/mmcblk0p1/lifetime_write_kbytes", "1000\n")
        try machine.write("/sys/fs/f2fs/mmcblk0p2/lifetime_write_kbytes", "24\n")
        try machine.write("/sys/fs/ext4/sda1/lifetime_write_kbytes", "7777\n")
        let telemetry = Telemetry(root: machine.root)

        let first = telemetry.system(at: .zero)
        try write(300)
        let second = telemetry.system(at: .zero + .seconds(2))
        try write(10)
        let third = telemetry.system(at: .zero + .seconds(4))

        let card = try #require(first.reading.storage.first)
        #expect(card.wear == nil && card.spare == nil)
        #expect(card.written == 51_200)
        #expect(card.discarded == 8192)
        #expect(card.lifetimeWritten == 1024 << 10)
        #expect(first.writeRates == [])
        #expect(second.writeRates == [51_200])
        #expect(third.writeRates == [0])
    }

    @Test("what file systems say that they have written adds up to no nonsense")
    func written() throws {
        for (text, expected) in [
            ("18014398509481983\n", 18_446_744_073_709_550_592), ("18014398509481984\n", nil), ("-1\n", nil),
            ("many\n", nil), ("\n", nil),
        ] as [(String, UInt64?)] {
            let machine = Machine()
            try machine.write("/sys/block/sda/sda1/partition", "1\n")
            try machine.write("/sys/fs/ext4/sda1/lifetime_write_kbytes", text)
            #expect(SystemReading(root: machine.root).storage.map(\.lifetimeWritten) == [expected], "\(text)")

            try machine.write("/sys/fs/ext4/sda/lifetime_write_kbytes", "1\n")
            try machine.write("/sys/fs/f2fs/sda1/lifetime_write_kbytes", "1\n")
            let sum = expected == nil ? 2048 : UInt64.max
            #expect(SystemReading(root: machine.root).storage.map(\.lifetimeWritten) == [sum], "\(text)")
        }
    }

    @Test("a PC's files are read: several fans, an own sensor of the processor's, disks that do not tell their wear")
    func computer() throws {
        let machine = Machine()
        try machine.write("/sys/class/thermal/thermal_zone0/type", "acpitz\n")
        try machine.write("/sys/class/thermal/thermal_zone0/temp", "27800\n")
        try machine.write("/sys/class/hwmon/hwmon0/name", "nvme\n")
        try machine.write("/sys/class/hwmon/hwmon0/temp1_input", "91000\n")
        try machine.write("/sys/class/hwmon/hwmon1/name", "k10temp\n")
        try machine.write("/sys/class/hwmon/hwmon1/temp1_input", "62250\n")
        try machine.write("/sys/class/hwmon/hwmon2/name", "nct6775\n")
        try machine.write("/sys/class/hwmon/hwmon2/fan1_input", "0\n")
        try machine.write("/sys/class/hwmon/hwmon2/fan2_input", "1200\n")
        try machine.write("/sys/class/hwmon/hwmon2/fan2_label", "CPU\n")
        try machine.write("/sys/class/hwmon/hwmon2/pwm2", "255\n")
        try machine.write("/sys/block/nvme0n1/stat", "0 0 0 0 0 0 16 0\n")
        try machine.write("/sys/block/nvme0n1/device/model", "Samsung SSD 990\n")
        try machine.write("/sys/block/sda/device/type", "0\n")
        try machine.write(
            "/proc/stat",
            "cpu 1 1 1 1\n" + (0..<16).map { "cpu\($0) 1 0 0 3 0 0 0 0\n" }.joined() + "intr 1 2 3\n"
        )

        let reading = SystemReading(root: machine.root, disksOf: ["/", "/nonexistent"])

        #expect(reading.model == nil)
        #expect(reading.throttling == nil)
        #expect(reading.processors.count == 16)
        #expect(
            reading.temperatures == [.init(zone: "acpitz", celsius: 27.8), .init(zone: "k10temp", celsius: 62.25)]
        )
        #expect(reading.processorTemperature?.celsius == 62.25)
        #expect(
            reading.fans == [
                .init(name: "nct6775", speed: 0, power: nil), .init(name: "nct6775 CPU", speed: 1200, power: 1),
            ]
        )
        #expect(reading.storage.map(\.device) == ["nvme0n1", "sda"])
        #expect(reading.storage.map(\.kind) == ["nvme", "disk"])
        #expect(reading.storage.map(\.written) == [8192, nil])
        #expect(reading.disks.map(\.path) == ["/"])
    }

    @Test("hostile files give no figure that is none, and no text that a terminal could obey")
    func hostile() throws {
        let machine = Machine()
        let flood = (0..<3000).map { "cpu\($0) 1 1 1 1\n" }.joined()
        try machine.write("/proc/stat", "cpu99999 1 1 1 1\ncpuX 1 1 1 1\ncpu0 nan inf 1 1\ncpu-1 1 1 1 1\n" + flood)
        try machine.write("/proc/loadavg", "nan -1\n")
        try machine.write("/proc/meminfo", "MemTotal: 99999999999999999999 kB\nMemAvailable: -5 kB\nMemTotal:\n")
        try machine.write("/sys/firmware/devicetree/base/model", "\u{1B}[2J" + String(repeating: "x", count: 5000))
        for number in 0..<100 {
            try machine.write(
                "/sys/class/thermal/thermal_zone\(number)/temp",
                number % 2 == 0 ? "4000000\n" : "50000\n"
            )
        }
        try machine.write("/sys/class/hwmon/hwmon0/fan1_input", "-3\n")
        try machine.write("/sys/class/hwmon/hwmon0/fan2_input", "99999999999\n")
        try machine.write("/sys/class/hwmon/hwmon0/fan3_input", "100\n")
        try machine.write("/sys/class/hwmon/hwmon0/pwm3", "256\n")
        try machine.write("/sys/devices/platform/soc/soc:firmware/get_throttled", "0x1FFFFFFFFF\n")
        try machine.write("/sys/block/mmcblk0/stat", "0 0 0 0 0 0 18446744073709551615 0\n")
        try machine.write("/sys/block/mmcblk0/device/life_time", "0x" + String(repeating: "f", count: 4000) + "\n")
        try machine.write("/sys/block/mmcblk0/device/pre_eol_info", "\n")
        try machine.write(
            "/proc/net/dev",
            "e\u{7}th0: 1 0 0 0 0 0 0 0 2\n: 1 0 0 0 0 0 0 0 2\nbad: 1 2\nneg: -1 0 0 0 0 0 0 0 2\n"
                + (0..<500).map { "v\($0): 1 0 0 0 0 0 0 0 2\n" }.joined()
        )

        let reading = SystemReading(root: machine.root)

        #expect(reading.processors.count == SystemReading.maximumProcessors)
        #expect(reading.processors.first?.name == "0" && reading.processors.allSatisfy { $0.total == 0.04 })
        #expect(reading.load == nil)
        #expect(reading.memoryTotal == 0 && reading.memoryAvailable == 0)
        #expect(reading.model?.utf8.count == 128 && reading.model?.utf8.contains(0x1B) == false)
        #expect(reading.temperatures.allSatisfy { $0.celsius == 50 } && !reading.temperatures.isEmpty)
        #expect(reading.temperatures.count <= SystemReading.maximumEntries)
        #expect(reading.fans.map(\.speed) == [100] && reading.fans.first?.power == nil)
        #expect(reading.throttling == nil)
        #expect(reading.storage.map(\.written) == [nil] && reading.storage.first?.wear == nil)
        #expect(reading.interfaces.first?.name == "eth0" && reading.interfaces.count == SystemReading.maximumEntries)
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

    @Test("the fuzzer's corpus holds")
    func corpus() throws {
        let here = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let directory = "/\(here)/Fuzz/corpus/KernelFiles"
        let names = try File.list(directory)
        #expect(!names.isEmpty)
        for name in names {
            let bytes = try File.contents("\(directory)/\(name)")
            TelemetryFuzz.check(bytes.span)
        }
    }

    @Test("this process is there") func real() {
        let sample = Telemetry().process(Process.id, at: .zero)
        #expect((sample?.reading.residentBytes ?? 0) > 1 << 20)
        #expect(File.space("/").map { $0.total >= $0.free && $0.total > 0 } == true)
    }
}
