// SPDX-License-Identifier: Apache-2.0
// Listening sockets that whoever started this process has opened for it: systemd, or `apus up`.

import CShimLinux
import Glibc

/// A listening socket that was there before this process.
///
/// The descriptor is never closed: who listens again after a failure needs it.
package struct InheritedSocket: Sendable, Equatable {
    /// What it is for: of a service manager the name of the unit's socket (FileDescriptorName=), of `apus up` what it
    /// speaks.
    package var name: String
    package let descriptor: Int32

    package init(name: String, descriptor: Int32) {
        self.name = name
        self.descriptor = descriptor
    }

    /// Where it listens.
    package var address: SocketAddress? { try? Socket.localAddress(descriptor) }
}

/// Why sockets that were handed over cannot be taken.
package struct InheritanceError: Error, Equatable, CustomStringConvertible {
    package let description: String
}

/// Takes listening sockets from the environment, and hands them on.
package enum InheritedSockets {
    /// More are refused.
    package static let limit = 32
    /// The variables that this is about: they are for one process, and not for its children.
    package static let variables = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID", ownVariable]
    /// Where `apus up` names the sockets of its children: `http=3,https=5`.
    package static let ownVariable = "APUS_SOCKETS"
    /// The first descriptor of a service manager: SD_LISTEN_FDS_START.
    private static let first: Int32 = 3

    /// The sockets that a service manager hands over: sd_listen_fds(3).
    ///
    /// - Parameter variables: the environment as `NAME=value` strings.
    /// - Returns: none if the variables are missing or for another process.
    /// - Throws: if they are no numbers, too many, or do not fit together.
    package static func announced(
        _ variables: [String],
        process: Int32
    ) throws(InheritanceError) -> [InheritedSocket] {
        guard let pid = value("LISTEN_PID", variables), let count = value("LISTEN_FDS", variables) else { return [] }
        guard let pid = Int32(pid), pid > 0 else {
            throw InheritanceError(description: "LISTEN_PID is no process: \(pid)")
        }
        guard pid == process else { return [] }
        guard let count = Int(count), count >= 0 else {
            throw InheritanceError(description: "LISTEN_FDS is no number: \(count)")
        }
        guard count <= limit else {
            throw InheritanceError(description: "\(count) sockets are handed over, at most \(limit) are taken")
        }
        var names = [Substring](repeating: "unknown", count: count)
        if let given = value("LISTEN_FDNAMES", variables) {
            names = given.split(separator: ":", omittingEmptySubsequences: false)
            guard names.count == count || (count == 0 && given.isEmpty) else {
                throw InheritanceError(description: "LISTEN_FDNAMES has \(names.count) names for \(count) sockets")
            }
        }
        return (0..<count).map { InheritedSocket(name: String(names[$0]), descriptor: first + Int32($0)) }
    }

    /// The sockets that `apus up` hands over to a daemon of its own.
    package static func assigned(_ variables: [String]) throws(InheritanceError) -> [InheritedSocket] {
        guard let text = value(ownVariable, variables), !text.isEmpty else { return [] }
        let entries = text.split(separator: ",", omittingEmptySubsequences: false)
        guard entries.count <= limit else {
            throw InheritanceError(description: "\(ownVariable) has more than \(limit) sockets")
        }
        var sockets: [InheritedSocket] = []
        for entry in entries {
            let parts = entry.split(separator: "=", omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, let descriptor = Int32(parts[1]), descriptor >= first else {
                throw InheritanceError(description: "\(ownVariable) is not NAME=NUMBER,…: \(text)")
            }
            sockets.append(InheritedSocket(name: String(parts[0]), descriptor: descriptor))
        }
        return sockets
    }

    /// The variable that hands sockets over to a child; nil for none.
    package static func assignment(_ sockets: [InheritedSocket]) -> String? {
        guard !sockets.isEmpty else { return nil }
        return ownVariable + "=" + sockets.map { "\($0.name)=\($0.descriptor)" }.joined(separator: ",")
    }

    /// Makes sockets fit for use: closed in children, never waiting.
    ///
    /// - Throws: if a descriptor is none, or no socket that listens for streams.
    package static func adopt(_ sockets: [InheritedSocket]) throws(InheritanceError) {
        for socket in sockets {
            guard apus_is_stream_listener(socket.descriptor) == 1 else {
                throw InheritanceError(
                    description: "descriptor \(socket.descriptor) (\(socket.name)) is no listening stream socket: use "
                        + "ListenStream= and Accept=no"
                )
            }
            do throws(SystemError) {
                try check("fcntl FD_CLOEXEC") { fcntl(socket.descriptor, F_SETFD, FD_CLOEXEC) }
                try setNonBlocking(socket.descriptor)
            } catch {
                throw InheritanceError(description: "descriptor \(socket.descriptor) (\(socket.name)): \(error)")
            }
        }
    }

    private static func value(_ name: String, _ variables: [String]) -> String? {
        variables.first { $0.hasPrefix("\(name)=") }.map { String($0.dropFirst(name.utf8.count + 1)) }
    }
}
