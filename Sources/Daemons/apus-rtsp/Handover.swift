// SPDX-License-Identifier: Apache-2.0
// Connections on their way from one worker to another.

import Loop
import System

/// What goes with a connection to another worker.
struct Handover {
    /// How many workers have had it.
    var hops: Int
    /// True if the first request has been allowed.
    var isGranted: Bool
    /// Who the client has shown to be; see `AccessSession.passport`.
    var passport: String
    /// What was received, from the request on that the other worker answers.
    var input: [UInt8] = []

    init(hops: Int, isGranted: Bool, passport: String) {
        self.hops = hops
        self.isGranted = isGranted
        self.passport = passport
    }

    /// Reads what `bytes` made of it.
    init?(_ message: ArraySlice<UInt8>) {
        guard let end = message.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let words = String(decoding: message[..<end], as: UTF8.self).split(separator: " ", maxSplits: 2)
        guard words.count == 3, let hops = Int(words[0]) else { return nil }
        self.init(hops: hops, isGranted: words[1] == "granted", passport: String(words[2]))
        input = Array(message[(end + 1)...])
    }

    /// A line of words, then the input.
    var bytes: [UInt8] { Array("\(hops) \(isGranted ? "granted" : "new") \(passport)\n".utf8) + input }
}

/// Where a worker takes over connections: a datagram for each, with its descriptor.
final class HandoverPort {
    /// Takes over one connection.
    typealias Arrival = (consuming FileDescriptor, Handover) throws(SystemError) -> Void

    /// The longest message: a request of the largest size, and as much again behind it.
    private static let limit = 160 << 10

    private let path: String
    private let socket: FileDescriptor
    private let arrival: Arrival
    private var watch: Watch?

    /// Binds `path`, for processes of the same user.
    init(_ path: String, _ loop: EventLoop, _ arrival: @escaping Arrival) throws(SystemError) {
        self.path = path
        self.arrival = arrival
        socket = try Socket.listenUnix(path, kind: .datagram, mode: 0o600)
        watch = try loop.watch(socket.raw, .read) { [unowned self] _ in receive() }
    }

    /// Takes over no more.
    func close() {
        watch?.cancel()
        watch = nil
        File.remove(path)
    }

    /// Gives another worker a descriptor of a connection; the sender's own stays with the sender.
    static func send(_ connection: Int32, _ handover: Handover, to path: String) throws(SystemError) {
        let bytes = handover.bytes
        guard bytes.count <= limit else { throw SystemError("hand over \(bytes.count) bytes", code: 0) }
        let socket = try Socket.connectUnix(path, kind: .datagram)
        guard case .bytes = try Socket.send(socket.raw, bytes.span, descriptors: [connection]) else {
            throw SystemError("hand over: the other worker is busy", code: 0)
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
            guard let handover = Handover(buffer[..<count]) else { continue }
            // The peer may have gone on the way.
            try? arrival(connection, handover)
        }
    }
}
