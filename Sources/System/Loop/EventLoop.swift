// SPDX-License-Identifier: Apache-2.0
// The event loop: one thread, epoll, timers. Every daemon is one of these.

package import Bytes
import CShimLinux
package import System

/// What a watched descriptor should report.
package struct Interest: OptionSet, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Bytes or connections can be taken, or the peer has closed. EPOLLIN | EPOLLRDHUP.
    package static let read = Interest(rawValue: 0x2001)
    /// Bytes can be given. EPOLLOUT.
    package static let write = Interest(rawValue: 0x004)
    /// Exceptional news, such as a V4L2 event. EPOLLPRI.
    package static let priority = Interest(rawValue: 0x002)
}

/// What a watched descriptor reports.
package struct Readiness: OptionSet, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let readable = Readiness(rawValue: 0x001)
    package static let priority = Readiness(rawValue: 0x002)
    package static let writable = Readiness(rawValue: 0x004)
    /// EPOLLERR; always reported.
    package static let error = Readiness(rawValue: 0x008)
    /// The peer will neither send nor receive any more. EPOLLHUP; always reported.
    package static let hangUp = Readiness(rawValue: 0x010)
    /// The peer will send no more. EPOLLRDHUP.
    package static let peerClosed = Readiness(rawValue: 0x2000)

    /// True when reading would tell something: bytes, an end, or an error.
    package var isWorthReading: Bool { !isDisjoint(with: [.readable, .hangUp, .error, .peerClosed]) }
}

/// Runs handlers when descriptors are ready, when timers are due and when signals come.
///
/// Everything happens on the thread that calls `run`; handlers may add and cancel watches and timers at will,
/// also their own. A handler that belongs to a cancelled watch or timer is never called, even if its event was
/// already taken from the kernel.
package final class EventLoop {
    /// The instant at which the present turn of the loop began.
    package private(set) var now: Instant

    private let epoll: FileDescriptor
    private var watches: [Watch?] = []
    private var freeWatches: [Int] = []
    private var timers = TimerQueue()
    private var deferred: [() -> Void] = []
    private var signals: SignalWatch?
    private var isRunning = false
    private var ready: [apus_event]

    /// Makes a loop that watches nothing yet. C: `epoll_create1`.
    package init() throws(SystemError) {
        let raw = apus_epoll_create()
        guard raw >= 0 else { throw SystemError("epoll_create1", code: lastErrorCode) }
        epoll = FileDescriptor(owning: raw)
        ready = Array(repeating: apus_event(), count: Self.batch)
        now = Clock.monotonic()
    }

    /// How many events are taken from the kernel at once.
    private static let batch = 64

    /// Calls `handler` whenever the descriptor is ready, until the watch is cancelled.
    ///
    /// The loop keeps the watch alive; the descriptor stays the caller's, who cancels the watch before closing it.
    @discardableResult
    package func watch(
        _ fd: Int32,
        _ interest: Interest,
        _ handler: @escaping (Readiness) -> Void
    ) throws(SystemError) -> Watch {
        let index = freeWatches.popLast() ?? watches.count
        if index == watches.count { watches.append(nil) }
        let watch = Watch(loop: self, fd: fd, index: index, interest: interest, handler: handler)
        guard apus_epoll_control(epoll.raw, 0, fd, interest.rawValue, UInt64(index)) == 0 else {
            let code = lastErrorCode
            freeWatches.append(index)
            throw SystemError("epoll_ctl add \(fd)", code: code)
        }
        watches[index] = watch
        return watch
    }

    /// Calls `handler` once, at `instant` or as soon after it as possible.
    @discardableResult
    package func timer(at instant: Instant, _ handler: @escaping () -> Void) -> LoopTimer {
        timers.insert(LoopTimer(at: instant, handler))
    }

    /// Calls `handler` once, `delay` from now.
    @discardableResult
    package func timer(after delay: Duration, _ handler: @escaping () -> Void) -> LoopTimer {
        timer(at: Clock.monotonic() + delay, handler)
    }

    /// Calls `handler` every `interval`, without drift; turns missed while the loop was busy are left out.
    @discardableResult
    package func timer(every interval: Duration, _ handler: @escaping () -> Void) -> LoopTimer {
        timers.insert(LoopTimer(at: Clock.monotonic() + interval, every: interval, handler))
    }

    /// Calls `work` in this turn, after the events that are being handled.
    package func later(_ work: @escaping () -> Void) { deferred.append(work) }

    /// Calls `handler` when one of the signals comes; they are blocked for the rest of the process from now on.
    ///
    /// May be called once.
    package func onSignals(_ signals: [Signal], _ handler: @escaping (Signal) -> Void) throws(SystemError) {
        precondition(self.signals == nil, "signals are watched once")
        let descriptor = try SignalWatch(signals)
        try watch(descriptor.fd, .read) { _ in
            while let signal = descriptor.next() { handler(signal) }
        }
        self.signals = descriptor
    }

    /// Runs until `stop` is called.
    package func run() throws(SystemError) {
        isRunning = true
        while isRunning { try turn(waitingUntil: nil) }
    }

    /// Runs one turn: waits for events, at most until `deadline`, then calls the handlers that are due.
    package func turn(waitingUntil deadline: Instant?) throws(SystemError) {
        let due = [timers.next, deadline].compactMap(\.self).min()
        let timeout =
            deferred.isEmpty ? due.map { max(0, ($0 - Clock.monotonic()).nanoseconds) } ?? -1 : 0
        var count = wait(timeout)
        // Stopped by a signal and gone on: events that came meanwhile go before timers that are due meanwhile.
        if count < 0, lastErrorCode == 4 { count = wait(0) }
        let code = lastErrorCode
        guard count >= 0 || code == 4 else { throw SystemError("epoll_pwait2", code: code) }
        now = Clock.monotonic()
        for index in 0..<max(0, Int(count)) { dispatch(ready[index]) }
        while let timer = timers.popDue(now) { timer.fired(rescheduling: &timers, now: now)?() }
        runDeferred()
    }

    /// Ends `run` after the present turn.
    package func stop() { isRunning = false }

    fileprivate func modify(_ watch: Watch) throws(SystemError) {
        guard apus_epoll_control(epoll.raw, 1, watch.fd, watch.interest.rawValue, UInt64(watch.index)) == 0 else {
            throw SystemError("epoll_ctl modify \(watch.fd)", code: lastErrorCode)
        }
    }

    fileprivate func remove(_ watch: Watch) {
        _ = apus_epoll_control(epoll.raw, 2, watch.fd, 0, 0)
        watches[watch.index] = nil
        // Events of this turn may still carry the index: it is free for others from the next turn on.
        let index = watch.index
        deferred.append { [unowned self] in freeWatches.append(index) }
    }

    private func wait(_ timeout: Int64) -> Int32 {
        // Safe: `ready` has room for `batch` events.
        unsafe ready.withUnsafeMutableBufferPointer {
            unsafe apus_epoll_wait(epoll.raw, $0.baseAddress, Int32($0.count), timeout)
        }
    }

    private func dispatch(_ event: apus_event) {
        guard let watch = watches[Int(event.token)] else { return }
        watch.handler(Readiness(rawValue: event.bits))
    }

    private func runDeferred() {
        guard !deferred.isEmpty else { return }
        let work = deferred
        deferred.removeAll(keepingCapacity: true)
        for item in work { item() }
    }
}

