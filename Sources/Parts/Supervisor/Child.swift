// SPDX-License-Identifier: Apache-2.0
// One supervised process: started, watched, listened to, ended.

import Bytes
import Log
import Loop
import System

/// Why a child's run is over.
enum ChildEnd {
    case status(ExitStatus)
    /// It could not even be started.
    case notStarted(SystemError)
}

/// One supervised process over all its runs.
final class Child {
    var plan: ChildPlan
    var policy = RestartPolicy()
    var restarts = 0
    var hasBeenReady = false
    /// Removed from the supervisor once it has ended.
    var isUnwanted = false
    /// Started again at once when it has ended.
    var isRestarting = false
    var lastEnd: ExitStatus?
    /// How it ended last without having been asked to, in words.
    private var lastFault = ""
    private var lastWords: [String] = []
    var pause: LoopTimer?
    private(set) var run: ChildRun?

    init(_ plan: ChildPlan) { self.plan = plan }

    var report: ChildReport {
        let state: ChildReport.State
        if let run {
            state = run.isStopping ? .stopping : run.isReady ? .running : .starting
        } else if pause != nil {
            state = policy.isCrashLooping ? .failing : .waiting
        } else {
            state = .stopped
        }
        return ChildReport(
            name: plan.name,
            state: state,
            pid: run?.pid,
            since: run?.started,
            restarts: restarts,
            lastEnd: lastEnd,
            trouble: trouble,
            lastWords: lastWords
        )
    }

    /// What is wrong, as long as it is not known to be well.
    private var trouble: String? {
        guard policy.failures > 0, !lastFault.isEmpty else { return nil }
        if let run, policy.isWell(afterRunning: Clock.monotonic() - run.started, isReady: run.isReady) { return nil }
        guard policy.failures > 1 else { return lastFault }
        let when = policy.lastEnding == .byItself ? " soon after its start" : ""
        return "\(lastFault); it has ended \(policy.failures) times in a row\(when)"
    }

    /// Notes an end that nobody asked for.
    func noteFault(_ end: ChildEnd) {
        let killing = run?.killing
        switch end {
        case .status(let status): lastFault = killing.map { "killed: \($0)" } ?? "ended with \(status)"
        case .notStarted(let error): lastFault = "could not be started: \(error)"
        }
    }

    /// Begins a run.
    func start(
        _ host: ChildHost,
        onReady: @escaping () -> Void,
        onEnd: @escaping (ExitStatus) -> Void
    ) throws(SystemError) {
        pause?.cancel()
        pause = nil
        run = try ChildRun(plan, host, isRestart: hasBeenReady, onReady: onReady, onEnd: onEnd)
    }

    /// Ends the bookkeeping of a run that is over.
    func finishRun() {
        guard let run else { return }
        run.close()
        // What it says when it is told to end is no complaint.
        lastWords = run.isStopping ? [] : run.lastWords
        self.run = nil
    }
}

/// What all children of a supervisor have in common.
struct ChildHost {
    let loop: EventLoop
    let log: Logger
    /// Where each child's notification socket is made.
    let notifyDirectory: String
    var times: SupervisorTimes
    /// What children other than the one with a `stdin:` source read.
    let nullDescriptor: Int32
    /// Takes the whole lines that children write to their standard error; nil: they have this process's own.
    let output: (([UInt8]) -> Void)?
    /// `NAME=value` strings that all children get.
    let environment: [String]
    /// Called before a child is held to a deadline: it may be this process that is late.
    var onDeadline: () -> Void = {}
}

/// One run of a child.
final class ChildRun {
    let pid: Int32
    let started: Instant
    private(set) var isReady = false
    private(set) var isStopping = false
    /// Why it was killed, if it was.
    private(set) var killing: String?
    private(set) var ending = RestartPolicy.Ending.byItself
    private let output: ChildOutput?
    private let name: String
    private let host: ChildHost
    private let socketPath: String
    private let notifications: FileDescriptor
    private let descriptor: FileDescriptor
    private var watches: [Watch] = []
    private var deadline: Deadline?
    /// Runs while the child is stopped by a signal.
    private var stillness: LoopTimer?
    private let onReady: () -> Void

    /// What is done if nothing has happened by then.
    private struct Deadline {
        let due: Instant
        let timer: LoopTimer
        let miss: () -> Void
    }

    init(
        _ plan: ChildPlan,
        _ host: ChildHost,
        isRestart: Bool,
        onReady: @escaping () -> Void,
        onEnd: @escaping (ExitStatus) -> Void
    ) throws(SystemError) {
        name = plan.name
        self.host = host
        self.onReady = onReady
        started = Clock.monotonic()
        socketPath = "\(host.notifyDirectory)/\(plan.name).sock"
        notifications = try Socket.listenUnix(socketPath, kind: .datagram, mode: 0o600)
        var launch = Process.Launch(path: plan.path, arguments: plan.arguments)
        launch.environment = ChildRun.environment(host.environment, socketPath, host.times.watchdog)
        if isRestart { launch.environment.append("APUS_RESTART=1") }
        if let sockets = InheritedSockets.assignment(plan.sockets) { launch.environment.append(sockets) }
        launch.keptDescriptors = plan.sockets.map(\.descriptor)
        if let pass = host.output { output = try ChildOutput(host.loop, pass) } else { output = nil }
        launch.standardError = output?.childEnd
        if !plan.takesStandardInput { launch.standardInput = host.nullDescriptor }
        pid = try Process.spawn(launch)
        output?.started()
        descriptor = try Process.watch(pid)
        watches.append(
            try host.loop.watch(descriptor.raw, .read) { [unowned self] _ in
                // Nil, too, if somebody who reaps all children was faster and tells of it himself.
                guard let status = try? Process.reap(pid) else { return }
                onEnd(status)
            }
        )
        watches.append(try host.loop.watch(notifications.raw, .read) { [unowned self] _ in readNotifications() })
        expect(within: host.times.readiness) { [unowned self] in
            host.log.error("not ready in time; killed", ["child": name, "after": host.times.readiness])
            kill("not ready after \(LogLine.short(host.times.readiness))", .neverReady)
        }
    }

