// SPDX-License-Identifier: Apache-2.0
// The other end of a control socket, for tools: asks, waits for the answer, gives up in time.

package import Bytes
package import System

/// Why a request got no answer.
package enum ControlClientError: Error, Sendable {
    /// Nobody listens on the path.
    case unreachable(SystemError)
    case timedOut
    case disconnected
    /// The daemon's answer is not one.
    case malformed(String)
    /// The daemon refused.
    case refused(ControlError)
}

extension ControlClientError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreachable(let error): "\(error)"
        case .timedOut: "the daemon did not answer in time"
        case .disconnected: "the daemon closed the connection"
        case .malformed(let reason): "the daemon's answer makes no sense: \(reason)"
        case .refused(let error): error.message
        }
    }
}

/// A blocking connection to a daemon's control socket.
package final class ControlClient {
    /// Longer answers are refused, in bytes.
    package static let maximumAnswer = 4 << 20

    private let socket: FileDescriptor
    private let timeout: Duration
    private var input: [UInt8] = []
    private var lastID = 0

    /// Connects to the socket at `path`; no later wait is longer than `timeout`.
    package init(_ path: String, timeout: Duration = .seconds(2)) throws(ControlClientError) {
        self.timeout = timeout
        do throws(SystemError) {
            socket = try Socket.connectUnix(path, kind: .stream)
        } catch {
            throw .unreachable(error)
        }
    }

    /// Asks for `verb` and waits for the answer.
    ///
    /// - Returns: the reply's `ok`.
    package func request(_ verb: String, _ arguments: [JSON.Member] = []) throws(ControlClientError) -> JSON {
        try answer(to: try ask(verb, arguments), until: Clock.monotonic() + timeout)
    }

    /// Asks for `verb`, and leaves the answer for later.
    ///
    /// - Returns: the number of the request.
    package func ask(_ verb: String, _ arguments: [JSON.Member] = []) throws(ControlClientError) -> Int {
        lastID += 1
        try send(ControlMessage.request(lastID, verb, arguments))
        return lastID
    }

    /// Waits for the answer to the request of that number.
    ///
    /// - Returns: the reply's `ok`.
    package func answer(to number: Int, until deadline: Instant) throws(ControlClientError) -> JSON {
        while true {
            let message = try ControlMessage(try next(until: deadline))
            // Events and answers to requests that were given up on may stand before it.
            guard case .reply(number, let result) = message else { continue }
            switch result {
            case .success(let value): return value
            case .failure(let error): throw .refused(error)
            }
        }
    }

    /// Waits for the next line, such as an event.
    package func next(until deadline: Instant) throws(ControlClientError) -> JSON {
        while true {
            if let end = input.firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(input[..<end])
                input.removeSubrange(...end)
                do throws(JSONError) {
                    return try JSON(parsing: line.span)
                } catch {
                    throw .malformed("\(error)")
                }
            }
            guard input.count <= ControlClient.maximumAnswer else { throw .malformed("too long") }
            try wait(toWrite: false, deadline)
            switch try? read(socket.raw, appendingTo: &input, atMost: 16 << 10) {
            case .bytes, .wouldBlock: break
            case .endOfStream, nil: throw .disconnected
            }
        }
    }

    private func send(_ request: [UInt8]) throws(ControlClientError) {
        var bytes = request
        let deadline = Clock.monotonic() + timeout
        while !bytes.isEmpty {
            switch try? Socket.send(socket.raw, bytes.span) {
            case .bytes(let count): bytes.removeFirst(count)
            case .wouldBlock: try wait(toWrite: true, deadline)
            case .endOfStream, nil: throw .disconnected
            }
        }
    }

    private func wait(toWrite: Bool, _ deadline: Instant) throws(ControlClientError) {
        let left = deadline - Clock.monotonic()
        guard left > .zero else { throw .timedOut }
        do throws(SystemError) {
            guard try waitUntilReady(socket.raw, toWrite: toWrite, timeout: left) else {
                throw SystemError("poll", code: 0)
            }
        } catch {
            throw error.code == 0 ? .timedOut : .disconnected
        }
    }
}
