// SPDX-License-Identifier: Apache-2.0
// What the kernel says when a device comes or goes (kobject uevents).

package import Bytes

/// One event of the kernel's: `add@/devices/…`, then `NAME=value` texts, each ended by a NUL.
///
/// Kernel: `lib/kobject_uevent.c`. What udev sends to its own listeners has another form, and is refused.
package struct KernelEvent: Sendable, Equatable {
    /// Longer events are refused; the kernel's own limit is 2048 bytes behind the first text.
    package static let maximumLength = 8192
    /// More texts are refused; the kernel's own limit is 64.
    package static let maximumFields = 128

    /// `add`, `remove`, `change`, `bind`, …
    package let action: String
    /// Where the device is below `/sys`: `/devices/…`.
    package let path: String
    /// `video4linux`, `usb`; empty if the kernel does not say.
    package let subsystem: String
    /// The node below `/dev`: `video0`; empty for none.
    package let node: String

    /// Reads an event as it came out of the socket.
    ///
    /// - Throws: `WireError` if it is none of the kernel's.
    package init(parsing bytes: Span<UInt8>) throws(WireError) {
        guard bytes.count <= Self.maximumLength else { throw .limit(field: "event", limit: Self.maximumLength) }
        var reader = ByteReader(bytes)
        let header = try Self.text(&reader)
        guard let at = header.firstIndex(of: UInt8(ascii: "@")) else {
            throw .unsupported(field: "header", value: UInt64(header.first ?? 0))
        }
        var values: [String: String] = [:]
        var fields = 0
        while !reader.isAtEnd {
            fields += 1
            guard fields <= Self.maximumFields else { throw .limit(field: "fields", limit: Self.maximumFields) }
            let field = try Self.text(&reader)
            guard let equals = field.firstIndex(of: UInt8(ascii: "=")), equals > 0 else {
                throw .invalid(field: "field", value: UInt64(fields))
            }
            let name = String(decoding: field[..<equals], as: UTF8.self)
            guard Self.names.contains(name) else { continue }
            guard values[name] == nil else { throw .invalid(field: name, value: UInt64(fields)) }
            values[name] = String(decoding: field[(equals + 1)...], as: UTF8.self)
        }
        // The kernel says both twice; who says them differently is not the kernel.
        action = String(decoding: header[..<at], as: UTF8.self)
        path = String(decoding: header[(at + 1)...], as: UTF8.self)
        guard !action.isEmpty, values["ACTION"] == action else { throw .invalid(field: "ACTION", value: 0) }
        guard path.hasPrefix("/"), values["DEVPATH"] == path else { throw .invalid(field: "DEVPATH", value: 0) }
        subsystem = values["SUBSYSTEM"] ?? ""
        node = values["DEVNAME"] ?? ""
    }

    /// True if a video device has come, gone or changed.
    package var isAboutVideo: Bool { subsystem == "video4linux" }

    private static let names: Set<String> = ["ACTION", "DEVPATH", "SUBSYSTEM", "DEVNAME"]

    /// The bytes up to the next NUL, which is passed, too.
    private static func text(_ reader: inout ByteReader) throws(WireError) -> [UInt8] {
        var text: [UInt8] = []
        while true {
            let byte = try reader.uint8()
            if byte == 0 { return text }
            text.append(byte)
        }
    }
}
