// SPDX-License-Identifier: Apache-2.0
// The other end of a control socket, for daemons: asks without waiting, hears events, connects again by itself.

import Bytes
package import Loop
import System

/// A connection to another daemon's control socket that never makes this one wait.
///
/// It connects with the first request or subscription. One that subscribes to events connects again for as long as
/// it lives; one that does not, when there is the next request.
package final class ControlLink {
    /// More requests under way are answered `unavailable` at once.
    package static let maximumRequests = 64
    /// Longer answers end the connection, in bytes.
    package static let maximumAnswer = ControlClient.maximumAnswer
    /// From a lost connection to the next try.
    package static let retryDelay = Duration.seconds(1)

    /// What becomes of a request.
    package typealias Answer = Result<JSON, ControlClientError>

    /// Called with each event: its kind and all of its members.
    package var onEvent: (String, JSON) -> Void = { _, _ in }
    /// Called when the subscription begins to hold, and when it ends with its connection.
    package var onConnection: (_ isConnected: Bool) -> Void = { _ in }

    private let loop: EventLoop
    private let path: String
    private let timeout: Duration
    private var connection: LinkConnection?
    private var requests: [Int: Request] = [:]
    private var lastID = 0
    private var events: [String] = []
    private var isSubscribed = false
    private var retry: LoopTimer?
    private var isClosed = false

    private struct Request {
        let answered: (Answer) -> Void
        let timer: LoopTimer
    }

    /// Makes a link to the socket at `path` that is not connected; each request is given up after `timeout`.
    package init(_ loop: EventLoop, _ path: String, timeout: Duration = .seconds(2)) {
        self.loop = loop
        self.path = path
        self.timeout = timeout
    }

    deinit { close() }

    /// Asks for `verb`; `answered` is called once, never from inside of this call.
    package func request(_ verb: String, _ arguments: [JSON.Member] = [], _ answered: @escaping (Answer) -> Void) {
        guard !isClosed, requests.count < Self.maximumRequests else {
            let error = ControlError(.unavailable, isClosed ? "the link is closed" : "too many requests under way")
            return loop.later { answered(.failure(.refused(error))) }
        }
        if connection == nil {
            do throws(ControlClientError) {
                try connect()
            } catch {
                return loop.later { answered(.failure(error)) }
            }
        }
        send(verb, arguments, answered)
    }

    /// Hears these kinds of events from now on, as far as the daemon has them.
    package func subscribe(_ events: [String]) {
        self.events = events
        guard !events.isEmpty else { return }
        if connection == nil { reconnect() } else { sendSubscription() }
    }

    /// True while a connection stands.
    package var isConnected: Bool { connection != nil }

    /// Ends the connection; what was asked is answered `disconnected`. Harmless when repeated.
    package func close() {
        isClosed = true
        retry?.cancel()
        disconnect()
    }

    private func connect() throws(ControlClientError) {
        do throws(SystemError) {
            connection = try LinkConnection(loop, path) { [unowned self] readiness in handle(readiness) }
        } catch {
            throw .unreachable(error)
        }
        if !events.isEmpty { sendSubscription() }
    }

    private func reconnect() {
        guard !isClosed, connection == nil, retry?.isPending != true else { return }
        if (try? connect()) == nil { retryLater() }
    }

    private func retryLater() {
        // A request may have connected in between: then an earlier try is still due.
        retry?.cancel()
        retry = loop.timer(after: Self.retryDelay) { [unowned self] in
            retry = nil
            reconnect()
        }
    }

    private func sendSubscription() {
        // A daemon refuses kinds of events that it does not have, so that it is asked for those first.
        send("help", []) { [weak self] answer in
            guard let self, case .success(let help) = answer else { return }
            let known = help["events"]?.elements.compactMap { $0["name"]?.string } ?? []
            let wanted = events.filter(known.contains)
            guard !wanted.isEmpty else { return }
            send("subscribe", [JSON.Member("events", .array(wanted.map(JSON.string)))]) { [weak self] answer in
                guard let self, case .success = answer else { return }
                isSubscribed = true
                onConnection(true)
            }
        }
    }

    private func send(_ verb: String, _ arguments: [JSON.Member], _ answered: @escaping (Answer) -> Void) {
        guard let connection else { return loop.later { answered(.failure(.disconnected)) } }
        lastID += 1
        let id = lastID
        let timer = loop.timer(after: timeout) { [unowned self] in finish(id, .failure(.timedOut)) }
        requests[id] = Request(answered: answered, timer: timer)
        connection.send(ControlMessage.request(id, verb, arguments))
    }

    private func finish(_ id: Int, _ answer: Answer) {
        guard let request = requests.removeValue(forKey: id) else { return }
        request.timer.cancel()
        request.answered(answer)
    }

    private func handle(_ readiness: Readiness) {
        if readiness.contains(.writable) { connection?.flush() }
        var isEnded = false
        if readiness.isWorthReading { isEnded = connection?.fill() == false }
        while let connection, let line = connection.nextLine() {
            do throws(ControlClientError) {
                switch try ControlMessage(parsing: line.span) {
                case .reply(let id?, let result):
                    finish(id, result.mapError { .refused($0) })
                case .reply(nil, _): break
                case .event(let kind, let members): onEvent(kind, members)
                }
            } catch {
                isEnded = true
            }
        }
        if isEnded || connection?.isOpen == false { disconnect() }
    }

    private func disconnect() {
        guard let connection else { return }
        connection.close()
        self.connection = nil
        let wasSubscribed = isSubscribed
        isSubscribed = false
        for id in requests.keys.sorted() { finish(id, .failure(.disconnected)) }
        if wasSubscribed { onConnection(false) }
        if !events.isEmpty, !isClosed { retryLater() }
    }
}

