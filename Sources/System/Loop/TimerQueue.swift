// SPDX-License-Identifier: Apache-2.0
// Timers of the event loop: a binary heap by due time.

import Bytes

/// A call that is due at an instant.
package final class LoopTimer {
    fileprivate var due: Instant
    private let interval: Duration?
    private var handler: (() -> Void)?

    init(at due: Instant, every interval: Duration? = nil, _ handler: @escaping () -> Void) {
        self.due = due
        self.interval = interval
        self.handler = handler
    }

    /// Takes the call back and lets go of the handler. Harmless when repeated, and after the call.
    package func cancel() { handler = nil }

    /// True until the timer is cancelled or, unless it repeats, has fired.
    package var isPending: Bool { handler != nil }

    /// The call to make now; nil if it was taken back. It is made outside, as it may add timers to `queue`.
    func fired(rescheduling queue: inout TimerQueue, now: Instant) -> (() -> Void)? {
        guard let handler else { return nil }
        if let interval {
            let missed = max(0, (now - due).nanoseconds / max(1, interval.nanoseconds))
            due = due + interval * Int(missed + 1)
            queue.insert(self)
        } else {
            self.handler = nil
        }
        return handler
    }
}

/// Timers ordered by due time. Cancelled timers are swept out each time the queue has doubled.
struct TimerQueue {
    private var heap: [LoopTimer] = []
    private var sweepCount = 64

    /// When the next timer is due, nil without timers.
    var next: Instant? { heap.first?.due }

    @discardableResult
    mutating func insert(_ timer: LoopTimer) -> LoopTimer {
        if heap.count >= sweepCount { sweep() }
        heap.append(timer)
        var child = heap.count - 1
        while child > 0, heap[child].due < heap[(child - 1) / 2].due {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
        return timer
    }

    /// Takes out a timer that is due by `now`.
    mutating func popDue(_ now: Instant) -> LoopTimer? {
        guard let first = heap.first, first.due <= now else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        sink(0)
        return first
    }

    private mutating func sweep() {
        heap.removeAll { !$0.isPending }
        sweepCount = max(64, heap.count * 2)
        for index in stride(from: heap.count / 2 - 1, through: 0, by: -1) { sink(index) }
    }

    private mutating func sink(_ start: Int) {
        var parent = start
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].due < heap[least].due
            {
                least = child
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
