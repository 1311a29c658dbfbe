// SPDX-License-Identifier: Apache-2.0
// Viewers of motion JPEG, who note when each picture was complete, and the pictures that they are sent.

import Bytes
import HTTP
import Loop
import System

/// A picture in the shape of JPEG, of a fixed length, stamped with when it was sent.
enum BenchPicture {
    /// Behind the stamp: the end of the image.
    static let tail = BenchStream.stampLength + 2

    static func make(_ length: Int, _ now: Instant) -> [UInt8] {
        var picture: [UInt8] = [0xFF, 0xD8]
        picture.append(contentsOf: repeatElement(0xA5, count: max(0, length - 2 - tail)))
        for shift in stride(from: 63, through: 0, by: -7) {
            picture.append(0x80 | UInt8(truncatingIfNeeded: now.nanoseconds >> Int64(shift)))
        }
        return picture + [0xFF, 0xD9]
    }
}

/// A viewer of a multipart response.
final class PictureViewer {
    private let socket: FileDescriptor
    private let totals: ViewerTotals
    private var watch: Watch?
    private var request: [UInt8]
    private var fields: [UInt8] = []
    /// Bytes of the present picture that have not come.
    private var missing = 0
    private var tail: [UInt8] = []

    /// A viewer that asks a server, or with `isStalled` asks and never reads.
    init(
        _ loop: EventLoop,
        server: SocketAddress,
        path: String,
        isStalled: Bool,
        _ totals: ViewerTotals
    )
        throws(SystemError)
    {
        socket = try Socket.connectTCP(server)
        self.totals = totals
        request = Array("GET \(path) HTTP/1.1\r\nHost: bench\r\n\r\n".utf8)
        if isStalled { Socket.setOption(socket.raw, .receiveBuffer, 4096) }
        watch = try loop.watch(socket.raw, .write) { [unowned self] readiness in
            guard readiness.contains(.writable) else { return receive() }
            let bytes = request
            _ = try? Socket.send(socket.raw, bytes.span)
            if isStalled { watch?.cancel() } else { try? watch?.modify(.read) }
        }
    }

    /// A viewer on a connection over which the response comes without being asked for.
    init(_ loop: EventLoop, _ socket: consuming FileDescriptor, _ totals: ViewerTotals) throws(SystemError) {
        self.socket = socket
        self.totals = totals
        request = []
        watch = try loop.watch(self.socket.raw, .read) { [unowned self] _ in receive() }
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
        take(buffer.span.extracting(..<count))
    }

    private func take(_ bytes: Span<UInt8>) {
        var offset = 0
        while offset < bytes.count {
            if missing > 0 {
                let count = min(missing, bytes.count - offset)
                let left = missing - count
                // The last bytes may come in two pieces.
                let first = max(offset, offset + count + left - BenchPicture.tail)
                if first < offset + count { tail.append(bytes.extracting(first..<(offset + count))) }
                offset += count
                missing = left
                if missing == 0 { finish() }
            } else {
                offset = takeFields(bytes, from: offset)
            }
        }
    }

    /// Takes the fields in front of a picture, or what is there of them; gives where they end.
    private func takeFields(_ bytes: Span<UInt8>, from offset: Int) -> Int {
        let rest = bytes.extracting(offset...)
        if fields.isEmpty, let end = AnswerHead.end(in: rest) {
            missing = AnswerHead.contentLength(in: rest.extracting(..<end))
            return offset + end
        }
        // They have come in pieces.
        let before = fields.count
        fields.append(rest)
        guard let end = AnswerHead.end(in: fields.span) else { return bytes.count }
        missing = AnswerHead.contentLength(in: fields.span.extracting(..<end))
        fields.removeAll(keepingCapacity: true)
        return offset + end - before
    }

    private func finish() {
        totals.frames += 1
        let stamp = tail
        tail.removeAll(keepingCapacity: true)
        guard totals.isMeasuring, stamp.count == BenchPicture.tail,
            let sent = BenchStream.stamp(atEndOf: stamp.span.extracting(..<BenchStream.stampLength))
        else { return }
        totals.latencies.append((Clock.monotonic() - sent).nanoseconds)
    }
}
