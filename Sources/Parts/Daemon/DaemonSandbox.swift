// SPDX-License-Identifier: Apache-2.0
// What each daemon needs of the system, by its configuration.

import Config
import Sandbox
import System

/// What a daemon works with beside its run directory.
package enum DaemonNeeds: Sendable {
    /// Sockets: it serves what is in rings.
    case network
    /// The same, and it keeps what administrators set over the web: users, links that are shared.
    case web
    /// A camera's source: devices, a file, another server.
    case capture
}

extension Sandbox {
    /// What a daemon needs with this configuration.
    ///
    /// - Parameter configurationFile: nil: the defaults.
    init(
        _ needs: DaemonNeeds,
        _ configuration: Configuration,
        _ camera: CameraConfiguration?,
        _ runDirectory: RunDirectory,
        configurationFile: String?
    ) {
        self.init(reads: Sandbox.system, writes: [runDirectory.path, "/dev/null"], families: SocketFamily.network)
        // Directories, as the files are replaced by others of the same name.
        if let configurationFile { reads.insert(Sandbox.directory(of: configurationFile)) }
        reads.insert(Sandbox.directory(of: configuration.users.path))
        if let tls = configuration.tls {
            for file in [tls.certificate, tls.key] {
                reads.insert(Sandbox.directory(of: file))
                reads.insert(Sandbox.directory(of: File.resolved(file) ?? file))
            }
        }
        if needs == .web {
            writes.insert(Sandbox.directory(of: configuration.users.path))
            let socket = configuration.http.unixSocket
            if !socket.isEmpty { writes.insert(Sandbox.directory(of: socket)) }
        }
        guard needs == .capture else { return }
        writes.insert("/dev")
        reads.formUnion(Sandbox.nameLookup)
        families.insert(.netlink)
        switch camera.flatMap({ try? SourceAddress(parsing: $0.source) }) {
        case .file(let path, _): reads.insert(File.absolute(path))
        case .libcamera:
            // The library that is loaded for it, beside this program; what libudev knows of devices.
            reads.insert(Sandbox.directory(of: Process.executablePath))
            reads.insert("/run/udev")
        default: break
        }
    }

    /// The directory of a file; the nearest above that is there, but never the root.
    private static func directory(of file: String) -> String {
        var path = File.absolute(file)
        while let slash = path.lastIndex(of: "/"), slash > path.startIndex {
            path = String(path[..<slash])
            if File.isDirectory(path) { return path }
        }
        return File.absolute(file)
    }
}
