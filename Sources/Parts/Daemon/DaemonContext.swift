// SPDX-License-Identifier: Apache-2.0
// What every daemon is handed: its configuration, its loop, its log, its control socket.

import Bytes
package import Config
package import Control
package import Log
package import Loop
import Sandbox
package import System

/// The version of the suite.
package let apusVersion = "0.1.0"

/// What a daemon works with from its start to its end.
package final class DaemonContext {
    /// The program's name: `apus-rtsp`.
    package let name: String
    /// The camera that this process serves; nil for daemons that serve all.
    package let camera: CameraConfiguration?
    /// Which of several processes alike this is, from 1.
    package let worker: Int
    /// The configuration in force; a reload replaces it.
    package private(set) var configuration: Configuration
    package let runDirectory: RunDirectory
    package let log: Logger
    package let loop: EventLoop
    /// Verbs go into its `commands` while the daemon sets up.
    package let control: ControlServer
    /// Adds the daemon's own members to the answer to `status`.
    package var status: () -> [JSON.Member] = { [] }
    /// Puts a changed configuration in force without a restart; nil if the daemon cannot.
    ///
    /// Called before `configuration` changes, and only if more than `[log]` did. False: what changed needs a restart.
    package var reload: ((Configuration) -> Bool)?
    /// Reads again what is in files that the configuration names, such as certificates; called at every reload.
    package var reloadFiles: (() -> Void)?
    /// Set while the daemon sets up if it is not ready when its setup returns; `ready()` is due then.
    package var becomesReadyLater = false

    /// True if the supervisor starts the daemon again after it was ready before: what fails now is to be tried again,
    /// as nobody looks who could change it.
    package let isRestart = Process.environment("APUS_RESTART") != nil
    /// Sockets that were opened for the daemon before it started, named by what they speak.
    package let sockets: [InheritedSocket]
    /// Where the files are that the configuration names.
    package let files: DaemonFiles
    /// True if nobody is disturbed when the daemon begins anew, as a file that the sandbox let in is another by now.
    package var mayBeginAnew: () -> Bool = { false }

    private let configurationFile: String?
    private let isSandboxed: Bool
    /// Files that were replaced are looked for so often.
    private static let fileCheckInterval = Duration.seconds(5)
    /// The command line's log level goes before the configuration's.
    private let hasFixedLogLevel: Bool
    private let notifier = Notifier()
    private let started: Int64
    private var stopHandlers: [() -> Void] = []
    private var listeners: [JSON] = []
    private var isReady = false
    /// What the process may touch; nil: everything.
    private var sandbox: Sandbox?
    private var needs = DaemonNeeds.network
    private var enforcement = Sandbox.Enforcement()

    init(_ name: String, _ start: DaemonStart, _ log: Logger) throws(SystemError) {
        self.name = name
        self.log = log
        camera = start.camera
        worker = start.worker
        configuration = start.configuration
        runDirectory = start.runDirectory
        configurationFile = start.configurationFile
        isSandboxed = start.isSandboxed
        files = DaemonFiles(
            directory: start.runDirectory,
            areCopies: start.configurationFile.map { File.absolute($0) } == start.runDirectory.configuration
        )
        hasFixedLogLevel = start.hasFixedLevel
        sockets = start.sockets
        loop = try EventLoop()
        control = ControlServer(loop, log)
        started = loop.now.nanoseconds
        addCommonVerbs()
    }

    /// The name without `apus-`, as in control sockets and `apus ctl`: `rtsp`, `rtsp-2`.
    package var shortName: String { DaemonMain.shortName(name, worker: worker) }

    /// Calls `handler` when the daemon stops in order, the last one first.
    package func onStop(_ handler: @escaping () -> Void) { stopHandlers.append(handler) }

    /// Records an address that is listened on, for `status` and the supervisor's table.
    package func listening(_ protocolName: String, _ address: SocketAddress) {
        listeners.append([
            "protocol": .string(protocolName), "host": .string(address.host), "port": JSON(address.port),
        ])
        log.info("listening", ["protocol": protocolName, "address": address])
    }

    /// The sockets that were opened for one protocol.
    package func sockets(for protocolName: String) -> [InheritedSocket] {
        sockets.filter { $0.name == protocolName }
    }

    /// Says in the status that a Unix socket is listened on.
    package func listening(_ protocolName: String, path: String) {
        listeners.append(["protocol": .string(protocolName), "path": .string(path)])
        log.info("listening", ["protocol": protocolName, "path": path])
    }

    /// Tells the supervisor that the daemon does its job now. Harmless when repeated.
    package func ready() {
        guard !isReady else { return }
        isReady = true
        notifier.send("READY=1", "STATUS=running")
        log.debug("ready")
    }

    /// Ends the daemon in order.
    package func stop() {
        notifier.send("STOPPING=1")
        for handler in stopHandlers.reversed() { handler() }
        stopHandlers.removeAll()
        loop.stop()
    }

    /// Reads the configuration file again.
    ///
    /// - Returns: false if what changed needs a restart.
    func reloadConfiguration() throws(Failure) -> Bool {
        guard let file = configurationFile else { return true }
        let new: Configuration
        do throws(ConfigError) {
            new = try Configuration.load(file)
        } catch {
            throw Failure(.usage, "\(error)")
        }
        guard new != configuration else {
            reloadFiles?()
            return true
        }
        var rest = configuration
        rest.log = new.log
        if new != rest {
            guard new.isSandboxed == configuration.isSandboxed else { return false }
            // What the process has closed to itself stays closed.
            if let sandbox, !sandbox.covers(neededSandbox(new)) { return false }
            guard let reload, reload(new) else { return false }
        }
        configuration = new
        reloadFiles?()
        if !hasFixedLogLevel { log.level = LogLevel(name: new.log.level) ?? log.level }
        log.info("configuration reloaded", ["file": file])
        return true
    }

    /// Closes to the process what it does not need, if the configuration does not forbid it.
    func enterSandbox(_ needs: DaemonNeeds) throws(Failure) {
        guard isSandboxed else { return }
        self.needs = needs
        let sandbox = neededSandbox(configuration)
        do throws(SystemError) {
            enforcement = try sandbox.enter()
        } catch {
            throw Failure(.failure, "cannot close the sandbox: \(error); sandbox = no in [apus] does without")
        }
        self.sandbox = sandbox
        log.debug("sandbox", ["landlock": enforcement.landlock, "seccomp": enforcement.filtersCalls])
    }

    /// Tries what the sandbox forbids, and tells on standard output.
    ///
    /// - Returns: success if all of it was refused.
    func trySandbox() -> ExitCode {
        if sandbox == nil { print("there is no sandbox: sandbox = no in [apus]") }
        let trials = SandboxTrial.all(families: sandbox?.families ?? SocketFamily.network)
        for trial in trials { print(trial.refusal.map { "refused  \(trial.deed): \($0)" } ?? "ALLOWED  \(trial.deed)") }
        return trials.allSatisfy { $0.refusal != nil } ? .success : .failure
    }

    private func neededSandbox(_ configuration: Configuration) -> Sandbox {
        let camera = camera.flatMap { configuration.camera($0.name) }
        return Sandbox(needs, configuration, camera, files, configurationFile: configurationFile)
    }

    /// Runs until `stop`, with signals and signs of life.
    func run() throws(SystemError) {
        try loop.onSignals([.terminate, .interrupt, .hangUp]) { [unowned self] signal in
            if signal == .hangUp { handleHangUp() } else { stop() }
        }
        if let interval = notifier.watchdogInterval {
            loop.timer(every: interval / 2) { [unowned self] in notifier.send("WATCHDOG=1") }
        }
        if let opener = DeviceOpener.descriptor {
            try loop.watch(opener, []) { [unowned self] _ in
                // Killed for want of memory, or by hand: only a new process can have another.
                log.error("who opens devices is gone; the daemon begins anew")
                stop()
            }
        }
        if files.areCopies, sandbox?.files.isEmpty == false {
            loop.timer(every: Self.fileCheckInterval) { [unowned self] in beginAnewIfOutdated() }
        }
        try control.listen(runDirectory.control(shortName, camera: camera?.name))
        if !becomesReadyLater { ready() }
        try loop.run()
        control.close()
    }

    /// Another process may read what has taken the place of a file that this one was allowed to read.
    private func beginAnewIfOutdated() {
        guard let sandbox, sandbox.isOutdated, mayBeginAnew() else { return }
        log.info("a file that the source needs is another one now; the daemon begins anew")
        stop()
    }

    private func handleHangUp() {
        do throws(Failure) {
            if try !reloadConfiguration() { log.warn("the changed configuration needs a restart") }
        } catch {
            log.error("the configuration is not reloaded", ["error": error])
        }
    }
}

