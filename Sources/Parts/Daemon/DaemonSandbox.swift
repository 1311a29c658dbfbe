// SPDX-License-Identifier: Apache-2.0
// What each daemon needs of the system, by its configuration; and who opens a camera's devices that come later.

import Config
import Sandbox
import System

/// What a daemon works with beside its run directory.
package enum DaemonNeeds: Sendable {
    /// Sockets: it serves what is in rings, and makes rings of what is published.
    case network
    /// Sockets too, and it keeps what administrators set over the web: links that are shared.
    case web
    /// A camera's source: devices, a file, another server.
    case capture
}

extension Sandbox {
    /// So much memory a network daemon may write to, in bytes: one that leaks ends, and not the machine.
    static let networkMemory = 1 << 30

    /// What a daemon needs with this configuration.
    ///
    /// - Parameter configurationFile: nil: the defaults.
    init(
        _ needs: DaemonNeeds,
        _ configuration: Configuration,
        _ camera: CameraConfiguration?,
        _ files: DaemonFiles,
        configurationFile: String?
    ) {
        let run = files.directory
        self.init(
            reads: Sandbox.system.union([run.configurations]),
            uses: ["/dev/null"],
            sockets: [run.controls],
            families: SocketFamily.network
        )
        if let configurationFile, !files.areCopies { read(file: configurationFile) }
        switch needs {
        case .capture:
            sockets.formUnion([run.rings, run.pictureSockets])
            reads.insert(run.simulated)
            // Drivers and files may be another user's, though root starts the daemon.
            (liberties, capabilities) = ([.drivers, .rings], [.openAnyFile, .searchAnyDirectory])
            families.insert(.netlink)
            if let camera { add(camera) }
        case .network, .web:
            (capabilities, memoryLimit) = ([.listenOnLowPorts, .searchAnyDirectory], Sandbox.networkMemory)
            sockets.insert(run.handovers)
            if needs == .network {
                sockets.insert(run.rings)
                liberties = .rings
            } else {
                let socket = configuration.http.unixSocket
                if !socket.isEmpty, let directory = Sandbox.directory(of: socket) { sockets.insert(directory) }
            }
            add(files, configuration, needs)
        }
    }

    /// What is beside the configuration.
    private mutating func add(_ files: DaemonFiles, _ configuration: Configuration, _ needs: DaemonNeeds) {
        guard !files.areCopies else {
            reads.insert(files.directory.secrets)
            if needs == .web { writes.insert(files.directory.sharesDirectory) }
            return
        }
        read(file: configuration.users.path)
        if needs == .web { read(file: configuration.users.shares) }
        if let tls = configuration.tls, !tls.isSelfSigned {
            for file in [tls.certificate, tls.key] { read(file: file) }
        }
        // Others' files are not where nothing but Apus's own are; elsewhere, one that is replaced needs a restart.
        guard let own = Sandbox.directory(of: configuration.users.path), own.hasSuffix("/apus") else { return }
        if needs == .web { writes.insert(own) } else { reads.insert(own) }
    }

    /// What a camera's source and encoder need.
    private mutating func add(_ camera: CameraConfiguration) {
        if camera.encoder != .software {
            // What drivers of GPUs work with, and the kernel's own encoders, which are V4L2 devices.
            uses.insert("/dev/dri")
            nodes.formUnion(["nvidia", "video"])
            reads.formUnion(Sandbox.drivers)
        }
        if camera.mayResetUSB { uses.insert("/dev/bus/usb") }
        switch try? SourceAddress(parsing: camera.source) {
        case .file(let path, _): read(file: File.absolute(path))
        case .rtsp:
            for file in Sandbox.nameLookup { read(file: file) }
            reads.formUnion(Sandbox.nameLookupDirectories)
        case .libcamera:
            // The library that is loaded for it, beside this program; what libudev knows of devices.
            if let directory = Sandbox.directory(of: Process.executablePath) { reads.insert(directory) }
            reads.formUnion(["/run/udev", "/etc/libcamera"])
            // It opens the nodes itself, of several kinds, when they come.
            uses.insert("/dev")
        case let source? where source.isOfDevices:
            nodes.insert("video")
            lists.insert("/dev")
        default: break
        }
    }

    /// What the process needs that opens the devices which come later.
    static let deviceOpener = Sandbox(uses: ["/dev"], families: [], capabilities: [.openAnyFile])

    /// The directory of a file, nil if it is not there: none above it will do.
    private static func directory(of file: String) -> String? {
        let path = File.absolute(file)
        guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return nil }
        let directory = String(path[..<slash])
        return File.isDirectory(directory) ? directory : nil
    }
}

extension DaemonStart {
    /// Starts the process that opens devices, if the daemon has cameras that come later, and closes all of /dev to itself.
    func startDeviceOpener(_ needs: DaemonNeeds) throws(Failure) {
        guard needs == .capture, isSandboxed, !triesSandbox, let camera,
            let source = try? SourceAddress(parsing: camera.source), source.isOfDevices
        else { return }
        do throws(SystemError) {
            try DeviceOpener.start { () throws(SystemError) in _ = try Sandbox.deviceOpener.enter() }
        } catch {
            throw Failure(.failure, "cannot start who opens devices: \(error); sandbox = no in [apus] does without")
        }
    }
}
