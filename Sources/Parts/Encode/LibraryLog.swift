// SPDX-License-Identifier: Apache-2.0
// FFmpeg's log messages, kept for errors and for our own log instead of going to standard error.

import CSysFFmpeg
import Synchronization

/// Collects what the libav* libraries log.
///
/// Codec threads log too, so messages are put by under a lock; the loop's thread takes them.
package enum LibraryLog {
    /// At most this many messages wait; later ones are counted only.
    package static let limit = 64
    /// So many messages explain one failure.
    static let causeLimit = 3

    private struct Kept {
        var messages: [String] = []
        /// What was logged since the present operation began.
        var cause: [String] = []
        var dropped = 0
    }

    private static let kept = Mutex(Kept())

    /// Sends the libraries' messages here from now on; call once, before anything else of this module.
    ///
    /// C: av_log_set_callback()
    package static func install() {
        // Safe: the callback only reads its arguments, for as long as it is called, and locks what it keeps.
        unsafe av_log_set_callback { source, level, format, arguments in
            guard level <= AV_LOG_ERROR, let format = unsafe format, let arguments = unsafe arguments else { return }
            // Safe: the buffer's true size is given, and the library NUL-terminates what it writes.
            let line = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { buffer -> String? in
                var prefix: Int32 = 1
                let count = unsafe av_log_format_line2(
                    source,
                    level,
                    format,
                    arguments,
                    buffer.baseAddress,
                    Int32(buffer.count),
                    &prefix
                )
                guard count > 0, let base = buffer.baseAddress else { return nil }
                // Safe: NUL-terminated, as said above.
                return unsafe String(cString: base)
            }
            if let line { LibraryLog.keep(line) }
        }
    }

    /// Takes the messages that came since the last call, and how many were dropped meanwhile.
    package static func take() -> (messages: [String], dropped: Int) {
        kept.withLock { kept in
            defer { kept = Kept() }
            return (kept.messages, kept.dropped)
        }
    }

    /// Begins an operation: what was logged before is not taken for the cause of its failure.
    static func begin() {
        kept.withLock { $0.cause.removeAll() }
    }

    /// Takes what was logged since `begin()`, to explain a failure; it is then not reported twice.
    static func takeCause() -> String? {
        kept.withLock { kept in
            guard !kept.cause.isEmpty else { return nil }
            kept.messages.removeLast(min(kept.cause.count, kept.messages.count))
            defer { kept.cause.removeAll() }
            return kept.cause.joined(separator: "; ")
        }
    }

    private static func keep(_ raw: String) {
        // "[h264_nvenc @ 0x5581e0] Cannot load libcuda.so.1\n": the address helps nobody.
        var text = raw[...]
        while let last = text.last, last.isWhitespace { text.removeLast() }
        if text.first == "[", let end = text.firstIndex(of: "]") {
            text = text[text.index(after: end)...]
            while text.first == " " { text.removeFirst() }
        }
        guard !text.isEmpty else { return }
        let line = String(text)
        kept.withLock { kept in
            guard kept.messages.count < limit else {
                kept.dropped += 1
                return
            }
            kept.messages.append(line)
            if kept.cause.count < causeLimit { kept.cause.append(line) }
        }
    }
}
