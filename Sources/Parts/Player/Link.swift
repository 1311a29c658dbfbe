// SPDX-License-Identifier: Apache-2.0
// A client's byte stream: looked up, connected, encrypted if asked for.

import Bytes
import Crypto
import Loop
import System

/// A connection to a server, from its name to its last byte.
///
/// Every address of the name is tried in turn. After `close`, and after `onClose`, nothing is called any more.
final class Link {
    /// Bytes received that wait for their owner.
    static let inputLimit = 4 << 20
    /// Bytes that wait for the server to take them; a publisher drops frames long before.
    static let outputLimit = 32 << 20
    /// How often the resolver is asked whether it is done.
    static let lookupInterval = Duration.milliseconds(10)
    private static let readSize = 1 << 16
    /// Reads in one turn of the loop.
    private static let turnReads = 8

    /// The connection stands, and is encrypted if it is to be.
    var onOpen: (() -> Void)?
    /// `input` has grown; the owner removes what it has understood.
    var onInput: (() -> Void)?
    /// It is over; the text says why, nil for the server's end of stream.
    var onClose: ((String?) -> Void)?

    var input: [UInt8] = []
    private(set) var peer: SocketAddress?

    private let loop: EventLoop
    private let host: String
    private let tls: TLSContext?
    private var engine: TLSEngine?
    private let lookup: NameLookup
    private var timer: LoopTimer?
    private var addresses: [SocketAddress] = []
    private var failure: String?
    private var socket: FileDescriptor?
    private var watch: Watch?
    private var isOpen = false
    private var isClosed = false
    private var output: [UInt8] = []
    private var sent = 0
    /// Room for what one read takes.
    private var buffer = [UInt8](repeating: 0, count: Link.readSize)

    init(loop: EventLoop, host: String, port: UInt16, tls: TLSContext?) {
        self.loop = loop
        self.host = host
        self.tls = tls
        lookup = NameLookup(host: host, port: port)
    }

    deinit {
        timer?.cancel()
        watch?.cancel()
    }

    /// Starts to look up and connect.
    func start() {
        // Never calls back from here: the owner may not be ready.
        timer = loop.timer(after: .zero) { [weak self] in self?.look() }
    }

    /// The connection's own end.
    var localAddress: SocketAddress? {
        guard let fd = socket?.raw else { return nil }
        return try? Socket.localAddress(fd)
    }

    /// Bytes that the server has not taken yet.
    var pendingBytes: Int { output.count - sent }

    /// Sends as soon as possible.
    func send(_ bytes: Span<UInt8>) {
        guard !isClosed else { return }
        guard let engine else {
            output.append(bytes)
            return flush()
        }
        do throws(TLSError) {
            var offset = 0
            while offset < bytes.count {
                let count = min(TLSEngine.recordLimit, bytes.count - offset)
                try engine.send(bytes.extracting(offset..<(offset + count)))
                offset += count
            }
        } catch {
            return end("\(error)")
        }
        flush()
    }

    /// Closes without a callback, after one more try to send what waits.
    func close() {
        guard !isClosed else { return }
        engine?.close()
        flush()
        shut()
    }

    private func shut() {
        isClosed = true
        timer?.cancel()
        watch?.cancel()
        watch = nil
        socket = nil
    }

    private func end(_ reason: String?) {
        guard !isClosed else { return }
        shut()
        onClose?(reason)
    }

    // MARK: Connecting

    private func look() {
        switch lookup.state {
        case .pending: timer = loop.timer(after: Self.lookupInterval) { [weak self] in self?.look() }
        case .failed(let reason): end("\(host) is not found: \(reason)")
        case .found(let found):
            addresses = found.reversed()
            connectNext()
        }
    }

