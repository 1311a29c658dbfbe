// SPDX-License-Identifier: Apache-2.0
// The devices of an instance: looked for without holding the loop up, told of, and made into cameras.

import Bytes
import Config
import Control
import Daemon
import Devices
import Log
import Loop
import System

/// Knows which devices there are and which cameras they are.
final class DeviceKeeper {
    /// The cameras that follow from the devices are others now.
    var onChange: () -> Void = {}
    private(set) var devices: [CaptureDevice] = []

    private let loop: EventLoop
    private let log: Logger
    private let control: ControlServer
    private let file: String
    private let directory: String
    private let queue: BackgroundQueue
    private var automatic: AutomaticCameras
    private var configuration: Configuration
    private var simulation: Simulation?
    private var scanner: DeviceScanner
    private var watcher: DeviceWatcher?
    private var isScanning = false
    /// Something has happened since the scan under way began.
    private var isDue = false
    /// The first look is over, or has taken too long.
    private var isStarted = false
    private var lastPretendedNode = 0
    /// When the devices that are there came, by node and identity; long ago for those that were there before.
    private var arrivals: [String: Instant] = [:]
    private var nextLook: LoopTimer?

    /// A start waits so long for devices to answer; they may come later.
    private static let patience = Duration.seconds(3)
    /// udev has made a device's links by then.
    private static let linkTime = Duration.seconds(2)
    /// A device that does not answer is looked at again so often; it is not asked while it still thinks.
    private static let silenceTime = Duration.seconds(5)

    /// Looks for devices; returns when they have answered, or after a while.
    init(
        _ loop: EventLoop,
        _ log: Logger,
        _ control: ControlServer,
        _ runDirectory: RunDirectory,
        _ configuration: Configuration
    ) throws(SystemError) {
        self.loop = loop
        self.log = log
        self.control = control
        self.configuration = configuration
        directory = runDirectory.simulated
        file = DeviceMemory.path(runDirectory)
        queue = try BackgroundQueue(loop)
        automatic = AutomaticCameras(memory: Self.load(file, log))
        scanner = DeviceScanner()
        simulate()
        scan()
        let deadline = Clock.monotonic() + Self.patience
        while isScanning, Clock.monotonic() < deadline { try loop.turn(waitingUntil: deadline) }
        if isScanning { log.warn("devices take long to answer; what they are shows later") }
        isStarted = true
        watcher = DeviceWatcher(loop, directories: [directory]) { [unowned self] in scan() }
        addVerbs()
    }

    /// The configuration in force, by that which somebody has written.
    func effective(_ document: ConfigDocument, _ configuration: Configuration) -> ConfigDocument {
        automatic.effective(document, configuration)
    }

    /// What to call the sources of cameras whose source is not written down, by camera.
    func sources(_ configuration: Configuration) -> [String: String] {
        var sources: [String: String] = [:]
        for camera in configuration.cameras where camera.source == "auto" {
            sources[camera.name] = "auto: no device yet, the test pattern"
        }
        for binding in automatic.bindings { sources[binding.camera] = "auto: \(binding.device.title)" }
        return sources
    }

    /// The camera whose settings a camera has: of one that a device has become by itself, the first that says auto.
    func model(of camera: String, _ configuration: Configuration) -> String {
        guard automatic.bindings.contains(where: { $0.camera == camera && $0.isAdded }) else { return camera }
        return configuration.cameras.first { $0.source == "auto" }?.name ?? camera
    }

    /// Another configuration holds from now on.
    func take(_ new: Configuration) {
        let isOtherSimulation = new.simulatedDevices != configuration.simulatedDevices
        configuration = new
        if isOtherSimulation {
            simulate()
            devices.removeAll(where: \.node.isSimulated)
            devices += simulation?.devices(hasVideo: DeviceTree().hasVideo) ?? []
        }
        assign()
    }

    /// Looks no more, and takes the simulated devices away.
    func close() {
        watcher?.stop()
        nextLook?.cancel()
        let simulation = Simulation(directory: directory, isStandIn: false)
        for number in 1...Simulation.maximumCount { simulation.unplug(number) }
        File.removeDirectory(directory)
    }

    /// The run directory was made again: so is what of this was in it.
    func renew() {
        simulate()
        if !File.exists(file), !automatic.memory.entries.isEmpty { save() }
        watcher?.stop()
        watcher = DeviceWatcher(loop, directories: [directory]) { [unowned self] in scan() }
        scan()
    }

    // MARK: Looking

