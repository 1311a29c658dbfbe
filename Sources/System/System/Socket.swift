// SPDX-License-Identifier: Apache-2.0
// Sockets: opening, accepting, connecting, sending. All are non-blocking and close-on-exec.

import CShimLinux
import Glibc

/// Opens sockets and moves bytes through them.
package enum Socket {
    /// Listens on a TCP address. C: `socket`, `bind`, `listen`.
    ///
    /// - Parameter sharing: how many processes of this user listen on it; each calls this. A peer's address decides
    ///   which of them gets it, so all connections of one host come to the same process while the others live.
    package static func listenTCP(
        _ address: SocketAddress,
        backlog: Int32 = 1024,
        sharing count: Int = 1
    ) throws(SystemError) -> FileDescriptor {
        let socket = try make(address.family, .stream)
        setOption(socket.raw, .reuseAddress, 1)
        if count > 1 { setOption(socket.raw, .reusePort, 1) }
        if address.isIPv6 { setOption(socket.raw, .v6Only, 0) }
        try bind(socket.raw, address)
        try check("listen on \(address)") { listen(socket.raw, backlog) }
        if count > 1 { share(socket.raw, among: count) }
        return socket
    }

    /// Says how many processes listen on a port that is shared, for all of them. C: `SO_ATTACH_REUSEPORT_CBPF`.
    ///
    /// - Returns: false when the kernel refuses: then it spreads connections, not hosts.
    @discardableResult
    package static func share(_ listener: Int32, among count: Int) -> Bool {
        apus_share_by_address(listener, UInt32(clamping: max(1, count))) == 0
    }

    /// Starts connecting; when the descriptor turns writable, `pendingError` tells how it went.
    /// C: `socket`, `bind`, `connect`.
    ///
    /// - Parameter source: the address to connect from; nil leaves it to the kernel.
    package static func connectTCP(
        _ address: SocketAddress,
        from source: SocketAddress? = nil
    ) throws(SystemError) -> FileDescriptor {
        let socket = try make(address.family, .stream)
        if let source { try bind(socket.raw, source) }
        do {
            try connect(socket.raw, address)
        } catch  where error.code == EINPROGRESS {
        }
        return socket
    }

    /// Opens a UDP socket bound to an address; port 0 picks one.
    package static func bindUDP(_ address: SocketAddress) throws(SystemError) -> FileDescriptor {
        let socket = try make(address.family, .datagram)
        if address.isIPv6 { setOption(socket.raw, .v6Only, 0) }
        try bind(socket.raw, address)
        return socket
    }

    /// Listens on a Unix path, with the file mode given; a stale file is replaced.
    package static func listenUnix(
        _ path: String,
        kind: Kind,
        mode: UInt32 = 0o660
    ) throws(SystemError) -> FileDescriptor {
        let address = try unixAddress(path)
        let socket = try make(AF_UNIX, kind)
        // Safe: the call reads a NUL-terminated path.
        unsafe unlink(path)
        // The file is made with its mode: no moment with more, and no call that a sandbox forbids.
        let former = umask(~mode & 0o777)
        defer { umask(former) }
        try bind(socket.raw, address)
        if kind != .datagram { try check("listen on \(path)") { listen(socket.raw, 256) } }
        return socket
    }

    /// Listens for streams on a Unix path as `listenUnix` does, but never takes the path away from who listens there.
    ///
    /// Throws EADDRINUSE then, and EEXIST if a file of another kind is there.
    package static func listenUnix(unlessServed path: String, mode: UInt32) throws(SystemError) -> FileDescriptor {
        if let found = File.mode(path) {
            guard found & S_IFMT == S_IFSOCK else { throw SystemError("bind \(path)", code: EEXIST) }
            var isServed = true
            do {
                _ = try connectUnix(path, kind: .stream)
            } catch  where error.isConnectionRefused {
                isServed = false
            } catch  where !error.isPermissionDenied {
                // It is busy, or of another kind.
            }
            if isServed { throw SystemError("bind \(path)", code: EADDRINUSE) }
        }
        return try listenUnix(path, kind: .stream, mode: mode)
    }

    /// Connects to a Unix path. Waits never: a full backlog throws EAGAIN.
    package static func connectUnix(_ path: String, kind: Kind) throws(SystemError) -> FileDescriptor {
        let socket = try make(AF_UNIX, kind)
        try connect(socket.raw, try unixAddress(path))
        return socket
    }

    /// Two connected Unix sockets. C: `socketpair`.
    package static func pair(_ kind: Kind) throws(SystemError) -> Pair {
        var ends: [Int32] = [0, 0]
        let type = kind == .datagram ? SOCK_DGRAM : kind == .sequencedPackets ? SOCK_SEQPACKET : SOCK_STREAM
        // Safe: the call writes two descriptors.
        try check("socketpair") {
            unsafe socketpair(AF_UNIX, Int32(type.rawValue) | O_CLOEXEC | O_NONBLOCK, 0, &ends)
        }
        return Pair(first: FileDescriptor(owning: ends[0]), second: FileDescriptor(owning: ends[1]))
    }

    /// Two connected sockets.
    @frozen
    package struct Pair: ~Copyable {
        package var first: FileDescriptor
        package var second: FileDescriptor

        /// The first socket alone; the second is closed.
        package consuming func takeFirst() -> FileDescriptor { first }
    }

    /// A connection taken from a listener, and who made it.
    @frozen
    package struct Accepted: ~Copyable {
        package var socket: FileDescriptor
        package var peer: SocketAddress

        /// The socket alone.
        package consuming func takeSocket() -> FileDescriptor { socket }
    }

    /// Takes the next waiting connection, nil if there is none. C: `accept4`.
    package static func accept(_ listener: Int32) throws(SystemError) -> Accepted? {
        var address = SocketAddress()
        while true {
            // Safe: the call writes at most a sockaddr_storage.
            let accepted = unsafe apus_accept(listener, &address.storage, &address.length)
            if accepted >= 0 { return Accepted(socket: FileDescriptor(owning: accepted), peer: address) }
            let code = errno
            switch code {
            case EAGAIN: return nil
            case EINTR, ECONNABORTED, EPROTO, EPERM: continue
            default: throw SystemError("accept", code: code)
            }
        }
    }

    /// The address that the socket is bound to. C: `getsockname`.
    package static func localAddress(_ fd: Int32) throws(SystemError) -> SocketAddress {
        var address = SocketAddress()
        address.length = UInt32(MemoryLayout<sockaddr_storage>.size)
        // Safe: the call writes at most `length` bytes.
        try check("getsockname") {
            unsafe withUnsafeMutablePointer(to: &address.storage) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe getsockname(fd, $0, &address.length)
                }
            }
        }
        return address
    }

    /// The address at the other end of a connection. C: `getpeername`.
    package static func peerAddress(_ fd: Int32) throws(SystemError) -> SocketAddress {
        var address = SocketAddress()
        // Safe: the call writes at most a sockaddr_storage.
        try check("getpeername") { unsafe apus_peer(fd, &address.storage, &address.length) }
        return address
    }

    /// The error that a connection attempt or the peer left on the socket, nil if none. C: `SO_ERROR`.
    package static func pendingError(_ fd: Int32) -> SystemError? {
        let code = apus_socket_error(fd)
        return code == 0 ? nil : SystemError("connect", code: code < 0 ? errno : code)
    }

    /// The process behind a Unix socket. C: `SO_PEERCRED`.
    package static func peerCredentials(
        _ fd: Int32
    ) throws(SystemError) -> (process: Int32, user: UInt32, group: UInt32) {
        var process: Int32 = 0
        var user: UInt32 = 0
        var group: UInt32 = 0
        // Safe: the call writes three integers.
        try check("getsockopt SO_PEERCRED") { unsafe apus_peer_credentials(fd, &process, &user, &group) }
        return (process, user, group)
    }

    /// How many bytes the kernel has taken but not yet delivered to the peer. C: `ioctl(SIOCOUTQ)`.
    package static func undeliveredBytes(_ fd: Int32) -> Int { Int(max(0, apus_unsent_bytes(fd))) }

    /// Ends one direction, telling the peer that nothing more comes. C: `shutdown(SHUT_WR)`.
    package static func finishSending(_ fd: Int32) { _ = shutdown(fd, Int32(SHUT_WR)) }

    /// Ends both directions; the peer sees a hang-up at once. C: `shutdown(SHUT_RDWR)`.
    package static func shutDown(_ fd: Int32) { _ = shutdown(fd, Int32(SHUT_RDWR)) }

    /// What a socket carries.
    package enum Kind: Int32, Sendable {
        case stream = 0
        case datagram = 1
        case sequencedPackets = 2
    }

    /// Binds a socket that hears what is sent to a multicast group, beside others that do.
    ///
    /// `interface` is an address of the network interface to listen at; an unspecified one lets the system choose.
    package static func bindGroup(
        _ group: SocketAddress,
        interface: SocketAddress
    ) throws(SystemError) -> FileDescriptor {
        let socket = try make(group.family, .datagram)
        setOption(socket.raw, .reuseAddress, 1)
        try bind(socket.raw, group)
        // Safe: both addresses are valid for the call.
        try check("join \(group)") {
            unsafe withUnsafePointer(to: group.storage) { group in
                unsafe withUnsafePointer(to: interface.storage) { unsafe apus_join_group(socket.raw, group, $0) }
            }
        }
        return socket
    }

    /// Options whose failure harms nobody.
    package enum Option: Int32, Sendable {
        case reuseAddress = 0
        case noDelay = 1
        case sendBuffer = 2
        case receiveBuffer = 3
        case v6Only = 4
        case udpReceiveOffload = 5
        case unsentLowWater = 6
        case keepAlive = 7
        case multicastTimeToLive = 8
        case reusePort = 9
    }

    /// Sets an option. C: `setsockopt`.
    ///
    /// - Returns: false when the kernel refuses, which callers may ignore.
    @discardableResult
    package static func setOption(_ fd: Int32, _ option: Option, _ value: Int32) -> Bool {
        apus_set_option(fd, option.rawValue, value) == 0
    }

    private static func make(_ family: Int32, _ kind: Kind) throws(SystemError) -> FileDescriptor {
        FileDescriptor(owning: try check("socket") { apus_socket(family, kind.rawValue) })
    }

    private static func unixAddress(_ path: String) throws(SystemError) -> SocketAddress {
        guard let address = SocketAddress(unixPath: path) else {
            throw SystemError("socket path \(path)", code: ENAMETOOLONG)
        }
        return address
    }

    // Safe: both calls read the address, whose length `named` gives them.

    private static func bind(_ fd: Int32, _ address: SocketAddress) throws(SystemError) {
        unsafe try named("bind", address) { unsafe Glibc.bind(fd, $0, $1) }
    }

    private static func connect(_ fd: Int32, _ address: SocketAddress) throws(SystemError) {
        unsafe try named("connect", address) { unsafe Glibc.connect(fd, $0, $1) }
    }

    private static func named(
        _ name: String,
        _ address: SocketAddress,
        _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws(SystemError) {
        // Safe: `storage` is valid for the call and `length` bytes of it are filled.
        try check("\(name) \(address)") {
            unsafe withUnsafePointer(to: address.storage) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe call($0, address.length) }
            }
        }
    }
}