    private func connectNext() {
        watch?.cancel()
        watch = nil
        socket = nil
        guard let address = addresses.popLast() else { return end(failure ?? "\(host) has no address") }
        do throws(SystemError) {
            let socket = try Socket.connectTCP(address)
            peer = address
            watch = try loop.watch(socket.raw, .write) { [unowned self] _ in connected() }
            self.socket = consume socket
        } catch {
            failure = "\(address): \(error.reason)"
            connectNext()
        }
    }

    private func connected() {
        guard let fd = socket?.raw else { return }
        if let error = Socket.pendingError(fd) {
            failure = "\(peer.map { "\($0)" } ?? host): \(error.reason)"
            return connectNext()
        }
        Socket.setOption(fd, .noDelay, 1)
        Socket.setOption(fd, .keepAlive, 1)
        watch?.cancel()
        do throws(SystemError) {
            watch = try loop.watch(fd, .read) { [unowned self] readiness in ready(readiness) }
        } catch {
            return end("\(error)")
        }
        guard let tls else { return open() }
        do throws(TLSError) {
            engine = try TLSEngine(tls, serverName: host)
        } catch {
            return end("\(error)")
        }
        flush()
    }

    private func open() {
        isOpen = true
        onOpen?()
    }

    // MARK: Bytes

    private func ready(_ readiness: Readiness) {
        if readiness.contains(.writable) { flush() }
        if readiness.isWorthReading { receive() }
    }

    private func receive() {
        var reason: String??
        // Taken out for the turn: a span cannot look into a class's property.
        var bytes: [UInt8] = []
        swap(&bytes, &buffer)
        reading: for _ in 0..<Self.turnReads {
            guard !isClosed, let fd = socket?.raw else { break }
            var span = bytes.mutableSpan
            do throws(SystemError) {
                switch try read(fd, into: &span) {
                case .bytes(let count):
                    let received = bytes.span.extracting(..<count)
                    if engine == nil { input.append(received) } else { decrypt(received) }
                    if count < bytes.count { break reading }
                case .wouldBlock: break reading
                case .endOfStream:
                    reason = .some(nil)
                    break reading
                }
            } catch {
                reason = .some(error.isPeerGone ? nil : error.reason)
                break
            }
            if input.count > Self.inputLimit { break }
        }
        swap(&bytes, &buffer)
        if !input.isEmpty { onInput?() }
        if input.count > Self.inputLimit { return end("what the server sends makes no sense") }
        if let reason { end(reason) }
    }

    private func decrypt(_ ciphertext: Span<UInt8>) {
        guard let engine else { return }
        do throws(TLSError) {
            try engine.receive(ciphertext, into: &input)
        } catch {
            flush()
            let hint = "; add ?verify=no to the URL to take any, or ?fingerprint=SHA256 to take that one alone"
            return end("\(error)\(error.isAboutTrust ? hint : "")")
        }
        if !isOpen, engine.state == .open { open() }
        flush()
    }

    /// Sends what waits, and watches for room if not all of it could go.
    private func flush() {
        guard !isClosed, let fd = socket?.raw else { return }
        if let engine, engine.hasOutput { output += engine.takeOutput() }
        var bytes: [UInt8] = []
        swap(&bytes, &output)
        var failed: SystemError?
        while sent < bytes.count {
            do throws(SystemError) {
                guard case .bytes(let count) = try Socket.send(fd, bytes.span.extracting(sent...)) else { break }
                sent += count
            } catch {
                failed = error
                break
            }
        }
        if sent == bytes.count {
            bytes.removeAll(keepingCapacity: bytes.capacity < 1 << 20)
            sent = 0
        } else if sent > 1 << 20 {
            bytes.removeFirst(sent)
            sent = 0
        }
        swap(&bytes, &output)
        if failed == nil, pendingBytes <= Self.outputLimit {
            try? watch?.modify(output.isEmpty ? .read : [.read, .write])
        } else {
            let reason = failed.map { $0.isPeerGone ? nil : $0.reason } ?? "the server takes nothing"
            // Not from inside of the caller's call.
            loop.later { [weak self] in self?.end(reason) }
        }
    }
}
