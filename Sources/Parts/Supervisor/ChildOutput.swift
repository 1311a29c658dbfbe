// SPDX-License-Identifier: Apache-2.0
// What one run of a child writes to its standard error: passed on in whole lines, the last of them kept.

import Loop
import System

/// The way of a child's lines, and its last words.
final class ChildOutput {
    /// So many lines are kept.
    static let maximumLines = 4
    /// Longer lines are cut where they are kept, in bytes.
    static let maximumLength = 500
    /// A longer line is passed on in parts, in bytes.
    static let maximumPending = 64 << 10
    /// The loop has others to serve: so much is read in one turn, in reads of 16 KiB.
    private static let readsPerTurn = 16
    private static let drainTurns = 16

    /// The last lines, without colours.
    private(set) var lastLines: [String] = []
    private let reader: FileDescriptor
    private var writer: FileDescriptor?
    private var watch: Watch?
    private var pending: [UInt8] = []
    private let pass: ([UInt8]) -> Void

    /// Makes the way; `pass` gets whole lines.
    init(_ loop: EventLoop, _ pass: @escaping ([UInt8]) -> Void) throws(SystemError) {
        let pair = try Socket.pair(.stream)
        reader = FileDescriptor(owning: pair.first.release())
        let writer = FileDescriptor(owning: pair.second.release())
        // The child writes as to any standard error: it waits while it is full.
        try setNonBlocking(writer.raw, false)
        self.writer = consume writer
        self.pass = pass
        watch = try loop.watch(reader.raw, .read) { [unowned self] _ in read() }
    }

    /// What the child gets as its standard error.
    var childEnd: Int32? { writer?.raw }

    /// The child has its own copy now.
    func started() { writer = nil }

    /// Takes what was written up to now; from a child that writes without end, so much and no more.
    func drain() {
        var rounds = 0
        while rounds < Self.drainTurns, read() { rounds += 1 }
    }

    /// The child has ended: what is left is passed on, whole or not.
    func close() {
        watch?.cancel()
        watch = nil
        drain()
        if !pending.isEmpty { take(UInt8(ascii: "\n")) }
        flush()
    }

    /// Reads a turn's worth; false if there is nothing more now.
    @discardableResult
    private func read() -> Bool {
        var bytes: [UInt8] = []
        var isMore = true
        for _ in 0..<Self.readsPerTurn where isMore {
            switch try? System.read(reader.raw, appendingTo: &bytes, atMost: 16 << 10) {
            case .bytes: break
            case .wouldBlock: isMore = false
            case .endOfStream, nil:
                isMore = false
                watch?.cancel()
                watch = nil
            }
        }
        for byte in bytes { take(byte) }
        flush()
        return isMore
    }

    private var lineStart = 0

    private func take(_ byte: UInt8) {
        pending.append(byte)
        guard byte == UInt8(ascii: "\n") || pending.count - lineStart >= Self.maximumPending else { return }
        let line = LogRelay.Lines.plain(pending[lineStart...].prefix(Self.maximumLength))
        lineStart = pending.count
        guard !line.isEmpty else { return }
        if lastLines.count == Self.maximumLines { lastLines.removeFirst() }
        lastLines.append(String(decoding: line, as: UTF8.self))
    }

    /// Passes whole lines on, so that those of several children do not mix.
    private func flush() {
        guard lineStart > 0 else { return }
        let lines = Array(pending[..<lineStart])
        pending.removeSubrange(..<lineStart)
        lineStart = 0
        pass(lines)
    }
}
