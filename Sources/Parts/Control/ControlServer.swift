// SPDX-License-Identifier: Apache-2.0
// The control socket of a daemon: newline-delimited JSON, many requests a connection, events to those who asked.

package import Log
package import Loop
package import System

/// Serves a daemon's command table on a Unix socket.
///
/// Nothing a peer does makes the daemon wait: what a peer does not take is kept up to a limit, then the peer goes.
package final class ControlServer {
    /// More connections are closed at once.
    package static let maximumPeers = 64
    /// Longer requests end the connection, in bytes.
    package static let maximumLine = 64 << 10
    /// A peer with more bytes waiting for it is dropped.
    package static let maximumOutput = 512 << 10

    /// What can be asked for.
    package var commands = CommandTable()
    /// Whether a process may ask at all; 0 stands for one that cannot be seen from here.
    package var admits: (_ process: Int32) -> Bool = { _ in true }
    /// The process whose request is being answered.
    package private(set) var asker: Int32?

    private let loop: EventLoop
    private let log: Logger
    private var listener: Listener?
    private var peers: [ControlPeer] = []

    /// Makes a server without a socket; `adopt` or `listen` give it peers.
    package init(_ loop: EventLoop, _ log: Logger) {
        self.loop = loop
        self.log = log.named("control")
    }

    /// Listens on a path, for the socket's owner and group; no more on the one before.
    package func listen(_ path: String) throws(SystemError) {
        let listener = Listener(try Socket.listenUnix(path, kind: .stream, mode: 0o660), path)
        listener.watch = try loop.watch(listener.socket.raw, .read) { [weak self] _ in self?.acceptAll() }
        self.listener?.watch?.cancel()
        self.listener = listener
    }

    /// Takes over a connected stream socket.
    package func adopt(_ socket: consuming FileDescriptor) throws(SystemError) {
        let fd = socket.raw
        let process = try? Socket.peerCredentials(fd).process
        let peer = ControlPeer(socket, process)
        peer.watch = try loop.watch(fd, .read) { [weak self, weak peer] readiness in
            if let self, let peer { handle(peer, readiness) }
        }
        peers.append(peer)
    }

    /// Tells all subscribers of `kind`; `members` stand behind `"event"`.
    package func emit(_ kind: String, _ members: [JSON.Member]) {
        guard peers.contains(where: { $0.subscriptions.contains(kind) }) else { return }
        let event = JSON.object([JSON.Member("event", .string(kind))] + members)
        for peer in peers where peer.subscriptions.contains(kind) {
            peer.send(event)
            finish(peer)
        }
    }

    /// How many connections there are.
    package var peerCount: Int { peers.count }

    /// Closes all connections and removes the socket.
    package func close() {
        for peer in peers { peer.watch?.cancel() }
        peers.removeAll()
        guard let listener else { return }
        listener.watch?.cancel()
        File.remove(listener.path)
        self.listener = nil
    }

    private func acceptAll() {
        guard let listener else { return }
        do throws(SystemError) {
            while let accepted = try Socket.accept(listener.socket.raw) {
                guard peers.count < ControlServer.maximumPeers else {
                    log.warn("too many control connections", ["limit": ControlServer.maximumPeers])
                    continue
                }
                let peer = try Socket.peerCredentials(accepted.socket.raw)
                guard admits(peer.process) else {
                    log.warn("a control connection is refused", ["pid": peer.process])
                    continue
                }
                if log.isOn(.debug) {
                    log.debug("control connection", ["pid": peer.process, "uid": peer.user, "gid": peer.group])
                }
                try adopt(accepted.socket)
            }
        } catch {
            log.warn("cannot accept a control connection", ["error": error])
        }
    }

    private func handle(_ peer: ControlPeer, _ readiness: Readiness) {
        if readiness.contains(.writable) { peer.flush() }
        // Requests wait while replies do, so that a peer that does not read cannot pile them up.
        while peer.isOpen, peer.output.isEmpty {
            if let line = peer.nextLine() {
                // A verb may emit events, for which all peers' subscriptions are looked at.
                var subscriptions = peer.subscriptions
                asker = peer.process
                defer { asker = nil }
                let answer = commands.answer(line.span, subscriptions: &subscriptions)
                peer.subscriptions = subscriptions
                peer.send(answer)
            } else if !peer.fill() {
                break
            }
        }
        finish(peer)
    }

    /// Settles what to wait for next, or lets the peer go.
    private func finish(_ peer: ControlPeer) {
        if peer.output.count > ControlServer.maximumOutput {
            log.warn("control connection does not read; dropped", ["pending": peer.output.count])
            peer.isOpen = false
        }
        guard peer.isOpen else {
            peer.watch?.cancel()
            peers.removeAll { $0 === peer }
            return
        }
        do throws(SystemError) {
            try peer.watch?.modify(peer.output.isEmpty ? .read : .write)
        } catch {
            log.warn("cannot watch a control connection", ["error": error])
        }
    }
}

/// The listening socket with its path.
private final class Listener {
    let socket: FileDescriptor
    let path: String
    var watch: Watch?

    init(_ socket: consuming FileDescriptor, _ path: String) {
        self.socket = socket
        self.path = path
    }
}

/// One connection: bytes in, bytes out.
private final class ControlPeer {
    var watch: Watch?
    var subscriptions: Set<String> = []
    var isOpen = true
    /// Bytes that the peer has not taken yet.
    private(set) var output: [UInt8] = []
    private let socket: FileDescriptor
    private var input: [UInt8] = []
    /// Bytes of `input` that hold no line feed.
    private var searched = 0

    /// Who connected, if that can be told.
    let process: Int32?

    init(_ socket: consuming FileDescriptor, _ process: Int32?) {
        self.socket = socket
        self.process = process
    }

    /// Takes the next whole line out of what has come; blank ones are left out.
    func nextLine() -> [UInt8]? {
        while let end = input[searched...].firstIndex(of: UInt8(ascii: "\n")) {
            guard end <= ControlServer.maximumLine else {
                refuse()
                return nil
            }
            let line = Array(input[..<end])
            input.removeSubrange(...end)
            searched = 0
            if line.contains(where: { $0 > 0x20 }) { return line }
        }
        searched = input.count
        return nil
    }

    /// Reads more; false if there is nothing now.
    func fill() -> Bool {
        guard isOpen else { return false }
        guard input.count <= ControlServer.maximumLine else {
            refuse()
            return false
        }
        switch try? read(socket.raw, appendingTo: &input, atMost: 4096) {
        case .bytes: return true
        case .wouldBlock: return false
        case .endOfStream, nil:
            isOpen = false
            return false
        }
    }

    /// Says that a request is too long, and ends the connection.
    private func refuse() {
        let error = ControlError(.badRequest, "a request is longer than \(ControlServer.maximumLine) bytes")
        send(["error": error.json])
        isOpen = false
    }

    /// Sends a value as one line.
    func send(_ value: JSON) {
        value.write(to: &output)
        output.append(UInt8(ascii: "\n"))
        flush()
    }

    /// Writes what the peer takes now.
    func flush() {
        while isOpen, !output.isEmpty {
            switch try? Socket.send(socket.raw, output.span) {
            case .bytes(let count): output.removeFirst(count)
            case .wouldBlock: return
            case .endOfStream, nil: isOpen = false
            }
        }
    }
}
