// SPDX-License-Identifier: Apache-2.0
// A port that clients connect to.

package import Log
package import Loop
package import System

/// Accepts connections, and rests for a while when the system has no room for more.
package final class Listener {
    /// What is listened on, with the port that was got.
    package let address: SocketAddress

    private let socket: FileDescriptor
    private let loop: EventLoop
    private let log: Logger
    private var watch: Watch?
    private var admit: ((consuming FileDescriptor, SocketAddress) throws(SystemError) -> Void)?

    /// Listens, `workers` processes together; `start` accepts.
    package init(_ address: SocketAddress, workers: Int = 1, _ loop: EventLoop, _ log: Logger) throws(SystemError) {
        socket = try Socket.listenTCP(address, sharing: workers)
        self.address = try Socket.localAddress(socket.raw)
        self.loop = loop
        self.log = log
    }

    /// Listens on a Unix path with the file mode given; what a dead process left there is replaced.
    ///
    /// Throws EADDRINUSE while somebody listens there, and EEXIST if it is a file of another kind.
    package init(
        unix path: String,
        mode: UInt32,
        _ loop: EventLoop,
        _ log: Logger
    ) throws(SystemError) {
        socket = try Socket.listenUnix(unlessServed: path, mode: mode)
        address = try Socket.localAddress(socket.raw)
        self.loop = loop
        self.log = log
    }

    /// Listens on a socket that was there before this process, and stays when it goes.
    package init(_ inherited: InheritedSocket, _ loop: EventLoop, _ log: Logger) throws(SystemError) {
        socket = try FileDescriptor.duplicating(inherited.descriptor)
        address = try Socket.localAddress(socket.raw)
        self.loop = loop
        self.log = log
    }

    deinit { watch?.cancel() }

    /// Says how many processes listen now.
    package func share(among workers: Int) { Socket.share(socket.raw, among: workers) }

    /// Gives each connection to `admit` from now on.
    package func start(
        _ admit: @escaping (consuming FileDescriptor, SocketAddress) throws(SystemError) -> Void
    ) throws(SystemError) {
        self.admit = admit
        watch = try loop.watch(socket.raw, .read) { [unowned self] _ in acceptAll() }
    }

    private func acceptAll() {
        do throws(SystemError) {
            while let accepted = try Socket.accept(socket.raw) {
                let peer = accepted.peer
                try admit?(accepted.takeSocket(), peer)
            }
        } catch {
            // Most likely there are no descriptors left: the listener stays readable, so let it rest.
            log.warn("cannot accept a connection", ["error": error])
            watch?.cancel()
            loop.timer(after: .seconds(1)) { [weak self] in self?.listenAgain() }
        }
    }

    private func listenAgain() {
        do throws(SystemError) {
            watch = try loop.watch(socket.raw, .read) { [unowned self] _ in acceptAll() }
        } catch {
            loop.timer(after: .seconds(1)) { [weak self] in self?.listenAgain() }
        }
    }
}
