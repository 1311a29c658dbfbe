// SPDX-License-Identifier: Apache-2.0
// Connections on their way from one process to another.

package import Loop
package import System

/// Where a process takes over connections from others of the same user: a datagram for each, with its descriptor.
package final class HandoverPort {
    /// Takes over one connection, with what the other process says of it.
    package typealias Arrival = (consuming FileDescriptor, ArraySlice<UInt8>) throws(SystemError) -> Void

    /// The longest message: a request of the largest size, and as much again behind it.
    package static let limit = 160 << 10

    private let path: String
    private let socket: FileDescriptor
    private let arrival: Arrival
    private var watch: Watch?

    /// Binds `path`, for processes of the same user.
    package init(_ path: String, _ loop: EventLoop, _ arrival: @escaping Arrival) throws(SystemError) {
        self.path = path
        self.arrival = arrival
        socket = try Socket.listenUnix(path, kind: .datagram, mode: 0o600)
        watch = try loop.watch(socket.raw, .read) { [unowned self] _ in receive() }
    }

    /// Takes over no more.
    package func close() {
        watch?.cancel()
        watch = nil
        File.remove(path)
    }

    /// Gives the process at `path` a descriptor of a connection and a message; the sender's own stays with the sender.
    package static func send(_ connection: Int32, _ message: [UInt8], to path: String) throws(SystemError) {
        guard message.count <= limit else { throw SystemError("hand over \(message.count) bytes", code: 0) }
        let socket = try Socket.connectUnix(path, kind: .datagram)
        guard case .bytes = try Socket.send(socket.raw, message.span, descriptors: [connection]) else {
            throw SystemError("hand over: the other process is busy", code: 0)
        }
    }

    private func receive() {
        var buffer = [UInt8](repeating: 0, count: Self.limit)
        while watch != nil {
            var descriptors: [Int32] = []
            var span = buffer.mutableSpan
            guard case .bytes(let count)? = try? Socket.receive(socket.raw, into: &span, descriptors: &descriptors)
            else { return }
            // All are owned, whatever the message says; the first one is the connection.
            for descriptor in descriptors.dropFirst() { _ = FileDescriptor(owning: descriptor) }
            guard let first = descriptors.first else { continue }
            let connection = FileDescriptor(owning: first)
            // The peer may have gone on the way.
            try? arrival(connection, buffer[..<count])
        }
    }
}
