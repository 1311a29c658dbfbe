// SPDX-License-Identifier: Apache-2.0
// A running instance as the commands see it: its daemons and their control sockets.

import Control
import Daemon
import System

/// A daemon that the supervisor told of.
struct RunningDaemon {
    /// `rtsp`, `video.cam`.
    let name: String
    let program: String
    let camera: String?
    let state: String
    let pid: Int32?
    /// Seconds.
    let uptime: Double?
    let restarts: Int
    /// Why it is not well, and what it said last; nil and empty if it is.
    let reason: String?
    let lastWords: [String]

    /// The program as tables name it, with a worker's number: `apus-video`, `apus-rtsp-2`.
    var title: String { camera == nil ? "apus-\(name)" : program }

    fileprivate init(_ json: JSON) {
        name = json["name"]?.string ?? ""
        program = json["program"]?.string ?? ""
        camera = json["camera"]?.string
        state = json["state"]?.string ?? ""
        pid = json["pid"]?.integer.flatMap { Int32(exactly: $0) }
        uptime = json["uptime"]?.number
        restarts = json["restarts"]?.integer ?? 0
        reason = json["reason"]?.string
        lastWords = json["last_words"]?.elements.compactMap(\.string) ?? []
    }
}

/// A running instance.
struct Instance {
    let runDirectory: RunDirectory
    /// The supervisor's answer to `status`.
    let status: JSON

    /// Asks the supervisor of a run directory.
    init(_ runDirectory: RunDirectory) throws(Failure) {
        self.runDirectory = runDirectory
        status = try Instance.request("supervisor", "status", [], runDirectory)
    }

    var supervisorPid: Int32? { status["pid"]?.integer.flatMap { Int32(exactly: $0) } }

    /// The daemons in the order of their start.
    var daemons: [RunningDaemon] { status["daemons"]?.elements.map(RunningDaemon.init) ?? [] }

    /// Opens the control socket of `child`.
    static func client(_ child: String, _ runDirectory: RunDirectory) throws(Failure) -> ControlClient {
        do throws(ControlClientError) {
            return try ControlClient(runDirectory.control(child))
        } catch {
            throw Failure(
                .notRunning,
                "nothing answers as \(child) in \(runDirectory.path); apus up starts it, --run-dir names another place"
            )
        }
    }

    /// Asks a daemon for `verb`.
    static func request(
        _ child: String,
        _ verb: String,
        _ arguments: [JSON.Member],
        _ runDirectory: RunDirectory
    ) throws(Failure) -> JSON {
        let client = try client(child, runDirectory)
        do throws(ControlClientError) {
            return try client.request(verb, arguments)
        } catch {
            throw Failure(error, child)
        }
    }
}

extension Failure {
    /// What became of a request to `child`.
    init(_ error: ControlClientError, _ child: String) {
        switch error {
        case .refused: self.init(.refused, "\(child): \(error)")
        case .unreachable, .disconnected: self.init(.notRunning, "\(child): \(error)")
        case .timedOut, .malformed: self.init(.failure, "\(child): \(error)")
        }
    }
}