    /// Has the devices looked at on another thread: one that hangs must not hold up the daemons' signs of life.
    private func scan() {
        guard !isScanning else {
            isDue = true
            return
        }
        let inUse = Set(devices.filter { automatic.camera(of: $0, configuration) != nil }.map(\.node.path))
        isScanning = queue.run(
            { [scanner] in
                var scanner = scanner
                let devices = scanner.scan(sparing: inUse)
                return (scanner, devices)
            },
            then: { [unowned self] (result: (DeviceScanner, [CaptureDevice])) in took(result.0, result.1) }
        )
    }

    private func took(_ scanner: DeviceScanner, _ found: [CaptureDevice]) {
        self.scanner = scanner
        // It may be another since.
        self.scanner.simulation = simulation
        isScanning = false
        let old = devices
        devices = automatic.naming(found)
        let before = arrivals
        arrivals = [:]
        for device in devices {
            let key = "\(device.node.path) \(device.identity.full)"
            arrivals[key] = before[key] ?? (isStarted ? loop.now : .zero)
        }
        let isOther = assign()
        if isStarted { tell(old) }
        if isOther, isStarted { onChange() }
        nextLook?.cancel()
        if automatic.isHolding {
            nextLook = loop.timer(after: Self.linkTime) { [unowned self] in scan() }
        } else if devices.contains(where: { $0.problem == .silent }) {
            nextLook = loop.timer(after: Self.silenceTime) { [unowned self] in scan() }
        }
        guard isDue else { return }
        isDue = false
        scan()
    }

    /// Tells which devices have come and gone since there were `old`.
    private func tell(_ old: [CaptureDevice]) {
        for device in old where !devices.contains(where: { $0.isSamePlug(as: device) }) {
            emit("removed", device)
            log.info("device removed", ["device": device.id, "name": device.title, "node": device.node.path])
        }
        for device in devices {
            let before = old.first { $0.isSamePlug(as: device) }
            if before == nil {
                emit("added", device)
                log.info("device added", ["device": device.id, "name": device.title, "node": device.node.path])
            }
            if let problem = device.problem, problem != .busy, before?.problem != problem {
                log.warn("device cannot be used", ["device": device.id, "node": device.node.path, "reason": problem])
            }
        }
    }

    private func emit(_ change: String, _ device: CaptureDevice) {
        control.emit(
            "device",
            [
                JSON.Member("change", .string(change)), JSON.Member("id", .string(device.id)),
                JSON.Member("name", .string(device.title)), JSON.Member("node", .string(device.node.path)),
                JSON.Member("camera", JSON(automatic.camera(of: device, configuration, evenIfGone: true))),
                JSON.Member("simulated", .boolean(device.node.isSimulated)),
            ]
        )
    }

    /// Makes cameras of devices; true if the configuration in force is another by it.
    @discardableResult
    private func assign() -> Bool {
        let memory = automatic.memory
        let sources = automatic.bindings.map(\.source)
        var isOther = false
        automatic.targets = [:]
        for path in configuration.cameras.compactMap({ AutomaticCameras.path($0.source) }) {
            automatic.targets[path] = File.resolved(path)
        }
        let all = automatic.take(
            devices,
            configuration,
            isWithdrawn: { isWithdrawn($0) },
            isFresh: { isFresh($0) }
        )
        for news in all {
            switch news {
            case .bound(let binding):
                isOther = true
                note("device is camera", binding)
            case .released(let binding):
                isOther = true
                note("device is camera no more", binding)
            case .returned(let binding): note("camera's device is back", binding)
            case .lost(let binding): note("camera's device is gone", binding)
            case .refused(let device):
                log.warn(
                    "too many devices; this one does not become a camera by itself",
                    ["device": device.id, "limit": AutomaticCameras.maximumCount]
                )
            }
        }
        if automatic.memory != memory { save() }
        // A device that has got a twin is called otherwise, and one that is at another place now may be.
        return isOther || automatic.bindings.map(\.source) != sources
    }

    private func isFresh(_ device: CaptureDevice) -> Bool {
        guard let arrival = arrivals["\(device.node.path) \(device.identity.full)"] else { return false }
        return loop.now - arrival < Self.linkTime
    }

    private func note(_ event: String, _ binding: AutomaticCameras.Binding) {
        let device = binding.device
        log.info(
            event,
            ["camera": binding.camera, "device": device.id, "name": device.title, "node": device.node.path]
        )
    }

    // MARK: Memory

    private static func load(_ file: String, _ log: Logger) -> DeviceMemory {
        guard let bytes = try? File.contents(file, limit: DeviceMemory.maximumSize) else { return DeviceMemory() }
        do throws(Failure) {
            return try DeviceMemory(parsing: bytes.span)
        } catch {
            log.warn("the names of devices are not remembered", ["file": file, "error": error])
            return DeviceMemory()
        }
    }

