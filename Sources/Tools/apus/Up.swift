// SPDX-License-Identifier: Apache-2.0
// `apus up`: one instance from its start to its end.

import Bytes
import Config
import Control
import Daemon
import Log
import Loop
import Supervisor
import System
import Telemetry

/// Starts the daemons, keeps them running, stops them.
final class Up {
    static let command = Command(
        "up",
        "Starts the cameras and servers, and keeps them running until Ctrl-C.",
        options: [
            Option("--config", "FILE", "The configuration; without it, one camera with the source auto."),
            Option("--camera", "NAME=SOURCE", "A camera in place of the configured ones; may be repeated."),
            Option("--rtsp-port", "PORT", "The RTSP port in place of the configured one; 0 takes a free one."),
            Option("--http-port", "PORT", "The HTTP port in place of the configured one; 0 takes a free one."),
            .runDirectory,
            Option("--log-level", "LEVEL", "error, warn, info or debug; else that of the configuration."),
        ],
        details: """
            Sources: \(SourceScheme.examples).

            SIGHUP reads the configuration again and applies the difference; so does apus config reload.
            """
    ) { arguments in
        try run(arguments)
    }

    let source: ConfigurationSource
    private let programs = Programs()
    let runDirectory: RunDirectory
    let lock: RunLock
    private let logLevel: String?
    let loop: EventLoop
    let relay: LogRelay
    let log: Logger
    let supervisor: Supervisor
    let control: ControlServer
    /// Processes; the machine itself is `machine`'s.
    let telemetry = Telemetry()
    private let machine: Machine
    /// Who started this process, if it wants to know how it goes: systemd.
    let notifier = Notifier()
    private let started = Clock.monotonic()
    /// As it is in force: with the devices that cameras have.
    private(set) var configuration: Configuration
    /// As somebody has written it: where it says auto, devices decide.
    private(set) var written: (document: ConfigDocument, configuration: Configuration)
    let devices: DeviceKeeper
    /// The ports that were taken where the configuration leaves the choice open, by protocol.
    private var pickedPorts: [String: Int] = [:]
    /// The sockets that systemd has opened for this instance.
    private let activation: ActivationSockets
    /// The files of `certificate = self-signed`.
    private var ownCertificate: OwnCertificate?
    private var exitCode = ExitCode.success
    private var isStopping = false
    private var failure: Failure?
    /// Why the run directory cannot be made again, if it is gone.
    var lastDirectoryProblem: String?
    /// The daemons whose sockets were not there when they were looked for last.
    var daemonsWithoutSocket: Set<String> = []

    private static func run(_ arguments: ParsedArguments) throws -> ExitCode {
        let source = try ConfigurationSource(arguments)
        let level = arguments.value("--log-level")
        if let level, LogLevel(name: level) == nil {
            throw Failure(.usage, "--log-level must be error, warn, info or debug, not \"\(level)\"")
        }
        let (document, configuration) = try source.load()
        let activation = try ActivationSockets(configuration)
        let runDirectory = arguments.runDirectory
        let lock = try RunLock(runDirectory)
        let result: Result<ExitCode, any Error>
        do {
            if let user = configuration.systemUser, Process.user == 0 { try become(user, lock) }
            let up = try Up(source, (document, configuration), activation, runDirectory, level, lock)
            result = .success(try up.run())
        } catch {
            result = .failure(error)
        }
        lock.release()
        return try result.get()
    }

    /// Goes on as another user, who gets the run directory.
    private static func become(_ user: String, _ lock: RunLock) throws(Failure) {
        do throws(SystemError) {
            try lock.give(toUser: user)
            try Process.become(user: user)
        } catch {
            throw Failure(.usage, "user = \(user) in [apus]: \(error)")
        }
    }

    /// What the last reload did to the daemons.
    private(set) var effects: [(name: String, impact: ConfigImpact)] = []
    /// The newest changes that were asked for over the control socket.
    var outcomes: [ConfigOutcome] = []

