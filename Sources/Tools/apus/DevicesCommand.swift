// SPDX-License-Identifier: Apache-2.0
// `apus devices`: which capture devices there are, what they offer, and what to write into the configuration.

import Config
import Control
import Daemon
import Devices

/// Lists capture devices.
enum DevicesCommand {
    static let command = Command(
        "devices",
        "Lists the capture devices, with the source to write into the configuration.",
        usage: "[OPTION]… [DEVICE]",
        options: [
            .json, Option("--formats", nil, "Lists all formats, sizes and rates, too."), .runDirectory,
        ],
        operands: 0...1,
        details: """
            DEVICE is an id, a node such as /dev/video0, a link, or a camera's name; it is shown with all it offers.
            A running instance is asked for what it sees; else this command looks itself.
            """
    ) { arguments in
        var devices = list(arguments.runDirectory)
        if let wanted = arguments.operands.first {
            devices = devices.filter { $0.answers(to: wanted) }
            guard !devices.isEmpty else {
                throw Failure(.source, "there is no capture device \"\(wanted)\"; apus devices lists those there are")
            }
        }
        let withFormats = arguments.has("--formats") || !arguments.operands.isEmpty
        let offers = devices.map { withFormats ? offer($0) : nil }
        if arguments.has("--json") {
            let all = zip(devices, offers)
                .map { device, offer -> JSON in
                    .object(device.members + (offer.map { [JSON.Member("modes", .array($0.map(\.json)))] } ?? []))
                }
            let members = [JSON.Member("devices", .array(all)), JSON.Member("libcamera", LibCameraReport().json)]
            try Terminal.write(JSON.object(members).prettyText + "\n")
        } else if devices.isEmpty {
            let none = "There is no capture device. A camera that is plugged in is listed here.\n"
            try Terminal.write(none + LibCameraReport().text)
        } else if withFormats {
            try Terminal.write(
                zip(devices, offers).map { details($0, $1 ?? []) }.joined(separator: "\n")
            )
        } else {
            try Terminal.write(table(devices) + LibCameraReport().text)
        }
        return .success
    }

    /// The devices as the running instance sees them, else as they are seen from here.
    private static func list(_ runDirectory: RunDirectory) -> [JSON] {
        if let answer = try? Instance.request("supervisor", "devices", [], runDirectory),
            let devices = answer["devices"]?.elements
        {
            return busy(devices)
        }
        let tree = DeviceTree()
        var scanner = DeviceScanner(tree)
        // What an instance would have.
        let standIn = tree.hasVideo ? [] : [Simulation.device(1)]
        return (scanner.scan() + standIn).map { $0.json(camera: nil) }
    }

    /// The devices of an instance, which does not ask anew for each list, with those that another program has taken since.
    ///
    /// Our own cameras of other kinds, such as libcamera's, are among these programs.
    private static func busy(_ devices: [JSON]) -> [JSON] {
        let free = devices.filter(isFree).map { DeviceInquiry.Subject(path: $0.text("node"), stamp: nil) }
        let answers = DeviceInquiry { DeviceProbe.ask($0) }.answers(of: free)
        return devices.map { device in
            let answer = answers[DeviceInquiry.Subject(path: device.text("node"), stamp: nil)]
            guard isFree(device), answer?.isBusy == true else { return device }
            return .object(device.members + [JSON.Member("problem", DeviceProblem.busy.json)])
        }
    }

    private static func isFree(_ device: JSON) -> Bool {
        device["simulated"]?.boolean != true && device["camera"]?.string == nil && device["problem"] == nil
    }

    /// What a device offers; nothing if it cannot be asked.
    private static func offer(_ device: JSON) -> [DeviceFormat] {
        // One that does not answer would not answer this either.
        guard device["simulated"]?.boolean != true, device["problem"]?["code"] != "silent",
            let node = device["node"]?.string
        else { return [] }
        return (try? DeviceFormat.all(of: node)) ?? []
    }

    private static func table(_ devices: [JSON]) -> String {
        var table = Table([["DEVICE", "NODE", "FORMATS", "STATE"]])
        for device in devices {
            let formats = device["formats"]?.elements.compactMap(\.string) ?? []
            table.append([
                device.text("name"), node(device), formats.joined(separator: " "), state(device),
            ])
            table.append(["  \(device.text("source"))"])
        }
        return table.text
    }

    private static func details(_ device: JSON, _ formats: [DeviceFormat]) -> String {
        var table = Table([["id", device.text("id")], ["node", node(device)]])
        table.append(["source", device.text("source")])
        table.append(["state", state(device)])
        let driver = [device.text("driver"), device.text("bus")].filter { !$0.isEmpty }
        if !driver.isEmpty { table.append(["driver", driver.joined(separator: ", ")]) }
        if let usb = device["usb"] {
            let serial = usb.text("serial").isEmpty ? "" : ", serial number \(usb.text("serial"))"
            let speed = usb.text("speed").isEmpty ? "" : " at \(usb.text("speed")) Mbit/s"
            table.append([
                "USB", "\(usb.text("vendor")):\(usb.text("product")), port \(usb.text("port"))\(speed)\(serial)",
            ])
        }
        if let input = device["input"] {
            table.append(["input", input.text("name") + (input["state"]?.string.map { ", \($0)" } ?? "")])
        }
        for (index, link) in (device["links"]?.elements ?? []).enumerated() {
            table.append([index == 0 ? "links" : "", link.string ?? ""])
        }
        var text = "\(device.text("name"))\n\n\(table.text)"
        if !formats.isEmpty {
            text += "\n" + Table([["FORMAT", "SIZE", "FRAMES PER SECOND"]] + formats.flatMap(\.rows)).text
        } else if device["simulated"]?.boolean == true {
            text += "\nIt has any size and rate, as the test pattern is painted.\n"
        }
        return text
    }

    /// The node; that of a simulated device is pretended, and nothing that a source could name.
    private static func node(_ device: JSON) -> String {
        device["simulated"]?.boolean == true ? "none" : device.text("node")
    }

    /// What is so of a device, in a few words.
    private static func state(_ device: JSON) -> String {
        var parts: [String] = []
        if device["simulated"]?.boolean == true { parts.append("simulated") }
        if let problem = device["problem"]?["message"]?.string {
            parts.append(problem)
        } else if let camera = device["camera"]?.string {
            parts.append("camera \(camera)")
        } else {
            parts.append("free")
        }
        if let signal = device["input"]?["state"]?.string { parts.append(signal) }
        return parts.joined(separator: ", ")
    }
}

extension JSON {
    fileprivate func text(_ name: String) -> String { self[name]?.string ?? "" }

    /// True for a device that people call so.
    fileprivate func answers(to name: String) -> Bool {
        if [text("id"), text("node"), text("source"), text("camera")].contains(name) || "v4l2:\(text("id"))" == name {
            return true
        }
        return self["links"]?.elements.contains { $0.string == name } ?? false
    }
}
