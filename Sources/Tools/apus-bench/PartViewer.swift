// SPDX-License-Identifier: Apache-2.0
// A viewer of low-latency HLS: asks for the list, then for the part that the list announces, and so on.

import Bytes
import Loop
import System

/// A player that stays at the edge, on one connection, and notes when each part was complete.
final class PartViewer {
    private let socket: FileDescriptor
    private let totals: ViewerTotals
    private let asked = Clock.monotonic()
    private var watch: Watch?
    private var received: [UInt8] = []
    /// Where the answer's body is going to be in `received`, once its head is there.
    private var awaited: Range<Int>?
    /// When the first byte of the answer came.
    private var began = Instant.zero
    private var isWaitingForPart = false
    private var hasJoined = false

    /// With `reads` false, one that asks for a list and never takes it.
    init(_ loop: EventLoop, _ server: SocketAddress, _ totals: ViewerTotals, reads: Bool) throws(SystemError) {
        socket = try Socket.connectTCP(server)
        self.totals = totals
        watch = try loop.watch(socket.raw, .write) { [unowned self] readiness in
            guard readiness.contains(.writable) else { return receive() }
            ask("index.m3u8")
            if reads { try? watch?.modify(.read) } else { watch?.cancel() }
        }
    }

    private func ask(_ name: String) {
        isWaitingForPart = !name.contains("m3u8")
        let request = Array("GET /cam/main/\(name) HTTP/1.1\r\nHost: bench\r\n\r\n".utf8)
        _ = try? Socket.send(socket.raw, request.span)
    }

    private func receive() {
        var buffer: [UInt8] = []
        swap(&buffer, &totals.scratch)
        defer { swap(&buffer, &totals.scratch) }
        var span = buffer.mutableSpan
        guard case .some(.bytes(let count)) = try? read(socket.raw, into: &span) else {
            totals.failures.append("a viewer's connection ended")
            watch?.cancel()
            return
        }
        totals.bytes += UInt64(count)
        if received.isEmpty { began = Clock.monotonic() }
        received.append(buffer.span.extracting(..<count))
        if awaited == nil, let end = AnswerHead.end(in: received.span) {
            awaited = end..<(end + AnswerHead.contentLength(in: received.span.extracting(..<end)))
        }
        guard let body = awaited, received.count >= body.upperBound else { return }
        awaited = nil
        var all: [UInt8] = []
        swap(&all, &received)
        finish(all.span.extracting(body))
        all.removeAll(keepingCapacity: true)
        if received.isEmpty { swap(&all, &received) }
    }

    private func finish(_ body: Span<UInt8>) {
        guard isWaitingForPart else { return takeList(body) }
        let now = Clock.monotonic()
        totals.frames += 1
        if !hasJoined {
            hasJoined = true
            totals.joins.append((now - asked).nanoseconds)
        }
        if totals.isMeasuring, let stamp = BenchStream.stamp(atEndOf: body) {
            totals.latencies.append((now - stamp).nanoseconds)
            totals.firsts.append((began - stamp).nanoseconds)
        }
        ask("index.m3u8")
    }

    private func takeList(_ body: Span<UInt8>) {
        var text: [UInt8] = []
        text.append(body)
        let line = String(decoding: text, as: UTF8.self).split(separator: "\n").last { $0.contains("PRELOAD-HINT") }
        let parts = line?.split(separator: "\"") ?? []
        guard parts.count > 1 else {
            totals.failures.append("a list announces no part")
            return ask("index.m3u8")
        }
        ask(String(parts[1]))
    }
}
