// SPDX-License-Identifier: Apache-2.0
// Socket activation: which of the sockets that systemd has opened goes to which daemon.

import Config
import Daemon
import Supervisor
import System

/// The listening sockets that a service manager has opened for this instance.
///
/// They outlive every daemon and `apus up` itself, so that connections wait while something is started again.
struct ActivationSockets {
    /// What a socket may be for, by the daemon that serves it.
    static let services = [
        "rtsp": ["rtsp", "rtsps"],
        "http": ["http", "https", "websocket", "http-unix"],
    ]
    private static let names = ["rtsp", "rtsps", "http", "https", "websocket", "http-unix"]

    /// Named by what they are for.
    private(set) var sockets: [InheritedSocket] = []

    /// Takes the sockets of the environment, as sd_listen_fds(3) says.
    ///
    /// A socket is for what its name says (FileDescriptorName=), else for the server that is configured for its port.
    init(_ configuration: Configuration) throws(Failure) {
        let found: [InheritedSocket]
        do throws(InheritanceError) {
            found = try InheritedSockets.announced(Process.environment, process: Process.id)
            try InheritedSockets.adopt(found)
        } catch {
            throw Failure(.usage, error.description)
        }
        sockets = try Self.assign(found.map { ($0, $0.address) }, configuration)
        try check(configuration)
    }

    /// Names each socket by what it is for.
    static func assign(
        _ sockets: [(socket: InheritedSocket, address: SocketAddress?)],
        _ configuration: Configuration
    ) throws(Failure) -> [InheritedSocket] {
        var assigned: [InheritedSocket] = []
        for (socket, address) in sockets {
            var socket = socket
            if !names.contains(socket.name) {
                guard let name = address.flatMap({ purpose(of: $0, configuration) }) else {
                    throw Failure(
                        .usage,
                        "no server is for the socket \(socket.name) (\(address?.unixPath ?? "\(address ?? SocketAddress())")): "
                            + "FileDescriptorName= has to be one of \(names.joined(separator: ", ")), or the port the "
                            + "configured one"
                    )
                }
                socket.name = name
            }
            guard (address?.isUnix ?? false) == (socket.name == "http-unix") else {
                throw Failure(.usage, "a Unix socket is for http-unix, one of TCP for the others: \(socket.name)")
            }
            assigned.append(socket)
        }
        return assigned
    }

    /// Refuses what nobody would serve, and what would serve others than intended.
    func check(_ configuration: Configuration) throws(Failure) {
        for socket in sockets {
            let isHTTP = Self.services["http"]?.contains(socket.name) ?? false
            let section = isHTTP ? "http" : "rtsp"
            guard isHTTP ? configuration.http.isEnabled : configuration.rtsp.isEnabled else {
                throw Failure(.usage, "there is a socket for \(socket.name), but enabled = no in [\(section)]")
            }
            if ["https", "rtsps"].contains(socket.name), configuration.tls == nil {
                throw Failure(.usage, "there is a socket for \(socket.name), but no certificate in [tls]")
            }
            if socket.name == "rtsp", configuration.rtsp.requiresEncryption {
                throw Failure(.usage, "there is a socket for rtsp, but [rtsp] serves nothing unencrypted")
            }
            guard let address = socket.address, !address.isLoopback, configuration.authentication == .on,
                !configuration.users.hasUsers
            else { continue }
            throw Failure(
                .usage,
                "the socket \(address) for \(socket.name) would serve others, and there are no users in "
                    + "\(configuration.users.path): apus user add NAME, or auth = off in [apus] if that is meant"
            )
        }
    }

    /// Those that go to a child, `http` or `rtsp-2`.
    func sockets(of child: String) -> [InheritedSocket] {
        let service = String(child.prefix { $0 != "." && $0 != "-" })
        return sockets.filter { Self.services[service]?.contains($0.name) ?? false }
    }

    /// The port of a socket; nil if there is none for the protocol.
    func port(_ protocolName: String) -> Int? {
        sockets.first { $0.name == protocolName }?.address.map { Int($0.port) }
    }

    private static func purpose(of address: SocketAddress, _ configuration: Configuration) -> String? {
        if address.isUnix { return "http-unix" }
        let ports = [
            ("rtsp", configuration.rtsp.port), ("rtsps", configuration.rtsp.tlsPort),
            ("http", configuration.http.port), ("https", configuration.http.tlsPort),
            ("websocket", configuration.http.webSocketPort),
        ]
        return ports.first { $0.1 == address.port && $0.1 != 0 }?.0
    }
}
