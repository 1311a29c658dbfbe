// SPDX-License-Identifier: Apache-2.0
// Warnings of the machine, and what it does while it is hot.

import Bytes
import Testing

@testable import Telemetry

@Suite("Warnings of the machine")
struct MachineWatchTests {
    private func look(_ watch: inout MachineWatch, _ seconds: Int, _ change: (inout SystemReading) -> Void) -> [String]
    {
        var reading = SystemReading(root: "/nonexistent")
        change(&reading)
        return watch.look(reading, at: .zero + .seconds(seconds))
            .map { "\($0.warning.kind.rawValue)\($0.warning.subject) \($0.isOver ? "over" : "passed")" }
    }

    private func heat(_ watch: inout MachineWatch, _ seconds: Int, _ celsius: Double) -> [String] {
        look(&watch, seconds) { $0.temperatures = [.init(zone: "cpu-thermal", celsius: celsius)] }
    }

    @Test("heat is told once when it is passed, and once when it is well below")
    func hot() {
        var watch = MachineWatch()

        #expect(heat(&watch, 0, 79.9) == [])
        #expect(heat(&watch, 5, 80) == ["hot passed"])
        #expect(heat(&watch, 10, 85) == [])
        #expect(watch.warnings.map(\.since) == [.zero + .seconds(5)])
        #expect(watch.warnings.first?.text == "the processor is at 85 °C (limit 80 °C)")
        #expect(heat(&watch, 15, 79) == [])
        #expect(heat(&watch, 20, 75) == [])
        #expect(heat(&watch, 25, 74.9) == ["hot over"])
        #expect(heat(&watch, 30, 79) == [])
        #expect(watch.warnings.isEmpty)
    }

    @Test("sensors that do not answer are told once, and once when they do again")
    func silence() {
        var watch = MachineWatch()
        _ = heat(&watch, 0, 90)
        let now = Instant.zero + .seconds(20)

        #expect(watch.noteSilence(of: 15, limit: 15, at: now).isEmpty)
        #expect(watch.noteSilence(of: 16, limit: 15, at: now).map(\.warning.kind) == [.sensorsSilent])
        #expect(watch.noteSilence(of: 21, limit: 15, at: now).isEmpty)
        #expect(watch.warnings.map(\.kind) == [.hot, .sensorsSilent])
        let told = "the machine has not been read for 21 s: a sensor does not answer (limit 15 s)"
        #expect(watch.warnings.last?.text == told)
        #expect(heat(&watch, 40, 90) == ["sensors-silent over"])
    }

    @Test("what is gone warns no more")
    func gone() {
        var watch = MachineWatch()
        _ = heat(&watch, 0, 90)

        #expect(look(&watch, 5) { _ in } == ["hot over"])
    }

    @Test("the firmware's bits are over once they have not come for half a minute")
    func bits() {
        var watch = MachineWatch()
        func bits(_ seconds: Int, _ bits: Throttling) -> [String] { look(&watch, seconds) { $0.throttling = bits } }

        #expect(bits(0, .hadUnderVoltage) == [])
        #expect(bits(5, [.underVoltage, .throttled]) == ["under-voltage passed", "throttled passed"])
        #expect(bits(10, .throttled) == [])
        #expect(bits(15, .underVoltage) == [])
        #expect(bits(39, []) == [])
        #expect(bits(40, []) == ["throttled over"])
        #expect(bits(44, []) == [])
        #expect(bits(45, []) == ["under-voltage over"])
    }

    @Test("little memory and disk are over at a quarter more")
    func scarcity() {
        var watch = MachineWatch(MachineLimits(memory: 0.10, disk: 0.2))
        func left(_ seconds: Int, memory: Int, disk: Int) -> [String] {
            look(&watch, seconds) {
                $0.memoryTotal = 1000
                $0.memoryAvailable = memory
                $0.disks = [.init(path: "/", total: 1000, free: disk), .init(path: "/run", total: 0, free: 0)]
            }
        }

        #expect(left(0, memory: 100, disk: 200) == [])
        #expect(left(1, memory: 99, disk: 199) == ["memory-low passed", "disk-low/ passed"])
        #expect(watch.warnings.last?.text == "19.9 % of the disk is left at / (limit 20 %)")
        #expect(left(2, memory: 124, disk: 249) == [])
        #expect(left(3, memory: 126, disk: 251) == ["memory-low over", "disk-low/ over"])
    }

    @Test("a limit of nothing never warns, one of everything may be over all the same")
    func extremes() {
        var never = MachineWatch(MachineLimits(memory: 0, disk: 0))
        var always = MachineWatch(MachineLimits(disk: 1))
        func left(_ watch: inout MachineWatch, _ free: Int) -> [String] {
            look(&watch, 0) {
                $0.memoryTotal = 10
                $0.disks = [.init(path: "/", total: 10, free: free)]
            }
        }

        #expect(left(&never, 0) == [])
        #expect(left(&always, 9) == ["memory-low passed", "disk-low/ passed"])
        #expect(left(&always, 10) == ["disk-low/ over"])
    }

