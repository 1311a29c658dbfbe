// SPDX-License-Identifier: Apache-2.0
// A client's byte stream: requests in, replies and shared wire images out.

import Bytes
package import Crypto
package import Loop
package import System

/// Why a connection ended.
package enum CloseReason: Equatable, Sendable {
    /// The peer closed it.
    case peer
    /// A system call failed.
    case failed(SystemError)
    /// The peer does not speak TLS as it should, or does not trust us, or we do not trust it.
    case insecure(TLSError)
    /// This side closed it: everything had been sent, or the owner gave the reason.
    case closed(String)
}

extension CloseReason: CustomStringConvertible {
    package var description: String {
        switch self {
        case .peer: "closed by the peer"
        case .failed(let error): error.description
        case .insecure(let error): error.description
        case .closed(let why): why
        }
    }
}

/// A client on a stream socket.
///
/// What goes out is pulled, never queued: when the socket has room, the connection finishes the image it is in, then
/// sends replies, then asks `nextImage` for more. So a client that does not keep up costs nothing but its cursor.
package final class Connection {
    /// Called when `input` has grown.
    package var onInput: (() -> Void)?
    /// Called once, when the connection has ended for whatever reason but `close`.
    package var onClose: ((CloseReason) -> Void)?
    /// Called once, when the peer sends no more but may still listen; true if there still is something to tell it.
    ///
    /// Without it, and for false, the connection ends with what the peer sends.
    package var onInputEnd: (() -> Bool)?
    /// Gives the next image to send, nil if there is none now; then call `pump` when there is. May `send` instead.
    package var nextImage: (() -> WireImage?)?

    /// Appends what goes in front of each image and each of the owner's sends, given their length; nil for nothing.
    ///
    /// So the images stay what all clients share. Counts for what is sent after it was set.
    package var framing: ((Int, inout [UInt8]) -> Void)?

    /// What a peer is told that does not begin with TLS but with an HTTP request; nothing if empty.
    package var answerInTheClear: [UInt8] = []

    /// Who is on the other side.
    package let peer: SocketAddress
    /// True if what is sent and received is encrypted on the way.
    package let isEncrypted: Bool
    /// Bytes received and not yet taken; the owner removes what it has understood.
    package var input: [UInt8] = []
    /// True when the peer has said that it sends no more.
    package private(set) var hasInputEnded = false
    /// Bytes given to the kernel so far.
    package private(set) var bytesSent: UInt64 = 0
    /// Bytes received so far.
    package private(set) var bytesReceived: UInt64 = 0
    /// When the peer last took something, or when something began to wait for it.
    private var lastProgress: Instant

    private let hub: ConnectionHub
    private var socket: FileDescriptor?
    private let fd: Int32
    private var watch: Watch?
    private var replies: [UInt8] = []
    private var repliesSent = 0
    private var image: WireImage?
    private var imageSent = 0
    /// What goes in front of the present image, as far as it has not gone.
    private var frameHeader: [UInt8] = []
    private var endsWhenSent = false
    private var isPumping = false
    private var isSlow = false
    private var secure: SecureChannel?

    /// Takes over a connected socket; call `start` when the callbacks are set.
    ///
    /// - Parameter tls: what encrypts the connection; nil leaves it plain. A server's peer has the first word.
    package init(_ hub: ConnectionHub, socket: consuming FileDescriptor, peer: SocketAddress, tls: TLSEngine? = nil) {
        isEncrypted = tls != nil
        secure = tls.map { SecureChannel($0) }
        self.hub = hub
        self.peer = peer
        fd = socket.raw
        lastProgress = hub.loop.now
        self.socket = consume socket
    }

    deinit { watch?.cancel() }

    /// The most bytes of input that may wait for their owner.
    package var inputLimit = Connection.defaultInputLimit
    package static let defaultInputLimit = 1 << 20
    /// The most bytes of replies that may wait for the peer.
    package static let replyLimit = 1 << 20

    /// Starts receiving.
    package func start() throws(SystemError) {
        Socket.setOption(fd, .noDelay, 1)
        // Bounds what the kernel holds for a slow client, and so how old the bytes are that it finally gets.
        Socket.setOption(fd, .sendBuffer, hub.sendBuffer)
        watch = try hub.loop.watch(fd, .read) { [unowned self] in handle($0) }
    }

    /// Sends bytes of the owner's own, after the image that is going out and before the next one.
    package func send(_ bytes: [UInt8]) {
        framing?(bytes.count, &replies)
        sendUnframed(bytes)
    }

    /// Sends bytes as they are, in the same order.
    package func sendUnframed(_ bytes: [UInt8]) {
        guard socket != nil else { return }
        guard replies.count - repliesSent + bytes.count <= Self.replyLimit else {
            return end(.closed("the peer does not take its replies"))
        }
        if replies.isEmpty { replies = bytes } else { replies.append(contentsOf: bytes) }
        pump()
    }

    /// Sends whatever there is for as long as the socket has room. To be called when frames were published.
    package func pump() {
        guard !isPumping else { return }
        isPumping = true
        defer { isPumping = false }
        while socket != nil {
            guard prepareOutput() else {
                if endsWhenSent, !isShakingHands { return end(.closed("done")) }
                return setWriteInterest(false)
            }
            do throws(SystemError) {
                guard case .bytes(let count) = try sendOnce() else { return setWriteInterest(true) }
                bytesSent &+= UInt64(count)
                lastProgress = hub.loop.now
            } catch {
                return end(.failed(error))
            }
        }
    }

    /// Closes the connection once everything that was to be sent has been sent.
    package func closeWhenSent() {
        endsWhenSent = true
        nextImage = nil
        pump()
    }

    /// Closes the connection now, without calling `onClose`. Harmless when repeated.
    package func close() {
        onClose = nil
        end(.closed("by the owner"))
    }

    /// Gives the socket away, for somebody else to go on with; nothing is called any more. TLS ends here.
    package func takeSocket() -> FileDescriptor? {
        secure?.sayGoodbye(fd)
        secure = nil
        onClose = nil
        watch?.cancel()
        watch = nil
        return socket.take()
    }

    /// The socket's number, for giving another process a descriptor of its own; nil when the connection has ended.
    package var descriptor: Int32? { socket == nil ? nil : fd }

    /// True until the connection has ended.
    package var isOpen: Bool { socket != nil }

    /// True until TLS has been agreed on, before which nothing is sent or heard.
    package var isShakingHands: Bool { secure?.state == .handshaking }

    /// The protocol that was agreed on in the handshake (ALPN); nil for none, and without TLS.
    package var negotiatedProtocol: String? { secure?.negotiatedProtocol }

    /// Bytes that wait for the peer: of the present image, and replies.
    package var pendingBytes: Int {
        (image?.count ?? 0) - imageSent + frameHeader.count + replies.count - repliesSent + (secure?.pendingBytes ?? 0)
    }

    /// True if what waits for the peer has waited for so long without any of it being taken.
    package func isStalled(for limit: Duration) -> Bool { isBlocked && hub.loop.now - lastProgress > limit }

    /// Has the kernel hold less for a peer that takes little: what waits there is sent, however old it has become.
    private func noteSlow() {
        isSlow = true
        Socket.setOption(fd, .unsentLowWater, Self.slowUnsentLimit)
    }

    /// A peer that lets the kernel wait for room for this long is a slow one.
    private static let slowness = Duration.milliseconds(200)
    /// What the kernel may hold unsent for a slow peer, in bytes; others' limit is their owner's.
    private static let slowUnsentLimit: Int32 = 16 << 10

    /// True when the last attempt to send found the socket full.
    package private(set) var isBlocked = false

    private func handle(_ readiness: Readiness) {
        if readiness.contains(.writable) {
            if isBlocked, !isSlow, hub.loop.now - lastProgress > Self.slowness { noteSlow() }
            pump()
        }
        if readiness.isWorthReading, socket != nil { receive() }
    }

    private func receive() {
        do throws(SystemError) {
            var fault: TLSError?
            switch try hub.read(fd, { bytes in fault = take(bytes) }) {
            case .wouldBlock: return
            case .endOfStream: return endInput()
            case .bytes(let count):
                bytesReceived &+= UInt64(count)
                if isEncrypted { afterDecrypting(fault) }
            }
        } catch {
            return end(.failed(error))
        }
        if !input.isEmpty { onInput?() }
        if input.isEmpty { input = [] }
        if input.count > inputLimit { end(.closed("the peer sent more than it may")) }
        if secure?.state == .closedByPeer { endInput() }
    }

    /// The peer sends no more: goes on without listening, if there still is something to tell it.
    private func endInput() {
        guard socket != nil, !hasInputEnded else { return }
        hasInputEnded = true
        guard !isShakingHands, onInputEnd?() ?? false, socket != nil else { return end(.peer) }
        updateInterest()
    }

    /// Adds bytes that were received to the input; gives what is wrong with them.
    private func take(_ bytes: Span<UInt8>) -> TLSError? {
        guard isEncrypted else {
            input.append(bytes)
            return nil
        }
        do throws(TLSError) {
            try secure?.receive(bytes, into: &input)
            return nil
        } catch {
            return error
        }
    }

    /// Sends TLS's own answers, an alert above all, and what had to wait for the handshake.
    private func afterDecrypting(_ fault: TLSError?) {
        if let fault, fault.isPlainHTTP, !answerInTheClear.isEmpty {
            // The alert would stand in front of it; a peer that is gone will not miss it.
            _ = try? Socket.send(fd, answerInTheClear.span)
            secure = nil
            return end(.insecure(fault))
        }
        pump()
        if let fault { end(.insecure(fault)) }
    }

    /// Sees to it that there is something to send; false if there is not.
    private func prepareOutput() -> Bool {
        if isEncrypted {
            if (secure?.pendingBytes ?? 0) > 0 { return true }
            guard secure?.state == .open || secure?.state == .closedByPeer else { return false }
        }
        if image != nil || repliesSent < replies.count { return true }
        guard let next = nextImage?() else { return repliesSent < replies.count }
        image = next
        framing?(next.count, &frameHeader)
        return true
    }

    private func sendOnce() throws(SystemError) -> IOResult {
        if isEncrypted { return try sendRecord() }
        guard let image else { return try sendReplies() }
        let result = try frameHeader.isEmpty ? image.send(fd, from: imageSent) : sendBehindHeader(image)
        guard case .bytes(let count) = result else { return result }
        // What is left of the header goes first; an empty image moves no bytes, and is done all the same.
        let ofHeader = min(count, frameHeader.count)
        if ofHeader > 0 { frameHeader.removeFirst(ofHeader) }
        imageSent += count - ofHeader
        if frameHeader.isEmpty, imageSent == image.count {
            self.image = nil
            imageSent = 0
        }
        return result
    }

    private func sendBehindHeader(_ image: WireImage) throws(SystemError) -> IOResult {
        // Taken out for the call: a span cannot look into a class's property, and a copy would be one more to change.
        var header: [UInt8] = []
        swap(&header, &frameHeader)
        defer { swap(&header, &frameHeader) }
        return try image.send(fd, behind: header.span)
    }

    /// Goes on with the record that waits, or makes the next one.
    private func sendRecord() throws(SystemError) -> IOResult {
        if secure?.pendingBytes == 0 {
            do throws(TLSError) {
                try encryptNext()
            } catch {
                end(.insecure(error))
            }
        }
        return try secure?.flush(fd) ?? .bytes(0)
    }

    private func encryptNext() throws(TLSError) {
        if image != nil, !frameHeader.isEmpty {
            let header = frameHeader
            frameHeader.removeAll(keepingCapacity: true)
            try secure?.encrypt(header.span)
        } else if let image {
            let start = imageSent
            imageSent = min(image.count, start + SecureChannel.recordLimit)
            let end = imageSent
            try image.withBytes { bytes throws(TLSError) in try secure?.encrypt(bytes.extracting(start..<end)) }
            guard imageSent == image.count else { return }
            self.image = nil
            imageSent = 0
        } else {
            let pending = replies
            let start = repliesSent
            repliesSent = min(pending.count, start + SecureChannel.recordLimit)
            try secure?.encrypt(pending.span.extracting(start..<repliesSent))
            guard repliesSent == pending.count else { return }
            replies = []
            repliesSent = 0
        }
    }

    private func sendReplies() throws(SystemError) -> IOResult {
        let pending = replies
        let result = try Socket.send(fd, pending.span.extracting(repliesSent...))
        if case .bytes(let count) = result { repliesSent += count }
        if repliesSent == replies.count {
            replies = []
            repliesSent = 0
        }
        return result
    }

    private func setWriteInterest(_ on: Bool) {
        guard isBlocked != on else { return }
        isBlocked = on
        if on { lastProgress = hub.loop.now }
        updateInterest()
    }

    /// Has the loop tell what matters now. That the connection broke, it tells always.
    private func updateInterest() {
        var interest: Interest = hasInputEnded ? [] : .read
        if isBlocked { interest.insert(.write) }
        do throws(SystemError) {
            try watch?.modify(interest)
        } catch {
            end(.failed(error))
        }
    }

    private func end(_ reason: CloseReason) {
        guard socket != nil else { return }
        if isEncrypted { secure?.sayGoodbye(fd) }
        secure = nil
        watch?.cancel()
        watch = nil
        socket = nil
        image = nil
        frameHeader = []
        replies = []
        nextImage = nil
        onInput = nil
        onInputEnd = nil
        let report = onClose
        onClose = nil
        report?(reason)
    }
}

/// What the connections of a daemon share.
package final class ConnectionHub {
    package let loop: EventLoop
    /// The send buffer asked of the kernel for each connection, in bytes.
    package let sendBuffer: Int32
    private var scratch = [UInt8](repeating: 0, count: 16 << 10)

    /// The default send buffer holds about half a second of video at 4 Mbit/s.
    package init(loop: EventLoop, sendBuffer: Int32 = 256 << 10) {
        self.loop = loop
        self.sendBuffer = sendBuffer
    }

    /// Reads through one buffer for all, so that idle connections have none of their own.
    fileprivate func read(_ fd: Int32, _ take: (Span<UInt8>) -> Void) throws(SystemError) -> IOResult {
        // Taken out for the call: a span cannot look into a class's property.
        var buffer: [UInt8] = []
        swap(&buffer, &scratch)
        defer { swap(&buffer, &scratch) }
        var span = buffer.mutableSpan
        let result = try System.read(fd, into: &span)
        if case .bytes(let count) = result { take(buffer.span.extracting(..<count)) }
        return result
    }
}
