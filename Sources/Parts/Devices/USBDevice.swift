// SPDX-License-Identifier: Apache-2.0
// The USB device behind a capture device, and its reset: what is left when nothing else brings frames back.

import CShimLinux
package import System

/// A device on USB, by its node of usbfs.
package struct USBDevice: Sendable, Hashable {
    /// Its node, such as `/dev/bus/usb/001/004`.
    package let node: String

    /// The device behind a capture node; nil if it is not on USB.
    ///
    /// `system` is where sysfs is mounted.
    package init?(behind path: String, system: String = "/sys") {
        let resolved = File.resolved(path) ?? path
        guard let name = resolved.split(separator: "/").last,
            // The interface, such as …/1-1/1-1:1.0; the device is above it.
            let interface = File.resolved("\(system)/class/video4linux/\(name)/device"),
            let slash = interface.lastIndex(of: "/")
        else { return nil }
        let device = String(interface[..<slash])
        guard let bus = Self.number("\(device)/busnum"), let address = Self.number("\(device)/devnum") else {
            return nil
        }
        node = "/dev/bus/usb/\(Self.padded(bus))/\(Self.padded(address))"
    }

    /// Resets it, as if it were plugged in anew; may take seconds. Nobody should have it open. C: USBDEVFS_RESET
    package func reset() throws(SystemError) {
        let file = try File.open(node, .readWrite)
        guard apus_usb_reset(file.raw) == 0 else { throw SystemError("reset \(node)", code: lastErrorCode) }
    }

    /// Buses and addresses are numbers of up to three digits.
    private static func number(_ path: String) -> Int? {
        guard let bytes = try? File.contents(path, limit: 64) else { return nil }
        let text = String(decoding: bytes.prefix { $0 != 10 }, as: UTF8.self)
        return Int(text).flatMap { (1...999).contains($0) ? $0 : nil }
    }

    private static func padded(_ number: Int) -> String {
        String(repeating: "0", count: 3 - "\(number)".utf8.count) + "\(number)"
    }
}
