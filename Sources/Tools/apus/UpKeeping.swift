// SPDX-License-Identifier: Apache-2.0
// What `apus up` does beside its daemons' starts and ends: keeps the run directory, asks daemons without waiting long.

import Bytes
import Control
import Daemon
import Log
import Supervisor
import System

// MARK: The run directory

extension Up {
    /// How often the run directory is looked at.
    static let keepingInterval = Duration.seconds(1)

    /// Looks whether somebody has removed the run directory or what is in it (a cleaner of /tmp, rm -rf), without which no
    /// daemon gives a sign of life and no viewer finds a camera, and makes it again.
    func keepRunDirectory() {
        do {
            if !lock.isWhole {
                try lock.restore()
                try writeConfiguration()
                try control.listen(runDirectory.control("supervisor"))
                devices.renew()
                log.warn(
                    "somebody has removed the run directory; it is made again, and all daemons begin anew",
                    ["directory": runDirectory.path]
                )
                for plan in supervisor.plans { supervisor.restart(plan) }
            } else {
                try keepFiles()
            }
            lastDirectoryProblem = nil
        } catch {
            cannotKeep("\(error)")
        }
    }

    private func keepFiles() throws {
        if !File.exists(runDirectory.configuration) {
            log.warn("the configuration in force was removed; written again", ["file": runDirectory.configuration])
            try writeConfiguration()
        }
        let own = runDirectory.control("supervisor")
        if !File.exists(own) {
            log.warn("a socket was removed; listening again", ["socket": own])
            try control.listen(own)
        }
        let running = supervisor.reports.filter { $0.state == .running }.map(\.name)
        let missing = Set(running.filter { !File.exists(controlSocket($0, runDirectory)) })
        // Twice: one that has just begun may be about to make it.
        for plan in supervisor.plans where missing.contains(plan.name) && daemonsWithoutSocket.contains(plan.name) {
            log.warn("a daemon's socket was removed; it begins anew", ["child": plan.name])
            supervisor.restart(plan)
        }
        daemonsWithoutSocket = missing
    }

    /// The daemons go on as well as they can; that nothing is heard of them is not their fault.
    private func cannotKeep(_ problem: String) {
        supervisor.postpone(by: Self.keepingInterval)
        guard problem != lastDirectoryProblem else { return }
        lastDirectoryProblem = problem
        log.error("the run directory is gone and cannot be made again", ["error": problem])
        // Who has made it for a service (RuntimeDirectory=) makes it again with the next start.
        if notifier.isHeard { fail(Failure(.failure, "the run directory is gone: \(problem)")) }
    }
}

// MARK: Asking

extension Up {
    /// Asks several children the same, all at once: those that do not answer cost one wait together.
    ///
    /// - Returns: the answers, by child; who is stopped, does not answer in time or refuses is not in it.
    func ask(_ children: [String], _ verb: String) -> [String: JSON] {
        let stopped = supervisor.stoppedChildren
        var asked: [(child: String, client: ControlClient, number: Int)] = []
        for child in children where !stopped.contains(child) {
            guard let client = try? ControlClient(controlSocket(child, runDirectory), timeout: Self.patience),
                let number = try? client.ask(verb)
            else { continue }
            asked.append((child, client, number))
        }
        let deadline = Clock.monotonic() + Self.patience
        var answers: [String: JSON] = [:]
        for (child, client, number) in asked { answers[child] = try? client.answer(to: number, until: deadline) }
        return answers
    }

    private static let patience = Duration.seconds(1)
}
