// SPDX-License-Identifier: Apache-2.0
// Lines that wait for who reads them, up to a limit: what does not fit is counted, and said when it flows again.

/// Lines on their way to descriptors, which nobody may read for a while.
package struct WaitingLines: Sendable {
    /// More is not kept, in bytes.
    package static let maximumWaiting = 512 << 10

    /// Bytes in a row for one descriptor.
    private struct Part {
        let fd: Int32
        var bytes: [UInt8]
    }

    private var parts: [Part] = []
    private var count = 0
    private var dropped = 0
    /// Whom the next note of what was dropped is for.
    private var droppedFor: Int32 = 2
    private let note: @Sendable (Int) -> [UInt8]

    /// Lines in whose place, where they were dropped, the line stands that `note` makes of their number.
    package init(note: @escaping @Sendable (Int) -> [UInt8]) { self.note = note }

    /// True if nothing waits, nor is to be said.
    package var isEmpty: Bool { parts.isEmpty && dropped == 0 }

    /// Takes whole lines for a descriptor, or counts them if they do not fit.
    package mutating func add(_ bytes: [UInt8], to fd: Int32 = 2) {
        guard !bytes.isEmpty else { return }
        // Once it was full it begins again half empty: one gap is better than many.
        let limit = dropped > 0 ? Self.maximumWaiting / 2 : Self.maximumWaiting
        guard count + bytes.count <= limit else {
            dropped += bytes.count { $0 == UInt8(ascii: "\n") }
            droppedFor = fd
            return
        }
        noteDropped()
        append(bytes, fd)
    }

    /// The front of what waits, at most so many bytes for one descriptor; nil if there is nothing.
    package mutating func front(atMost limit: Int) -> (fd: Int32, bytes: [UInt8])? {
        if parts.isEmpty { noteDropped() }
        guard let first = parts.first else { return nil }
        return (first.fd, Array(first.bytes.prefix(limit)))
    }

    /// The first `count` bytes of the front are written, or cannot be.
    package mutating func remove(_ count: Int) {
        guard !parts.isEmpty else { return }
        let removed = min(count, parts[0].bytes.count)
        self.count -= removed
        parts[0].bytes.removeFirst(removed)
        if parts[0].bytes.isEmpty { parts.removeFirst() }
    }

    private mutating func noteDropped() {
        guard dropped > 0 else { return }
        append(note(dropped), droppedFor)
        dropped = 0
    }

    private mutating func append(_ bytes: [UInt8], _ fd: Int32) {
        count += bytes.count
        if let last = parts.indices.last, parts[last].fd == fd {
            parts[last].bytes += bytes
        } else {
            parts.append(Part(fd: fd, bytes: bytes))
        }
    }
}
