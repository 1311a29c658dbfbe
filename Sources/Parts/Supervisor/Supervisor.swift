// SPDX-License-Identifier: Apache-2.0
// Keeps a set of processes running: start, readiness, restart, ordered stop.

import Bytes
package import Log
package import Loop
package import System

/// Keeps processes running, each in a process group of its own.
///
/// A process that ends is started again: at once, then later and later while it keeps ending. One that cannot start at
/// all because of what it was told is not tried again: `onFailure` hears of it.
package final class Supervisor {
    /// All children are ready for the first time.
    package var onReady: () -> Void = {}
    /// A child ended in its first start with an exit code that will not change by itself; not called for children that
    /// are added when all were ready once, as others run well by then.
    package var onFailure: (_ child: String, _ exitCode: Int32) -> Void = { _, _ in }
    /// A child became ready, ended, or waits for its restart.
    package var onChange: (ChildReport) -> Void = { _ in }

    /// How long children are waited for; holds for runs that begin from now on.
    package var times: SupervisorTimes {
        get { host.times }
        set { host.times = newValue }
    }

    private var host: ChildHost
    private let isPermanent: (Int32) -> Bool
    private let null: FileDescriptor
    private var children: [Child] = []
    private var wasReady = false
    private var stopped: (() -> Void)?
    /// When this process last saw that it runs itself.
    private var lastLook: Instant?

    /// Makes a supervisor without children; their notification sockets go to `notifyDirectory`, which exists.
    ///
    /// `isPermanent` tells which exit codes of a first start are not worth a second. `output` gets the whole lines that
    /// children write to their standard error; without it they have this process's own.
    package init(
        _ loop: EventLoop,
        _ log: Logger,
        notifyDirectory: String,
        output: (([UInt8]) -> Void)? = nil,
        environment: [String] = Process.environment,
        times: SupervisorTimes = SupervisorTimes(),
        isPermanent: @escaping (Int32) -> Bool
    ) throws(SystemError) {
        null = try File.open("/dev/null", .readWrite)
        host = ChildHost(
            loop: loop,
            log: log,
            notifyDirectory: notifyDirectory,
            times: times,
            nullDescriptor: null.raw,
            output: output,
            environment: environment
        )
        self.isPermanent = isPermanent
        host.onDeadline = { [unowned self] in lookForOwnPause() }
    }

    /// All children in the order of their start.
    package var reports: [ChildReport] { children.map(\.report) }

    /// The plans in force.
    package var plans: [ChildPlan] { children.filter { !$0.isUnwanted }.map(\.plan) }

    /// Adds a process and starts it.
    package func start(_ plan: ChildPlan) {
        if lastLook == nil { look() }
        precondition(!plans.contains { $0.name == plan.name }, "\(plan.name) is supervised already")
        let child = Child(plan)
        children.append(child)
        begin(child)
    }

    /// Ends a process for good.
    package func remove(_ name: String) {
        guard let child = child(name) else { return }
        child.isUnwanted = true
        end(child)
    }

    /// Ends a process and starts it by `plan`, which has the same name.
    package func restart(_ plan: ChildPlan) {
        guard let child = child(plan.name) else { return start(plan) }
        child.plan = plan
        child.policy = RestartPolicy()
        child.isRestarting = true
        if child.run == nil { begin(child) } else { child.run?.stop() }
    }

    /// Notes a plan whose process needs no restart.
    package func update(_ plan: ChildPlan) { child(plan.name)?.plan = plan }

    /// Ends all processes, stage by stage, then calls `completion`.
    package func stop(_ completion: @escaping () -> Void) {
        guard stopped == nil else { return }
        stopped = completion
        for child in children where child.run == nil { end(child) }
        stopNextStage()
    }

    /// Notes the end of a process that somebody else reaped; false if it is none of the children.
    @discardableResult
    package func noteEnd(_ pid: Int32, _ status: ExitStatus) -> Bool {
        guard let child = children.first(where: { $0.run?.pid == pid }) else { return false }
        ended(child, .status(status))
        return true
    }

    /// Looks for children that were stopped by a signal; to be called when the kernel tells of a child (SIGCHLD).
    package func checkStopped() { for child in children { child.run?.checkStopped() } }

    /// Those of the children that a signal holds stopped: they answer nobody.
    package var stoppedChildren: Set<String> {
        Set(children.filter { $0.run.map { Process.isStopped($0.pid) } ?? false }.map(\.plan.name))
    }

    /// Gives all children more time for what is expected of them.
    package func postpone(by time: Duration) { for child in children { child.run?.postpone(by: time) } }

    /// Takes what all children have written up to now.
    package func drain() { for child in children { child.run?.drain() } }

    /// Looks now and then whether this process itself was held up.
    private func look() {
        lookForOwnPause()
        host.loop.timer(after: lookInterval) { [unowned self] in look() }
    }

    private var lookInterval: Duration { max(host.times.watchdog / 10, .milliseconds(50)) }

    /// Gives children the time that this process was stopped itself (Ctrl-Z, a machine that was paused): it has heard
    /// nobody meanwhile, and they may have been stopped with it.
    private func lookForOwnPause() {
        let now = Clock.monotonic()
        defer { lastLook = now }
        guard let lastLook else { return }
        let late = now - lastLook - lookInterval
        guard late > lookInterval else { return }
        host.log.warn("was held up itself; all daemons have so much more time", ["for": late])
        postpone(by: late)
    }

    private func child(_ name: String) -> Child? { children.first { $0.plan.name == name && !$0.isUnwanted } }

    private func begin(_ child: Child) {
        child.isRestarting = false
        do throws(SystemError) {
            try child.start(
                host,
                onReady: { [unowned self, unowned child] in becameReady(child) },
                onEnd: { [unowned self, unowned child] status in ended(child, .status(status)) }
            )
            host.log.debug("started", ["child": child.plan.name, "pid": child.run?.pid ?? 0])
        } catch {
            ended(child, .notStarted(error))
        }
    }

    private func end(_ child: Child) {
        child.pause?.cancel()
        child.pause = nil
        if let run = child.run { run.stop() } else { forget(child) }
    }

    private func forget(_ child: Child) {
        if child.isUnwanted { children.removeAll { $0 === child } }
    }

    private func becameReady(_ child: Child) {
        child.hasBeenReady = true
        host.log.info("ready", ["child": child.plan.name, "pid": child.run?.pid ?? 0])
        onChange(child.report)
        if !wasReady, children.allSatisfy(\.hasBeenReady) {
            wasReady = true
            onReady()
        }
    }

    private func ended(_ child: Child, _ end: ChildEnd) {
        let run = child.run
        let ending = run?.ending ?? .byItself
        if run?.isStopping != true { child.noteFault(end) }
        child.finishRun()
        if case .status(let status) = end { child.lastEnd = status }
        if stopped != nil { return stopNextStage() }
        if child.isUnwanted {
            host.log.info("stopped", ["child": child.plan.name])
            return forget(child)
        }
        if child.isRestarting { return begin(child) }
        if case .status(.exited(let code)) = end, !wasReady, !child.hasBeenReady, isPermanent(code) {
            return onFailure(child.plan.name, code)
        }
        restartLater(child, end, ending, ranFor: run.map { host.loop.now - $0.started } ?? .zero)
    }

    private func restartLater(
        _ child: Child,
        _ end: ChildEnd,
        _ ending: RestartPolicy.Ending,
        ranFor time: Duration
    ) {
        let wasLooping = child.policy.isCrashLooping
        let jitter = Double.random(in: 0..<1)
        let delay = child.policy.ended(ending, afterRunning: max(.zero, time), jitter: jitter)
        child.restarts += 1
        let reason =
            switch end {
            case .status(let status): status.description
            case .notStarted(let error): error.description
            }
        host.log.warn("ended; restarting", ["child": child.plan.name, "end": reason, "in": delay])
        if child.policy.isCrashLooping, !wasLooping {
            host.log.error(
                ending == .byItself
                    ? "keeps ending soon after its start; see its own lines above"
                    : "keeps hanging; tried now and then",
                ["child": child.plan.name, "failures": child.policy.failures]
            )
        }
        child.pause = host.loop.timer(after: delay) { [unowned self, unowned child] in begin(child) }
        onChange(child.report)
    }

    private func stopNextStage() {
        guard let stage = children.filter({ $0.run != nil }).map(\.plan.stage).max() else {
            let completion = stopped
            stopped = {}
            completion?()
            return
        }
        for child in children where child.plan.stage == stage { child.run?.stop() }
    }
}
