// SPDX-License-Identifier: Apache-2.0
// The other daemons of the instance: asked over their control sockets, heard for their events.

import Bytes
import Config
import Control
import Daemon
import Loop
import Metrics

/// What all daemons said of themselves at one moment.
struct Gathering {
    let at: Instant
    /// The answers to `status`, by daemon; those that did not answer are missing.
    var statuses: [String: JSON] = [:]
    /// The answers to `metrics`, by daemon.
    var samples: [String: Samples] = [:]
    /// What the kernel says of the daemons' processes, by daemon; nothing without a supervisor.
    var processes: [String: JSON] = [:]
    /// The answer of the supervisor to `status`.
    var supervisor: JSON? { statuses["supervisor"] }
}

/// Links to the other daemons.
final class Neighbours {
    /// Called with each event of another daemon's: the daemon, the kind, the members.
    var onEvent: (String, String, JSON) -> Void = { _, _, _ in }
    /// Called when a daemon's events begin or cease to be heard.
    var onConnection: (String, Bool) -> Void = { _, _ in }
    /// The names of the others, as in `apus ctl`, the supervisor's last.
    private(set) var names: [String] = []

    private let context: DaemonContext
    private var links: [String: ControlLink] = [:]
    private var last: Gathering?
    private var waiting: [(Gathering) -> Void] = []

    /// What was said less than this ago is told again.
    private static let freshness = Duration.milliseconds(900)
    /// Who has not answered by then is left out.
    private static let patience = Duration.milliseconds(700)
    private static let events = [
        "viewer-joined", "viewer-left", "source", "control", "daemon", "config", "device", "threshold", "thermal",
    ]

    init(_ context: DaemonContext) { self.context = context }

    /// Takes over which daemons there are.
    func take(_ configuration: Configuration) {
        names = configuration.cameras.map { "video.\($0.name)" }
        if configuration.rtsp.isEnabled {
            names += (1...configuration.rtsp.workers).map { $0 == 1 ? "rtsp" : "rtsp-\($0)" }
        }
        names.append("supervisor")
        for (name, link) in links where !names.contains(name) {
            link.close()
            links[name] = nil
        }
        for name in names where links[name] == nil {
            let link = ControlLink(context.loop, context.runDirectory.control(name), timeout: .seconds(2))
            link.onEvent = { [unowned self] kind, members in onEvent(name, kind, members) }
            link.onConnection = { [unowned self] isConnected in onConnection(name, isConnected) }
            links[name] = link
            link.subscribe(Self.events)
        }
    }

    /// True for a daemon of this instance, this one included.
    func has(_ name: String) -> Bool { names.contains(name) || name == context.shortName }

    /// Asks a daemon, this one included; `answered` is called once, later.
    func ask(
        _ name: String,
        _ verb: String,
        _ arguments: [JSON.Member] = [],
        _ answered: @escaping (ControlLink.Answer) -> Void
    ) {
        if name == context.shortName { return askSelf(verb, arguments, answered) }
        guard let link = links[name] else {
            return context.loop.later { answered(.failure(.disconnected)) }
        }
        link.request(verb, arguments, answered)
    }

    /// Asks a camera's process why its source is lost; `told` is called later, and only if it is.
    func askWhyLost(_ camera: String, _ told: @escaping (String) -> Void) {
        ask("video.\(camera)", "status") { answer in
            guard case .success(let status) = answer, status["source"]?["state"] == "lost" else { return }
            let reason = status["source"]?["reason"]?.string
            told("the camera's source is lost" + (reason.map { ": \($0)" } ?? ""))
        }
    }

    /// Asks several daemons; `answered` is called once all have answered or been given up.
    func ask(
        all names: [String],
        _ verb: String,
        _ arguments: [JSON.Member] = [],
        _ answered: @escaping ([String: JSON]) -> Void
    ) {
        let round = Round(names.count, answered)
        for name in names {
            ask(name, verb, arguments) { answer in
                if case .success(let value) = answer { round.answers[name] = value }
                round.count()
            }
        }
        round.timer = context.loop.timer(after: Self.patience) { round.finish() }
        if names.isEmpty { round.finish() }
    }

    /// Has all daemons tell of themselves; what they said a moment ago counts.
    func gather(_ gathered: @escaping (Gathering) -> Void) {
        if let last, context.loop.now - last.at < Self.freshness { return gathered(last) }
        waiting.append(gathered)
        guard waiting.count == 1 else { return }
        let parts = GatheringParts()
        ask(all: names, "status") { [unowned self] in
            parts.statuses = $0
            finish(parts)
        }
        ask(all: names, "metrics") { [unowned self] in
            parts.metrics = $0
            finish(parts)
        }
        ask(all: ["supervisor"], "processes") { [unowned self] in
            parts.processes = $0["supervisor"]?["processes"]?.elements ?? []
            finish(parts)
        }
    }

    private func finish(_ parts: GatheringParts) {
        guard let statuses = parts.statuses, let metrics = parts.metrics, let processes = parts.processes else {
            return
        }
        var gathering = Gathering(at: context.loop.now, statuses: statuses)
        gathering.samples = metrics.mapValues { Samples($0) }
        for process in processes { gathering.processes[process["name"]?.string ?? ""] = process }
        last = gathering
        let waiting = self.waiting
        self.waiting = []
        for gathered in waiting { gathered(gathering) }
    }

    private func askSelf(
        _ verb: String,
        _ arguments: [JSON.Member],
        _ answered: @escaping (ControlLink.Answer) -> Void
    ) {
        let request = Array(ControlMessage.request(1, verb, arguments).dropLast())
        var subscriptions: Set<String> = []
        let reply = context.control.commands.answer(request.span, subscriptions: &subscriptions)
        context.loop.later {
            guard case .reply(_, let result)? = try? ControlMessage(reply) else {
                return answered(.failure(.disconnected))
            }
            answered(result.mapError { .refused($0) })
        }
    }
}

/// What has come of a gathering so far.
private final class GatheringParts {
    var statuses: [String: JSON]?
    var metrics: [String: JSON]?
    var processes: [JSON]?
}

/// Several questions under way.
private final class Round {
    var answers: [String: JSON] = [:]
    var timer: LoopTimer?
    private var left: Int
    private var answered: (([String: JSON]) -> Void)?

    init(_ count: Int, _ answered: @escaping ([String: JSON]) -> Void) {
        left = count
        self.answered = answered
    }

    func count() {
        left -= 1
        if left == 0 { finish() }
    }

    func finish() {
        timer?.cancel()
        let answered = answered
        self.answered = nil
        answered?(answers)
    }
}