    private init(
        _ source: ConfigurationSource,
        _ written: (document: ConfigDocument, configuration: Configuration),
        _ activation: ActivationSockets,
        _ runDirectory: RunDirectory,
        _ logLevel: String?,
        _ lock: RunLock
    ) throws {
        self.source = source
        self.written = written
        let configuration = written.configuration
        self.configuration = configuration
        self.activation = activation
        self.runDirectory = runDirectory
        self.lock = lock
        self.logLevel = logLevel
        loop = try EventLoop()
        let relay = LogRelay(LineWriter(note: LogLine.droppedNote("up", .ofStandardError)))
        self.relay = relay
        log = Logger(
            "up",
            to: LogSink.standardError(
                level: LogLevel(name: logLevel ?? configuration.log.level) ?? .info,
                output: { relay.add($0) }
            )
        )
        supervisor = try Supervisor(
            loop,
            log,
            notifyDirectory: lock.notifications,
            output: { relay.add($0) },
            // The relay is no terminal, but what it writes to may be.
            environment: Process.environment + (Process.isTerminal(2) ? ["CLICOLOR_FORCE=1"] : []),
            isPermanent: { code in ExitCode(rawValue: code).map { $0.isPermanent || $0 == .source } ?? false }
        )
        control = ControlServer(loop, log)
        machine = try Machine(loop, log, control, runDirectory)
        devices = try DeviceKeeper(loop, log, control, runDirectory, configuration)
    }

    private func run() throws -> ExitCode {
        defer { devices.close() }
        let (document, effective) = try effective(written)
        configuration = effective
        let plans = try plans(of: configuration)
        try reservePorts()
        try takeCertificate(configuration)
        try copyFiles(configuration)
        try write(document)
        try Process.becomeSubreaper()
        try loop.onSignals([.terminate, .interrupt, .hangUp, .child]) { [unowned self] in handle($0) }
        addVerbs()
        control.admits = { [unowned self] process in mayAsk(process) }
        try control.listen(runDirectory.control("supervisor"))
        supervisor.onReady = { [unowned self] in becameReady() }
        supervisor.onFailure = { [unowned self] child, code in failed(child, code) }
        // A child that has to be started again makes the start worth telling about.
        supervisor.onChange = { [unowned self] report in
            if report.state != .running { relay.pass() }
            if report.state == .running, let camera = camera(of: report.name) { machine.cameraStarted(camera) }
            control.emit("daemon", report.json(Clock.monotonic()).members)
        }
        devices.onChange = { [unowned self] in takeDevices() }
        machine.take(configuration)
        supervisor.times = SupervisorTimes().stretched(by: configuration.patience)
        for plan in plans { supervisor.start(plan) }
        loop.timer(every: Self.keepingInterval) { [unowned self] in
            if !isStopping { keepRunDirectory() }
        }
        loop.timer(after: .seconds(5)) { [relay] in relay.pass() }
        if let interval = notifier.watchdogInterval {
            loop.timer(every: interval / 2) { [notifier] in notifier.send("WATCHDOG=1") }
        }
        try loop.run()
        control.close()
        supervisor.drain()
        // Who does not read holds the end up for a moment only, and would not read the complaint either.
        let isRead = relay.finish(within: .seconds(1))
        if let failure {
            guard isRead else { return failure.code }
            throw failure
        }
        return exitCode
    }

    private func handle(_ signal: Signal) {
        switch signal {
        case .child:
            while let (pid, status) = Process.reapAny() { supervisor.noteEnd(pid, status) }
            supervisor.checkStopped()
        case .hangUp:
            do throws(Failure) {
                try reload()
            } catch {
                log.error("the configuration is not reloaded", ["error": error])
            }
        default: stop()
        }
    }

    private func stop() {
        isStopping = true
        notifier.send("STOPPING=1")
        supervisor.stop { [unowned self] in loop.stop() }
    }

    private func becameReady() {
        supervisor.drain()
        relay.pass()
        if configuration.authentication == .on, !configuration.users.hasUsers {
            log.info(
                "no users: listeners are bound to loopback only, and serve everybody there; apus user add NAME adds one",
                ["file": configuration.users.path]
            )
        }
        if let exposure = source.exposure { log.warn(exposure) }
        let listeners = listeners()
        keepPorts(listeners)
        let sources = devices.sources(written.configuration)
        let table = AddressTable(configuration, sources: sources, listeners: listeners, troubles: troubles())
        relay.print(table.text)
        notifier.send("READY=1")
        sayStatus()
    }

