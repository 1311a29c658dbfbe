// SPDX-License-Identifier: Apache-2.0
// Addresses of sockets: IPv4, IPv6 and Unix paths.

package import CShimLinux
import Glibc

/// An address of a socket.
package struct SocketAddress: Sendable {
    package var storage = sockaddr_storage()
    package var length: UInt32 = 0

    /// An address not yet known, to be filled in by the kernel.
    package init() {}

    /// Parses a numeric IPv4 or IPv6 host; `*`, `::` and the empty host mean every address of both families.
    ///
    /// - Returns: nil when the host is not a numeric address.
    package init?(host: String, port: UInt16) {
        let isAny = host.isEmpty || host == "*"
        var four = in_addr()
        var six = in6_addr()
        // Safe: each call reads a NUL-terminated string and writes one address of its family.
        if !isAny, unsafe inet_pton(AF_INET, host, &four) == 1 {
            self.init(
                sockaddr_in(
                    sin_family: sa_family_t(AF_INET),
                    sin_port: port.bigEndian,
                    sin_addr: four,
                    sin_zero: (0, 0, 0, 0, 0, 0, 0, 0)
                )
            )
        } else if unsafe isAny || inet_pton(AF_INET6, host, &six) == 1 {
            self.init(
                sockaddr_in6(
                    sin6_family: sa_family_t(AF_INET6),
                    sin6_port: port.bigEndian,
                    sin6_flowinfo: 0,
                    sin6_addr: six,
                    sin6_scope_id: 0
                )
            )
        } else {
            return nil
        }
    }

    /// A Unix socket's path, at most 107 bytes.
    ///
    /// - Returns: nil when the path is longer.
    package init?(unixPath path: String) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count <= Self.longestUnixPath else { return nil }
        // Safe: the path fits, checked above.
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        self.init(address)
    }

    /// The longest path of a Unix socket, in bytes without the closing NUL.
    package static let longestUnixPath = 107

    private init<T>(_ address: T) {
        // Safe: every sockaddr type is smaller than sockaddr_storage.
        unsafe withUnsafeMutableBytes(of: &storage) { target in
            unsafe withUnsafeBytes(of: address) { unsafe target.copyMemory(from: $0) }
        }
        length = UInt32(MemoryLayout<T>.size)
    }

    /// The port, for IPv4 and IPv6.
    package var port: UInt16 {
        get {
            // Safe: both families keep the port in bytes 2 and 3.
            unsafe withUnsafeBytes(of: storage) { unsafe UInt16($0[2]) << 8 | UInt16($0[3]) }
        }
        set {
            // Safe: as above.
            unsafe withUnsafeMutableBytes(of: &storage) {
                unsafe $0[2] = UInt8(newValue >> 8)
                unsafe $0[3] = UInt8(newValue & 0xFF)
            }
        }
    }

    /// True for IPv6.
    package var isIPv6: Bool { Int32(storage.ss_family) == AF_INET6 }

    /// True for 224.0.0.0/4 and ff00::/8.
    package var isMulticast: Bool {
        // Safe: an IPv4 address begins at byte 4, an IPv6 address at byte 8 of its sockaddr.
        unsafe withUnsafeBytes(of: storage) { unsafe isIPv6 ? $0[8] == 0xFF : family == AF_INET && $0[4] >> 4 == 0xE }
    }

    /// The address family, `AF_…`.
    package var family: Int32 { Int32(storage.ss_family) }

    /// The numeric host; an IPv4 address mapped into IPv6 is shown as IPv4.
    package var host: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        // Safe: an IPv4 address is at byte 4, an IPv6 address at byte 8 of its sockaddr; `text` has room for both.
        let found = unsafe withUnsafeBytes(of: storage) { bytes in
            unsafe inet_ntop(
                family,
                bytes.baseAddress?.advanced(by: isIPv6 ? 8 : 4),
                &text,
                socklen_t(text.count)
            ) != nil
        }
        guard found else { return "unix" }
        let host = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return host.hasPrefix("::ffff:") && host.contains(".") ? String(host.dropFirst(7)) : host
    }

    /// True for a Unix socket.
    package var isUnix: Bool { family == AF_UNIX }

    /// The path of a Unix socket in the file system; nil for other sockets.
    package var unixPath: String? {
        let start = MemoryLayout<sa_family_t>.size
        guard isUnix, length > start else { return nil }
        // Safe: `length` bytes of the address are filled, and it is within `storage`.
        let bytes = unsafe withUnsafeBytes(of: storage) { unsafe Array($0[start..<min(Int(length), $0.count)]) }
        let path = bytes.prefix { $0 != 0 }
        return path.isEmpty ? nil : String(decoding: path, as: UTF8.self)
    }

    /// True for 127.0.0.0/8, ::1 and Unix sockets.
    package var isLoopback: Bool {
        let host = host
        return host.hasPrefix("127.") || host == "::1" || host == "unix"
    }

    /// The address in a form that is quick to look up; an IPv4 address and the same mapped into IPv6 are one.
    package var key: Key {
        // Safe: an IPv4 address is at byte 4, an IPv6 address at byte 8 of its sockaddr, which storage has room for.
        unsafe withUnsafeBytes(of: storage) { bytes in
            if isIPv6 {
                let high = unsafe bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
                return unsafe Key(
                    high: UInt64(bigEndian: high),
                    low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)),
                    port: port
                )
            }
            let four = unsafe UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
            return Key(high: 0, low: 0xFFFF_0000_0000 | UInt64(four), port: port)
        }
    }

    /// Host and port as numbers.
    package struct Key: Sendable, Hashable {
        let high: UInt64
        let low: UInt64
        let port: UInt16
    }

    /// True if both have the same host, whatever the ports.
    package func hasSameHost(as other: SocketAddress) -> Bool {
        guard family == other.family, family == AF_INET || family == AF_INET6 else { return host == other.host }
        // Asked for each datagram: no texts are made.
        let place = isIPv6 ? 8..<24 : 4..<8
        // Safe: both lie within every sockaddr of their family.
        return unsafe withUnsafeBytes(of: storage) { one in
            unsafe withUnsafeBytes(of: other.storage) { unsafe one[place].elementsEqual($0[place]) }
        }
    }
}

extension SocketAddress: CustomStringConvertible {
    package var description: String {
        let host = host
        if host == "unix" { return host }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

extension SocketAddress: Equatable {
    package static func == (left: SocketAddress, right: SocketAddress) -> Bool {
        left.family == right.family && left.port == right.port && left.host == right.host
    }
}
