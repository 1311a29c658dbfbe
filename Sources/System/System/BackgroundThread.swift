// SPDX-License-Identifier: Apache-2.0
// Threads for work that would hold up a loop, and what they share.

import Bytes
import Glibc

/// Starts threads.
package enum BackgroundThread {
    /// Runs `body` on a thread of its own, which ends with it. No signal is delivered to the thread.
    ///
    /// C: `pthread_create`, detached.
    package static func start(_ body: @escaping @Sendable () -> Void) throws(SystemError) {
        var thread = pthread_t()
        var attributes = pthread_attr_t()
        // Safe: both are valid for the calls; the box is taken over by the thread, or released here if there is none.
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let box = unsafe Unmanaged.passRetained(Body(body))
        // A thread inherits the mask of the one that makes it: signals are the loop's.
        var all = sigset_t()
        var before = sigset_t()
        unsafe sigfillset(&all)
        unsafe pthread_sigmask(SIG_SETMASK, &all, &before)
        let code = unsafe pthread_create(
            &thread,
            &attributes,
            { argument in
                guard let argument = unsafe argument else { return nil }
                unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            },
            box.toOpaque()
        )
        // Safe: as it was before; and if there is no thread, the box is still this function's.
        unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
        guard code == 0 else {
            unsafe box.release()
            throw SystemError("pthread_create", code: code)
        }
    }

    private final class Body: Sendable {
        let run: @Sendable () -> Void

        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
}

/// A value that threads share: one at a time has it, and may wait for a change that another one makes.
///
/// Made of the system's own mutex and condition, which ThreadSanitizer understands. C: `pthread_mutex_t`,
/// `pthread_cond_t`.
// Safe: `value` is touched only between lock and unlock of `mutex`; both pointers never change after init.
@safe package final class Monitor<Value>: @unchecked Sendable {
    private var value: Value
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let changed: UnsafeMutablePointer<pthread_cond_t>

    /// Guards `value`, which nobody else has from here on.
    package init(_ value: sending Value) {
        self.value = value
        // Safe: made here, at an address of their own that does not change, and freed in deinit.
        unsafe mutex = .allocate(capacity: 1)
        unsafe changed = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe changed.initialize(to: pthread_cond_t())
        unsafe pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(changed, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        // Safe: nobody has the object any more, so nobody waits.
        unsafe pthread_cond_destroy(changed)
        unsafe pthread_mutex_destroy(mutex)
        unsafe changed.deallocate()
        unsafe mutex.deallocate()
    }

    /// Lets `change` have the value, then wakes who waits for a change. Nothing that waits may be called in it.
    package func with<Result>(_ change: (inout Value) -> Result) -> Result {
        // Safe: initialised, and locked and unlocked by this thread.
        unsafe pthread_mutex_lock(mutex)
        defer {
            unsafe pthread_cond_broadcast(changed)
            unsafe pthread_mutex_unlock(mutex)
        }
        return change(&value)
    }

    /// Waits until `take` gives something, asking after every change; nil when the time is over.
    package func wait<Result>(atMost patience: Duration, until take: (inout Value) -> Result?) -> Result? {
        let end = Clock.monotonic() + patience
        var deadline = timespec()
        deadline.tv_sec = Int(end.nanoseconds / 1_000_000_000)
        deadline.tv_nsec = Int(end.nanoseconds % 1_000_000_000)
        // Safe: as above; the mutex is held whenever the value is looked at.
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while true {
            if let result = take(&value) { return result }
            let code = unsafe pthread_cond_timedwait(changed, mutex, &deadline)
            if code == ETIMEDOUT { return take(&value) }
        }
    }
}