// MARK: Verbs that every daemon has

extension DaemonContext {
    private func addCommonVerbs() {
        control.commands.add(
            Verb("status", "Tells what the daemon is doing.") { [unowned self] _ in .object(statusMembers) }
        )
        control.commands.add(
            Verb("config-show", "Tells the configuration in force.") { [unowned self] _ in
                ["file": JSON(configurationFile), "text": .string(configurationText)]
            }
        )
        control.commands.add(
            Verb("config-reload", "Reads the configuration file again.") { [unowned self] _ throws(ControlError) in
                do throws(Failure) {
                    return ["applied": .boolean(try reloadConfiguration())]
                } catch {
                    throw ControlError(.failed, error.description)
                }
            }
        )
        control.commands.add(
            Verb(
                "set-log-level",
                "Sets which log lines are written until the daemon ends.",
                [Argument("value", .choice(LogLevel.allCases.map(\.name)), "The least important level.")]
            ) { [unowned self] arguments in
                if let level = arguments.text("value").flatMap({ LogLevel(name: $0) }) { log.level = level }
                return ["level": .string(log.level.name)]
            }
        )
        control.commands.add(
            Verb("shutdown", "Ends the daemon in order; under the supervisor, it is started again.") {
                [unowned self] _ in
                loop.later { self.stop() }
                return [:]
            }
        )
    }

    private var statusMembers: [JSON.Member] {
        var members = [
            JSON.Member("daemon", .string(name)),
            JSON.Member("pid", JSON(Process.id)),
            JSON.Member("version", .string(apusVersion)),
            JSON.Member("ready", .boolean(isReady)),
            JSON.Member("uptime", JSON(Double((loop.now.nanoseconds - started) / 1_000_000) / 1000)),
            JSON.Member("log_level", .string(log.level.name)),
        ]
        if sandbox != nil {
            let landlock = JSON(Int(enforcement.landlock))
            members.append(
                JSON.Member("sandbox", ["landlock": landlock, "seccomp": .boolean(enforcement.filtersCalls)])
            )
        }
        if let camera { members.append(JSON.Member("camera", .string(camera.name))) }
        if !listeners.isEmpty { members.append(JSON.Member("listening", .array(listeners))) }
        return members + status()
    }

    private var configurationText: String {
        guard let configurationFile, let (document, _) = try? ConfigDocument.load(configurationFile) else { return "" }
        return document.text
    }
}
