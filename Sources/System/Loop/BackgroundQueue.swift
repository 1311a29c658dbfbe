// SPDX-License-Identifier: Apache-2.0
// Work that takes too long for a loop's thread: done on another one, its result brought back.

import Bytes
package import System

/// Does one piece of work after the other on a thread of its own, and hands the results to the loop's thread.
///
/// ```
/// let isAccepted = queue.run { hash(password, salt) } then: { hash in answer(hash) }
/// ```
/// The work sees nothing of the daemon but what it is given, and `then` is called on the loop's thread, in the order
/// of the work. The thread is started with the first work and ends when there has been none for a while.
package final class BackgroundQueue {
    /// Work that waits at most; what comes on top is refused, so that a flood of requests cannot pile up.
    package static let limit = 64
    /// A thread without work ends after this long.
    package static let idleTime = Duration.seconds(10)

    private struct Job: Sendable {
        var number: UInt64
        var work: @Sendable () -> any Sendable
    }

    private struct State {
        var waiting: [Job] = []
        var done: [(number: UInt64, result: any Sendable)] = []
        var hasThread = false
        var isClosed = false
    }

    /// What both threads have.
    private final class Shared: Sendable {
        let state = Monitor(State())
        let results: Int32

        init() throws(SystemError) { results = try EventDescriptor.create().release() }

        deinit { _ = FileDescriptor(owning: results) }

        /// The thread: work until there is none for a while.
        func run(idleTime: Duration) {
            while let job = next(idleTime) {
                let result = job.work()
                let isClosed = state.with { state in
                    state.done.append((job.number, result))
                    return state.isClosed
                }
                if isClosed { return }
                EventDescriptor.signal(results)
            }
        }

        private func next(_ idleTime: Duration) -> Job? {
            let job = state.wait(atMost: idleTime) { state -> Job?? in
                if state.isClosed { return .some(nil) }
                return state.waiting.isEmpty ? nil : .some(state.waiting.removeFirst())
            }
            if let job = job ?? nil { return job }
            // What came since the time was over finds the thread still noted, so it is looked for again.
            return state.with { state in
                if !state.isClosed, !state.waiting.isEmpty { return state.waiting.removeFirst() }
                state.hasThread = false
                return nil
            }
        }
    }

    /// Held, as the watch has to be cancelled with it: whoever owns both may let go of the loop first.
    private let loop: EventLoop
    private let shared: Shared
    private let idleTime: Duration
    private var watch: Watch?
    private var lastNumber: UInt64 = 0
    private var completions: [UInt64: (any Sendable) -> Void] = [:]

    /// A queue whose results come back on the thread of `loop`.
    package init(_ loop: EventLoop, idleTime: Duration = BackgroundQueue.idleTime) throws(SystemError) {
        self.loop = loop
        shared = try Shared()
        self.idleTime = idleTime
        watch = try loop.watch(shared.results, .read) { [unowned self] _ in takeResults() }
    }

    deinit {
        watch?.cancel()
        // Work under way is finished, its result forgotten, and what waits is left out; the thread keeps `shared`.
        shared.state.with { state in
            state.isClosed = true
            state.waiting = []
        }
    }

    /// How much work waits or is being done.
    package var count: Int { completions.count }

    /// Has `work` done on the other thread, and `then` called with its result on this one.
    ///
    /// - Returns: false, with nothing done, when too much waits or the system gives no thread.
    @discardableResult
    package func run<Result: Sendable>(
        _ work: @escaping @Sendable () -> Result,
        then: @escaping (Result) -> Void
    ) -> Bool {
        guard completions.count < Self.limit else { return false }
        lastNumber += 1
        let job = Job(number: lastNumber, work: work)
        let needsThread = shared.state.with { state in
            state.waiting.append(job)
            defer { state.hasThread = true }
            return !state.hasThread
        }
        if needsThread, !startThread() { return false }
        completions[lastNumber] = { result in
            if let result = result as? Result { then(result) }
        }
        return true
    }

    private func startThread() -> Bool {
        do throws(SystemError) {
            try BackgroundThread.start { [shared, idleTime] in shared.run(idleTime: idleTime) }
            return true
        } catch {
            shared.state.with { state in
                state.hasThread = false
                state.waiting = []
            }
            return false
        }
    }

    private func takeResults() {
        EventDescriptor.clear(shared.results)
        let done = shared.state.with { state in
            defer { state.done = [] }
            return state.done
        }
        for (number, result) in done { completions.removeValue(forKey: number)?(result) }
    }
}
