// SPDX-License-Identifier: Apache-2.0
// Which devices capture, and when they are asked.

import Config
import Synchronization
import System
import Testing

@testable import Devices

@Suite("device scanner") struct ScannerTests {
    /// Counts how often each node is asked.
    private final class Counter: Sendable {
        let counts = Mutex<[String: Int]>([:])

        func count(_ path: String) { counts.withLock { $0[path, default: 0] += 1 } }

        var all: [Int] { counts.withLock { $0.values.sorted() } }
    }

    @Test("nodes that do not capture are left out")
    func metadata() throws {
        let machine = try FakeMachine()
        try machine.plugUSB(0, indices: [0, 1])
        var scanner = DeviceScanner(machine.tree) { path in path.hasSuffix("1") ? .other : cameraProbe(path) }

        let devices = scanner.scan()

        #expect(devices.map(\.node.number) == [0])
        #expect(devices.first?.isUsable == true)
        #expect(devices.first?.formats == [.mjpeg])
    }

    @Test("of a device that may not be opened, its first node is listed with the reason")
    func permission() throws {
        let machine = try FakeMachine()
        try machine.plugUSB(0, indices: [0, 1])
        var scanner = DeviceScanner(machine.tree) { _ in .failed(.permission) }

        let devices = scanner.scan()

        #expect(devices.map(\.node.number) == [0])
        #expect(devices.first?.title == "HD Pro Webcam C920")
        #expect(devices.first?.isUsable == false)
        #expect(devices.first?.problem == .permission)
    }

    @Test("a device is asked once, and again when its node has changed")
    func askedOnce() throws {
        let machine = try FakeMachine()
        try machine.plugUSB(0)
        let counter = Counter()
        var scanner = DeviceScanner(machine.tree) { path in
            counter.count(path)
            return cameraProbe(path)
        }

        _ = scanner.scan()
        try machine.linkByID("late", to: 0)
        let links = scanner.scan().map(\.node.links.count)
        #expect(counter.all == [1])
        #expect(links == [1])

        try machine.write("\(machine.devices)/video0", "changed")
        _ = scanner.scan()
        #expect(counter.all == [2])
        _ = scanner.scan(anew: true)
        #expect(counter.all == [3])
    }

    @Test("a device that cannot be used yet, and a virtual one, are asked each time")
    func askedAgain() throws {
        let machine = try FakeMachine()
        try machine.plugUSB(0)
        try machine.plugVirtual(1, name: "loop")
        let counter = Counter()
        var scanner = DeviceScanner(machine.tree) { path in
            counter.count(path)
            return path.hasSuffix("0") ? .failed(.permission) : cameraProbe(path)
        }

        _ = scanner.scan()
        _ = scanner.scan()

        #expect(counter.all == [2, 2])
    }