    @Test("a card that says that it is worn out, or has no spare blocks, is told of")
    func wear() throws {
        func device(_ wear: Double?, _ spare: StorageReading.Spare?) throws -> StorageReading {
            var device = try #require(Self.device)
            device.wear = wear
            device.spare = spare
            return device
        }
        for (wear, spare, isTold) in [
            (0.8, .normal, false), (0.9, .normal, true), (0.1, .urgent, true), (nil, .warning, true), (nil, nil, false),
        ] as [(Double?, StorageReading.Spare?, Bool)] {
            var watch = MachineWatch()
            let storage = try device(wear, spare)
            #expect(look(&watch, 0) { $0.storage = [storage] } == (isTold ? ["worn-outmmcblk0 passed"] : []))
            #expect(look(&watch, 1) { $0.storage = [storage] } == [])
        }
    }

    @Test(
        "what told that a card is worn is what is said",
        arguments: [
            (0.9, .normal, "up to 90 % of its life is over (limit 90 %)"),
            (0.3, .warning, "most of its spare blocks are used up"),
            (nil, .urgent, "nearly all of its spare blocks are used up"),
            (1, .warning, "up to 100 % of its life is over (limit 90 %), most of its spare blocks are used up"),
        ] as [(Double?, StorageReading.Spare?, String)]
    )
    func wearInWords(wear: Double?, spare: StorageReading.Spare?, expected: String) throws {
        var device = try #require(Self.device)
        device.wear = wear
        device.spare = spare
        var watch = MachineWatch()

        _ = look(&watch, 0) { $0.storage = [device] }

        #expect(watch.warnings.map(\.text) == ["mmcblk0 says that it is worn out: \(expected)"])
    }

    private static let device: StorageReading? = {
        let machine = Machine()
        try? machine.write("/sys/block/mmcblk0/device/type", "MMC\n")
        return SystemReading(root: machine.root).storage.first
    }()
}

@Suite("Thermal governor")
struct ThermalGovernorTests {
    /// Takes a reading each second, and returns the steps at the end.
    private func run(_ governor: inout ThermalGovernor, _ seconds: Range<Int>, _ celsius: Double?) -> Int {
        for second in seconds { _ = governor.look(celsius, at: .zero + .seconds(second)) }
        return governor.steps
    }

    @Test("each pace takes a fifth, down to the least")
    func lowering() {
        var governor = ThermalGovernor(ThermalPolicy(hot: 80, least: 0.5, pace: .seconds(10)))

        #expect(governor.look(79.9, at: .zero) == false)
        #expect(governor.look(80, at: .zero + .seconds(1)) == true)
        #expect(governor.share == 0.8)
        #expect(governor.look(95, at: .zero + .seconds(10)) == false)
        #expect(governor.look(95, at: .zero + .seconds(11)) == true)
        #expect(run(&governor, 12..<200, 95) == 3)
        #expect(governor.share == 0.5)
        #expect(governor.bitrateShare == 0.5 && governor.frameRateShare == 0.5)
    }

    @Test("between hot and cool nothing changes, however long")
    func between() {
        var governor = ThermalGovernor(ThermalPolicy(hot: 80, pace: .seconds(1)))
        #expect(run(&governor, 0..<3, 85) == 3)

        #expect(run(&governor, 3..<1000, 79) == 3)
        #expect(run(&governor, 1000..<2000, 75.1) == 3)
    }

    @Test("steps are given back one by one, three times as slowly, and only after as long of coolness")
    func restoring() {
        var governor = ThermalGovernor(ThermalPolicy(hot: 80, pace: .seconds(1)))
        #expect(run(&governor, 0..<2, 85) == 2)

        #expect(run(&governor, 2..<5, 70) == 2)
        #expect(run(&governor, 5..<6, 70) == 1)
        #expect(run(&governor, 6..<8, 70) == 1)
        // A warm moment begins the wait anew.
        #expect(run(&governor, 8..<9, 78) == 1)
        #expect(run(&governor, 9..<12, 70) == 1)
        #expect(run(&governor, 12..<13, 70) == 0)
        #expect(governor.share == 1)
        #expect(run(&governor, 13..<100, 70) == 0)
    }

    @Test("a machine whose sensor is gone is restored")
    func sensorGone() {
        var governor = ThermalGovernor(ThermalPolicy(hot: 80, pace: .seconds(1)))
        #expect(run(&governor, 0..<2, 85) == 2)

        #expect(run(&governor, 2..<20, nil) == 0)
    }

    @Test("the policy says what is lowered, and may change meanwhile")
    func policies() {
        var governor = ThermalGovernor(ThermalPolicy(lowered: .fps, hot: 80, least: 0.1, pace: .seconds(1)))
        #expect(run(&governor, 0..<5, 90) == 5)
        #expect(governor.bitrateShare == 1 && governor.frameRateShare < 0.33)

        #expect(governor.change(to: governor.policy) == false)
        #expect(governor.change(to: ThermalPolicy(lowered: .bitrate, hot: 80, least: 0.5, pace: .seconds(1))) == true)
        #expect(governor.bitrateShare == 0.5 && governor.frameRateShare == 1)
        // Not a step more than it takes to get there.
        #expect(governor.steps == 3)
        #expect(governor.change(to: ThermalPolicy(lowered: .off)) == true)
        #expect(governor.share == 1)
        #expect(run(&governor, 5..<50, 99) == 0)
    }
}