    /// What `systemctl status` shows in one line.
    private func sayStatus(refused: Failure? = nil) {
        var text = "cameras: \(configuration.cameras.map(\.name).joined(separator: ", "))"
        if let refused { text = "configuration not reloaded: \(refused); \(text)" }
        notifier.send("STATUS=\(text.split(separator: "\n").joined(separator: " "))")
    }

    private func failed(_ child: String, _ code: Int32) {
        guard failure == nil, exitCode == .success else { return }
        exitCode = ExitCode(rawValue: code) ?? .failure
        if !relay.fail() { failure = Failure(exitCode, "\(program(of: child)) ended with exit code \(code)") }
        stop()
    }

    /// Ends everything for a reason.
    func fail(_ failure: Failure) {
        guard self.failure == nil else { return }
        self.failure = failure
        stop()
    }

    /// Asks the servers what they listen on.
    private func listeners() -> [JSON] {
        let servers = supervisor.plans.filter { $0.stage == 1 }.map(\.name)
        let answers = ask(servers, "status")
        return servers.flatMap { answers[$0]?["listening"]?.elements ?? [] }
    }

    /// Asks the cameras whose source is not there why; by camera.
    private func troubles() -> [String: String] {
        var troubles: [String: String] = [:]
        for (child, status) in ask(supervisor.plans.filter { $0.stage == 0 }.map(\.name), "status") {
            guard let camera = camera(of: child), let source = status["source"], source["state"]?.string == "lost"
            else { continue }
            troubles[camera] = source["reason"]?.string ?? "no signal"
        }
        return troubles
    }

    /// Tries the ports that several workers are going to share, and picks those that are left open.
    ///
    /// Workers cannot tell each other's listeners from those of somebody else of the same user.
    private func reservePorts() throws {
        let rtsp = configuration.rtsp
        guard rtsp.isEnabled, rtsp.workers > 1 else { return }
        var ports = rtsp.requiresEncryption ? [] : [("rtsp", rtsp.port)]
        if configuration.tls != nil { ports.append(("rtsps", rtsp.tlsPort)) }
        for (name, port) in ports where activation.port(name) == nil {
            // What is no address is the workers' to complain about.
            guard let address = SocketAddress(host: rtsp.listen, port: port) else { continue }
            do throws(SystemError) {
                let probe = try Socket.listenTCP(address)
                if port == 0 { pickedPorts[name] = Int(try Socket.localAddress(probe.raw).port) }
            } catch {
                throw Failure.cannotListen("rtsp", key: name == "rtsps" ? "tls_port" : "port", address, error)
            }
        }
    }

    /// The keys of the ports, by protocol.
    private static let portKeys = [
        "rtsp": ("rtsp", "port"), "rtsps": ("rtsp", "tls_port"), "http": ("http", "port"),
        "https": ("http", "tls_port"),
        "websocket": ("http", "websocket_port"),
    ]

    /// Makes a port that a daemon picked its own for the time that this instance runs, restarts included.
    private func keepPorts(_ listeners: [JSON]) {
        guard let (document, _) = try? ConfigDocument.load(runDirectory.configuration) else { return }
        var isNew = false
        for listener in listeners {
            guard let name = listener["protocol"]?.string, let port = listener["port"]?.integer,
                let (section, key) = Self.portKeys[name], document.value(section, key) == "0"
            else { continue }
            pickedPorts[name] = port
            isNew = true
        }
        guard isNew else { return }
        do throws(SystemError) {
            try write(document)
        } catch {
            log.warn("picked ports are not kept", ["error": error])
        }
    }

