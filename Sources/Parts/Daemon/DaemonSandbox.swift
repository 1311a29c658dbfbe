// SPDX-License-Identifier: Apache-2.0
// What each daemon needs of the system, by its configuration; and who opens a camera's devices that come later.

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
        reads.formUnion(Sandbox.nameLookup)
        families.insert(.netlink)
        guard let camera else { return }
        if camera.encoder != .software {
            // What drivers of GPUs work with, and the kernel's own encoders, which are V4L2 devices.
            uses.insert("/dev/dri")
            nodes.formUnion(["nvidia", "video"])
        }
        if camera.mayResetUSB { uses.insert("/dev/bus/usb") }
        switch try? SourceAddress(parsing: camera.source) {
        case .file(let path, _): reads.insert(File.absolute(path))
        case .libcamera:
            // The library that is loaded for it, beside this program; what libudev knows of devices.
            reads.insert(Sandbox.directory(of: Process.executablePath))
            reads.insert("/run/udev")
            // It opens the nodes itself, of several kinds, when they come.
            uses.insert("/dev")
        case let source? where source.isOfDevices:
            nodes.insert("video")
            lists.insert("/dev")
        default: break
        }
    }

    /// What the process needs that opens the devices which come later.
    static let deviceOpener = Sandbox(uses: ["/dev"], families: [])

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

extension DaemonStart {
    /// Starts the process that opens devices, if the daemon has cameras that come later, and closes all of /dev to itself.
    func startDeviceOpener(_ needs: DaemonNeeds) throws(Failure) {
        guard needs == .capture, configuration.isSandboxed, !triesSandbox, let camera,
            let source = try? SourceAddress(parsing: camera.source), source.isOfDevices
        else { return }
        do throws(SystemError) {
            try DeviceOpener.start { () throws(SystemError) in _ = try Sandbox.deviceOpener.enter() }
        } catch {
            throw Failure(.failure, "cannot start who opens devices: \(error); sandbox = no in [apus] does without")
        }
    }
}
