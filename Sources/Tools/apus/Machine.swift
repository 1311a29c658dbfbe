// SPDX-License-Identifier: Apache-2.0
// The machine under an instance: looked at, warned of, and kept from growing too hot.

import Bytes
import Config
import Control
import Daemon
import Log
import Loop
import Metrics
import System
import Telemetry

/// Looks at the machine, tells of limits that are passed, and has cameras' encoders do less while it is hot.
final class Machine {
    /// Names another place than the machine's own files to read; for tests, which have no machine that is hot.
    static let rootVariable = "APUS_MACHINE_ROOT"
    /// How long reading may take before a warning, at the least.
    private static let patience = Duration.seconds(10)

    private let loop: EventLoop
    private let log: Logger
    private let control: ControlServer
    private let runDirectory: RunDirectory
    private let telemetry: Telemetry
    /// Sensors behind slow buses are not waited for on the loop's thread.
    private let queue: BackgroundQueue
    /// Since when the machine is being read; nil while it is not.
    private var readingSince: Instant?
    private var timer: LoopTimer?
    private var interval = Duration.zero
    private var watch = MachineWatch()
    private var governor = ThermalGovernor()
    /// The cameras' daemons, by camera.
    private var cameras: [String: Encoders] = [:]

    /// What a camera's daemon was told, and what it cannot do.
    private struct Encoders {
        let link: ControlLink
        /// nil: it has not answered yet.
        var share: Share? = .full
        var isAsked = false
        /// Streams that pass through.
        var untouched: [String] = []
    }

    private struct Share: Equatable {
        var bitrate: Double
        var frameRate: Double

        static let full = Share(bitrate: 1, frameRate: 1)
    }

    init(_ loop: EventLoop, _ log: Logger, _ control: ControlServer, _ runDirectory: RunDirectory) throws(SystemError) {
        self.loop = loop
        self.log = log
        self.control = control
        self.runDirectory = runDirectory
        telemetry = Telemetry(
            root: Process.environment(Self.rootVariable) ?? "",
            disks: ["/", File.absolute(runDirectory.path)]
        )
        queue = try BackgroundQueue(loop)
        addVerbs()
    }

    /// Goes by this configuration from now on.
    func take(_ configuration: Configuration) {
        let limits = configuration.telemetry
        watch.limits = MachineLimits(
            hot: Double(limits.hot),
            memory: Double(limits.memoryLow) / 100,
            disk: Double(limits.diskLow) / 100,
            wear: Double(limits.wornOut) / 100
        )
        let thermal = configuration.thermal
        let policy = ThermalPolicy(
            lowered: .init(rawValue: thermal.lower) ?? .both,
            hot: Double(thermal.hot),
            least: Double(thermal.atLeast) / 100,
            pace: thermal.pace
        )
        if governor.change(to: policy) { announce(telemetry.newest?.reading.processorTemperature?.celsius) }
        let names = configuration.cameras.map(\.name)
        for (name, encoders) in cameras where !names.contains(name) {
            encoders.link.close()
            cameras[name] = nil
        }
        for name in names where cameras[name] == nil {
            let path = runDirectory.control("video", camera: name)
            cameras[name] = Encoders(link: ControlLink(loop, path))
        }
        tellCameras()
        guard interval != limits.interval else { return }
        interval = limits.interval
        timer?.cancel()
        timer = loop.timer(every: interval) { [unowned self] in read() }
        read()
    }

    /// A camera's daemon has begun anew, and knows of nothing.
    func cameraStarted(_ camera: String) {
        cameras[camera]?.share = .full
        cameras[camera]?.isAsked = false
        tellCameras()
    }

    /// What `status` tells of the machine.
    var status: [JSON.Member] {
        let now = Clock.monotonic()
        return [
            JSON.Member("warnings", .array(watch.warnings.map { $0.json(at: now) })),
            JSON.Member("thermal", .object(governor.members + [JSON.Member("untouched", .array(untouched))])),
        ]
    }

    // MARK: Looking

    private func read() {
        if let readingSince {
            let limit = max(interval * 3, Self.patience).seconds
            return tell(watch.noteSilence(of: (loop.now - readingSince).seconds, limit: limit, at: loop.now))
        }
        guard !telemetry.isFresh(at: loop.now) else { return }
        let isTaken = queue.run(telemetry.reading) { [unowned self] reading in
            readingSince = nil
            look(telemetry.take(reading, at: loop.now).reading)
        }
        if isTaken { readingSince = loop.now }
    }

