// SPDX-License-Identifier: Apache-2.0
// Nodes and their ids as sysfs has them.

import System
import Testing

@testable import Devices

@Suite("device tree") struct DeviceTreeTests {
    @Test("a USB camera's id is made of vendor, product, serial number, interface and index")
    func usb() throws {
        let machine = try FakeMachine()
        try machine.plugUSB(2, indices: [0, 1])
        try machine.linkByID("usb-046d_HD_Pro_Webcam_C920_5A3F77-video-index0", to: 2)

        let nodes = machine.tree.nodes()

        #expect(nodes.map(\.id) == ["usb-046d:0892-5A3F77-if00-index0", "usb-046d:0892-5A3F77-if00-index1"])
        #expect(nodes.map(\.number) == [2, 3])
        #expect(nodes.first?.usb?.port == "1-1.4")
        #expect(nodes.first?.usb?.speed == "480")
        #expect(nodes.first?.name == "HD Pro Webcam C920")
        #expect(
            nodes.map(\.links.count) == [1, 0]
                && nodes[0].links[0].hasSuffix("/v4l/by-id/usb-046d_HD_Pro_Webcam_C920_5A3F77-video-index0")
        )
    }

    @Test("a camera keeps its id at another port and as another node")
    func replugged() throws {
        let machine = try FakeMachine()
        try machine.plugUSB(0)
        let before = machine.tree.nodes()
        machine.unplug(0)
        try machine.plugUSB(4, port: "2-3")

        let after = machine.tree.nodes()

        #expect(before.map(\.id) == after.map(\.id))
        #expect(after.map(\.path) == ["\(machine.devices)/video4"])
        #expect(after.first?.identity.location == "2-3")
    }

    @Test(
        "a camera without a serial number of its own is told by its port",
        arguments: [nil, "", "0000", "...", "\u{1}\u{2}"]
    )
    func withoutSerial(serial: String?) throws {
        let machine = try FakeMachine()
        try machine.plugUSB(0, serial: serial)

        let nodes = machine.tree.nodes()

        #expect(nodes.map(\.id) == ["usb-046d:0892-at-1-1.4-if00-index0"])
    }

    @Test("two cameras with the same serial number are told apart by their ports")
    func sameSerial() throws {
        let machine = try FakeMachine()
        try machine.plugUSB(0, port: "1-1", serial: "SN0001")
        try machine.plugUSB(2, port: "1-2", serial: "SN0001")

        let nodes = machine.tree.nodes()

        #expect(
            nodes.map(\.id) == ["usb-046d:0892-SN0001-if00-index0@1-1", "usb-046d:0892-SN0001-if00-index0@1-2"]
        )
        #expect(nodes.allSatisfy { $0.identity.answers(to: "usb-046d:0892-SN0001-if00-index0") })
        #expect(nodes.map { $0.identity.answers(to: "usb-046d:0892-SN0001-if00-index0@1-2") } == [false, true])
    }

    @Test("an id without a place is the one device's that has it, wherever that is plugged in")
    func alone() throws {
        let machine = try FakeMachine()
        try machine.plugUSB(0, port: "1-1", serial: "SN0001")
        var device = NamedDevice("usb-046d:0892-SN0001-if00-index0")
        #expect(try device.choose(among: machine.tree.nodes()).number == 0)
        machine.unplug(0)
        #expect(throws: CaptureError.self) { try device.choose(among: machine.tree.nodes()) }
        try machine.plugUSB(2, port: "1-2", serial: "SN0001")

        let now = try device.choose(among: machine.tree.nodes())

        #expect(now.number == 2)
        #expect(device.identity?.location == "1-2")
    }

    @Test("a camera that has had a twin stays where it was: while it is unplugged, the twin does not take its place")
    func twin() throws {
        let machine = try FakeMachine()
        try machine.plugUSB(0, port: "1-1", serial: "SN0001")
        var device = NamedDevice("usb-046d:0892-SN0001-if00-index0")
        #expect(try device.choose(among: machine.tree.nodes()).number == 0)

        try machine.plugUSB(2, port: "1-2", serial: "SN0001")
        device.look(at: machine.tree.nodes())
        #expect(try device.choose(among: machine.tree.nodes()).number == 0)
        machine.unplug(0)
        #expect(throws: CaptureError.self) { try device.choose(among: machine.tree.nodes()) }
        try machine.plugUSB(7, port: "1-1", serial: "SN0001")

        #expect(try device.choose(among: machine.tree.nodes()).number == 7)
    }

    @Test("of two devices with one id, none is taken before anybody says which")
    func undecided() throws {
        let machine = try FakeMachine()
        try machine.plugUSB(0, port: "1-1", serial: "SN0001")
        try machine.plugUSB(2, port: "1-2", serial: "SN0001")
        let id = "usb-046d:0892-SN0001-if00-index0"
        var device = NamedDevice(id)

        do {
            _ = try device.choose(among: machine.tree.nodes())
            Issue.record("one was taken")
        } catch {
            #expect(error.description.contains("\(id)@1-1, \(id)@1-2"))
        }

        var second = NamedDevice("\(id)@1-2")
        #expect(try second.choose(among: machine.tree.nodes()).number == 2)
        machine.unplug(0)
        // Nobody has been chosen, and there is only one left.
        #expect(try device.choose(among: machine.tree.nodes()).number == 2)
    }

    @Test("devices of other buses, and virtual ones, have ids, too")
    func others() throws {
        let machine = try FakeMachine()
        try machine.plug(0, bus: "platform", device: "vivid.0", index: 1, name: "vivid-000-vid-cap")
        try machine.plug(1, bus: "pci", device: "0000:03:00.0", name: "HDMI Capture")
        try machine.plugVirtual(7, name: "OBS Virtual Camera")

        let nodes = machine.tree.nodes()

        #expect(
            nodes.map(\.id) == [
                "platform-vivid.0-vivid-000-vid-cap-index1", "pci-0000:03:00.0-HDMI_Capture-index0",
                "virtual-OBS_Virtual_Camera-index0",
            ]
        )
    }

    @Test("a node that sysfs does not know of is there all the same")
    func withoutSysfs() throws {
        let machine = try FakeMachine()
        try machine.write("\(machine.devices)/video3", "")

        let nodes = machine.tree.nodes()

        #expect(nodes.map(\.id) == ["node-video3"])
    }

    @Test("what a device says of itself cannot break an id or a terminal")
    func hostile() throws {
        let machine = try FakeMachine()
        try machine.plugUSB(0, serial: "../../x?a=b&c\u{1B}[31m", name: "Evil\u{1B}]0;x\u{7}\u{202E}cam")
        try machine.plugUSB(1, port: "1-2", vendor: "zzzz", name: String(repeating: "n", count: 4000))
        try machine.write("\(machine.sysfs)/class/video4linux/video1/index", "-5\n")

        let nodes = machine.tree.nodes()

        #expect(nodes[0].id == "usb-046d:0892-.._.._x_a_b_c__31m-if00-index0")
        #expect(nodes[0].name == "Evil?]0;x??cam")
        #expect(nodes[1].name.utf8.count == DeviceTree.textLimit)
        #expect(nodes[1].usb == nil && nodes[1].index == 0)
    }

    @Test("files in /dev that are no video nodes are passed over")
    func strangers() throws {
        let machine = try FakeMachine()
        for name in ["video", "videox", "video-1", "video1x", "vide0"] {
            try machine.write("\(machine.devices)/\(name)", "")
        }

        #expect(machine.tree.nodes().isEmpty)
        #expect(!machine.tree.hasVideo)
    }
}