    /// Has the certificate ready that the configuration leaves to the instance, and tells what people compare.
    private func takeCertificate(_ configuration: Configuration) throws(Failure) {
        guard configuration.tls?.isSelfSigned == true else {
            ownCertificate = nil
            return
        }
        let own = try OwnCertificate(beside: configuration.users.path)
        ownCertificate = own
        log.info(
            own.isNew ? "self-signed certificate made" : "self-signed certificate",
            ["file": own.certificate, "sha256": own.fingerprint]
        )
    }

    /// Writes what daemons read into the run directory again.
    func writeConfiguration() throws {
        try copyFiles(configuration, isReload: true)
        try write(try effective(written).document)
    }

    private func write(_ document: ConfigDocument) throws(SystemError) {
        var document = document
        if let ownCertificate {
            document.set("tls", "certificate", to: ownCertificate.certificate)
            document.set("tls", "key", to: ownCertificate.key)
        }
        // Everybody is told the ports that are really listened on.
        for (name, (section, key)) in Self.portKeys {
            if let port = activation.port(name) { document.set(section, key, to: "\(port)") }
        }
        for (name, port) in pickedPorts {
            guard let (section, key) = Self.portKeys[name], document.value(section, key) == "0" else { continue }
            document.set(section, key, to: "\(port)")
        }
        try DaemonCopies(directory: runDirectory).write(document)
    }

    /// Gives the daemons the files that the configuration names.
    ///
    /// - Throws: what is wrong with one that there is no earlier copy of.
    private func copyFiles(_ configuration: Configuration, isReload: Bool = false) throws(Failure) {
        let copies = DaemonCopies(directory: runDirectory)
        try copies.copyUsers(configuration)
        do throws(Failure) {
            try copies.copyCertificate(configuration, own: ownCertificate)
        } catch {
            guard isReload, copies.hasCertificate else { throw error }
            log.error("the old certificate stays in use", ["error": error])
        }
        do throws(ConfigError) {
            try copies.copyShares(configuration)
        } catch {
            guard isReload else { throw Failure(.usage, error.description) }
            log.error("the share links are not taken over", ["error": error])
        }
    }
}

// MARK: Reload and control

extension Up {
    /// Reads the configuration again and applies the difference.
    ///
    /// - Returns: the children that were told, started, restarted or stopped.
    @discardableResult
    func reload() throws(Failure) -> [String] {
        do throws(Failure) {
            written = try source.load()
            devices.take(written.configuration)
            return try putInForce()
        } catch {
            sayStatus(refused: error)
            throw error
        }
    }

    /// Puts the written configuration in force, with the devices that there are.
    private func putInForce() throws(Failure) -> [String] {
        let (document, new) = try effective(written)
        effects = []
        guard new != configuration else {
            try takeCertificate(new)
            try copyFiles(new, isReload: true)
            // The files that it names may have changed: a certificate that was renewed.
            _ = tell(supervisor.plans.map(\.name))
            sayStatus()
            return []
        }
        try activation.check(new)
        let plans = try plans(of: new)
        try takeCertificate(new)
        try copyFiles(new, isReload: true)
        do throws(SystemError) {
            try write(document)
        } catch {
            throw Failure(.failure, "cannot write the configuration: \(error)")
        }
        if new.telemetry != configuration.telemetry || new.thermal != configuration.thermal {
            effects.append(("supervisor", .live))
        }
        configuration = new
        machine.take(new)
        supervisor.times = SupervisorTimes().stretched(by: new.patience)
        log.level = LogLevel(name: logLevel ?? new.log.level) ?? log.level
        var changed: [String] = []
        let old = supervisor.plans
        for plan in old where !plans.contains(where: { $0.name == plan.name }) {
            supervisor.remove(plan.name)
            effects.append((plan.name, .stop))
            changed.append(plan.name)
        }
        for plan in plans where !old.contains(where: { $0.name == plan.name }) {
            supervisor.start(plan)
            effects.append((plan.name, .start))
            changed.append(plan.name)
        }
        let others = plans.filter { plan in old.contains { $0.name == plan.name && $0 != plan } }
        let takers = tell(others.map(\.name))
        for plan in others {
            // Who cannot apply it as it runs begins anew.
            let isTaken = takers.contains(plan.name)
            if isTaken { supervisor.update(plan) } else { supervisor.restart(plan) }
            effects.append((plan.name, isTaken ? .live : .restart))
            changed.append(plan.name)
        }
        log.info("configuration reloaded", ["changed": changed.joined(separator: ",")])
        sayStatus()
        control.emit("config", [JSON.Member("changed", .array(changed.map(JSON.string)))])
        return changed
    }

