// SPDX-License-Identifier: Apache-2.0
// A tree of directories that looks like sysfs and /dev, for as long as a test lasts.

import System

@testable import Devices

/// A made-up machine.
final class FakeMachine {
    let root: String
    var sysfs: String { "\(root)/sys" }
    var devices: String { "\(root)/dev" }
    var tree: DeviceTree { DeviceTree(sysfs: sysfs, devices: devices) }

    init() throws {
        root = "/tmp/apus-devices-\(Random.uint64())"
        try File.makeDirectory("\(root)/dev/v4l/by-id")
        try File.makeDirectory("\(root)/sys")
    }

    deinit { FakeMachine.remove(root) }

    /// A camera on USB with one interface; `indices` are its nodes, the first of which is `/dev/videoNUMBER`.
    func plugUSB(
        _ number: Int,
        port: String = "1-1.4",
        vendor: String = "046d",
        product: String = "0892",
        serial: String? = "5A3F77",
        name: String = "HD Pro Webcam C920",
        indices: [Int] = [0]
    ) throws {
        let device = "\(sysfs)/devices/pci0000:00/0000:00:14.0/usb1/\(port)"
        try write("\(device)/idVendor", vendor + "\n")
        try write("\(device)/idProduct", product + "\n")
        try write("\(device)/speed", "480\n")
        if let serial { try write("\(device)/serial", serial + "\n") }
        let interface = "\(device)/\(port):1.0"
        try write("\(interface)/bInterfaceNumber", "00\n")
        try link("\(sysfs)/bus/usb", at: "\(interface)/subsystem")
        for index in indices { try node(number + index, index, interface, name) }
    }

    /// A device of a bus such as `platform`.
    func plug(_ number: Int, bus: String, device: String, index: Int = 0, name: String) throws {
        let directory = "\(sysfs)/devices/\(bus)/\(device)"
        try File.makeDirectory("\(sysfs)/bus/\(bus)")
        try File.makeDirectory(directory)
        try link("\(sysfs)/bus/\(bus)", at: "\(directory)/subsystem")
        try node(number, index, directory, name)
    }

    /// A device that stands on nothing, as v4l2loopback makes them.
    func plugVirtual(_ number: Int, name: String) throws { try node(number, 0, nil, name) }

    /// A link as udev makes it.
    func linkByPath(_ name: String, to number: Int) throws {
        try File.makeDirectory("\(devices)/v4l/by-path")
        try link("../../video\(number)", at: "\(devices)/v4l/by-path/\(name)")
    }

    /// A link as udev makes it.
    func linkByID(_ name: String, to number: Int) throws {
        try link("../../video\(number)", at: "\(devices)/v4l/by-id/\(name)")
    }

    /// Takes a node away, and what sysfs says of it.
    func unplug(_ number: Int) {
        FakeMachine.remove("\(sysfs)/class/video4linux/video\(number)")
        File.remove("\(devices)/video\(number)")
    }

    func write(_ path: String, _ text: String) throws {
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        try File.makeDirectory(String(path[..<slash]))
        try File.replace(path, with: Array(text.utf8).span, mode: 0o644)
    }

    private func node(_ number: Int, _ index: Int, _ device: String?, _ name: String) throws {
        let directory = "\(sysfs)/class/video4linux/video\(number)"
        try write("\(directory)/name", name + "\n")
        try write("\(directory)/index", "\(index)\n")
        if let device { try link(device, at: "\(directory)/device") }
        try write("\(devices)/video\(number)", "")
    }

    private func link(_ target: String, at path: String) throws {
        File.remove(path)
        try File.link(target, at: path)
    }

    private static func remove(_ path: String) {
        if File.linkTarget(path) == nil, let names = try? File.list(path) {
            for name in names { remove("\(path)/\(name)") }
            File.removeDirectory(path)
        } else {
            File.remove(path)
        }
    }
}

/// Answers as a camera does.
@Sendable func cameraProbe(_ path: String) -> DeviceProbe {
    .captures(DeviceFacts(card: "Camera", driver: "uvcvideo", bus: "usb-1", formats: [V4L2Format.mjpeg.fourCC]))
}
