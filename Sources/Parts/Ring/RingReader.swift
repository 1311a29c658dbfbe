// SPDX-License-Identifier: Apache-2.0
// A ring as a consumer sees it: attaches, is woken for frames, attaches again when the producer comes back.

package import Loop
import System

/// Follows the ring at a Unix socket, through as many lives of its producer as it takes.
///
/// After a hang-up the last view stays readable until the next producer is there.
package final class RingReader {
    /// Called when a producer's ring has been attached; `view` is another one from now on.
    package var onAttach: (() -> Void)?
    /// Called when the producer has gone.
    package var onDetach: (() -> Void)?
    /// Called after frames were published; may be called once for many.
    package var onFrames: (() -> Void)?

    /// The memory attached last; nil before the first.
    package private(set) var view: RingView?
    /// True while the producer is there.
    package var isAttached: Bool { if case .attached = state { true } else { false } }
    /// Why the last attempt to attach failed, nil after one that did not.
    package private(set) var lastError: RingError?

    /// Whether the producer should make frames for this reader. An encoder without demand rests.
    package var demand: Bool {
        didSet { if demand != oldValue { send(RingLayout.Message.demand, demand ? 1 : 0) } }
    }

    private let loop: EventLoop
    private let path: String
    private var state = State.closed
    private var retryDelay = RingReader.firstRetry

    private enum State {
        case closed
        case waiting(LoopTimer)
        case attaching(RingConnection)
        case attached(RingConnection)
    }

    /// Follows the ring at `path`; it need not be there yet.
    package init(loop: EventLoop, path: String, demand: Bool) {
        self.loop = loop
        self.path = path
        self.demand = demand
        attach()
    }

    deinit { close() }

    private static let firstRetry = Duration.milliseconds(10)
    private static let longestRetry = Duration.milliseconds(200)

    /// Asks the producer to make a keyframe soon.
    package func requestKeyframe() { send(RingLayout.Message.keyframe, 1) }

    /// Lets go of the ring. Harmless when repeated.
    package func close() {
        switch state {
        case .closed: break
        case .waiting(let timer): timer.cancel()
        case .attaching(let connection), .attached(let connection): connection.close()
        }
        state = .closed
    }

    private func send(_ kind: UInt16, _ value: UInt32) {
        guard case .attached(let connection) = state else { return }
        connection.send(kind, value)
    }

    private func attach() {
        do throws(SystemError) {
            let connection = try RingConnection(path: path, demand: demand)
            try connection.watch(loop) { [unowned self] in receive() }
            state = .attaching(connection)
        } catch {
            lastError = .system(error)
            retryLater()
        }
    }

    private func retryLater() {
        state = .waiting(loop.timer(after: retryDelay) { [unowned self] in attach() })
        retryDelay = min(retryDelay * 2, Self.longestRetry)
    }

    /// The connection has news: the answer to our attaching, or its end.
    private func receive() {
        switch state {
        case .closed, .waiting: break
        case .attaching(let connection): receiveAnswer(connection)
        case .attached(let connection):
            if connection.hasEnded {
                connection.close()
                retryDelay = Self.firstRetry
                retryLater()
                onDetach?()
            }
        }
    }

    private func receiveAnswer(_ connection: RingConnection) {
        do throws(RingError) {
            guard let answer = try connection.receiveAnswer() else { return }
            view = try RingView(answer.memory.raw)
            try connection.watchFrames(loop, answer.event) { [unowned self] in onFrames?() }
        } catch {
            lastError = error
            connection.close()
            return retryLater()
        }
        lastError = nil
        state = .attached(connection)
        // It may have changed while the answer was on its way.
        connection.send(RingLayout.Message.demand, demand ? 1 : 0)
        onAttach?()
    }
}

/// The descriptors that come with the writer's answer.
struct RingAnswer: ~Copyable {
    let memory: FileDescriptor
    let event: Int32
}

/// One connection to a ring's socket.
private final class RingConnection {
    private let socket: FileDescriptor
    private var event: Int32 = -1
    private var socketWatch: Watch?
    private var eventWatch: Watch?

    init(path: String, demand: Bool) throws(SystemError) {
        socket = try Socket.connectUnix(path, kind: .sequencedPackets)
        send(RingLayout.Message.attach, demand ? 1 : 0)
    }

    deinit { close() }

    func watch(_ loop: EventLoop, _ handler: @escaping () -> Void) throws(SystemError) {
        socketWatch = try loop.watch(socket.raw, .read) { _ in handler() }
    }

    func watchFrames(_ loop: EventLoop, _ event: Int32, _ handler: @escaping () -> Void) throws(RingError) {
        self.event = event
        do throws(SystemError) {
            eventWatch = try loop.watch(event, .read) { _ in
                WakePipe.drain(event)
                handler()
            }
        } catch {
            throw .system(error)
        }
    }

    /// A packet that does not fit is lost; the writer's end is noticed by reading.
    func send(_ kind: UInt16, _ value: UInt32) {
        let message = RingMessage(kind: kind, value: value).bytes(magic: RingLayout.Message.readerMagic)
        _ = try? Socket.send(socket.raw, message.span)
    }

    /// The writer's answer, nil if it has not come yet.
    func receiveAnswer() throws(RingError) -> RingAnswer? {
        var buffer = [UInt8](repeating: 0, count: RingLayout.Message.size)
        var descriptors: [Int32] = []
        do throws(SystemError) {
            var span = buffer.mutableSpan
            switch try Socket.receive(socket.raw, into: &span, descriptors: &descriptors) {
            case .wouldBlock: return nil
            case .endOfStream: throw SystemError("attach: the producer closed the connection", code: 0)
            case .bytes: break
            }
        } catch {
            throw .system(error)
        }
        guard descriptors.count == 2, RingMessage(parsing: buffer.span, magic: RingLayout.Message.writerMagic) != nil
        else {
            for descriptor in descriptors { _ = FileDescriptor(owning: descriptor) }
            throw .notARing("an answer of another version")
        }
        return RingAnswer(memory: FileDescriptor(owning: descriptors[0]), event: descriptors[1])
    }

    /// True once the producer has closed its side.
    var hasEnded: Bool {
        var buffer = [UInt8](repeating: 0, count: RingLayout.Message.size)
        var span = buffer.mutableSpan
        switch try? read(socket.raw, into: &span) {
        case .some(.bytes), .some(.wouldBlock): return false
        case .some(.endOfStream), .none: return true
        }
    }

    func close() {
        socketWatch?.cancel()
        socketWatch = nil
        eventWatch?.cancel()
        eventWatch = nil
        Socket.shutDown(socket.raw)
        if event >= 0 { _ = FileDescriptor(owning: event) }
        event = -1
    }
}
