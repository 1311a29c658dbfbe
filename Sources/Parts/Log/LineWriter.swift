// SPDX-License-Identifier: Apache-2.0
// Writing lines without ever waiting for who reads them: on another thread, or only what is taken at once.

import Bytes
import Synchronization
import System

/// Writes lines on a thread of its own: a terminal that is stopped (Ctrl-S) and a full pipe hold up nobody else.
///
/// The descriptors stay as they are: who shares them, such as the shell that started this, would see O_NONBLOCK, too.
package final class LineWriter: Sendable {
    private struct State {
        var lines: WaitingLines
        var hasThread = false
        var isWriting = false
        var isClosed = false
    }

    /// What both threads have.
    private final class Shared: Sendable {
        let state: Monitor<State>

        init(_ lines: WaitingLines) { state = Monitor(State(lines: lines)) }

        /// The thread: writes until the writer is gone and nothing waits.
        func run() {
            while true {
                let part = state.wait(atMost: .seconds(3600)) { state -> (fd: Int32, bytes: [UInt8])?? in
                    state.isWriting = false
                    guard let part = state.lines.front(atMost: LineWriter.partSize) else {
                        return state.isClosed ? .some(nil) : nil
                    }
                    state.lines.remove(part.bytes.count)
                    state.isWriting = true
                    return part
                }
                guard let part else { continue }
                guard let part else { return }
                LineWriter.writeWaiting(part.fd, part.bytes)
                // Woken is who waits for the end of it.
                state.with { $0.isWriting = false }
            }
        }
    }

    /// So much is written at once, in bytes.
    private static let partSize = 16 << 10

    private let shared: Shared

    /// A writer of lines whose dropped ones are told of by `note`.
    package init(note: @escaping @Sendable (Int) -> [UInt8]) { shared = Shared(WaitingLines(note: note)) }

    deinit { shared.state.with { $0.isClosed = true } }

    /// Has lines written; returns at once, whatever becomes of them.
    package func write(_ bytes: [UInt8], to fd: Int32 = 2) {
        guard !bytes.isEmpty else { return }
        let needsThread = shared.state.with { state in
            state.lines.add(bytes, to: fd)
            defer { state.hasThread = true }
            return !state.hasThread
        }
        guard needsThread else { return }
        do throws(SystemError) {
            try BackgroundThread.start { [shared] in shared.run() }
        } catch {
            // There may be one for the next line.
            shared.state.with { $0.hasThread = false }
        }
    }

    /// Waits until all is written, at most so long.
    ///
    /// - Returns: false if somebody does not read.
    package func finish(within patience: Duration) -> Bool {
        let isWritten = shared.state.wait(atMost: patience) { state in
            state.lines.isEmpty && !state.isWriting ? true : nil
        }
        return isWritten ?? false
    }

    /// Writes all of `bytes`, however long that takes; what nobody can take any more is left.
    private static func writeWaiting(_ fd: Int32, _ bytes: [UInt8]) {
        var offset = 0
        while offset < bytes.count {
            switch try? System.write(fd, bytes.span.extracting(offset...)) {
            case .bytes(let count): offset += count
            // Somebody else has made it non-blocking.
            case .wouldBlock: _ = try? waitUntilReady(fd, toWrite: true, timeout: .seconds(1))
            case .endOfStream, nil: return
            }
        }
    }
}

/// Writes the lines of one descriptor as far as they are taken at once; the rest goes with the next line.
///
/// For processes that may have no thread: what closes a sandbox holds for the thread that closes it.
package final class ReadyLineWriter: Sendable {
    /// What a pipe takes whole, if it takes anything. C: `PIPE_BUF`.
    private static let pieceSize = 4096

    private let fd: Int32
    /// Guards what waits; nothing that is done under it waits.
    private let lines: Mutex<WaitingLines>

    /// A writer to `fd`, which stays the caller's, of lines whose dropped ones are told of by `note`.
    package init(_ fd: Int32, note: @escaping @Sendable (Int) -> [UInt8]) {
        self.fd = fd
        lines = Mutex(WaitingLines(note: note))
    }

    /// Writes whole lines, and those that wait before them, as far as they are taken.
    package func write(_ bytes: [UInt8]) {
        lines.withLock { lines in
            lines.add(bytes, to: fd)
            while (try? waitUntilReady(fd, toWrite: true, timeout: .zero)) == true,
                let piece = lines.front(atMost: Self.pieceSize)
            {
                switch try? System.write(fd, piece.bytes.span) {
                case .bytes(let count): lines.remove(count)
                case .wouldBlock: return
                // Nobody will read them.
                case .endOfStream, nil: lines.remove(piece.bytes.count)
                }
            }
        }
    }
}
