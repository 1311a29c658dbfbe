// SPDX-License-Identifier: Apache-2.0
// Simulated devices: the test pattern in place of cameras, plugged in and unplugged by files.

package import Config
package import System

/// The simulated devices of an instance: a file each, in a directory of their own.
///
/// A file `simulated-1` is a device that is plugged in; whoever removes it unplugs it, and whoever makes it plugs it in
/// again. What is in the file is the number of its pretended node, so that it can come back as another.
package struct Simulation: Sendable, Equatable {
    /// More are passed over.
    package static let maximumCount = 8
    /// What ids of simulated devices begin with.
    package static let prefix = "simulated-"

    package let directory: String
    /// True if they stand in only while this machine knows of no video devices at all.
    package let isStandIn: Bool

    package init(directory: String, isStandIn: Bool) {
        self.directory = directory
        self.isStandIn = isStandIn
    }

    /// The devices that are plugged in.
    package func devices(hasVideo: Bool) -> [CaptureDevice] {
        if isStandIn, hasVideo { return [] }
        return (1...Self.maximumCount).compactMap { device($0) }
    }

    /// True if the device is plugged in.
    package func has(_ id: String) -> Bool { number(of: id).map { File.exists(path($0)) } ?? false }

    /// A text that is another one whenever the device was plugged in again; nil while it is not plugged in.
    package func stamp(_ id: String) -> String? { number(of: id).flatMap { File.stamp(path($0)) } }

    /// The number of a simulated device; nil for what is none.
    package func number(of id: String) -> Int? {
        guard id.hasPrefix(Self.prefix), let number = Int(id.dropFirst(Self.prefix.count)),
            (1...Self.maximumCount).contains(number), id == "\(Self.prefix)\(number)"
        else { return nil }
        return number
    }

    /// Plugs a device in, as the node with that number.
    package func plug(_ number: Int, as node: Int) throws(SystemError) {
        try File.makeDirectory(directory)
        try File.replace(path(number), with: Array("\(node)\n".utf8).span, mode: 0o640)
    }

    /// Unplugs a device; false if it was not plugged in.
    @discardableResult
    package func unplug(_ number: Int) -> Bool { File.remove(path(number)) }

    /// What a simulated device has not of what is asked for; nil if it has it all.
    package static func lack(of request: SourceAddress.V4L2Request) -> String? {
        if let format = request.format, format != .yu12 {
            return "a simulated device has no format \(format.rawValue), only yu12"
        }
        if let input = request.input, input != 0 { return "a simulated device has no input \(input), only 0" }
        if let standard = request.standard {
            return "a simulated device has no television standards, as \(standard.rawValue)"
        }
        return nil
    }

    private func path(_ number: Int) -> String { "\(directory)/\(Self.prefix)\(number)" }

    private func device(_ number: Int) -> CaptureDevice? {
        guard let bytes = try? File.contents(path(number), limit: 64) else { return nil }
        return Self.device(number, text: String(decoding: bytes, as: UTF8.self))
    }

    /// A simulated device whose file holds this text.
    package static func device(_ number: Int, text: String = "") -> CaptureDevice {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let node = Int(digits).flatMap { (0...9999).contains($0) ? $0 : nil } ?? number
        let id = "\(prefix)\(number)"
        return CaptureDevice(
            node: DeviceNode(
                path: "simulated:\(node)",
                number: node,
                name: "Simulated Camera \(number)",
                index: 0,
                identity: DeviceIdentity(base: id, location: "simulated"),
                id: id,
                usb: nil,
                place: "",
                links: [],
                isSimulated: true
            ),
            facts: DeviceFacts(
                card: "Simulated Camera \(number)",
                driver: "pattern",
                bus: "simulated",
                formats: [V4L2Format.yu12.fourCC]
            )
        )
    }
}
