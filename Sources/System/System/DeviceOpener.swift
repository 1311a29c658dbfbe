// SPDX-License-Identifier: Apache-2.0
// Opens video devices for a process that has closed /dev to itself, but has cameras that are plugged in later.

import Bytes
import CShimLinux
import Glibc
import Synchronization

/// Opens nodes of video devices: by itself where this process may, else by a helper that still may.
///
/// Landlock's rules are for files that are there; a camera that is plugged in comes with a new node, even under its old
/// name. So a copy of the process is made before the sandbox is closed. It opens nodes of the major number 81, which is
/// video4linux's, and passes them on; anything else it refuses. It has no other descriptor, and ends with its parent.
///
/// A message of the one is a number and a path, the answer the number and 0 with the descriptor, or an error's code.
package enum DeviceOpener {
    /// Longer paths are refused, in bytes.
    package static let maximumPath = 255
    /// So long an answer is waited for; a driver may take its time to wake its device.
    package static let patience = Duration.seconds(3)
    /// So long the helper's end is waited for.
    private static let farewell = Duration.milliseconds(200)

    private struct Connection {
        /// -1: there is no helper.
        var socket: Int32 = -1
        var pid: Int32 = 0
        /// Of the last question; what answers an older one comes too late.
        var number: UInt8 = 0
    }

    /// Guards the connection, over the answer too: another question would take it for its own.
    private static let connection = Mutex(Connection())

    /// Starts the helper; to be called before there is another thread, and before the sandbox is closed.
    ///
    /// - Parameter confine: called in the helper, to close to it what it does not need.
    package static func start(confine: () throws(SystemError) -> Void) throws(SystemError) {
        let pair = try Socket.pair(.sequencedPackets)
        // The helper has nothing else to do than to wait.
        try setNonBlocking(pair.second.raw, false)
        // Safe: the call reads a NUL-terminated name.
        let pid = try check("fork") { unsafe apus_fork_helper(pair.second.raw, "apus-opener") }
        if pid == 0 {
            do throws(SystemError) { try confine() } catch { _exit(1) }
            serve(STDIN_FILENO)
        }
        let socket = pair.takeFirst().release()
        connection.withLock { connection in
            connection.socket = socket
            connection.pid = pid
        }
    }

    /// Ends the helper in order, so that it is gone when this process is; one that hangs in a driver is left to the kernel.
    package static func stop() {
        let (socket, pid) = connection.withLock { connection in
            defer { connection = Connection() }
            return (connection.socket, connection.pid)
        }
        guard socket >= 0 else { return }
        _ = FileDescriptor(owning: socket)
        guard let handle = try? Process.watch(pid), (try? waitUntilReady(handle.raw, timeout: farewell)) == true else {
            return
        }
        _ = try? Process.reap(pid)
    }

    /// The connection to the helper, for a loop that watches for its end; nil without one.
    package static var descriptor: Int32? { connection.withLock { $0.socket < 0 ? nil : $0.socket } }

    /// Opens a video device for reading and writing, without blocking.
    ///
    /// - Throws: the opening's error, the helper's if it was asked.
    package static func open(_ path: String) throws(SystemError) -> FileDescriptor {
        do throws(SystemError) {
            return try File.open(path, .readWrite, nonBlocking: true)
        } catch {
            guard error.isPermissionDenied else { throw error }
            let raw = try connection.withLock { connection throws(SystemError) in
                guard connection.socket >= 0 else { throw error }
                connection.number &+= 1
                return try ask(connection.socket, connection.number, path)
            }
            return FileDescriptor(owning: raw)
        }
    }

    private static func ask(_ socket: Int32, _ number: UInt8, _ path: String) throws(SystemError) -> Int32 {
        let call = "open \(path)"
        guard path.utf8.count <= maximumPath else { throw SystemError(call, code: ENAMETOOLONG) }
        let question = [number] + Array(path.utf8)
        guard case .bytes = try Socket.send(socket, question.span) else { throw SystemError(call, code: EBUSY) }
        let deadline = Clock.monotonic() + patience
        while try waitUntilReady(socket, timeout: max(.zero, deadline - Clock.monotonic())) {
            var answer: [UInt8] = [0, 0]
            var descriptors: [Int32] = []
            var span = answer.mutableSpan
            let result = try Socket.receive(socket, into: &span, descriptors: &descriptors)
            guard result != .wouldBlock else { continue }
            guard result == .bytes(2) else { throw SystemError(call, code: EPIPE) }
            if answer[0] == number, answer[1] == 0, let descriptor = descriptors.first { return descriptor }
            for descriptor in descriptors { _ = FileDescriptor(owning: descriptor) }
            if answer[0] == number { throw SystemError(call, code: Int32(answer[1])) }
        }
        throw SystemError(call, code: ETIMEDOUT)
    }

    // MARK: The helper

    /// Answers until the other side is closed.
    private static func serve(_ socket: Int32) -> Never {
        var question = [UInt8](repeating: 0, count: maximumPath + 2)
        while true {
            var span = question.mutableSpan
            guard case .bytes(let count)? = try? read(socket, into: &span) else { _exit(0) }
            // What fills the buffer was longer than any question may be.
            let isWhole = count > 1 && count < question.count
            let path = String(decoding: question[1..<max(1, count)], as: UTF8.self)
            do throws(SystemError) {
                guard isWhole, !path.utf8.contains(0) else { throw SystemError("", code: EINVAL) }
                // Safe: the call reads a NUL-terminated path.
                let raw = try check("open") { unsafe apus_open_video_node(path) }
                let node = FileDescriptor(owning: raw)
                _ = try Socket.send(socket, [question[0], 0].span, descriptors: [node.raw])
            } catch {
                _ = try? Socket.send(socket, [question[0], UInt8(clamping: error.code)].span)
            }
        }
    }
}
