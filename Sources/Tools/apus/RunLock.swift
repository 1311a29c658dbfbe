// SPDX-License-Identifier: Apache-2.0
// One instance per run directory: who holds its lock, and what is cleared away before and after.

import Daemon
import System

/// Holds a run directory for this process; `release` gives it back empty.
final class RunLock {
    private let directory: RunDirectory
    private var file: FileDescriptor
    /// What was made, by path: whatever else is there under the same name is something else.
    private var made: [String: String] = [:]

    /// Takes the directory, making it if it is missing, and clears what an instance that died has left.
    init(_ directory: RunDirectory) throws {
        try directory.prepare()
        file = try RunLock.take(directory)
        self.directory = directory
        RunLock.clear(directory)
        note()
    }

    /// Where the children's notification sockets are.
    var notifications: String { RunLock.notifications(directory) }

    /// True as long as nobody has removed the directory, or what it is made of.
    var isWhole: Bool { paths.allSatisfy { File.identity($0) == made[$0] } }

    /// Makes the directory again, and takes it, after somebody has removed it.
    func restore() throws {
        try directory.prepare()
        if File.identity(directory.lock) != made[directory.lock] { file = try RunLock.take(directory) }
        try File.makeDirectory(notifications, mode: 0o700)
        note()
    }

    /// Removes everything, the directory too if nothing else is in it.
    func release() {
        RunLock.clear(directory)
        DaemonCopies.clear(directory)
        for path in directory.directories + [notifications] { File.removeDirectory(path) }
        File.remove(directory.configuration)
        File.remove(directory.lock)
        File.removeDirectory(directory.path)
    }

    /// Gives the directory to another user, who this process is going to be.
    func give(toUser user: String) throws(SystemError) {
        for path in paths { try File.give(path, toUser: user) }
    }

    /// The process that holds the directory, nil if none does.
    static func holder(of directory: RunDirectory) -> Int32? {
        let bytes = (try? File.contents(directory.lock, limit: 4096)) ?? []
        return Int32(String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
    }

    private var paths: [String] {
        [directory.path, notifications, directory.lock] + directory.directories
    }

    private func note() {
        made = [:]
        for path in paths { made[path] = File.identity(path) }
    }

    private static func notifications(_ directory: RunDirectory) -> String { directory.path + "/notify" }

    private static func take(_ directory: RunDirectory) throws(Failure) -> FileDescriptor {
        do throws(SystemError) {
            let file = try File.open(directory.lock, .create(mode: 0o644))
            // An error without a code stands for the lock being held.
            guard try File.lock(file.raw) else { throw SystemError(directory.lock, code: 0) }
            // The number ends at the line feed, whatever an earlier instance has left behind it.
            try writeAll(file.raw, Array("\(Process.id)\n".utf8).span)
            try File.makeDirectory(notifications(directory), mode: 0o700)
            return file
        } catch {
            throw failure(directory, error)
        }
    }

    private static func failure(_ directory: RunDirectory, _ error: SystemError) -> Failure {
        guard error.code == 0 else {
            return Failure(.failure, "cannot use the run directory: \(error); choose another with --run-dir")
        }
        let holder = holder(of: directory).map { " (pid \($0))" } ?? ""
        return Failure(
            .alreadyRunning,
            "another instance\(holder) uses \(directory.path); stop it, or choose another --run-dir"
        )
    }

    /// Removes sockets; beside those of others only what a daemon's name stands on, for the directory may be anybody's.
    private static func clear(_ directory: RunDirectory) {
        File.remove(directory.control("supervisor"))
        for path in directory.directories + [notifications(directory)] {
            for name in (try? File.list(path)) ?? [] where name.hasSuffix(".sock") { File.remove("\(path)/\(name)") }
        }
    }
}
