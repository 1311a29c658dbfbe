// SPDX-License-Identifier: Apache-2.0
// That devices come and go is noticed by the directories that they come and go in.

import Bytes
import Loop
import System
import Testing

@testable import Devices

@Suite("device watcher", .serialized) struct WatcherTests {
    /// Turns the loop until something is so, or too long has passed.
    private func wait(_ loop: EventLoop, until condition: () -> Bool) throws -> Bool {
        let deadline = Clock.monotonic() + .seconds(10)
        while !condition(), Clock.monotonic() < deadline { try loop.turn(waitingUntil: deadline) }
        return condition()
    }

    @Test("a node that comes is told by its directory, and again while it settles")
    func comes() throws {
        let machine = try FakeMachine()
        let loop = try EventLoop()
        var words = 0
        let watcher = DeviceWatcher(loop, machine.tree, polls: false, hearsKernel: false) { words += 1 }

        try machine.plugUSB(0)

        #expect(try wait(loop) { words == 1 })
        #expect(try wait(loop) { words == DeviceWatcher.settling.count })
        #expect(watcher.means == ["directories"])
        watcher.stop()
    }

    @Test("other files of /dev are none of its business; links in a directory made later are")
    func others() throws {
        let machine = try FakeMachine()
        let loop = try EventLoop()
        var words = 0
        let other = "\(machine.root)/simulated"
        let watcher = DeviceWatcher(loop, machine.tree, directories: [other], polls: false, hearsKernel: false) {
            words += 1
        }
        try machine.write("\(machine.devices)/ttyUSB0", "")
        try loop.turn(waitingUntil: Clock.monotonic() + .milliseconds(20))
        #expect(words == 0)

        // The word about a node has missing directories looked for again.
        try File.makeDirectory(other)
        try machine.write("\(machine.devices)/video0", "")
        #expect(try wait(loop) { words == DeviceWatcher.settling.count })
        try machine.write("\(other)/simulated-1", "1")
        #expect(try wait(loop) { words > DeviceWatcher.settling.count })
        watcher.stop()
    }

    @Test("closing a device is no news of it: trying it in vain would lead to the next try at once")
    func closing() throws {
        let machine = try FakeMachine()
        try machine.write("\(machine.devices)/video0", "")
        let loop = try EventLoop()
        var words = 0
        let watcher = DeviceWatcher(loop, machine.tree, polls: false, hearsKernel: false) { words += 1 }

        _ = try File.open("\(machine.devices)/video0", .readWrite)
        try loop.turn(waitingUntil: Clock.monotonic() + .milliseconds(20))
        #expect(words == 0)

        try machine.write("\(machine.devices)/video1", "")
        #expect(try wait(loop) { words == 1 })
        watcher.stop()
    }

    @Test("a device is found by its id wherever it is, and a missing one is said to be")
    func finder() throws {
        let machine = try FakeMachine()
        let simulation = Simulation(directory: "\(machine.root)/simulated", isStandIn: false)
        let finder = DeviceFinder(machine.tree, simulation: simulation)
        let id = "usb-046d:0892-5A3F77-if00-index0"
        func find(_ name: String) throws -> DeviceFinder.Found {
            var device = NamedDevice(name)
            return try finder.find(&device)
        }
        #expect(throws: CaptureError.self) { try find(id) }

        try machine.plugUSB(3)
        #expect(try find(id) == .node("\(machine.devices)/video3"))
        #expect(try find("\(id)@1-1.4") == .node("\(machine.devices)/video3"))
        #expect(throws: CaptureError.self) { try find("\(id)@1-1.5") }
        #expect(try find("/dev/video9") == .node("/dev/video9"))
        machine.unplug(3)
        try machine.plugUSB(5, port: "2-1")
        #expect(try find(id) == .node("\(machine.devices)/video5"))

        #expect(throws: CaptureError.self) { try find("simulated-1") }
        try simulation.plug(1, as: 1)
        guard case .simulated("simulated-1", _) = try find("simulated-1") else {
            Issue.record("not simulated")
            return
        }
    }
}