    private func save() {
        do throws(SystemError) {
            try File.replace(file, with: Array(automatic.memory.text.utf8).span, mode: 0o640)
        } catch {
            log.warn("the names of devices cannot be kept", ["file": file, "error": error])
        }
    }

    // MARK: Simulated devices

    /// Plugs in as many simulated devices as the configuration wants.
    private func simulate() {
        let count = configuration.simulatedDevices ?? 1
        let simulation = Simulation(directory: directory, isStandIn: configuration.simulatedDevices == nil)
        let isSame = self.simulation?.isStandIn == simulation.isStandIn
        self.simulation = count > 0 ? simulation : nil
        scanner.simulation = self.simulation
        for number in 1...Simulation.maximumCount {
            if number > count {
                simulation.unplug(number)
            } else if !isSame || !simulation.has("\(Simulation.prefix)\(number)") {
                plug(simulation, number)
            }
        }
    }

    /// True for a simulated device that is not only unplugged.
    private func isWithdrawn(_ device: CaptureDevice) -> Bool {
        guard device.node.isSimulated else { return false }
        guard let simulation, let number = simulation.number(of: device.id) else { return true }
        if let count = configuration.simulatedDevices { return number > count }
        // Who stood in for want of anything else goes when there is something.
        return !devices.contains { $0.node.isSimulated } && devices.contains { !$0.node.isSimulated }
    }

    private func plug(_ simulation: Simulation, _ number: Int) {
        do throws(SystemError) {
            lastPretendedNode += 1
            try simulation.plug(number, as: lastPretendedNode)
        } catch {
            log.warn("no simulated device", ["error": error])
        }
    }

    // MARK: Control

    private func addVerbs() {
        control.commands.add(EventKind("device", "A capture device was added or removed."))
        control.commands.add(
            Verb("devices", "Lists the capture devices, and which cameras they are.") { [unowned self] _ in
                [
                    "devices": .array(devices.map { $0.json(camera: automatic.camera(of: $0, configuration)) }),
                    "lost": .array(
                        automatic.bindings.filter { !$0.isThere }
                            .map {
                                [
                                    "camera": .string($0.camera), "id": .string($0.device.id),
                                    "name": .string($0.device.title),
                                ]
                            }
                    ),
                    "heard_by": .array((watcher?.means ?? []).map(JSON.string)),
                ]
            }
        )
        control.commands.add(
            Verb(
                "forget-camera",
                "Drops a camera that a device has become by itself, and that is not plugged in.",
                [Argument("camera", .text, "Its name.")]
            ) { [unowned self] arguments throws(ControlError) in
                guard let binding = automatic.forget(arguments.text("camera") ?? "") else {
                    throw ControlError(
                        .outOfRange,
                        key: "camera",
                        "there is no such camera whose device is not plugged in"
                    )
                }
                note("camera forgotten", binding)
                save()
                loop.later { [unowned self] in onChange() }
                return [:]
            }
        )
        let device = Argument("device", .text, "Its id: simulated-1.")
        control.commands.add(
            Verb("unplug", "Unplugs a simulated device.", [device]) { [unowned self] arguments throws(ControlError) in
                let (simulation, number) = try simulated(arguments.text("device"))
                guard simulation.unplug(number) else {
                    throw ControlError(.failed, key: "device", "it is not plugged in")
                }
                return [:]
            }
        )
        control.commands.add(
            Verb("plug", "Plugs a simulated device in again, as another node.", [device]) {
                [unowned self] arguments throws(ControlError) in
                let (simulation, number) = try simulated(arguments.text("device"))
                guard !simulation.has("\(Simulation.prefix)\(number)") else {
                    throw ControlError(.failed, key: "device", "it is plugged in")
                }
                plug(simulation, number)
                return [:]
            }
        )
    }

    private func simulated(_ id: String?) throws(ControlError) -> (Simulation, Int) {
        guard let simulation else {
            throw ControlError(.unavailable, "there are no simulated devices: simulated_devices = 0 in [apus]")
        }
        guard let number = simulation.number(of: id ?? "") else {
            throw ControlError(
                .outOfRange,
                key: "device",
                "a simulated device is called \(Simulation.prefix)1 to \(Simulation.prefix)\(Simulation.maximumCount)"
            )
        }
        return (simulation, number)
    }
}

extension CaptureDevice {
    /// True for the same device at the same node.
    fileprivate func isSamePlug(as other: CaptureDevice) -> Bool {
        identity == other.identity && node.path == other.node.path
    }
}
