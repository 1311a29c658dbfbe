// SPDX-License-Identifier: Apache-2.0
// Where the parts of one instance find each other.

import System

/// The directory of one running instance: ring sockets, control sockets, the configuration in force.
package struct RunDirectory: Sendable, Equatable {
    /// Absolute, so that it means the same to every daemon and in `NOTIFY_SOCKET`.
    package let path: String

    /// Takes a path; a relative one is taken from the working directory.
    package init(_ path: String) {
        var path = File.absolute(path)[...]
        while path.count > 1, path.last == "/" { path.removeLast() }
        self.path = String(path)
    }

    /// `$APUS_RUN_DIR`, else `/run/apus`, else `$XDG_RUNTIME_DIR/apus`, else `/tmp/apus-UID`.
    ///
    /// `/run/apus` is taken by root, and by others if it is there.
    package static func standard() -> RunDirectory {
        if let path = Process.environment("APUS_RUN_DIR"), !path.isEmpty { return RunDirectory(path) }
        if Process.user == 0 || File.isDirectory("/run/apus") { return RunDirectory("/run/apus") }
        if let path = Process.environment("XDG_RUNTIME_DIR"), !path.isEmpty { return RunDirectory(path + "/apus") }
        return RunDirectory("/tmp/apus-\(Process.user)")
    }

    /// Where the ring sockets are.
    package var rings: String { path + "/ring" }
    /// Where the control sockets are.
    package var controls: String { path + "/control" }
    /// Where the configuration in force is, for the daemons to read.
    package var configurations: String { path + "/config" }
    /// The configuration in force, written by the supervisor; `configuration` is a link to it.
    package var configurationInForce: String { configurations + "/apus.conf" }
    /// What `configuration` holds.
    package static let configurationLink = "config/apus.conf"
    /// The configuration in force.
    package var configuration: String { path + "/apus.conf" }
    /// Where copies are of what only servers may read; written by the supervisor.
    package var secrets: String { path + "/secrets" }
    /// A copy of the users.
    package var users: String { secrets + "/users" }
    /// A copy of the certificate.
    package var certificate: String { secrets + "/certificate" }
    /// A copy of the certificate's key.
    package var key: String { secrets + "/key" }
    /// A copy of the share links.
    package var shares: String { secrets + "/shares" }
    /// Where the web server may write.
    package var sharesDirectory: String { path + "/shares" }
    /// The share links as the web server has changed them, for the supervisor to keep.
    package var newShares: String { sharesDirectory + "/shares" }
    /// Where cameras' processes make pictures for others.
    package var pictureSockets: String { path + "/pictures" }
    /// Where connections are taken over from other processes.
    package var handovers: String { path + "/handover" }
    /// Locked by the supervisor while it runs; holds its process id.
    package var lock: String { path + "/lock" }
    /// The simulated devices that are plugged in; see `Simulation`.
    package var simulated: String { path + "/simulated" }
    /// Where daemons tell the supervisor that they are ready.
    package var notify: String { path + "/notify.sock" }

    /// The socket of a camera's stream: `ring/cam.main.sock`.
    package func ring(_ camera: String, _ stream: String) -> String { "\(rings)/\(camera).\(stream).sock" }

    /// Where a worker takes over connections from the others: `handover/2.sock`.
    package func handover(_ worker: Int) -> String { "\(handovers)/\(worker).sock" }

    /// Where a camera's process makes pictures for others: `pictures/cam.sock`.
    package func pictures(_ camera: String) -> String { "\(pictureSockets)/\(camera).sock" }

    /// Where `apus-http` takes over connections of the RTSP port that want its addresses.
    package var httpHandover: String { "\(handovers)/http.sock" }

    /// The control socket of a daemon: `control/rtsp.sock`, `control/video.cam.sock`; that of the supervisor is
    /// `supervisor.sock`, where no daemon can put its own.
    package func control(_ daemon: String, camera: String? = nil) -> String {
        "\(daemon == "supervisor" ? path : controls)/\(daemon)\(camera.map { ".\($0)" } ?? "").sock"
    }

    /// The directories in it that `prepare` makes.
    package var directories: [String] {
        [rings, controls, configurations, pictureSockets, handovers, secrets, sharesDirectory, simulated]
    }

    /// Makes the directories that are missing.
    package func prepare() throws(Failure) {
        do throws(SystemError) {
            try File.makeDirectory(path, mode: 0o750)
            for directory in directories {
                try File.makeDirectory(directory, mode: [secrets, sharesDirectory].contains(directory) ? 0o700 : 0o750)
            }
        } catch {
            throw Failure(
                .failure,
                "cannot make the run directory \(path): \(error.reason); choose another with --run-dir"
            )
        }
        // Whoever owns the directory can put sockets of his own into it, as somebody could under /tmp.
        if Process.user != 0, let owner = File.owner(path), owner != Process.user, owner != 0 {
            throw Failure(.failure, "the run directory \(path) is another user's; choose another with --run-dir")
        }
        let longest = "/ring/".utf8.count + 32 + ".speaker.sock".utf8.count
        guard path.utf8.count + longest <= SocketAddress.longestUnixPath else {
            throw Failure(.usage, "the run directory \(path) is too long for a socket's path; choose a shorter one")
        }
    }
}
