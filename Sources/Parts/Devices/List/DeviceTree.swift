// SPDX-License-Identifier: Apache-2.0
// The video devices as sysfs and /dev have them; nothing is opened.

import Bytes
import System

/// A video device node of this machine; whether it captures is not known yet.
package struct DeviceNode: Sendable, Hashable {
    /// `/dev/video0`; of a simulated device, its file.
    package var path: String
    package var number: Int
    /// What the driver calls the node; empty if it is not known.
    package var name: String
    /// Which of its device's nodes it is, from 0.
    package var index: Int
    package var identity: DeviceIdentity
    /// The name that finds it again; no other node has the same now.
    package var id: String
    /// Nil for devices that are not on USB.
    package var usb: USBPlace?
    /// Where it is in the tree of devices: `/sys/devices/…`; empty if it is not known.
    package var place: String
    /// The links that udev has made: `/dev/v4l/by-id/…`, `/dev/v4l/by-path/…`.
    package var links: [String]
    package var isSimulated = false
}

/// Looks through sysfs and `/dev`.
///
/// Everything in there is taken as outside input: a device says of itself what it likes.
package struct DeviceTree: Sendable, Equatable {
    /// More nodes are not looked at.
    package static let nodeLimit = 256
    /// Longer texts of sysfs are cut, in bytes.
    package static let textLimit = 128
    /// So many directories are looked at on the way up from a node.
    private static let depthLimit = 12

    private let sysfs: String
    private let devices: String

    /// Other directories than the system's are for tests.
    package init(sysfs: String = "/sys", devices: String = "/dev") {
        self.sysfs = sysfs
        self.devices = devices
    }

    /// True if this machine knows of video devices at all.
    package var hasVideo: Bool { File.isDirectory(classDirectory) || !nodeNumbers.isEmpty }

    /// The directories where devices and their links come and go.
    package var directories: [String] { [devices, "\(devices)/v4l/by-id", "\(devices)/v4l/by-path"] }

    private var classDirectory: String { "\(sysfs)/class/video4linux" }

    /// All nodes in the kernel's order.
    package func nodes() -> [DeviceNode] {
        let links = links()
        // Not all nodes need be in sysfs: a container may have been given some only.
        let nodes = nodeNumbers.prefix(Self.nodeLimit).map { node($0, links) }
        var counts: [String: Int] = [:]
        for node in nodes { counts[node.identity.base, default: 0] += 1 }
        return nodes.map { node in
            guard counts[node.identity.base, default: 0] > 1 else { return node }
            var node = node
            node.id = node.identity.full
            return node
        }
    }

    private var nodeNumbers: [Int] {
        let names = (try? File.list(devices)) ?? []
        return names.compactMap { name in name.hasPrefix("video") ? Int(name.dropFirst(5)) : nil }
            .filter { $0 >= 0 }.sorted()
    }

    private func node(_ number: Int, _ links: [(link: String, target: String)]) -> DeviceNode {
        let path = "\(devices)/video\(number)"
        let directory = "\(classDirectory)/video\(number)"
        let name = text("\(directory)/name") ?? ""
        let index = text("\(directory)/index").flatMap { Int($0) }.flatMap { (0...255).contains($0) ? $0 : nil } ?? 0
        let device = File.resolved("\(directory)/device")
        let usb = device.flatMap(usbPlace)
        let identity: DeviceIdentity
        if let usb {
            let serial = DeviceIdentity.part(usb.serial)
            let own = serial.isEmpty ? "at-\(usb.port)" : serial
            identity = DeviceIdentity(
                base: "usb-\(usb.vendor):\(usb.product)-\(own)-if\(usb.interface)-index\(index)",
                location: usb.port
            )
        } else if let device {
            // One device of a bus may have several cameras, each with a name of its own.
            let bus = File.resolved("\(device)/subsystem").map { DeviceIdentity.part(Self.last($0)) } ?? ""
            let parts = [bus, Self.last(device), name].map { DeviceIdentity.part($0) }.filter { !$0.isEmpty }
            identity = DeviceIdentity(
                base: "\(parts.isEmpty ? "device" : parts.joined(separator: "-"))-index\(index)",
                location: "video\(number)"
            )
        } else {
            let part = DeviceIdentity.part(name)
            identity = DeviceIdentity(
                base: part.isEmpty ? "node-video\(number)" : "virtual-\(part)-index\(index)",
                location: "video\(number)"
            )
        }
        let real = File.resolved(path) ?? path
        return DeviceNode(
            path: path,
            number: number,
            name: name,
            index: index,
            identity: identity,
            id: identity.base,
            usb: usb,
            place: device ?? "",
            links: links.filter { $0.target == real }.map(\.link)
        )
    }

    /// The USB device above a node; nil if there is none.
    private func usbPlace(_ device: String) -> USBPlace? {
        let root = File.resolved(sysfs) ?? sysfs
        var directory = device[...]
        var interface = ""
        for _ in 0..<Self.depthLimit where directory.count > root.count && directory.hasPrefix(root) {
            let path = String(directory)
            if interface.isEmpty { interface = hexadecimal("\(path)/bInterfaceNumber", 2) ?? "" }
            if let vendor = hexadecimal("\(path)/idVendor", 4), let product = hexadecimal("\(path)/idProduct", 4) {
                return USBPlace(
                    vendor: vendor,
                    product: product,
                    serial: text("\(path)/serial") ?? "",
                    port: DeviceIdentity.part(Self.last(path)),
                    interface: interface.isEmpty ? "00" : interface,
                    speed: text("\(path)/speed") ?? ""
                )
            }
            guard let slash = directory.lastIndex(of: "/") else { return nil }
            directory = directory[..<slash]
        }
        return nil
    }

    private func links() -> [(link: String, target: String)] {
        ["by-id", "by-path"]
            .flatMap { kind -> [(link: String, target: String)] in
                let directory = "\(devices)/v4l/\(kind)"
                return ((try? File.list(directory)) ?? []).prefix(Self.nodeLimit)
                    .compactMap { name in
                        File.resolved("\(directory)/\(name)").map { ("\(directory)/\(name)", $0) }
                    }
            }
    }

    private static func last(_ path: String) -> String {
        path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    }

    private func hexadecimal(_ path: String, _ count: Int) -> String? {
        guard let text = text(path), text.utf8.count == count, UInt32(text, radix: 16) != nil else { return nil }
        return text.lowercased()
    }

    /// A line of sysfs without what terminals would obey; nil if the file is not there or empty.
    private func text(_ path: String) -> String? {
        guard let bytes = try? File.contents(path, limit: 4096) else { return nil }
        let line = bytes.prefix { $0 != UInt8(ascii: "\n") && $0 != 0 }.prefix(Self.textLimit)
        let text = DeviceText.plain(String(decoding: line, as: UTF8.self))
        return text.isEmpty ? nil : text
    }
}

/// Texts of devices, made fit to be shown.
package enum DeviceText {
    /// The text without control characters, and without spaces at its ends.
    package static func plain(_ text: String) -> String {
        var plain = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            // What is not seen could make a device look like another.
            let isUnseen = scalar.isHarmful || scalar.properties.generalCategory == .format
            plain.append(isUnseen ? "?" : scalar)
        }
        while plain.last == " " { plain.removeLast() }
        while plain.first == " " { plain.removeFirst() }
        return String(plain)
    }
}