    /// Devices have become cameras, or are none any more.
    private func takeDevices() {
        do throws(Failure) {
            _ = try putInForce()
        } catch {
            log.error("the devices do not become cameras", ["error": error])
        }
    }

    /// What a written configuration means with the devices that there are.
    func effective(
        _ written: (document: ConfigDocument, configuration: Configuration)
    ) throws(Failure) -> (document: ConfigDocument, configuration: Configuration) {
        let document = devices.effective(written.document, written.configuration)
        do throws(ConfigError) {
            return (document, try Configuration(document))
        } catch {
            throw Failure(.usage, "with the cameras of devices: \(error)")
        }
    }

    /// The daemons that would carry a configuration out.
    func plans(of configuration: Configuration) throws(Failure) -> [ChildPlan] {
        var plans = try configuration.plans(programs, runDirectory, logLevel: logLevel)
        for index in plans.indices { plans[index].sockets = activation.sockets(of: plans[index].name) }
        return plans
    }

    /// Has children read their configuration again; those that do, and need no restart for it.
    private func tell(_ children: [String]) -> Set<String> {
        Set(ask(children, "config-reload").filter { $0.value["applied"]?.boolean == true }.keys)
    }

    private func addVerbs() {
        control.commands.add(
            Verb("status", "Tells which daemons run.") { [unowned self] _ in
                .object(
                    [
                        JSON.Member("pid", JSON(Process.id)),
                        JSON.Member("version", .string(apusVersion)),
                        JSON.Member("uptime", JSON((Clock.monotonic() - started).seconds)),
                        JSON.Member("run_dir", .string(runDirectory.path)),
                        JSON.Member("config", JSON(source.file)),
                        JSON.Member("certificate_sha256", JSON(ownCertificate?.fingerprint)),
                        JSON.Member("daemons", .array(supervisor.reports.map { $0.json(Clock.monotonic()) })),
                    ] + machine.status
                )
            }
        )
        addInterfaceVerbs()
        control.commands.add(
            Verb("config-reload", "Reads the configuration again and applies the difference.") {
                [unowned self] _ throws(ControlError) in
                do throws(Failure) {
                    return ["changed": .array(try reload().map(JSON.string))]
                } catch {
                    throw ControlError(.failed, error.description)
                }
            }
        )
        control.commands.add(
            Verb(
                "restart",
                "Ends a daemon and starts it again.",
                [Argument("daemon", .text, "Its name: rtsp, video.cam.")]
            ) { [unowned self] arguments throws(ControlError) in
                let name = arguments.text("daemon") ?? ""
                guard let plan = supervisor.plans.first(where: { $0.name == name }) else {
                    let names = supervisor.plans.map(\.name)
                    throw ControlError(
                        .outOfRange,
                        key: "daemon",
                        "there is no daemon \"\(name)\"\(Suggestion.phrase(for: name, among: names))"
                    )
                }
                supervisor.restart(plan)
                return [:]
            }
        )
        control.commands.add(
            Verb("shutdown", "Ends everything.") { [unowned self] _ in
                loop.later { self.stop() }
                return [:]
            }
        )
    }
}

extension ChildReport {
    /// The report as `status` tells it.
    func json(_ now: Instant) -> JSON {
        [
            "name": .string(name),
            "program": .string(program(of: name)),
            "camera": JSON(camera(of: name)),
            "state": .string(state.rawValue),
            "pid": pid.map { JSON($0) } ?? .null,
            "uptime": since.map { JSON((now - $0).seconds) } ?? .null,
            "restarts": JSON(restarts),
            "last_end": JSON(lastEnd?.description),
            "reason": JSON(trouble),
            "last_words": .array(trouble == nil ? [] : lastWords.map(JSON.string)),
        ]
    }
}