/// A descriptor that a loop watches.
package final class Watch {
    fileprivate unowned let loop: EventLoop
    fileprivate let fd: Int32
    fileprivate let index: Int
    /// What is reported.
    package private(set) var interest: Interest
    fileprivate private(set) var handler: (Readiness) -> Void
    private var isActive = true

    fileprivate init(
        loop: EventLoop,
        fd: Int32,
        index: Int,
        interest: Interest,
        handler: @escaping (Readiness) -> Void
    ) {
        self.loop = loop
        self.fd = fd
        self.index = index
        self.interest = interest
        self.handler = handler
    }

    /// Changes what is reported; does nothing if it is that already.
    package func modify(_ interest: Interest) throws(SystemError) {
        guard isActive, interest != self.interest else { return }
        self.interest = interest
        try loop.modify(self)
    }

    /// Ends the watch and lets go of the handler. Harmless when repeated.
    package func cancel() {
        guard isActive else { return }
        isActive = false
        loop.remove(self)
        handler = { _ in }
    }
}

/// The descriptor through which signals arrive.
private final class SignalWatch {
    private let descriptor: FileDescriptor

    var fd: Int32 { descriptor.raw }

    init(_ signals: [Signal]) throws(SystemError) {
        let numbers = signals.map(\.rawValue)
        // Safe: the call reads `count` integers.
        let raw = unsafe apus_signalfd(numbers, Int32(numbers.count))
        guard raw >= 0 else { throw SystemError("signalfd", code: lastErrorCode) }
        descriptor = FileDescriptor(owning: raw)
    }

    func next() -> Signal? { Signal(rawValue: apus_signalfd_read(fd)) }
}