/// The socket: bytes in, bytes out.
private final class LinkConnection {
    private(set) var isOpen = true
    private let socket: FileDescriptor
    private var watch: Watch?
    private var input: [UInt8] = []
    /// Bytes of `input` that hold no line feed.
    private var searched = 0
    private var output: [UInt8] = []

    init(_ loop: EventLoop, _ path: String, _ handler: @escaping (Readiness) -> Void) throws(SystemError) {
        socket = try Socket.connectUnix(path, kind: .stream)
        watch = try loop.watch(socket.raw, .read, handler)
    }

    /// Reads what is there; false once nothing more can come.
    func fill() -> Bool {
        // A turn takes so much, for the loop has others to serve.
        for _ in 0..<16 {
            switch try? read(socket.raw, appendingTo: &input, atMost: 16 << 10) {
            case .bytes: guard input.count <= ControlLink.maximumAnswer else { return false }
            case .wouldBlock: return true
            case .endOfStream, nil: return false
            }
        }
        return true
    }

    /// Takes the next whole line out of what has come.
    func nextLine() -> [UInt8]? {
        guard let end = input[searched...].firstIndex(of: UInt8(ascii: "\n")) else {
            searched = input.count
            return nil
        }
        let line = Array(input[..<end])
        input.removeSubrange(...end)
        searched = 0
        return line
    }

    func send(_ bytes: [UInt8]) {
        output += bytes
        flush()
    }

    /// Writes what the daemon takes now.
    func flush() {
        var isTaken = true
        while isOpen, isTaken, !output.isEmpty {
            switch try? Socket.send(socket.raw, output.span) {
            case .bytes(let count): output.removeFirst(count)
            case .wouldBlock: isTaken = false
            case .endOfStream, nil: isOpen = false
            }
        }
        // That it cannot be watched shows when nothing is answered.
        _ = try? watch?.modify(output.isEmpty ? .read : [.read, .write])
    }

    func close() {
        isOpen = false
        watch?.cancel()
    }
}