    private func tell(_ crossings: [MachineWatch.Crossing]) {
        for crossing in crossings {
            let warning = crossing.warning
            if crossing.isOver {
                log.info("limit not passed any more", ["name": warning.kind.rawValue, "subject": warning.subject])
            } else {
                log.warn("limit passed", ["name": warning.kind.rawValue, "what": warning.text])
            }
            control.emit("threshold", warning.members + [JSON.Member("active", .boolean(!crossing.isOver))])
        }
    }

    private func look(_ reading: SystemReading) {
        tell(watch.look(reading, at: loop.now))
        let celsius = reading.processorTemperature?.celsius
        if governor.look(celsius, at: loop.now) { announce(celsius) }
        // Who did not answer is told again.
        tellCameras()
    }

    // MARK: Heat

    private func announce(_ celsius: Double?) {
        let (bitrate, frameRate) = (percent(governor.bitrateShare), percent(governor.frameRateShare))
        let temperature = celsius.map { "\(Format.tenths($0))" } ?? "unknown"
        if governor.share < 1 {
            log.warn(
                "the processor is hot: encoders do less than is configured",
                ["celsius": temperature, "bitrate": bitrate, "fps": frameRate]
            )
        } else {
            log.info("encoders do what is configured again", ["celsius": temperature])
        }
        control.emit(
            "thermal",
            [JSON.Member("celsius", celsius.map { JSON($0) } ?? .null)] + governor.members
        )
    }

    private func percent(_ share: Double) -> String { "\(Int((share * 100).rounded()))%" }

    private func tellCameras() {
        let share = Share(bitrate: governor.bitrateShare, frameRate: governor.frameRateShare)
        for (name, encoders) in cameras where encoders.share != share && !encoders.isAsked {
            cameras[name]?.isAsked = true
            let arguments = [
                JSON.Member("bitrate", JSON(share.bitrate)), JSON.Member("fps", JSON(share.frameRate)),
            ]
            encoders.link.request("throttle", arguments) { [weak self] answer in
                self?.answered(name, share, answer)
            }
        }
    }

    private func answered(_ camera: String, _ share: Share, _ answer: ControlLink.Answer) {
        guard var encoders = cameras[camera], encoders.isAsked else { return }
        encoders.isAsked = false
        defer { cameras[camera] = encoders }
        guard case .success(let value) = answer else {
            // It may have taken it all the same.
            encoders.share = nil
            return
        }
        encoders.share = share
        let untouched = share == .full ? [] : value["untouched"]?.elements.compactMap(\.string) ?? []
        if !untouched.isEmpty, untouched != encoders.untouched {
            log.info(
                "not lowered, as it passes through untouched",
                ["camera": camera, "streams": untouched.joined(separator: ",")]
            )
        }
        encoders.untouched = untouched
    }

    /// The streams that heat does not change, as `camera/stream`.
    private var untouched: [JSON] {
        cameras.sorted { $0.key < $1.key }
            .flatMap { camera, encoders in encoders.untouched.map { .string("\(camera)/\($0)") } }
    }

    // MARK: Verbs

    private func addVerbs() {
        control.commands.add(
            Verb("machine", "Tells how the machine is: processors, memory, heat, fans, disks, network, warnings.") {
                [unowned self] _ throws(ControlError) in
                // Whoever looks again soon sees newer figures.
                read()
                guard let sample = telemetry.newest else {
                    throw ControlError(.unavailable, "the machine is being looked at for the first time")
                }
                return .object(sample.members + status)
            }
        )
        control.commands.add(Samples.verb { [unowned self] in samples })
        control.commands.add(
            EventKind("threshold", "A limit of [telemetry] is passed, or is not any more.")
        )
        control.commands.add(EventKind("thermal", "Encoders are lowered or restored, as the processor is hot or cool."))
    }

    private var samples: Samples {
        read()
        var samples = Samples()
        telemetry.newest?.collect(into: &samples)
        for warning in watch.warnings { samples.add(.systemWarning, warning.kind.rawValue, warning.subject, value: 1) }
        samples.add(.thermalShare, "bitrate", value: governor.bitrateShare)
        samples.add(.thermalShare, "fps", value: governor.frameRateShare)
        return samples
    }
}