    @Test("the source of a device with a number of its own is its link by id, else by path, else its own id")
    func sources() throws {
        let machine = try FakeMachine()
        try machine.plugUSB(0, port: "1-1", serial: "A")
        try machine.plugUSB(1, port: "1-2", serial: "B")
        try machine.plugUSB(2, port: "1-3", serial: nil)
        try machine.plugUSB(3, port: "1-4", serial: "0000")
        try machine.linkByID("usb-B-index0", to: 1)
        // udev makes one link of all that have no number, whichever came last.
        try machine.linkByID("usb-Generic_Cam-video-index0", to: 2)
        try machine.linkByID("usb-Generic_Cam-index0", to: 3)
        try machine.linkByPath("pci-0000:00:14.0-usb-0:4:1.0-video-index0", to: 3)
        var scanner = DeviceScanner(machine.tree, ask: cameraProbe)

        let sources = scanner.scan().map(\.source)

        #expect(
            sources == [
                "v4l2:usb-046d:0892-A-if00-index0", "v4l2:\(machine.devices)/v4l/by-id/usb-B-index0",
                "v4l2:usb-046d:0892-at-1-3-if00-index0",
                "v4l2:\(machine.devices)/v4l/by-path/pci-0000:00:14.0-usb-0:4:1.0-video-index0",
            ]
        )
    }

    @Test("a device that never answers holds up no other, and is asked once until it has answered")
    func hanging() throws {
        let machine = try FakeMachine()
        try machine.plugUSB(0, port: "1-1", serial: "A")
        try machine.plugUSB(1, port: "1-2", serial: "B")
        let counter = Counter()
        let isFreed = Monitor(false)
        let hasAnswered = Monitor(false)
        var scanner = DeviceScanner(machine.tree, patience: .milliseconds(50)) { path in
            counter.count(path)
            guard path.hasSuffix("0") else { return cameraProbe(path) }
            _ = isFreed.wait(atMost: .seconds(60)) { $0 ? true : nil }
            defer { hasAnswered.with { $0 = true } }
            return cameraProbe(path)
        }

        let first = scanner.scan()
        let second = scanner.scan()
        #expect(first.map(\.problem) == [.silent, nil])
        #expect(second.map(\.problem) == [.silent, nil])
        #expect(first.first?.title == "HD Pro Webcam C920")
        #expect(counter.all == [1, 1])

        let signs = DeviceInquiry(patience: .milliseconds(50)) { path in
            if path.hasSuffix("0") { _ = isFreed.wait(atMost: .seconds(60)) { $0 ? true : nil } }
            return .other
        }
        #expect(signs.silent(of: machine.tree) == ["\(machine.devices)/video0"])

        isFreed.with { $0 = true }
        #expect(hasAnswered.wait(atMost: .seconds(60)) { $0 ? true : nil } == true)
        var third = scanner.scan()
        // It has answered; that its thread has said so may come a moment later.
        while third.first?.problem == .silent { third = scanner.scan() }
        #expect(third.map(\.problem) == [nil, nil])
        #expect(counter.all == [1, 1])
    }

    @Test(
        "a format's code is told in letters, with the bytes the other way round too",
        arguments: [
            (UInt32(0x3231_5258), "XR12"), (0xB231_5258, "XR12-BE"), (0x0000_0059, "Y???"),
        ]
    )
    func codes(code: UInt32, expected: String) {
        #expect(DeviceFormat(fourCC: code, sizes: []).code == expected)
    }

    @Test("simulated devices are plugged in and unplugged by files, and stand in while there is no video at all")
    func simulated() throws {
        let machine = try FakeMachine()
        let asked = Simulation(directory: "\(machine.root)/run/simulated", isStandIn: false)
        let standIn = Simulation(directory: "\(machine.root)/run/simulated", isStandIn: true)
        try asked.plug(2, as: 40)

        #expect(asked.devices(hasVideo: true).map(\.id) == ["simulated-2"])
        #expect(asked.devices(hasVideo: true).map(\.node.path) == ["simulated:40"])
        #expect(asked.has("simulated-2") && !asked.has("simulated-1") && !asked.has("simulated-02"))
        #expect(standIn.devices(hasVideo: false).count == 1)
        #expect(standIn.devices(hasVideo: true).isEmpty)

        let before = asked.stamp("simulated-2")
        #expect(asked.unplug(2))
        #expect(asked.stamp("simulated-2") == nil)
        try asked.plug(2, as: 41)
        #expect(asked.stamp("simulated-2") != before)
        #expect(asked.devices(hasVideo: true).map(\.node.path) == ["simulated:41"])
    }

    @Test(
        "a simulated device refuses what it has not",
        arguments: [
            ("", nil), ("?size=640x360&fps=10&format=yu12&input=0", nil),
            ("?format=h264", "a simulated device has no format h264, only yu12"),
            ("?input=3", "a simulated device has no input 3, only 0"),
            ("?standard=PAL", "a simulated device has no television standards, as PAL"),
        ] as [(String, String?)]
    )
    func simulatedLacks(query: String, lack: String?) throws {
        guard case .v4l2(_, let request) = try SourceAddress(parsing: "v4l2:simulated-1\(query)") else {
            Issue.record("no V4L2 source")
            return
        }

        #expect(Simulation.lack(of: request) == lack)
    }

    @Test("numbers out of range name no simulated device", arguments: ["simulated-0", "simulated-9", "simulated-x"])
    func simulatedNumbers(id: String) {
        #expect(Simulation(directory: "/nowhere", isStandIn: false).number(of: id) == nil)
    }
}
