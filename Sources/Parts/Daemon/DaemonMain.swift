// SPDX-License-Identifier: Apache-2.0
// Where every daemon starts: command line, configuration, log, loop, signals, control socket, readiness.

import Config
import Control
import Log
import System

/// Whether one process serves one camera or all of them.
package enum DaemonScope: Sendable {
    case allCameras
    case oneCamera
    /// All cameras, by several processes alike.
    case workers
}

/// What the command line and the configuration say at the start.
struct DaemonStart {
    let configuration: Configuration
    /// nil: the defaults.
    let configurationFile: String?
    let runDirectory: RunDirectory
    let camera: CameraConfiguration?
    /// From 1.
    let worker: Int
    let level: LogLevel
    let hasFixedLevel: Bool
    var sockets: [InheritedSocket] = []
    /// Only the sandbox is of interest.
    let triesSandbox: Bool
    /// By the configuration, or by the command line, whatever the configuration says.
    let isSandboxed: Bool
}

/// Runs a daemon from its command line to its exit code.
///
/// ```
/// DaemonMain.run("apus-rtsp", "Serves the cameras over RTSP.") { context in
///     try Server(context)
/// }
/// ```
package enum DaemonMain {
    /// Sets up what every daemon has, closes to it what it does not need, calls `setUp`, then runs the loop until the daemon is told to stop.
    ///
    /// What `setUp` returns lives until the end. A `Failure` that it throws ends the process with that line and code.
    package static func run<Service>(
        _ name: String,
        _ purpose: String,
        scope: DaemonScope = .allCameras,
        needs: DaemonNeeds = .network,
        _ setUp: (DaemonContext) throws -> Service
    ) -> Never {
        do {
            guard let start = try start(name, purpose, scope, Array(CommandLine.arguments.dropFirst())) else {
                Process.exit(ExitCode.success.rawValue)
            }
            Process.ignore(.pipe)
            Process.raiseDescriptorLimit()
            // Two processes of one program are told apart as the supervisor does it: video.front, rtsp-2.
            let shortName = shortName(name, worker: start.worker)
            let component = start.camera.map { "\(shortName).\($0.name)" } ?? shortName
            // While nothing else is there that a copy of the process would have.
            try start.startDeviceOpener(needs)
            let context = try DaemonContext(name, start, .standardError(component, level: start.level))
            try context.enterSandbox(needs)
            if start.triesSandbox { Process.exit(context.trySandbox().rawValue) }
            let service = try setUp(context)
            try context.run()
            extendLifetime(service)
            DeviceOpener.stop()
            context.log.debug("stopped")
            Process.exit(ExitCode.success.rawValue)
        } catch let failure as Failure {
            Terminal.complain(name, failure.description)
            Process.exit(failure.code.rawValue)
        } catch {
            Terminal.complain(name, "\(error)")
            Process.exit(ExitCode.failure.rawValue)
        }
    }

    /// The program's name without `apus-`, with the number of each worker but the first.
    static func shortName(_ name: String, worker: Int) -> String {
        (name.hasPrefix("apus-") ? String(name.dropFirst(5)) : name) + (worker > 1 ? "-\(worker)" : "")
    }

    /// Reads command line and configuration; nil if help or the version was all that was asked for.
    private static func start(
        _ name: String,
        _ purpose: String,
        _ scope: DaemonScope,
        _ arguments: [String]
    ) throws(Failure) -> DaemonStart? {
        var options = [
            Option("--config", "FILE", "The configuration file; else that of the run directory, else the defaults."),
            Option("--run-dir", "DIR", "The run directory; else $APUS_RUN_DIR, else /run/apus or the user's own."),
        ]
        if scope == .oneCamera { options.append(Option("--camera", "NAME", "The camera to serve; else the first.")) }
        if scope == .workers {
            options.append(Option("--worker", "N", "Which of the workers this is; else the first."))
        }
        options.append(Option("--log-level", "LEVEL", "error, warn, info or debug; else that of the configuration."))
        options.append(Option("--sandbox", nil, "Closes the sandbox, whatever the configuration says."))
        options.append(Option("--try-sandbox", nil, "Closes the sandbox, tries what it forbids, tells, and ends."))
        options += [.help, .version]
        let parser = ArgumentParser(name, options)
        let parsed = try parser.parse(arguments)
        if parsed.has("--help") {
            print("\(purpose)\n\nUsage: \(name) [OPTION]…\n\nOptions:\n\(parser.optionHelp)", terminator: "")
            return nil
        }
        if parsed.has("--version") {
            print("\(name) \(apusVersion)")
            return nil
        }
        let runDirectory = parsed.value("--run-dir").map { RunDirectory($0) } ?? .standard()
        try runDirectory.prepare()
        let (configuration, file) = try load(parsed.value("--config"), runDirectory)
        let camera = scope == .oneCamera ? try camera(parsed.value("--camera"), configuration) : nil
        let worker = scope == .workers ? try parsed.integer("--worker", 1...RTSPConfiguration.maximumWorkers) ?? 1 : 1
        let triesSandbox = parsed.has("--try-sandbox")
        if !triesSandbox { try checkAlone(name, runDirectory, camera, worker) }
        let sockets = try sockets()
        return DaemonStart(
            configuration: configuration,
            configurationFile: file,
            runDirectory: runDirectory,
            camera: camera,
            worker: worker,
            level: try level(parsed.value("--log-level") ?? configuration.log.level),
            hasFixedLevel: parsed.has("--log-level"),
            sockets: sockets,
            triesSandbox: triesSandbox,
            isSandboxed: configuration.isSandboxed || parsed.has("--sandbox")
        )
    }

    private static func load(
        _ file: String?,
        _ runDirectory: RunDirectory
    ) throws(Failure) -> (Configuration, file: String?) {
        let found = file ?? (File.exists(runDirectory.configuration) ? runDirectory.configuration : nil)
        do throws(ConfigError) {
            guard let found else { return (try Configuration.standard(), nil) }
            return (try Configuration.load(found), found)
        } catch {
            throw Failure(.usage, error.description)
        }
    }

    private static func camera(_ name: String?, _ configuration: Configuration) throws(Failure) -> CameraConfiguration {
        guard let name else { return configuration.cameras[0] }
        guard let camera = configuration.camera(name) else {
            let names = configuration.cameras.map(\.name)
            let hint = Suggestion.phrase(for: name, among: names)
            throw Failure(.usage, "there is no camera \"\(name)\", only \(names.joined(separator: ", "))\(hint)")
        }
        return camera
    }

    private static func sockets() throws(Failure) -> [InheritedSocket] {
        do throws(InheritanceError) {
            let sockets = try InheritedSockets.assigned(Process.environment)
            try InheritedSockets.adopt(sockets)
            return sockets
        } catch {
            throw Failure(.usage, error.description)
        }
    }

    private static func level(_ name: String) throws(Failure) -> LogLevel {
        guard let level = LogLevel(name: name) else {
            let names = LogLevel.allCases.map(\.name)
            throw Failure(.usage, "--log-level must be \(names.joined(separator: ", ")), not \"\(name)\"")
        }
        return level
    }

    /// A control socket that answers belongs to a daemon that runs.
    private static func checkAlone(
        _ name: String,
        _ runDirectory: RunDirectory,
        _ camera: CameraConfiguration?,
        _ worker: Int
    ) throws(Failure) {
        let path = runDirectory.control(shortName(name, worker: worker), camera: camera?.name)
        guard (try? ControlClient(path)) != nil else { return }
        throw Failure(
            .alreadyRunning,
            "\(name) already runs in \(runDirectory.path); stop it, or choose another --run-dir"
        )
    }
}
