// SPDX-License-Identifier: Apache-2.0
// What a device is called so that it is found again: after a restart, and at another /dev/videoN.

import Config

/// What tells a device from all others.
///
/// `base` stays with the device wherever it is plugged in, as far as the device has anything of its own to tell;
/// `location` is where it is now, and decides between devices that cannot be told apart else.
package struct DeviceIdentity: Sendable, Hashable {
    package let base: String
    package let location: String

    package init(base: String, location: String) {
        self.base = base
        self.location = location
    }

    /// Base and location in one.
    package var full: String { "\(base)@\(location)" }

    /// True if the name, a base or base and location, is this device's.
    package func answers(to id: String) -> Bool { id == base || id == full }

    /// A part of an id made of what a device says of itself; empty if it says nothing.
    static func part(_ text: String, limit: Int = 40) -> String {
        var part = ""
        for byte in text.utf8.prefix(limit) {
            let isPlain = SourceAddress.isIdentifier(byte) && byte != UInt8(ascii: "@")
            part.unicodeScalars.append(isPlain ? Unicode.Scalar(byte) : "_")
        }
        // Many devices fill the field with zeros or dots.
        return part.utf8.contains { $0 != UInt8(ascii: "_") && $0 != UInt8(ascii: "0") && $0 != UInt8(ascii: ".") }
            ? part : ""
    }
}

/// Where a USB device is plugged in, and what it says of itself.
package struct USBPlace: Sendable, Hashable {
    /// `046d`
    package var vendor: String
    package var product: String
    /// Empty if it has none.
    package var serial: String
    /// Bus and ports on the way: `1-1.4`.
    package var port: String
    /// The interface's number in hexadecimal digits: `00`.
    package var interface: String
    /// In Mbit/s: `480`; empty if the kernel does not say.
    package var speed: String

    package init(vendor: String, product: String, serial: String, port: String, interface: String, speed: String) {
        self.vendor = vendor
        self.product = product
        self.serial = serial
        self.port = port
        self.interface = interface
        self.speed = speed
    }
}