    /// Asks the child to end; once the time is over, makes it.
    func stop() {
        guard !isStopping else { return }
        isStopping = true
        signal(.terminate)
        expect(within: host.times.stop) { [unowned self] in
            host.log.warn("did not stop in time; killed", ["child": name])
            signal(.kill)
        }
    }

    /// Gives it more time for what is expected of it.
    func postpone(by time: Duration) {
        guard let deadline else { return }
        expect(by: deadline.due + time, deadline.miss)
    }

    /// Notices a child that was stopped by a signal (SIGSTOP): it cannot say so itself, and its clients wait.
    ///
    /// It has a moment to go on, for those who look into a process that way.
    func checkStopped() {
        guard stillness == nil, !isStopping, Process.isStopped(pid) else { return }
        stillness = host.loop.timer(after: host.times.stopped) { [unowned self] in
            stillness = nil
            guard Process.isStopped(pid) else { return }
            host.log.error("stopped by a signal; killed", ["child": name, "after": host.times.stopped])
            kill("it was stopped by a signal")
        }
    }

    /// Lets go of everything that belongs to the run, and of what the child may have left in its process group.
    func close() {
        signal(.kill)
        deadline?.timer.cancel()
        deadline = nil
        stillness?.cancel()
        for watch in watches { watch.cancel() }
        watches.removeAll()
        output?.close()
        File.remove(socketPath)
    }

    /// The last lines that it has written.
    var lastWords: [String] { output?.lastLines ?? [] }

    /// Takes what it has written up to now.
    func drain() { output?.drain() }

    private func kill(_ reason: String, _ ending: RestartPolicy.Ending = .byItself) {
        killing = reason
        self.ending = ending
        signal(.kill)
    }

    private func expect(within time: Duration, _ miss: @escaping () -> Void) {
        expect(by: Clock.monotonic() + time, miss)
    }

    private func expect(by due: Instant, _ miss: @escaping () -> Void) {
        deadline?.timer.cancel()
        let timer = host.loop.timer(at: due) { [unowned self] in checkDeadline() }
        deadline = Deadline(due: due, timer: timer, miss: miss)
    }

    /// Holds the child to its deadline, unless it has done its part and this process was too late to see it.
    private func checkDeadline() {
        host.onDeadline()
        readNotifications()
        guard let deadline, deadline.due <= Clock.monotonic() else { return }
        self.deadline = nil
        deadline.miss()
    }

    /// Sends a signal to the child and its descendants; that they are gone already is no fault.
    func signal(_ signal: Signal) { _ = try? Process.signal(signal, toGroup: pid) }

    private func readNotifications() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            var span = buffer.mutableSpan
            guard case .bytes(let count)? = try? read(notifications.raw, into: &span) else { return }
            for line in buffer.prefix(count).split(separator: UInt8(ascii: "\n")) {
                handle(String(decoding: line, as: UTF8.self))
            }
        }
    }

    private func handle(_ assignment: String) {
        switch assignment {
        case "READY=1":
            guard !isReady, !isStopping else { return }
            isReady = true
            awaitSignOfLife()
            onReady()
        case "WATCHDOG=1": if isReady, !isStopping { awaitSignOfLife() }
        case "STOPPING=1": break
        default: host.log.debug("notification", ["child": name, "text": assignment])
        }
    }

    private func awaitSignOfLife() {
        expect(within: host.times.watchdog) { [unowned self] in
            host.log.error("no sign of life; killed", ["child": name, "for": host.times.watchdog])
            kill("no sign of life for \(LogLine.short(host.times.watchdog))", .hung(host.times.watchdog))
        }
    }

    /// The environment with the child's own notification socket in it.
    private static func environment(_ common: [String], _ socket: String, _ watchdog: Duration) -> [String] {
        let ours = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "APUS_RESTART"] + InheritedSockets.variables
        var kept = common.filter { entry in !ours.contains { entry.hasPrefix("\($0)=") } }
        // The runtime's way of telling of a crash takes up to a minute, in which clients wait for the next process.
        if !kept.contains(where: { $0.hasPrefix("SWIFT_BACKTRACE=") }) { kept.append("SWIFT_BACKTRACE=enable=no") }
        return kept + ["NOTIFY_SOCKET=\(socket)", "WATCHDOG_USEC=\(watchdog.nanoseconds / 1000)"]
    }
}
