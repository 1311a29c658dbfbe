// SPDX-License-Identifier: Apache-2.0
// From a configuration to the processes that carry it out.

import Config
import Daemon
import Supervisor
import System

/// Finds the daemons' programs.
struct Programs {
    private let directories: [String]

    /// Looks beside the running program and in `../libexec/apus` from there.
    init() {
        let executable = Process.executablePath
        let directory = executable.lastIndex(of: "/").map { String(executable[..<$0]) } ?? "."
        directories = [directory, directory + "/../libexec/apus"]
    }

    /// The path of a program.
    func path(_ name: String) throws(Failure) -> String {
        for directory in directories where File.isExecutable("\(directory)/\(name)") { return "\(directory)/\(name)" }
        throw Failure(
            .failure,
            "cannot find \(name) in \(directories.joined(separator: " or ")); install it there, or run make build"
        )
    }
}

extension Configuration {
    /// The processes that carry the configuration out; cameras are stage 0, servers stage 1.
    func plans(_ programs: Programs, _ runDirectory: RunDirectory, logLevel: String?) throws(Failure) -> [ChildPlan] {
        let common =
            ["--config", runDirectory.configuration, "--run-dir", runDirectory.path]
            // Said here, as what decides about daemons must not be in a file that daemons can reach.
            + (isSandboxed ? ["--sandbox"] : []) + (logLevel.map { ["--log-level", $0] } ?? [])
        var plans: [ChildPlan] = []
        let video = try programs.path("apus-video")
        for camera in cameras {
            plans.append(
                ChildPlan(
                    name: "video.\(camera.name)",
                    path: video,
                    arguments: common + ["--camera", camera.name],
                    takesStandardInput: SourceScheme(of: camera.source) == .stdin,
                    fingerprint: "\(log) \(camera)"
                )
            )
        }
        // Servers are told of everything: which keys of cameras and of each other they read is theirs to know, what has
        // not changed for them costs them nothing, and files that are named, certificates and users, may have changed.
        let all = "\(self)"
        if rtsp.isEnabled {
            let path = try programs.path("apus-rtsp")
            for worker in 1...rtsp.workers {
                plans.append(
                    ChildPlan(
                        name: worker == 1 ? "rtsp" : "rtsp-\(worker)",
                        path: path,
                        arguments: common + (worker == 1 ? [] : ["--worker", "\(worker)"]),
                        stage: 1,
                        fingerprint: all
                    )
                )
            }
        }
        if http.isEnabled {
            let path = try programs.path("apus-http")
            plans.append(
                ChildPlan(name: "http", path: path, arguments: common, stage: 1, fingerprint: all)
            )
        }
        return plans
    }
}

/// The control socket behind a child's name, `rtsp` or `video.cam`.
func controlSocket(_ child: String, _ runDirectory: RunDirectory) -> String { runDirectory.control(child) }

/// The program of a child's name: `video.cam` is run by `apus-video`, `rtsp-2` by `apus-rtsp`.
func program(of child: String) -> String { "apus-" + child.prefix { $0 != "." && $0 != "-" } }

/// The camera of a child's name; nil for daemons that serve all.
func camera(of child: String) -> String? {
    child.firstIndex(of: ".").map { String(child[child.index(after: $0)...]) }
}
